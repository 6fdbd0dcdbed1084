/* table_record.h - what a record says of one row of a table: the row's key, and its columns unless it was deleted.
 * Key columns come from the row and from the record's key (a map with these columns, or the text itself where the key is one
 * column); where both say something they must say the same: else a deletion, which has only the record's key, would miss its
 * row in silence. Pure. One thread. */
#pragma once
#include "aggregator/view/measure_row.h"
#include "aggregator/view/table.h"
#include "proto/document.h"

enum { TABLE_DIGITS_SIZE = 32 };

/* As it came: JSON or msgpack. `key` may be absent, `row` is of no bytes when the row was deleted. */
struct table_record_bytes {
	struct slice key;
	struct slice row;
};

struct table_record {
	struct document key_document, row_document;
	struct buffer longs;
	char key_digits[TABLE_KEY_COLUMNS_MAX][TABLE_DIGITS_SIZE];
	char digits[TABLE_COLUMNS_MAX][TABLE_DIGITS_SIZE];
	/* What was read; borrows from the above and the bytes. */
	struct row_key key;
	bool is_there; /* else it was deleted */
	struct row row;
	struct slice user; /* where a column is "user_id": the text in it */
};

/* -ENOMEM; deinit in any case. */
int table_record_init(struct table_record *record);
void table_record_deinit(struct table_record *record);
/* 0, -ENOMEM, or a reason with the complaint. */
int table_record_read(struct table_record *record, const struct view *table,
	const struct table_record_bytes *bytes, struct complaint *complaint);
