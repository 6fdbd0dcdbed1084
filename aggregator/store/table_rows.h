/* table_rows.h - the rows of all tables that one shard keeps: takes what records say of them, and counts them. What a record
 * brings is put where the newest of its key was (table_row.h), in the transaction of its offset. The loop's thread. */
#pragma once
#include "aggregator/books/books.h"
#include "aggregator/books/record.h"
#include "aggregator/store/entry_forget.h"
#include "aggregator/view/table.h"

struct table_rows_options {
	struct entries *entries; /* both borrowed */
	const struct view_set *views;
	/* Who was forgotten. May be NULL: nobody. */
	const struct forgotten *(*forgotten)(void *owner);
	/* A row is another than before, or no more. May be NULL. */
	void (*changed)(void *owner, uint32_t table_id, struct slice key, struct slice longs);
	void *owner;
};

struct table_rows;

/* -ENOMEM. */
int table_rows_new(const struct table_rows_options *options, struct table_rows **ret_rows);
struct table_rows *table_rows_free(struct table_rows *rows);

/* What a record of this topic says of a row: 0 with its fate. -EBADMSG: what is kept can't be read; -errno. */
int table_rows_take(struct table_rows *rows, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate);
/* Why the last record was FATE_UNREADABLE. */
const char *table_rows_why(const struct table_rows *rows);

/* An entry of a row: if it was written before this place in the database's log, the row goes. As table_rows_take. */
int table_rows_drop(struct table_rows *rows, struct slice key, struct slice value, uint64_t log);

/* How many rows a shard has of a table: what was put there, less what was deleted. 0, -EBADMSG, -errno. */
int table_rows_count(struct entries *entries, uint32_t table_id, uint64_t *ret_count);

/* entry_forget of ENTRY_TABLE_ROW: rows of who is forgotten go, and are counted no more. Where he was a column of a row with
 * another key, a mark stays, as of a deleted row. */
enum entry_fate table_row_forget(
	struct entry_sweep *sweep, struct slice key, struct slice value, struct buffer *ret_value);
