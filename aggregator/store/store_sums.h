/* store_sums.h - what the rows of a store's tables add up to. LMDB has no checksums: a row that is missing, or is as it was earlier,
 * leaves no trace in a tree but in such sums. They lie among the names of the tables, on a page that every transaction writes anyway,
 * and bear its number, so that a state of an earlier time is known as one, too. Rows and members of views are summed up in the views'
 * summaries (view_summary.h), and those here. Pure. */
#pragma once
#include "aggregator/store/store.h"
#include "aggregator/view/pack.h"

enum { GENERATIONS_MAX = 3 }; /* live, shadow, dropping */
/* One more table, of no generation: the root and who was forgotten. */
#define TABLE_META TABLE_COUNT

struct table_sum {
	uint64_t count; /* rows */
	uint64_t hash_sum; /* of sealed_hash over them, modulo 2^64 */
};

struct generation_sums {
	uint32_t number; /* 0: this place is free */
	struct table_sum tables[TABLE_COUNT]; /* zero of TABLE_ROWS and TABLE_MEMBERS */
};

struct store_sums {
	uint64_t transaction; /* LMDB's number of the one that wrote them */
	struct table_sum meta;
	struct generation_sums generations[GENERATIONS_MAX];
};

/* Of a value with its seal, which covers the key. */
uint64_t sealed_hash(struct slice sealed);
void table_sum_add(struct table_sum *sum, struct slice sealed);
/* The very bytes that were added. */
void table_sum_subtract(struct table_sum *sum, struct slice sealed);
bool table_sum_equal(const struct table_sum *a, const struct table_sum *b);

bool table_is_of_views(enum store_table table);
/* NULL: there are none of it. Number 0 finds a free place. */
struct generation_sums *store_sums_find(struct store_sums *sums, uint32_t number);

void store_sums_encode(const struct store_sums *sums, struct buffer *buffer);
bool store_sums_decode(struct slice bytes, struct store_sums *ret_sums);
