/* table_walk.h - rows of one table in key order, merged over all shards: a key's records may lie in several, and its newest
 * counts. For answers. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/store/table_row.h"

enum { TABLE_WALK_E_END = 1 };

/* What was read ahead of one shard. */
struct table_walk_shard {
	struct buffer bytes; /* sizes of key and value (4 each), key, value; one after the other */
	size_t at;
	size_t count; /* entries ahead */
	bool is_at_end; /* of the shard: nothing behind what is ahead */
};

struct table_walk {
	struct answer_context *context; /* borrowed, as is the next */
	const struct view *table;
	struct table_walk_shard *shards; /* owned */
	size_t batch; /* entries read ahead at once: a page needs few, a roll-up all */
	size_t read_count; /* since the snapshots were renewed */
	size_t renewals; /* of the snapshots */
	/* Renews the snapshots in place of the context, for what else stands in them; NULL: nothing does. */
	int (*renew)(void *owner);
	void *renew_owner;
	struct row_key key; /* of the current row */
	struct row_key to; /* exclusive; size 0: to the end */
	struct table_row newest; /* of the current key */
	struct row row; /* the current one */
};

/* Stands before the first key >= `from`. 0, -EBADMSG, -errno. table_walk_close in any case. */
int table_walk_open(struct table_walk *walk, struct answer_context *context,
	const struct view *table, struct slice from, struct slice to);
/* To the next row: 0, TABLE_WALK_E_END, -EBADMSG, -errno. Key and row live until the next step. */
int table_walk_next(struct table_walk *walk);
void table_walk_close(struct table_walk *walk);

/* One row by its key: 0, STORE_E_ABSENT, -EBADMSG, -errno. Slices are borrowed until the next look-up in any shard. */
int table_find_row(struct answer_context *context, const struct view *table, struct slice key,
	struct row *ret_row);
