/* shop.h - the database of a shop, whose customers, products, orders and order_details change as a seed draws them: the same
 * seed and the same first numbers give the same statements, whenever they are run. An order's amount is the sum of its lines.
 * Some 1,000 recent orders still change: lines come, go and change, orders are given to another customer, renumbered (their key
 * changes) or deleted. Customers who never order come and go. Some transactions are rolled back. Pure. One thread. */
#pragma once
#include "proto/buffer.h"

enum { SHOP_PRODUCTS_MAX = 100000, SHOP_USERS_MAX = 1000000 };

struct shop_options {
	uint64_t seed;
	uint32_t products; /* 1 … SHOP_PRODUCTS_MAX */
	uint32_t users; /* 1 … SHOP_USERS_MAX */
	int64_t order_id; /* the largest that is in the database; 0: none */
	int64_t user_id;
};

struct shop_counts { /* rows of what was committed */
	uint64_t transactions, rolled_back;
	uint64_t inserted, updated, deleted;
};

struct shop;

int shop_new(const struct shop_options *options, struct shop **ret_shop); /* 0 or -ENOMEM */
struct shop *shop_free(struct shop *shop);
/* The tables, where they are missing. */
void shop_write_tables(struct buffer *sql);
/* Its products and the customers 1 … users, where they are missing. */
void shop_write_stock(const struct shop_options *options, struct buffer *sql);
/* The next transaction, with its BEGIN and its end. The counts are those after it. */
void shop_next(struct shop *shop, struct buffer *sql);
const struct shop_counts *shop_counted(const struct shop *shop);
