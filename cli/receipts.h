/* receipts.h - amounts by order: what a closing report lists, what the totals have, and where they differ. Pure. One thread. */
#pragma once
#include "proto/buffer.h"
#include "proto/money.h"

enum {
	/* Orders of one edge and day; a busy supermarket has ten thousand. */
	RECEIPTS_MAX = 1000 * 1000,
};

struct receipt {
	size_t id_at; /* in `ids` */
	uint32_t id_size;
	money amount;
};

struct receipts {
	struct buffer ids;
	struct receipt *items; /* owned */
	size_t count, capacity;
};

void receipts_init(struct receipts *receipts);
void receipts_deinit(struct receipts *receipts);
/* 0, -ENOMEM, -ENOSPC past RECEIPTS_MAX. */
int receipts_add(struct receipts *receipts, struct slice order_id, money amount);
/* By order; those of one order become one. -EOVERFLOW past 128 bits. */
int receipts_settle(struct receipts *receipts);

/* An order that the two do not have alike. */
struct receipt_difference {
	struct slice order_id;
	bool is_expected, is_counted; /* else it is not there, and its amount is 0 */
	money expected, counted;
};
/* Each difference in the order of ids; both settled. Stops when `tell` gives other than 0, and returns that. */
int receipts_compare(const struct receipts *expected, const struct receipts *counted,
	int (*tell)(void *owner, const struct receipt_difference *difference), void *owner);
