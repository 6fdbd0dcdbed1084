/* best.h - the first rows by some columns, out of any number that come in the order of their keys: a heap holds the best
 * seen so far, its worst at the root. A row that can't enter it is looked at and not copied. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/money.h"

/* What a column is in a row, to be ordered by. */
struct rank {
	bool is_present; /* rows without it come last, whatever the order */
	bool is_text;
	money number;
	struct slice text;
};

struct best_row {
	uint64_t number; /* in key order: ties */
	struct rank ranks[QUERY_ORDERS_MAX];
	size_t key_size;
	size_t value_size;
	struct buffer bytes; /* key, value, texts of the ranks */
};

struct best {
	size_t limit;
	size_t order_count;
	bool is_ascending[QUERY_ORDERS_MAX];
	size_t count;
	size_t capacity;
	size_t size; /* of all bytes */
	uint64_t seen;
	struct best_row **rows; /* a heap, sorted by best_sort; owned */
};

enum {
	BEST_E_FULL = 1,
	/* Of keys and values: no answer may show more than an eighth of it. */
	BEST_SIZE_MAX = 8 * ANSWER_SIZE_MAX,
};

/* Zero-initialise but for limit (> 0), order_count and is_ascending. */
void best_deinit(struct best *best);
/* Would the next row be among the best? Call it once for each. */
bool best_wants(struct best *best, const struct rank *ranks);
/* Keeps a row that is wanted. 0, -ENOMEM, or BEST_E_FULL. */
int best_keep(struct best *best, const struct rank *ranks, struct slice key, struct slice value);
/* Ends the heap: rows from best to worst. */
void best_sort(struct best *best);
struct slice best_key(const struct best_row *row);
struct slice best_value(const struct best_row *row);
