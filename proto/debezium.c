#include "proto/debezium.h"

#include "proto/column_value.h"
#include "proto/registry.h"

#include <errno.h>
#include <stdlib.h>

enum { SHOWN_MAX = 64 };

/* What Debezium writes where a large value (TOAST) was not touched and so is not in PostgreSQL's log. */
static const char unavailable[] = "__debezium_unavailable_value";
static const char unavailable_base64[] = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";

struct debezium {
	struct debezium_rules rules;
	struct document key;
	struct document value;
	struct buffer key_bytes;
	struct buffer row_bytes;
};

/* A map of columns, and the schema that came with it. */
struct row {
	const struct node *map; /* NULL when there is none */
	const struct node *schema; /* {"type":"struct","fields":[…]}; NULL where schemas are off */
};

/* One record while it is read. */
struct reading {
	struct debezium *debezium;
	struct complaint *complaint;
	struct row key; /* the record's own */
	struct row before;
	struct row after;
	const struct node *payload;
};

int debezium_new(const struct debezium_rules *rules, struct debezium **ret_debezium)
{
	struct debezium *debezium = calloc(1, sizeof *debezium);

	if (debezium == NULL) {
		return -ENOMEM;
	}
	debezium->rules = *rules;
	buffer_init(&debezium->key_bytes, CHANGE_KEY_SIZE_MAX);
	buffer_init(&debezium->row_bytes, CHANGE_SIZE_MAX);
	if (document_init(&debezium->key, CHANGE_NODES_MAX) != 0 ||
		document_init(&debezium->value, CHANGE_NODES_MAX) != 0) {
		debezium_free(debezium);
		return -ENOMEM;
	}
	*ret_debezium = debezium;
	return 0;
}

struct debezium *debezium_free(struct debezium *debezium)
{
	if (debezium != NULL) {
		document_deinit(&debezium->key);
		document_deinit(&debezium->value);
		buffer_deinit(&debezium->key_bytes);
		buffer_deinit(&debezium->row_bytes);
		free(debezium);
	}
	return NULL;
}

static int refuse(const struct reading *reading, enum reason reason, const char *what)
{
	complaint_set(reading->complaint, reason, "", "%s", what);
	return (int)reason;
}

static int check_size(const struct reading *reading, const char *of, struct slice bytes)
{
	if (bytes.size <= CHANGE_SIZE_MAX) {
		return 0;
	}
	complaint_set(reading->complaint, REASON_TOO_LARGE, "",
		"the %s has %zu bytes; at most %d are allowed; "
		"%s.converter.schemas.enable=false makes it smaller",
		of, bytes.size, CHANGE_SIZE_MAX, of);
	return REASON_TOO_LARGE;
}

/* Decodes one half of the record; {"schema":…,"payload":…} is taken apart. */
static int open_half(const struct reading *reading, struct document *document, const char *of,
	struct slice bytes, struct row *ret_row)
{
	struct row row = {NULL, NULL};

	if (bytes.size == 0) {
		*ret_row = row;
		return 0;
	}
	int r = registry_strip(of, bytes, &bytes, reading->complaint);
	if (r == 0) {
		r = check_size(reading, of, bytes);
	}
	if (r == 0) {
		r = document_decode(
			document, ENCODING_JSON, bytes, CHANGE_DEPTH_MAX, reading->complaint);
	}
	if (r != 0) {
		return r;
	}
	row.map = document->nodes;
	const struct node *payload = node_find(row.map, "payload");
	const struct node *schema = node_find(row.map, "schema");
	if (payload != NULL && schema != NULL) {
		row = (struct row){payload, schema->type == NODE_MAP ? schema : NULL};
	}
	if (row.map->type == NODE_NIL) {
		row = (struct row){NULL, NULL};
	}
	*ret_row = row;
	return 0;
}

/* The schema of one field of a struct; NULL when there is none. */
static const struct node *schema_of(const struct node *schema, struct slice name)
{
	const struct node *fields = schema != NULL ? node_find(schema, "fields") : NULL;

	if (fields == NULL || fields->type != NODE_ARRAY) {
		return NULL;
	}
	const struct node *at = node_first(fields);
	for (uint32_t i = 0; i < fields->count; i++, at = node_next(at)) {
		const struct node *field = node_find(at, "field");
		if (field != NULL && field->type == NODE_TEXT && slice_equal(field->text, name)) {
			return at;
		}
	}
	return NULL;
}

static struct row row_of(const struct row *envelope, const char *name)
{
	const struct node *map = node_find(envelope->map, name);

	if (map == NULL || map->type != NODE_MAP) {
		return (struct row){NULL, NULL};
	}
	return (struct row){map, schema_of(envelope->schema, slice_of_text(name))};
}

static int read_op(const struct reading *reading, enum change_op *ret_op)
{
	static const char letters[] = "curdtm";
	const struct node *op = node_find(reading->payload, "op");
	const char *letter = NULL;

	if (op == NULL) {
		return refuse(reading, REASON_MISSING_FIELD,
			"there is no op: no change of Debezium's. If transforms has "
			"ExtractNewRecordState, take it out: it drops the deletes' order");
	}
	if (op->type == NODE_TEXT && op->text.size == 1 && op->text.bytes[0] != 0) {
		letter = strchr(letters, op->text.bytes[0]);
	}
	if (letter == NULL) {
		return refuse(reading, REASON_BAD_VALUE, "op is none of c, u, r, d, t, m");
	}
	*ret_op = (enum change_op)(letter - letters);
	return 0;
}

static bool is_unavailable(const struct node *value)
{
	return value->type == NODE_TEXT &&
	       (slice_equals_text(value->text, unavailable) ||
		       slice_equals_text(value->text, unavailable_base64));
}

static struct column_type type_of(
	const struct reading *reading, const struct row *row, struct slice name)
{
	const struct node *schema = schema_of(row->schema, name);

	return schema != NULL ? column_type_of_schema(schema)
			      : column_types_find(reading->debezium->rules.types, name);
}

static int write_column(const struct reading *reading, const struct row *row,
	const struct column *column, struct writer *writer)
{
	if (is_unavailable(column->value)) {
		complaint_set(reading->complaint, REASON_MISSING_FIELD, "",
			"column %.*s was not sent, for it is large and did not change; "
			"ALTER TABLE … REPLICA IDENTITY FULL sends it",
			(int)(column->name.size < SHOWN_MAX ? column->name.size : SHOWN_MAX),
			(const char *)column->name.bytes);
		return REASON_MISSING_FIELD;
	}
	struct column typed = *column;
	typed.type = type_of(reading, row, column->name);
	return column_write(&typed, writer, reading->complaint);
}

/* A column and the field that it becomes; its value is NULL where there is nothing to write. */
struct output {
	struct slice field;
	struct column column;
};

/* Walks what the rules take of a row: begin with *position 0; false at the end. */
static bool next_output(const struct debezium_rules *rules, const struct row *row,
	const struct node **key, size_t *position, struct output *ret_output)
{
	bool takes_all = rules->fields == NULL || rules->fields->count == 0;
	struct slice name;
	struct slice field;
	const struct node *value = NULL;

	if (*position == (takes_all ? row->map->count : rules->fields->count)) {
		return false;
	}
	if (takes_all) {
		*key = *position == 0 ? node_first(row->map) : node_next(node_next(*key));
		name = (*key)->text;
		field = name;
		value = node_next(*key);
	} else {
		name = rules->fields->items[*position].left;
		field = rules->fields->items[*position].right;
		value = node_find_slice(row->map, name);
	}
	++*position;
	*ret_output = (struct output){.field = field,
		.column = {.name = name,
			.use = rules->kind != NULL ? column_use_of(field) : COLUMN_CARRIED,
			.value = value == NULL || value->type == NODE_NIL ? NULL : value}};
	return true;
}

static uint32_t count_outputs(const struct debezium_rules *rules, const struct row *row)
{
	const struct node *key = NULL;
	struct output output;
	uint32_t count = 0;

	for (size_t position = 0; next_output(rules, row, &key, &position, &output);) {
		count += output.column.value != NULL ? 1 : 0;
	}
	return count;
}

/* The new row as a JSON map under the fields' names. */
static int write_row(const struct reading *reading, struct slice *ret_row)
{
	const struct debezium_rules *rules = &reading->debezium->rules;
	struct buffer *buffer = &reading->debezium->row_bytes;
	const struct node *key = NULL;
	struct output output;
	struct writer writer;
	int r = 0;

	writer_init(&writer, ENCODING_JSON, buffer);
	write_map(&writer, count_outputs(rules, &reading->after) + (rules->kind != NULL ? 1 : 0));
	if (rules->kind != NULL) {
		write_key(&writer, "kind");
		write_key(&writer, rules->kind);
	}
	for (size_t position = 0;
		r == 0 && next_output(rules, &reading->after, &key, &position, &output);) {
		if (output.column.value != NULL) {
			write_text(&writer, output.field);
			r = write_column(reading, &reading->after, &output.column, &writer);
		}
	}
	if (r == 0 && buffer->error == -EMSGSIZE) {
		r = refuse(reading, REASON_TOO_LARGE, "the row has too many bytes");
	}
	*ret_row = buffer_slice(buffer);
	return r != 0 ? r : buffer->error;
}

/* The columns of a key, in order of their names' bytes. */
struct key_columns {
	struct column items[CHANGE_KEY_COLUMNS_MAX];
	const struct row *rows[CHANGE_KEY_COLUMNS_MAX];
	size_t count;
};

static int compare_names(struct slice a, struct slice b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size > 0 ? memcmp(a.bytes, b.bytes, size) : 0;

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int add_key_column(const struct reading *reading, struct key_columns *columns,
	struct slice name, const struct row *row)
{
	const struct node *value = row != NULL ? node_find_slice(row->map, name) : NULL;
	size_t at = columns->count;

	if (value == NULL || value->type == NODE_NIL) {
		complaint_set(reading->complaint, REASON_MISSING_FIELD, "",
			"column %.*s of the key is not there, or null; key of the source must name "
			"columns that are in the record's key (message.key.columns), or REPLICA "
			"IDENTITY FULL must send them",
			(int)(name.size < SHOWN_MAX ? name.size : SHOWN_MAX),
			(const char *)name.bytes);
		return REASON_MISSING_FIELD;
	}
	if (columns->count == CHANGE_KEY_COLUMNS_MAX) {
		return refuse(reading, REASON_TOO_LARGE, "the key has more than 16 columns");
	}
	for (; at > 0 && compare_names(name, columns->items[at - 1].name) < 0; at--) {
		columns->items[at] = columns->items[at - 1];
		columns->rows[at] = columns->rows[at - 1];
	}
	columns->items[at] = (struct column){.name = name, .use = COLUMN_CARRIED, .value = value};
	columns->rows[at] = row;
	columns->count++;
	return 0;
}

/* Where a configured column of the key is: in the record's key, or else in one of the rows. */
static const struct row *row_with(const struct reading *reading, struct slice name)
{
	const struct row *const rows[] = {&reading->key, &reading->after, &reading->before};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i]->map != NULL && node_find_slice(rows[i]->map, name) != NULL) {
			return rows[i];
		}
	}
	return NULL;
}

static int collect_key(const struct reading *reading, struct key_columns *columns)
{
	const struct pair_list *wanted = reading->debezium->rules.key;
	const struct node *map = reading->key.map;
	int r = 0;

	if (wanted != NULL && wanted->count > 0) {
		for (size_t i = 0; r == 0 && i < wanted->count; i++) {
			struct slice name = wanted->items[i].left;
			r = add_key_column(reading, columns, name, row_with(reading, name));
		}
		return r;
	}
	if (map == NULL || map->type != NODE_MAP || map->count == 0) {
		return refuse(reading, REASON_MISSING_FIELD,
			"the record's key is no map of columns: the table has no primary key, or a "
			"transform took it; set message.key.columns, or key of the source");
	}
	const struct node *at = node_first(map);
	for (uint32_t i = 0; r == 0 && i < map->count; i++, at = node_next(node_next(at))) {
		r = add_key_column(reading, columns, at->text, &reading->key);
	}
	return r;
}

static int write_key_of_row(const struct reading *reading, struct slice *ret_key)
{
	struct buffer *buffer = &reading->debezium->key_bytes;
	struct key_columns columns = {.count = 0};
	struct writer writer;
	int r = collect_key(reading, &columns);

	writer_init(&writer, ENCODING_MSGPACK, buffer);
	if (r == 0) {
		write_map(&writer, (uint32_t)columns.count);
	}
	for (size_t i = 0; r == 0 && i < columns.count; i++) {
		write_text(&writer, columns.items[i].name);
		r = write_column(reading, columns.rows[i], &columns.items[i], &writer);
	}
	if (r == 0 && buffer->error == -EMSGSIZE) {
		r = refuse(reading, REASON_TOO_LARGE, "the row's key has more than 1,024 bytes");
	}
	*ret_key = buffer_slice(buffer);
	return r != 0 ? r : buffer->error;
}

static int read_change(struct reading *reading, const struct row *envelope, struct change *change)
{
	const struct node *source = node_find(envelope->map, "source");
	const struct node *ts_ms = source != NULL ? node_find(source, "ts_ms") : NULL;

	reading->payload = envelope->map;
	reading->before = row_of(envelope, "before");
	reading->after = row_of(envelope, "after");
	int r = read_op(reading, &change->op);
	if (r == 0) {
		r = change_position_read(source, &change->position, reading->complaint);
	}
	if (r != 0) {
		return r;
	}
	if (ts_ms == NULL || !node_integer(ts_ms, &change->ts_ms) || change->ts_ms < 0) {
		change->ts_ms = 0;
	}
	if (change->op == CHANGE_TRUNCATE || change->op == CHANGE_MESSAGE) {
		return 0;
	}
	r = write_key_of_row(reading, &change->key);
	if (r != 0 || change->op == CHANGE_DELETE) {
		return r;
	}
	if (reading->after.map == NULL) {
		return refuse(reading, REASON_MISSING_FIELD, "there is no row in after");
	}
	return write_row(reading, &change->row);
}

static int read_tombstone(struct reading *reading, struct change *change)
{
	change->op = CHANGE_TOMBSTONE;
	return write_key_of_row(reading, &change->key);
}

int debezium_decode(struct debezium *debezium, struct slice key, struct slice value,
	struct change *ret_change, struct complaint *complaint)
{
	struct reading reading = {.debezium = debezium, .complaint = complaint};
	struct change change = {.op = CHANGE_CREATE};
	struct row envelope;

	buffer_clear(&debezium->key_bytes);
	buffer_clear(&debezium->row_bytes);
	int r = open_half(&reading, &debezium->key, "key", key, &reading.key);
	if (r == 0) {
		r = open_half(&reading, &debezium->value, "value", value, &envelope);
	}
	if (r == 0) {
		r = envelope.map != NULL ? read_change(&reading, &envelope, &change)
					 : read_tombstone(&reading, &change);
	}
	if (r == 0) {
		*ret_change = change;
	}
	return r;
}
