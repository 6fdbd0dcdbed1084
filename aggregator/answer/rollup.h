/* rollup.h - rows of a view merged into fewer: by the keys that they have in an answer. Memory is bounded. Pure. */
#pragma once
#include "aggregator/view/measure_row.h"

struct rollup;

enum {
	ROLLUP_E_FULL = 1,
	/* Of keys and values: eight answers, so that rows with many texts can't take what the overlays need. */
	ROLLUP_SIZE_MAX = 8 * ANSWER_SIZE_MAX,
};

/* `view` has the groups of the answer; borrowed. */
int rollup_new(const struct view *view, struct rollup **ret_rollup);
struct rollup *rollup_free(struct rollup *rollup);
/* Merges the row into the one with this key. 0, ROLLUP_E_FULL past ANSWER_GROUPS_MAX rows or ROLLUP_SIZE_MAX, -ENOMEM,
 * -EOVERFLOW. */
int rollup_add(struct rollup *rollup, struct slice key, const struct row *row);
/* The value of the row with this key (measure_row.h); {NULL, 0}: there is none. */
struct slice rollup_find(const struct rollup *rollup, struct slice key);
/* Brings the rows into the order of their keys; again after others were added. 0 or -ENOMEM. */
int rollup_sort(struct rollup *rollup);
size_t rollup_count(const struct rollup *rollup);
struct slice rollup_key_at(const struct rollup *rollup, size_t index);
struct slice rollup_value_at(const struct rollup *rollup, size_t index);
/* The first row with a key >= `key`. */
size_t rollup_lower_bound(const struct rollup *rollup, struct slice key);
