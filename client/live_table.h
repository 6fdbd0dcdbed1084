/* live_table.h - the rows of one view as a reader keeps them: joins what answers show and what messages tell, and sees when
 * something is missing (PROTOCOL.md, 6.7). JSON in, JSON out; rows and keys are texts of it. Pure. One thread.
 * An int result is 0, a LIVE_TABLE_E_* to handle, or a negative errno to pass up. */
#pragma once
#include "proto/live.h"

struct live_table;

enum {
	LIVE_TABLE_E_REFUSED = 1, /* the server says why: live_table_complaint */
	LIVE_TABLE_E_MALFORMED, /* nothing that an aggregator sends */
	LIVE_TABLE_E_TOO_LARGE, /* the view has more rows than are wanted here */
};

enum live_table_state {
	LIVE_TABLE_LISTENS, /* for the first message of a stream */
	LIVE_TABLE_READS, /* wants the next page of the view */
	LIVE_TABLE_FOLLOWS, /* whole */
};

/* Borrowed for the call. */
struct live_change {
	struct slice key; /* group values, joined by commas */
	struct slice row; /* {NULL, 0}: it is gone */
};

struct live_table_options {
	size_t rows_max; /* 0: a million */
	/* A row is new, other than before, or gone: a negative errno is passed up. May be NULL. */
	int (*changed)(void *owner, const struct live_change *change);
	void *owner;
};

int live_table_new(const struct live_table_options *options, struct live_table **ret_table);
struct live_table *live_table_free(struct live_table *table);
/* The names of the view's group fields: an array of texts, as `views` answers. Before the first page or message. */
int live_table_name_key(struct live_table *table, const struct node *group_by);

/* A payload of the view's topic; copied where it has to wait. */
int live_table_take(struct live_table *table, struct slice payload);
/* An answer to `scan` that is ok, from the beginning or from live_table_cursor. */
int live_table_page(struct live_table *table, const struct node *answer);
/* Where the next page begins; "" at the start. */
const char *live_table_cursor(const struct live_table *table);
/* Which reading this is: a page that was asked for by an earlier one is of no use. */
uint64_t live_table_reading(const struct live_table *table);
/* The connection is gone, or the view can't be read: listens anew, and keeps its rows until it knows better. */
void live_table_restart(struct live_table *table);

enum live_table_state live_table_state(const struct live_table *table);
const char *live_table_complaint(const struct live_table *table);
size_t live_table_count(const struct live_table *table);
uint64_t live_table_gaps(const struct live_table *table); /* how often it had to read anew */
/* All rows, in no order, until `each` returns other than 0, which is returned. */
int live_table_each(const struct live_table *table,
	int (*each)(void *owner, const struct live_change *row), void *owner);
