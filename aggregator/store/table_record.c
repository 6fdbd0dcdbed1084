#include "aggregator/store/table_record.h"
#include "aggregator/store/table_row.h"
#include "proto/money.h"
#include "proto/registry.h"
#include "proto/timestamp.h"
#include "proto/utf8.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int table_record_init(struct table_record *record)
{
	*record = (struct table_record){.is_there = false};
	buffer_init(&record->longs, TABLE_KEY_COLUMNS_MAX * (ROW_TEXT_LONG_MAX + 2));
	int r = document_init(&record->key_document, EVENT_NODES_MAX);
	return r == 0 ? document_init(&record->row_document, EVENT_NODES_MAX) : r;
}

void table_record_deinit(struct table_record *record)
{
	document_deinit(&record->key_document);
	document_deinit(&record->row_document);
	buffer_deinit(&record->longs);
}

/* ---- values */

static int refuse(const struct table_column *column, const char *what, struct complaint *complaint)
{
	complaint_set(
		complaint, REASON_BAD_VALUE, column->name, "column %s %s", column->source, what);
	return REASON_BAD_VALUE;
}

/* Ids and texts; numbers as their digits, as the edge takes ids. */
static int read_text(const struct table_column *column, const struct node *node,
	char digits[TABLE_DIGITS_SIZE], struct slice *ret_text, struct complaint *complaint)
{
	int64_t integer = 0;

	if (node->type == NODE_TEXT) {
		*ret_text = node->text;
	} else if (node->type == NODE_BOOL) {
		*ret_text = slice_of_text(node->boolean ? "true" : "false");
	} else if (node_integer(node, &integer)) {
		int size = snprintf(digits, TABLE_DIGITS_SIZE, "%" PRId64, integer);
		*ret_text = slice_of(digits, (size_t)size);
	} else if (node->type == NODE_NUMBER) {
		*ret_text = node->text;
	} else {
		return refuse(column, "must be text, a whole number or a truth value", complaint);
	}
	return ret_text->size <= TABLE_TEXT_SIZE_MAX
		       ? 0
		       : refuse(column, "has more than 1024 bytes", complaint);
}

static int money_of(const struct node *node, int64_t *ret_micros)
{
	switch (node->type) {
	case NODE_TEXT:
		return money_parse_text(node->text, ret_micros);
	case NODE_NUMBER:
		return money_parse_number(node->text, ret_micros);
	case NODE_INTEGER:
		return money_from_integer(node->integer, ret_micros);
	case NODE_FLOAT64:
		return money_from_double(node->real, ret_micros);
	default:
		return MONEY_E_SYNTAX;
	}
}

static int time_of(const struct node *node, int64_t *ret_ms)
{
	int64_t integer = 0;
	double real = 0;

	if (node_integer(node, &integer)) {
		return timestamp_from_integer(integer, ret_ms);
	}
	if (node->type == NODE_TEXT) {
		return timestamp_parse_text(node->text, NULL, ret_ms);
	}
	return node_real(node, &real) ? timestamp_from_double(real, ret_ms) : TIMESTAMP_E_SYNTAX;
}

static int read_number(const struct table_column *column, const struct node *node,
	int64_t *ret_number, struct complaint *complaint)
{
	switch (column->type) {
	case TYPE_INTEGER:
		return node_integer(node, ret_number)
			       ? 0
			       : refuse(column, "is no 64-bit integer", complaint);
	case TYPE_MONEY:
		return money_of(node, ret_number) == 0
			       ? 0
			       : refuse(column,
					 "is no decimal number of at most six places, up to 10^12 "
					 "(a float32 is none)",
					 complaint);
	default:
		return time_of(node, ret_number) == 0
			       ? 0
			       : refuse(column, "is no time: milliseconds, or 2010-12-01T08:26:00Z",
					 complaint);
	}
}

static bool is_absent(const struct node *node)
{
	return node == NULL || node->type == NODE_NIL ||
	       (node->type == NODE_TEXT && node->text.size == 0);
}

static const struct node *find(const struct node *map, const struct table_column *column)
{
	return map == NULL ? NULL : node_find_slice(map, slice_of_text(column->source));
}

static int read_columns(struct table_record *record, const struct view *table,
	const struct node *map, struct complaint *complaint)
{
	row_init(table, &record->row);
	record->row.event_count = 1;
	for (size_t i = 0; i < table->table->column_count; i++) {
		const struct table_column *column = &table->table->columns[i];
		const struct node *node = find(map, column);
		struct slice text = slice_of("", 0);
		int64_t number = 0;
		if (is_absent(node)) {
			continue;
		}
		int r = column->type == TYPE_TEXT
				? read_text(column, node, record->digits[i], &text, complaint)
				: read_number(column, node, &number, complaint);
		if (r != 0) {
			return r;
		}
		table_row_set(&record->row, i, text, number);
		if (strcmp(column->name, "user_id") == 0) {
			record->user = text;
		}
	}
	return 0;
}

/* ---- the key */

/* A record's key: a map, or one text. */
struct record_key {
	const struct node *map;
	struct slice text; /* size 0: none */
};

static bool looks_encoded(struct slice key)
{
	uint8_t first = key.bytes[0];

	return first == '{' || first == '"' || (first >= 0x80 && first <= 0xbf) || first == 0xde ||
	       first == 0xdf;
}

static int read_scalar(struct table_record *record, struct record_key *key)
{
	const struct node *node = record->key_document.nodes;

	if (node->type == NODE_MAP) {
		key->map = node;
	} else if (node->type == NODE_TEXT) {
		key->text = node->text;
	}
	return 0;
}

static int read_record_key(struct table_record *record, struct slice bytes,
	struct record_key *ret_key, struct complaint *complaint)
{
	*ret_key = (struct record_key){.map = NULL};
	int r = bytes.size == 0 ? 0 : registry_strip("key", bytes, &bytes, complaint);
	if (r != 0 || bytes.size == 0) {
		return r;
	}
	if (looks_encoded(bytes)) {
		bool is_json = bytes.bytes[0] == '{' || bytes.bytes[0] == '"';
		r = document_decode(&record->key_document,
			is_json ? ENCODING_JSON : ENCODING_MSGPACK, bytes, NESTING_MAX, complaint);
		return r == 0 ? read_scalar(record, ret_key) : r;
	}
	if (!utf8_is_valid(bytes) || memchr(bytes.bytes, '\0', bytes.size) != NULL) {
		complaint_set(complaint, REASON_BAD_KEY, "",
			"the record's key is neither a map, in JSON or msgpack, nor text");
		return REASON_BAD_KEY;
	}
	ret_key->text = bytes;
	return 0;
}

/* What the record's key says of a key column; size 0: nothing. */
static int text_of_key(const struct view *table, const struct record_key *key, size_t index,
	char digits[TABLE_DIGITS_SIZE], struct slice *ret_text, struct complaint *complaint)
{
	const struct table_column *column = &table->table->keys[index];
	const struct node *node = find(key->map, column);

	*ret_text = slice_of(NULL, 0);
	if (!is_absent(node)) {
		return read_text(column, node, digits, ret_text, complaint);
	}
	if (table->table->key_count == 1) {
		*ret_text = key->text;
	}
	return 0;
}

static int refuse_other(const struct table_column *column, struct slice of_row, struct slice of_key,
	struct complaint *complaint)
{
	complaint_set(complaint, REASON_BAD_KEY, column->name,
		"column %s is \"%.*s\", and the record's key says \"%.*s\"", column->source,
		(int)(of_row.size < 48 ? of_row.size : 48), (const char *)of_row.bytes,
		(int)(of_key.size < 48 ? of_key.size : 48), (const char *)of_key.bytes);
	return REASON_BAD_KEY;
}

static int read_key_column(struct table_record *record, const struct view *table,
	const struct record_key *key, size_t index, struct slice *ret_text,
	struct complaint *complaint)
{
	const struct table_column *column = &table->table->keys[index];
	const struct node *node =
		record->is_there ? find(record->row_document.nodes, column) : NULL;
	struct slice of_row = {NULL, 0}, of_key;
	char digits[TABLE_DIGITS_SIZE];

	int r = is_absent(node)
			? 0
			: read_text(column, node, record->key_digits[index], &of_row, complaint);
	if (r == 0) {
		r = text_of_key(table, key, index,
			of_row.size > 0 ? digits : record->key_digits[index], &of_key, complaint);
	}
	if (r != 0) {
		return r;
	}
	if (of_row.size > 0 && of_key.size > 0 && !slice_equal(of_row, of_key)) {
		return refuse_other(column, of_row, of_key, complaint);
	}
	*ret_text = of_row.size > 0 ? of_row : of_key;
	return ret_text->size > 0
		       ? 0
		       : refuse(column, "is missing: neither row nor record's key has it",
				 complaint);
}

static void append_long(struct buffer *longs, struct slice text)
{
	if (row_text_is_long(text)) {
		buffer_append_byte(longs, (uint8_t)text.size);
		buffer_append_byte(longs, (uint8_t)(text.size >> 8));
		buffer_append(longs, text.bytes, text.size);
	}
}

static int read_key(struct table_record *record, const struct view *table,
	const struct record_key *key, struct complaint *complaint)
{
	record->key.size = 0;
	buffer_clear(&record->longs);
	for (size_t i = 0; i < table->table->key_count; i++) {
		struct group_value value = {.type = GROUP_TEXT};
		int r = read_key_column(record, table, key, i, &value.text, complaint);
		if (r != 0) {
			return r;
		}
		if (value.text.size > TABLE_TEXT_SIZE_MAX ||
			!row_key_append(&record->key, &value)) {
			return refuse(
				&table->table->keys[i], "is no text of 1 to 1024 bytes", complaint);
		}
		append_long(&record->longs, value.text);
		if (strcmp(table->groups[i].name, "user_id") == 0) {
			record->user = value.text;
		}
	}
	record->row.longs = buffer_slice(&record->longs);
	return record->longs.error;
}

/* ---- the record */

static int read_row(struct table_record *record, struct slice bytes, struct complaint *complaint)
{
	int r = encoding_of(bytes) == ENCODING_MSGPACK && bytes.bytes[0] == 0
			? registry_strip("value", bytes, &bytes, complaint)
			: 0;
	if (r == 0 && bytes.size > EVENT_RAW_SIZE_MAX) {
		complaint_set(complaint, REASON_TOO_LARGE, "",
			"the record has %zu bytes; at most %d are allowed", bytes.size,
			EVENT_RAW_SIZE_MAX);
		return REASON_TOO_LARGE;
	}
	if (r == 0) {
		r = document_decode(
			&record->row_document, encoding_of(bytes), bytes, NESTING_MAX, complaint);
	}
	if (r == 0 && record->row_document.nodes->type != NODE_MAP) {
		complaint_set(complaint, REASON_BAD_TYPE, "", "the record must be a map, not %s",
			node_type_name(record->row_document.nodes->type));
		return REASON_BAD_TYPE;
	}
	return r;
}

int table_record_read(struct table_record *record, const struct view *table,
	const struct table_record_bytes *bytes, struct complaint *complaint)
{
	struct record_key key;
	int r = read_record_key(record, bytes->key, &key, complaint);

	record->is_there = bytes->row.size > 0;
	record->user = slice_of(NULL, 0);
	if (r == 0 && record->is_there) {
		r = read_row(record, bytes->row, complaint);
	}
	if (r == 0 && record->is_there) {
		r = read_columns(record, table, record->row_document.nodes, complaint);
	}
	return r == 0 ? read_key(record, table, &key, complaint) : r;
}
