/* changes as Debezium writes them, and the order of their positions */
#include "vectors.h"

#include "proto/debezium.h"
#include "proto/event.h"

#include <stdio.h>
#include <stdlib.h>

/* What a vector configures; texts are terminated copies. */
struct settings {
	char fields[512];
	char types[512];
	char key[128];
	char kind[16];
	struct pair_list field_list;
	struct pair_list key_list;
	struct column_types type_list;
};

static void copy_text(const struct node *vector, const char *name, char *text, size_t size)
{
	struct slice slice = vector_text(vector, name);

	snprintf(text, size, "%.*s", (int)slice.size, (const char *)slice.bytes);
}

/* "a:, b:" */
static void read_key_columns(struct settings *settings)
{
	char *save = NULL;

	settings->key_list.count = 0;
	for (char *at = strtok_r(settings->key, ":, ", &save); at != NULL;
		at = strtok_r(NULL, ":, ", &save)) {
		settings->key_list.items[settings->key_list.count++].left = slice_of_text(at);
	}
}

static struct debezium_rules read_settings(
	struct check *check, const struct node *vector, struct settings *settings)
{
	struct pairs_error error = {""};

	copy_text(vector, "fields", settings->fields, sizeof settings->fields);
	copy_text(vector, "types", settings->types, sizeof settings->types);
	copy_text(vector, "key_columns", settings->key, sizeof settings->key);
	copy_text(vector, "kind", settings->kind, sizeof settings->kind);
	settings->field_list.count = 0;
	settings->type_list.count = 0;
	read_key_columns(settings);
	if (pairs_add_columns(&settings->field_list, "fields", settings->fields, &error) != 0 ||
		(settings->types[0] != '\0' && column_types_parse(&settings->type_list, "types",
						       settings->types, &error) != 0)) {
		check_fail(check, "%s", error.text);
	}
	return (struct debezium_rules){.fields = &settings->field_list,
		.types = &settings->type_list,
		.key = &settings->key_list,
		.kind = settings->kind};
}

/* One half of the record, as text or as hex into `buffer`. */
static struct slice read_half(
	struct check *check, const struct node *vector, const char *name, struct buffer *buffer)
{
	char hex[32];

	snprintf(hex, sizeof hex, "%s_hex", name);
	if (!vector_hex(check, vector, hex)) {
		return vector_text(vector, name);
	}
	buffer_append(buffer, check->bytes.bytes, check->bytes.size);
	return buffer_slice(buffer);
}

static void check_normal(struct check *check, const struct node *vector, struct slice row)
{
	struct event_rules rules = {.default_currency = "EUR"};
	struct complaint complaint = {0};
	struct event event;
	enum kind kind;

	int r = event_normalise(
		&check->document, ENCODING_JSON, row, &rules, &event, &kind, &complaint);
	if (vector_has(vector, "code")) {
		check_refused(check, vector, r, &complaint);
		return;
	}
	if (r != 0) {
		check_fail(check, "the row was refused: %s: %.*s", complaint.message, (int)row.size,
			(const char *)row.bytes);
		return;
	}
	event.certificate = (struct certificate){slice_of_text("uk"), 4711, kind, 17};
	buffer_clear(&check->output);
	event_encode(&event, ENCODING_JSON, &check->output);
	check_equal_text(
		check, "normal", vector_text(vector, "normal"), buffer_slice(&check->output));
}

/* Only what the vector has: most have the same position. */
static void check_position(
	struct check *check, const struct node *vector, const struct change_position *position)
{
	if (vector_has(vector, "log")) {
		check_equal_number(check, "log", (int64_t)vector_unsigned(check, vector, "log"),
			(int64_t)position->log);
	}
	if (vector_has(vector, "offset")) {
		check_equal_number(check, "offset",
			(int64_t)vector_unsigned(check, vector, "offset"),
			(int64_t)position->offset);
	}
	check_equal_number(
		check, "snapshot", vector_has(vector, "snapshot"), position->is_snapshot);
}

static void check_change(
	struct check *check, const struct node *vector, const struct change *change)
{
	static const char *const ops[] = {"c", "u", "r", "d", "t", "m", "tombstone"};

	check_equal_text(check, "op", vector_text(vector, "op"), slice_of_text(ops[change->op]));
	vector_hex(check, vector, "id");
	check_equal_text(check, "id", buffer_slice(&check->bytes), change->key);
	if (change->op != CHANGE_TOMBSTONE) {
		check_equal_number(
			check, "ts_ms", vector_integer(check, vector, "ts_ms"), change->ts_ms);
		check_position(check, vector, &change->position);
	}
	if (vector_has(vector, "normal")) {
		check_normal(check, vector, change->row);
	} else {
		check_equal_number(check, "the row's size", 0, (int64_t)change->row.size);
	}
}

static void check_says(
	struct check *check, const struct node *vector, const struct complaint *complaint)
{
	struct slice says = vector_text(vector, "says");

	if (says.size > 0 && memmem(complaint->message, strlen(complaint->message), says.bytes,
				     says.size) == NULL) {
		check_fail(check, "%s: does not say %.*s", complaint->message, (int)says.size,
			(const char *)says.bytes);
	}
}

static void check_record(struct check *check, const struct node *vector, struct debezium *debezium)
{
	struct buffer key_bytes;
	struct buffer value_bytes;
	struct complaint complaint = {0};
	struct change change;

	buffer_init(&key_bytes, CHANGE_SIZE_MAX);
	buffer_init(&value_bytes, CHANGE_SIZE_MAX);
	struct slice key = read_half(check, vector, "key", &key_bytes);
	struct slice value = read_half(check, vector, "value", &value_bytes);
	int r = debezium_decode(debezium, key, value, &change, &complaint);
	if (r == 0 && vector_has(vector, "code")) {
		check_normal(check, vector, change.row);
	} else if (vector_has(vector, "code")) {
		check_refused(check, vector, r, &complaint);
		check_says(check, vector, &complaint);
	} else if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
	} else {
		check_change(check, vector, &change);
	}
	buffer_deinit(&key_bytes);
	buffer_deinit(&value_bytes);
}

static void read_position(
	struct check *check, const struct node *source, struct change_position *ret_position)
{
	struct complaint complaint = {0};

	if (change_position_read(source, ret_position, &complaint) != 0) {
		check_fail(check, "the position was refused: %s", complaint.message);
		*ret_position = (struct change_position){0};
	}
}

static void check_order(struct check *check, const struct node *vector)
{
	static const char *const orders[] = {"older", "same", "newer", "unordered"};
	const struct node *snapshot = node_find(vector, "snapshot");
	struct change_position before;
	struct change_position kept;
	struct change_position next;

	read_position(check, node_find(vector, "kept"), &kept);
	read_position(check, node_find(vector, "next"), &next);
	if (snapshot != NULL) {
		read_position(check, snapshot, &before);
		kept = change_position_follow(&before, &kept);
	}
	check_equal_text(check, "order", vector_text(vector, "order"),
		slice_of_text(orders[change_position_order(&kept, &next)]));
}

void check_debezium(struct check *check, const struct node *vector)
{
	struct settings *settings = NULL;
	struct debezium *debezium = NULL;

	if (vector_has(vector, "order")) {
		check_order(check, vector);
		return;
	}
	settings = calloc(1, sizeof *settings);
	if (settings == NULL) {
		check_fail(check, "no memory");
		return;
	}
	struct debezium_rules rules = read_settings(check, vector, settings);
	if (debezium_new(&rules, &debezium) != 0) {
		check_fail(check, "no memory");
	} else {
		check_record(check, vector, debezium);
	}
	debezium_free(debezium);
	free(settings);
}
