#include "client/live_table.h"
#include "proto/buffer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	ROWS_MAX_DEFAULT = 1000000,
	BUCKETS_MIN = 256,
	KEY_SIZE_MAX = 64 * 1024,
	/* Messages that come while the view is read. With more, it is read anew. */
	KEPT_SIZE_MAX = 64 * 1024 * 1024,
	STREAM_SIZE = 40,
	NODES_MAX = 8 * 1024 * 1024,
	MESSAGE_DEPTH_MAX = NESTING_MAX + 4,
};

struct row {
	struct row *next; /* of the same bucket */
	uint64_t hash;
	uint64_t n; /* as of which message it is known */
	uint64_t reading; /* the last one that showed it */
	uint32_t key_size;
	uint32_t row_size;
	uint8_t bytes[]; /* the key, then the row */
};

struct live_table {
	struct live_table_options options;
	enum live_table_state state;
	char *names[VIEW_GROUP_FIELDS_MAX + 1]; /* owned */
	size_t name_count;
	struct row **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	char stream[STREAM_SIZE];
	uint64_t n; /* of the last message */
	uint64_t reading; /* number of the present or last one */
	char *cursor; /* owned; NULL: at the start */
	struct buffer kept; /* size and bytes of each message */
	struct buffer key;
	struct document document;
	uint64_t gaps;
	char complaint[COMPLAINT_SIZE_MAX];
};

int live_table_new(const struct live_table_options *options, struct live_table **ret_table)
{
	struct live_table *table = calloc(1, sizeof *table);
	if (table == NULL) {
		return -ENOMEM;
	}
	table->options = *options;
	if (table->options.rows_max == 0) {
		table->options.rows_max = ROWS_MAX_DEFAULT;
	}
	buffer_init(&table->kept, KEPT_SIZE_MAX);
	buffer_init(&table->key, KEY_SIZE_MAX);
	table->bucket_count = BUCKETS_MIN;
	table->buckets = calloc(table->bucket_count, sizeof(struct row *));
	int r = table->buckets == NULL ? -ENOMEM : document_init(&table->document, NODES_MAX);
	if (r != 0) {
		live_table_free(table);
		return r;
	}
	*ret_table = table;
	return 0;
}

struct live_table *live_table_free(struct live_table *table)
{
	if (table == NULL) {
		return NULL;
	}
	for (size_t i = 0; table->buckets != NULL && i < table->bucket_count; i++) {
		while (table->buckets[i] != NULL) {
			struct row *next = table->buckets[i]->next;
			free(table->buckets[i]);
			table->buckets[i] = next;
		}
	}
	for (size_t i = 0; i < table->name_count; i++) {
		free(table->names[i]);
	}
	free(table->buckets);
	free(table->cursor);
	buffer_deinit(&table->kept);
	buffer_deinit(&table->key);
	document_deinit(&table->document);
	free(table);
	return NULL;
}

int live_table_name_key(struct live_table *table, const struct node *group_by)
{
	if (group_by->type != NODE_ARRAY || group_by->count > VIEW_GROUP_FIELDS_MAX + 1) {
		return LIVE_TABLE_E_MALFORMED;
	}
	const struct node *name = node_first(group_by);
	for (uint32_t i = 0; i < group_by->count; i++, name = node_next(name)) {
		if (name->type != NODE_TEXT) {
			return LIVE_TABLE_E_MALFORMED;
		}
		char *copy = strndup((const char *)name->text.bytes, name->text.size);
		if (copy == NULL) {
			return -ENOMEM;
		}
		table->names[table->name_count++] = copy;
	}
	return 0;
}

/* ---- rows */

/* FNV-1a: keys come from our own server. */
static uint64_t hash_of(struct slice key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.size; i++) {
		hash = (hash ^ key.bytes[i]) * UINT64_C(0x100000001b3);
	}
	return hash;
}

static struct row **find(const struct live_table *table, struct slice key)
{
	uint64_t hash = hash_of(key);
	struct row **at = &table->buckets[hash & (table->bucket_count - 1)];

	while (*at != NULL && ((*at)->hash != hash ||
				      !slice_equal(slice_of((*at)->bytes, (*at)->key_size), key))) {
		at = &(*at)->next;
	}
	return at;
}

static struct live_change view_of(const struct row *row)
{
	return (struct live_change){slice_of(row->bytes, row->key_size),
		slice_of(row->bytes + row->key_size, row->row_size)};
}

static int tell(const struct live_table *table, const struct live_change *change)
{
	return table->options.changed == NULL
		       ? 0
		       : table->options.changed(table->options.owner, change);
}

static int grow(struct live_table *table)
{
	size_t count = table->bucket_count * 2;
	struct row **buckets = calloc(count, sizeof(struct row *));
	if (buckets == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->bucket_count; i++) {
		struct row *row = table->buckets[i];
		while (row != NULL) {
			struct row *next = row->next;
			struct row **place = &buckets[row->hash & (count - 1)];
			row->next = *place;
			*place = row;
			row = next;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count = count;
	return 0;
}

static int make_row(const struct live_change *change, struct row **ret_row)
{
	struct row *row = malloc(sizeof *row + change->key.size + change->row.size);
	if (row == NULL) {
		return -ENOMEM;
	}
	*row = (struct row){.hash = hash_of(change->key),
		.key_size = (uint32_t)change->key.size,
		.row_size = (uint32_t)change->row.size};
	memcpy(row->bytes, change->key.bytes, change->key.size);
	memcpy(row->bytes + change->key.size, change->row.bytes, change->row.size);
	*ret_row = row;
	return 0;
}

/* A row as of message n. */
static int put(struct live_table *table, const struct live_change *change, uint64_t n)
{
	struct row **at = find(table, change->key);
	struct row *old = *at;
	struct row *row = NULL;

	if (old != NULL && slice_equal(view_of(old).row, change->row)) {
		old->n = n;
		old->reading = table->reading;
		return 0;
	}
	if (old == NULL && table->count >= table->options.rows_max) {
		return LIVE_TABLE_E_TOO_LARGE;
	}
	int r = make_row(change, &row);
	if (r < 0) {
		return r;
	}
	row->n = n;
	row->reading = table->reading;
	row->next = old != NULL ? old->next : NULL;
	*at = row;
	table->count += old == NULL;
	free(old);
	r = table->count > table->bucket_count ? grow(table) : 0;
	return r == 0 ? tell(table, change) : r;
}

static int take_out(struct live_table *table, struct row **at)
{
	struct row *row = *at;
	const struct live_change gone = {view_of(row).key, slice_of(NULL, 0)};

	*at = row->next;
	table->count--;
	int r = tell(table, &gone);
	free(row);
	return r;
}

/* Rows that the reading did not show. */
static int sweep(struct live_table *table)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->bucket_count; i++) {
		struct row **at = &table->buckets[i];
		while (r == 0 && *at != NULL) {
			if ((*at)->reading == table->reading) {
				at = &(*at)->next;
			} else {
				r = take_out(table, at);
			}
		}
	}
	return r;
}

/* ---- messages */

static void add_value(struct live_table *table, const struct node *value)
{
	if (table->key.size > 0) {
		buffer_append_byte(&table->key, ',');
	}
	buffer_append(&table->key, value->raw.bytes, value->raw.size);
}

static int key_of_row(struct live_table *table, const struct node *row, struct slice *ret_key)
{
	buffer_clear(&table->key);
	for (size_t i = 0; i < table->name_count; i++) {
		const struct node *value = node_find(row, table->names[i]);
		if (value == NULL) {
			return LIVE_TABLE_E_MALFORMED;
		}
		add_value(table, value);
	}
	*ret_key = buffer_slice(&table->key);
	return table->key.error;
}

static int key_of_gone(struct live_table *table, const struct node *values, struct slice *ret_key)
{
	if (values->type != NODE_ARRAY) {
		return LIVE_TABLE_E_MALFORMED;
	}
	buffer_clear(&table->key);
	const struct node *value = node_first(values);
	for (uint32_t i = 0; i < values->count; i++, value = node_next(value)) {
		add_value(table, value);
	}
	*ret_key = buffer_slice(&table->key);
	return table->key.error;
}

/* A message's row, unless it was read later. */
static int apply_row(struct live_table *table, const struct node *node, uint64_t n)
{
	struct live_change change = {.row = node->raw};

	int r = key_of_row(table, node, &change.key);
	if (r != 0) {
		return r;
	}
	struct row *old = *find(table, change.key);
	return old != NULL && old->n >= n ? 0 : put(table, &change, n);
}

static int apply_gone(struct live_table *table, const struct node *values, uint64_t n)
{
	struct slice key;

	int r = key_of_gone(table, values, &key);
	if (r != 0) {
		return r;
	}
	struct row **at = find(table, key);
	return *at == NULL || (*at)->n >= n ? 0 : take_out(table, at);
}

static int apply(struct live_table *table, const struct live_message *message)
{
	const struct node *node = node_first(message->rows);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < message->rows->count; i++, node = node_next(node)) {
		r = apply_row(table, node, message->n);
	}
	node = node_first(message->gone);
	for (uint32_t i = 0; r == 0 && i < message->gone->count; i++, node = node_next(node)) {
		r = apply_gone(table, node, message->n);
	}
	return r;
}

static int decode(struct live_table *table, struct slice payload, struct live_message *ret_message)
{
	struct complaint complaint;

	int r = document_decode(
		&table->document, ENCODING_JSON, payload, MESSAGE_DEPTH_MAX, &complaint);
	if (r != 0) {
		return r < 0 ? r : LIVE_TABLE_E_MALFORMED;
	}
	return live_message_read(table->document.nodes, ret_message) == 0 ? 0
									  : LIVE_TABLE_E_MALFORMED;
}

/* Copied, for the view is being read. Too much of it, and the reading begins anew. */
static int keep(struct live_table *table, struct slice payload)
{
	buffer_append(&table->kept, &payload.size, sizeof payload.size);
	buffer_append(&table->kept, payload.bytes, payload.size);
	if (table->kept.error == -EMSGSIZE) {
		live_table_restart(table);
		return 0;
	}
	return table->kept.error;
}

static int apply_kept(struct live_table *table)
{
	struct live_message message;
	int r = 0;

	for (size_t at = 0; r == 0 && at < table->kept.size;) {
		size_t size;
		memcpy(&size, table->kept.bytes + at, sizeof size);
		at += sizeof size;
		r = decode(table, slice_of(table->kept.bytes + at, size), &message);
		if (r == 0) {
			r = apply(table, &message);
		}
		at += size;
	}
	buffer_clear(&table->kept);
	return r;
}

/* Does it come right after the last one of its stream? */
static bool follows(const struct live_table *table, const struct live_message *message)
{
	bool takes_number = message->type == LIVE_ROWS || message->type == LIVE_RESET;

	return slice_equals_text(message->stream, table->stream) &&
	       message->n == table->n + takes_number;
}

/* From here on: the view is to be read, and what comes is kept. */
static void begin_reading(struct live_table *table, const struct live_message *message)
{
	snprintf(table->stream, sizeof table->stream, "%.*s", (int)message->stream.size,
		(const char *)message->stream.bytes);
	free(table->cursor);
	table->cursor = NULL;
	buffer_clear(&table->kept);
	table->reading++;
	table->state = LIVE_TABLE_READS;
}

static int refuse(struct live_table *table, const struct live_message *message)
{
	snprintf(table->complaint, sizeof table->complaint, "%.*s: %.*s",
		(int)message->error_code.size, (const char *)message->error_code.bytes,
		(int)message->error_message.size, (const char *)message->error_message.bytes);
	return LIVE_TABLE_E_REFUSED;
}

int live_table_take(struct live_table *table, struct slice payload)
{
	struct live_message message;

	int r = decode(table, payload, &message);
	if (r != 0) {
		return r;
	}
	if (message.type == LIVE_ERROR) {
		return refuse(table, &message);
	}
	bool is_first = table->state == LIVE_TABLE_LISTENS;
	if (is_first || !follows(table, &message) || message.type == LIVE_RESET) {
		table->gaps += !is_first;
		begin_reading(table, &message);
	}
	table->n = message.n;
	if (message.type != LIVE_ROWS) {
		return 0;
	}
	return table->state == LIVE_TABLE_READS ? keep(table, payload) : apply(table, &message);
}

/* ---- pages */

static int put_page(struct live_table *table, const struct node *rows, uint64_t n)
{
	const struct node *node = node_first(rows);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < rows->count; i++, node = node_next(node)) {
		struct live_change change = {.row = node->raw};
		r = key_of_row(table, node, &change.key);
		if (r == 0) {
			r = put(table, &change, n);
		}
	}
	return r;
}

/* The number of the last message before the answer was made; false: it is of another stream, or of none. */
static bool read_place(const struct live_table *table, const struct node *answer, uint64_t *ret_n)
{
	const struct node *live = node_find(answer, "live");
	const struct node *stream = live == NULL ? NULL : node_find(live, "stream");
	const struct node *n = live == NULL ? NULL : node_find(live, "n");
	int64_t number = 0;

	if (stream == NULL || n == NULL || stream->type != NODE_TEXT ||
		!slice_equals_text(stream->text, table->stream) || !node_integer(n, &number)) {
		return false;
	}
	*ret_n = (uint64_t)number;
	return true;
}

static int end_reading(struct live_table *table)
{
	table->state = LIVE_TABLE_FOLLOWS;
	int r = sweep(table);
	return r == 0 ? apply_kept(table) : r;
}

int live_table_page(struct live_table *table, const struct node *answer)
{
	const struct node *rows = node_find(answer, "rows");
	const struct node *next = node_find(answer, "next");
	uint64_t n = 0;

	if (rows == NULL || rows->type != NODE_ARRAY) {
		return LIVE_TABLE_E_MALFORMED;
	}
	if (!read_place(table, answer, &n)) {
		live_table_restart(table);
		return 0;
	}
	int r = put_page(table, rows, n);
	free(table->cursor);
	table->cursor = NULL;
	if (r == 0 && next != NULL && next->type == NODE_TEXT) {
		table->cursor = strndup((const char *)next->text.bytes, next->text.size);
		return table->cursor == NULL ? -ENOMEM : 0;
	}
	return r == 0 ? end_reading(table) : r;
}

const char *live_table_cursor(const struct live_table *table)
{
	return table->cursor == NULL ? "" : table->cursor;
}

uint64_t live_table_reading(const struct live_table *table)
{
	return table->reading;
}

void live_table_restart(struct live_table *table)
{
	table->state = LIVE_TABLE_LISTENS;
	buffer_clear(&table->kept);
	free(table->cursor);
	table->cursor = NULL;
}

/* ---- what there is */

enum live_table_state live_table_state(const struct live_table *table)
{
	return table->state;
}

const char *live_table_complaint(const struct live_table *table)
{
	return table->complaint;
}

size_t live_table_count(const struct live_table *table)
{
	return table->count;
}

uint64_t live_table_gaps(const struct live_table *table)
{
	return table->gaps;
}

int live_table_each(const struct live_table *table,
	int (*each)(void *owner, const struct live_change *row), void *owner)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->bucket_count; i++) {
		for (struct row *row = table->buckets[i]; r == 0 && row != NULL; row = row->next) {
			const struct live_change change = view_of(row);
			r = each(owner, &change);
		}
	}
	return r;
}
