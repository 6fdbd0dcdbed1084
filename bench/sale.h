/* sale.h - what all engines of bench/run peers count: plain JSON records of some 150 bytes, as a till's program would write
 * them. Number i is always the same sale. Which product it names is drawn by Zipf's law with exponent 1: the product of rank
 * k has a share of 1 / k. */
#pragma once
#include "proto/buffer.h"
#include <stdint.h>

struct sale_law {
	int64_t users, edges;
	int64_t product_count;
	double *shares; /* owned: of the products up to each rank, the last is 1 */
};

struct sale {
	int64_t rank; /* 0: the product sold most */
	int64_t quantity, price_cents, user, edge;
	uint64_t number;
};

/* All three above 0. 0 or -ENOMEM. */
int sale_law_init(struct sale_law *law, int64_t products, int64_t users, int64_t edges);
void sale_law_deinit(struct sale_law *law);

struct sale sale_of(const struct sale_law *law, uint64_t number);
/* One JSON map, no line's end. */
void sale_encode(const struct sale *sale, struct buffer *buffer);
