/* table_row.h - a row of a table as it is kept (entries.h), and what stands for one that was deleted: a mark that says when, for
 * an older record of the key may come from another partition later.
 *
 *   key     't', table id 1, row_key.h's bytes
 *   value   1 flags, the stand, the user if there is one, and of a row: longs (row_key.h), then per column 1 is it there and its number (8) or text
 *
 * Of two records of one key the one with the greater stand is the newer. In one partition that is the later one; between
 * partitions the broker's time decides, as far as it was read in each: a function of the log, not of who was read first. A
 * change out of a database has its place in the database's log instead (change_position.h). Pure. */
#pragma once
#include "aggregator/store/entries.h"
#include "aggregator/view/measure_row.h"
#include "aggregator/view/table.h"
#include "proto/change_position.h"

struct table_stand {
	bool is_of_database;
	/* Of records that say nothing of their place: compared in this order. */
	uint64_t clock_ms; /* the greatest append time of the partition up to here */
	uint32_t topic; /* a hash of its name */
	uint32_t partition;
	uint64_t offset;
	struct change_position position; /* of a database */
};

struct table_row {
	struct table_stand stand;
	bool is_there; /* else it was deleted */
	/* The user's id where a column "user_id" has it, of a key also when the row was deleted: so that he can be forgotten. */
	struct slice user;
	bool is_user_in_key; /* where no row of his can stay */
	bool is_hidden; /* he was forgotten when it came; not kept */
};

enum { TABLE_KEY_HEAD_SIZE = 2, TABLE_KEY_SIZE_MAX = TABLE_KEY_HEAD_SIZE + ROW_KEY_CAPACITY };

struct table_key {
	size_t size;
	uint8_t bytes[TABLE_KEY_SIZE_MAX];
};
void table_key_make(uint32_t table_id, struct slice row_key, struct table_key *ret_key);
static inline struct slice table_key_slice(const struct table_key *key)
{
	return slice_of(key->bytes, key->size);
}

/* Appends; the buffer's error tells of failure. `table` and `columns` are not looked at where the row is not there. */
void table_row_write(const struct view *table, const struct table_row *row,
	const struct row *columns, struct buffer *ret_value);
/* 0 or -EBADMSG. `ret_columns` is filled where the row is there, and borrows from the value; NULL: they are not wanted, nor is `table`. */
int table_row_read(const struct view *table, struct slice value, struct table_row *ret_row,
	struct row *ret_columns);

/* How what comes stands to what is kept. */
enum change_order table_stand_order(const struct table_stand *kept, const struct table_stand *next);
/* What is kept once `next` has come after `kept`. */
struct table_stand table_stand_follow(
	const struct table_stand *kept, const struct table_stand *next);

/* Columns: a text, or a number. */
void table_row_set(struct row *row, size_t column, struct slice text, int64_t number);
