/* answer_walk.h - rows of one view in key order, merged over base, frozen and active of every shard. For answers. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/answer/table_walk.h"
#include "aggregator/view/measure_row.h"

enum { WALK_E_END = 1 };

/* One shard's share: where its three layers stand. */
struct walk_shard {
	struct row_cursor base;
	bool is_open; /* base stands at a row */
	size_t frozen_at;
	size_t active_at;
	/* What the shard adds to the current row. */
	bool has_base;
	const struct delta *frozen;
	const struct delta *active;
};

struct walk {
	struct answer_context *context;
	const struct view *view;
	struct row_key key; /* of the current row */
	struct row_key to; /* exclusive; size 0: to the end */
	int64_t cutoff; /* rows before it have ended */
	const char *stores; /* rows of these edges only; NULL: all rows */
	size_t rows_left; /* until the snapshots are renewed */
	bool shows_emptied; /* rows of which all was taken back, too; the caller's to set */
	bool is_at_row;
	size_t opened_count; /* shards to close */
	struct walk_shard shards[SHARDS_MAX];
	struct table_walk table; /* in the place of the shards, where the view is a table */
};

/* Sorts the overlays of this view and stands before the first key >= `from` (size 0: the first of all). 0, -EBADMSG when
 * the store is corrupt, -errno. walk_close in any case. */
int walk_open(struct walk *walk, struct answer_context *context, const struct view *view,
	struct slice from, struct slice to);
/* To the next row: 0, WALK_E_END, -EBADMSG, -errno. */
int walk_next(struct walk *walk);
/* The current row, merged; borrowed until the next step. 0, -EBADMSG, -EOVERFLOW. */
int walk_row(struct walk *walk, struct row *ret_row);
/* When the current row lies only in one base: its value, else {NULL, 0}. */
struct slice walk_base_value(const struct walk *walk);
/* New snapshots for what stands in the old ones; the walk stays where it is. 0, -EBADMSG, -errno. */
int walk_renew(struct walk *walk);
void walk_close(struct walk *walk);

/* One row by its whole key: 0, STORE_E_ABSENT, -EBADMSG, -errno. Slices are borrowed from the layers. */
int layers_find_row(struct answer_context *context, const struct view *view, struct slice key,
	struct row *ret_row);
