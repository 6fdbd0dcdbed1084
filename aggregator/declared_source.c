#include "aggregator/declared_source.h"

#include "aggregator/view_suggest.h"
#include "proto/checksum.h"
#include "proto/plain_row.h"
#include <errno.h>
#include <stdlib.h>

struct source_reader {
	const struct source_declaration *declaration;
	struct document document; /* the record as it came */
	struct buffer row;
};

void source_declaration_deinit(struct source_declaration *declaration)
{
	free(declaration->topic);
	free(declaration->format);
	free(declaration->kind);
	free(declaration->fields);
	free(declaration->field_list);
	*declaration = (struct source_declaration){.name = ""};
}

/* ---- what is declared */

static int set_topics(struct source_declaration *declaration, struct config_error *error)
{
	const char *cursor = declaration->topic;
	char item[TOPIC_NAME_SIZE + 1]; /* one that is too long stays too long */

	declaration->topic_count = 0;
	while (config_list_next(&cursor, item, sizeof item)) {
		if (declaration->topic_count == SOURCE_TOPICS_MAX) {
			return config_fail(
				error, "a source has at most %d topics", SOURCE_TOPICS_MAX);
		}
		if (!topic_name_is_valid(item)) {
			return config_fail(error,
				"\"%s\" is no topic's name: letters, digits, dots, _ and -, at "
				"most 249 of them",
				item);
		}
		memcpy(declaration->topics[declaration->topic_count++], item, TOPIC_NAME_SIZE);
	}
	return declaration->topic_count > 0 ? 0 : config_fail(error, "topic names no topic");
}

static int set_format(struct source_declaration *declaration, struct config_error *error)
{
	return strcmp(declaration->format, "plain") == 0
		       ? 0
		       : config_fail(error,
				 "format is plain (JSON records, each a map), not \"%s\"",
				 declaration->format);
}

static int set_kind(struct source_declaration *declaration, struct config_error *error)
{
	static const char *const kinds[] = {"order", "cart", "view"};
	struct slice name = slice_of_text(declaration->kind);

	if (kind_from_name(name, &declaration->event_kind) &&
		!kind_is_dead_letter(declaration->event_kind)) {
		return 0;
	}
	const char *near = suggest_word(name, kinds, sizeof kinds / sizeof *kinds);
	return config_fail(error, "kind is order, cart or view, not \"%s\"%s%s%s",
		declaration->kind, near != NULL ? "; did you mean \"" : "",
		near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static int check_field(const struct pair_list *fields, size_t index, struct config_error *error)
{
	const char *names[FIELD_COUNT];
	const struct pair *pair = &fields->items[index];
	enum field field;

	if (pairs_find_right(fields, pair->right) != pair) {
		return config_fail(error, "two of the record's fields give the field \"%.*s\"",
			(int)pair->right.size, (const char *)pair->right.bytes);
	}
	if (field_from_name(pair->right, &field)) {
		return 0;
	}
	for (int i = 0; i < FIELD_COUNT; i++) {
		names[i] = field_name((enum field)i);
	}
	const char *near = suggest_word(pair->right, names, FIELD_COUNT);
	return config_fail(error, "events have no field \"%.*s\"%s%s%s",
		(int)(pair->right.size < 64 ? pair->right.size : 64),
		(const char *)pair->right.bytes, near != NULL ? "; did you mean \"" : "",
		near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static int set_fields(struct source_declaration *declaration, struct config_error *error)
{
	struct pairs_error pairs_error = {""};
	int r = 0;

	if (declaration->field_list == NULL) {
		declaration->field_list = calloc(1, sizeof *declaration->field_list);
	}
	if (declaration->field_list == NULL) {
		return -ENOMEM;
	}
	declaration->field_list->count = 0;
	if (pairs_add_columns(
		    declaration->field_list, "fields", declaration->fields, &pairs_error) != 0) {
		return config_fail(error, "%s", pairs_error.text);
	}
	for (size_t i = 0; r == 0 && i < declaration->field_list->count; i++) {
		r = check_field(declaration->field_list, i, error);
	}
	return r;
}

static const struct source_key {
	const char *key;
	size_t offset;
	int (*set)(struct source_declaration *declaration, struct config_error *error);
} keys[] = {
	{"topic", offsetof(struct source_declaration, topic), set_topics},
	{"format", offsetof(struct source_declaration, format), set_format},
	{"kind", offsetof(struct source_declaration, kind), set_kind},
	{"fields", offsetof(struct source_declaration, fields), set_fields},
};
enum { KEY_COUNT = sizeof keys / sizeof *keys };

int source_declaration_set(struct source_declaration *declaration, const char *key,
	const char *value, struct config_error *error)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].key, key) != 0) {
			continue;
		}
		char **place = (char **)((char *)declaration + keys[i].offset);
		char *copy = strdup(value);
		if (copy == NULL) {
			return -ENOMEM;
		}
		free(*place);
		*place = copy;
		return keys[i].set(declaration, error);
	}
	return config_fail(error, "%s: a source has topic, format, kind and fields", key);
}

static bool has_field(const struct source_declaration *declaration, const char *name)
{
	return pairs_find_right(declaration->field_list, slice_of_text(name)) != NULL;
}

/* What every event of the kind must have, its defaults aside. */
static const char *missing_field(const struct source_declaration *declaration)
{
	if (declaration->event_kind == KIND_VIEW) {
		return NULL;
	}
	if (!has_field(declaration, "product_id")) {
		return "product_id";
	}
	if (declaration->event_kind == KIND_CART) {
		return has_field(declaration, "action") ? NULL : "action";
	}
	if (!has_field(declaration, "order_id")) {
		return "order_id";
	}
	return has_field(declaration, "unit_price") || has_field(declaration, "amount")
		       ? NULL
		       : "unit_price (or amount)";
}

int source_declaration_check(
	const struct source_declaration *declaration, struct config_error *error)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *value = *(char *const *)((const char *)declaration + keys[i].offset);
		if (value == NULL) {
			return config_fail(
				error, "[source.%s] wants %s", declaration->name, keys[i].key);
		}
	}
	const char *missing = missing_field(declaration);
	return missing == NULL ? 0
			       : config_fail(error,
					 "[source.%s] fields: nothing gives %s, which "
					 "every event of kind %s has",
					 declaration->name, missing, declaration->kind);
}

void source_declaration_print(const struct source_declaration *declaration, FILE *out)
{
	fprintf(out, "\n[source.%s]\n", declaration->name);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *value = *(char *const *)((const char *)declaration + keys[i].offset);
		if (value != NULL) {
			fprintf(out, "%s = %s\n", keys[i].key, value);
		}
	}
}

/* ---- reading */

int source_reader_new(
	const struct source_declaration *declaration, struct source_reader **ret_reader)
{
	struct source_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL) {
		return -ENOMEM;
	}
	reader->declaration = declaration;
	buffer_init(&reader->row, EVENT_RAW_SIZE_MAX);
	if (document_init(&reader->document, EVENT_NODES_MAX) != 0) {
		source_reader_free(reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

struct source_reader *source_reader_free(struct source_reader *reader)
{
	if (reader != NULL) {
		document_deinit(&reader->document);
		buffer_deinit(&reader->row);
		free(reader);
	}
	return NULL;
}

/* 53 bits of a hash, never 0: the same for ever, whatever else is declared. */
static uint64_t run_of(const char *topic, int32_t partition)
{
	uint8_t bytes[TOPIC_NAME_SIZE + 4];
	uint8_t hash[16];
	uint64_t run = 0;
	size_t size = strnlen(topic, TOPIC_NAME_SIZE - 1);

	memcpy(bytes, topic, size);
	for (int i = 0; i < 4; i++) {
		bytes[size + (size_t)i] = (uint8_t)((uint32_t)partition >> (24 - 8 * i));
	}
	checksum_hash128(slice_of(bytes, size + 4), hash);
	for (size_t i = 0; i < sizeof run; i++) {
		run = run << 8 | hash[i];
	}
	run &= RUN_MAX;
	return run != 0 ? run : 1;
}

static int normalise(struct source_reader *reader, struct document *document,
	const struct record *record, struct reading *reading)
{
	const struct source_declaration *declaration = reader->declaration;
	const struct event_rules rules = {
		.default_currency = "XXX",
		.received_ms = record->timestamp_ms > 0 ? record->timestamp_ms : 0,
	};
	enum kind kind;

	buffer_clear(&reader->row);
	int r = plain_row_write(&reader->document, record->value,
		kind_name(declaration->event_kind), declaration->field_list, &reader->row,
		&reading->complaint);
	return r != 0 ? r
		      : event_normalise(document, ENCODING_JSON, buffer_slice(&reader->row), &rules,
				&reading->event, &kind, &reading->complaint);
}

int source_read(struct source_reader *reader, struct document *document, const char *topic,
	uint64_t number, const struct record *record, struct reading *ret_reading)
{
	uint32_t checksum = checksum_crc32c(0, record->key.bytes, record->key.size);

	ret_reading->checksum = checksum_crc32c(checksum, record->value.bytes, record->value.size);
	ret_reading->letter_code = slice_of(NULL, 0);
	if (record->value.size == 0) { /* a tombstone: of compacted topics, and no event */
		ret_reading->class = RECORD_FOREIGN;
		complaint_set(&ret_reading->complaint, REASON_BAD_FRAME, "", "an empty record");
		return 0;
	}
	int r = normalise(reader, document, record, ret_reading);
	if (r < 0) {
		return r;
	}
	ret_reading->class = r == 0 ? RECORD_EVENT : RECORD_UNREADABLE;
	if (r == 0) {
		struct certificate certificate = {slice_of_text(reader->declaration->name),
			run_of(topic, record->partition), reader->declaration->event_kind, number};
		ret_reading->event.certificate = certificate;
		ret_reading->seq = number;
		ret_reading->stream = (struct stream_id){
			certificate.edge, certificate.run, stream_kind_of(certificate.kind, false)};
	}
	return 0;
}
