/* answer_refined.h - one question about refined rows being answered. For the answers' own files; results are those of
 * answer_parts.h. */
#pragma once
#include "aggregator/answer/answer_parts.h"

enum { VISIT_END = WALK_E_END }; /* enough was seen */

/* Takes each row of the answer in the order of keys. 0, VISIT_END, a reason, -errno. */
typedef int (*row_visitor)(void *owner, struct slice key, const struct row *row);

/* Every row of the answer with a key in [from, to), in order; an empty `to` is open. */
int refined_each(struct answering *answering, const struct row_key *from, const struct row_key *to,
	row_visitor visit, void *owner);

/* The same, where rows are not rolled up, with a row of zeros for each row of the joined table that the view has none of. */
int missing_each(struct answering *answering, const struct row_key *from, const struct row_key *to,
	row_visitor visit, void *owner);
/* Of a get: when the table has a row of this key, and the view has none. */
int missing_get(struct answering *answering, const struct row_key *key);
/* Adds such rows to all that was rolled up, and those that were there only in `earlier`. Sorts it. */
int missing_merge(struct answering *answering, struct rollup *rollup);
/* The key of a row of the answer with these group values, and the whole of its long texts. 0, -EBADMSG, -errno. */
int result_key_make(const struct view *result, const struct group_value *values,
	struct row_key *ret_key, struct buffer *ret_longs);

/* Keys that a get asks for: none begins with another, so at most one can begin a row's. */
struct wanted {
	struct row_key *keys; /* owned, sorted; NULL: all rows */
	size_t count;
};

/* All rows of a period, merged by their keys in the answer, and sorted. */
int rollup_make(struct answering *answering, const struct period *period,
	const struct wanted *wanted, struct rollup **ret_rollup);
/* Those of the question's own period, with what is missing of them. */
int rollup_make_answer(
	struct answering *answering, const struct wanted *wanted, struct rollup **ret_rollup);
int answer_get_groups(struct answering *answering);
int answer_ordered(struct answering *answering);
int answer_bands(struct answering *answering);

/* A walk over those rows of the view that may be of this period, and within these keys where they are not NULL. */
int refined_open_walk(struct answering *answering, const struct period *period,
	const struct row_key *from, const struct row_key *to, struct walk *walk);
/* The next one that the conditions on groups and the period let through. */
int refined_next(struct walk *walk, const struct refinement *refinement,
	const struct period *period, struct row *row, struct group_value *values);
