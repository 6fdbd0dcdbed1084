/* difference.h - what a view that is staged says otherwise than the live one of its name: row by row, a page at a time. Logic
 * only: layers come in. The loop's thread. */
#pragma once
#include "aggregator/answer/answer_walk.h"
#include "proto/writer.h"

/* One measure of both, by its places there. */
struct measure_pair {
	size_t live, staged;
};

/* Sums over a page's rows, of one currency, by pair; of pairs that add up. */
struct difference_sums {
	char currency[ROW_TEXT_SHORT_MAX];
	size_t currency_size;
	money live[VIEW_MEASURES_MAX], staged[VIEW_MEASURES_MAX];
};

enum {
	/* Of a page: so many rows are read twice, some 100 ms. One snapshot each serves them all. */
	DIFFERENCE_ROWS_MAX = 40000,
	DIFFERENCE_CURRENCIES_MAX = 64, /* of a page; rows of others are in no sum */
};

struct difference {
	struct answer_context *live, *staged; /* borrowed */
	const struct view *live_view, *staged_view; /* grouped alike */
	enum encoding encoding;
	uint32_t limit; /* of rows that are told */
	size_t pair_count;
	struct measure_pair pairs[VIEW_MEASURES_MAX]; /* of the same name and type */
	uint64_t equal, differing, only_live, only_staged;
	uint32_t told;
	struct buffer rows; /* those that are told, one after the other, each a value */
	struct buffer ends; /* where each ends: size_t */
	struct difference_sums *sums; /* owned */
	size_t sums_count;
	struct row_key next; /* where the next page begins; size 0: this was the last */
};

/* Are rows of both comparable? NULL, or why not: a literal. */
const char *difference_refuses(const struct view *live, const struct view *staged);
/* Of the views, contexts, encoding and limit that are set, from the first key >= `from` on. 0, -EBADMSG, -EMSGSIZE, -errno. Deinit
 * in any case. */
int difference_make(struct difference *difference, struct slice from);
void difference_deinit(struct difference *difference);
