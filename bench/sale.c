#include "bench/sale.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PRICE_CENTS_MIN = 100, PRICE_CENTS_RANGE = 9900, QUANTITY_MAX = 5, TEXT_MAX = 320 };
#define FIRST_TS_MS INT64_C(1291190400000) /* 2010-12-01T08:00Z */

int sale_law_init(struct sale_law *law, int64_t products, int64_t users, int64_t edges)
{
	double sum = 0;

	*law = (struct sale_law){.users = users, .edges = edges, .product_count = products};
	law->shares = calloc((size_t)products, sizeof law->shares[0]);
	if (law->shares == NULL) {
		return -ENOMEM;
	}
	for (int64_t k = 0; k < products; k++) {
		sum += 1.0 / (double)(k + 1);
		law->shares[k] = sum;
	}
	for (int64_t k = 0; k < products; k++) {
		law->shares[k] /= sum;
	}
	return 0;
}

void sale_law_deinit(struct sale_law *law)
{
	free(law->shares);
	law->shares = NULL;
}

/* splitmix64: a number's bits, well stirred. */
static uint64_t stir(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

/* The first rank whose share is not below. */
static int64_t rank_at(const struct sale_law *law, double share)
{
	int64_t low = 0, high = law->product_count - 1;

	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		if (law->shares[middle] < share) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct sale sale_of(const struct sale_law *law, uint64_t number)
{
	uint64_t drawn = stir(number);
	uint64_t more = stir(drawn);
	int64_t rank = rank_at(law, (double)(drawn >> 11) / 9007199254740992.0);

	return (struct sale){.rank = rank,
		.quantity = (int64_t)(more % QUANTITY_MAX) + 1,
		.price_cents =
			PRICE_CENTS_MIN + (int64_t)(stir((uint64_t)rank) % PRICE_CENTS_RANGE),
		.user = (int64_t)((more >> 8) % (uint64_t)law->users),
		.edge = (int64_t)(number % (uint64_t)law->edges),
		.number = number};
}

void sale_encode(const struct sale *sale, struct buffer *buffer)
{
	char text[TEXT_MAX];
	int size = snprintf(text, sizeof text,
		"{\"order_id\":\"o%" PRIu64 "\",\"product_id\":\"p%" PRId64
		"\",\"quantity\":%" PRId64 ",\"unit_price\":%" PRId64 ".%02" PRId64
		",\"user_id\":\"u%" PRId64 "\",\"ts\":%" PRId64
		",\"currency\":\"EUR\",\"store\":\"store-%" PRId64 "\"}",
		sale->number, sale->rank, sale->quantity, sale->price_cents / 100,
		sale->price_cents % 100, sale->user, FIRST_TS_MS + (int64_t)sale->number,
		sale->edge);

	buffer_append(buffer, text, (size_t)size);
}
