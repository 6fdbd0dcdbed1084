#include "aggregator/log/source_reader.h"

#include "aggregator/store/row_change.h"
#include "proto/checksum.h"
#include "proto/pairs.h"
#include "proto/plain_row.h"
#include <errno.h>
#include <stdlib.h>

struct source_reader {
	const struct source_declaration *declaration;
	struct document document; /* the record as it came */
	struct buffer row;
	struct debezium *debezium; /* of changes */
	struct row_change row_change; /* the last one */
};

static int new_debezium(struct source_reader *reader)
{
	const struct source_declaration *declaration = reader->declaration;
	const struct debezium_rules rules = {
		.fields = declaration->field_list,
		.types = declaration->type_list,
		.key = declaration->key_list,
		.kind = declaration->kind,
	};

	return debezium_new(&rules, &reader->debezium);
}

int source_reader_new(
	const struct source_declaration *declaration, struct source_reader **ret_reader)
{
	struct source_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL) {
		return -ENOMEM;
	}
	reader->declaration = declaration;
	buffer_init(&reader->row, EVENT_RAW_SIZE_MAX);
	int r = document_init(&reader->document, EVENT_NODES_MAX);
	if (r == 0 && declaration->format_type == SOURCE_DEBEZIUM) {
		r = new_debezium(reader);
	}
	if (r != 0) {
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
		debezium_free(reader->debezium);
		free(reader);
	}
	return NULL;
}

bool source_readers_share(const struct source_reader *a, const struct source_reader *b)
{
	if (a == NULL || b == NULL) {
		return false;
	}
	const char *table = a->declaration->table, *other = b->declaration->table;
	return a == b || (table != NULL && other != NULL && strcmp(table, other) == 0);
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

static int set_aside(struct reading *reading, enum record_class class)
{
	reading->class = class;
	return 0;
}

/* An event that bears no certificate: `bytes` as a producer could have sent it. 0, -ENOMEM or a reason with the complaint. */
static int normalise(const struct source_reader *reader, struct document *document,
	enum encoding encoding, struct slice bytes, int64_t received_ms, struct reading *reading)
{
	const struct event_rules rules = {
		.default_currency = "XXX",
		.received_ms = received_ms > 0 ? received_ms : 0,
		.is_order_total = source_has_order_totals(reader->declaration),
	};
	enum kind kind;
	int r = event_normalise(
		document, encoding, bytes, &rules, &reading->event, &kind, &reading->complaint);

	if (r == 0 && kind != reader->declaration->event_kind) {
		complaint_set(&reading->complaint, REASON_BAD_VALUE, "kind",
			"an event of kind %s in a source of %s", kind_name(kind),
			reader->declaration->kind);
		return REASON_BAD_VALUE;
	}
	return r;
}

/* Counts it by its place in the log. */
static int name_by_place(const struct source_reader *reader, const char *topic, uint64_t number,
	const struct record *record, struct reading *reading)
{
	struct certificate certificate = {slice_of_text(reader->declaration->name),
		run_of(topic, record->partition), reader->declaration->event_kind, number};

	reading->event.certificate = certificate;
	reading->seq = number;
	reading->stream = (struct stream_id){
		certificate.edge, certificate.run, stream_kind_of(certificate.kind, false)};
	return set_aside(reading, RECORD_EVENT);
}

static int read_plain(struct source_reader *reader, struct document *document, const char *topic,
	uint64_t number, const struct record *record, struct reading *reading)
{
	const struct source_declaration *declaration = reader->declaration;

	buffer_clear(&reader->row);
	int r = plain_row_write(&reader->document, record->value,
		kind_name(declaration->event_kind), declaration->field_list, &reader->row,
		&reading->complaint);
	if (r == 0) {
		r = normalise(reader, document, ENCODING_JSON, buffer_slice(&reader->row),
			record->timestamp_ms, reading);
	}
	if (r != 0) {
		return r < 0 ? r : set_aside(reading, RECORD_UNREADABLE);
	}
	return name_by_place(reader, topic, number, record, reading);
}

static int read_till(struct source_reader *reader, struct document *document, const char *topic,
	uint64_t number, const struct record *record, struct reading *reading)
{
	const struct source_declaration *declaration = reader->declaration;
	int r = record_read_event(document, declaration->event_kind, record, reading);

	if (r < 0 || reading->class != RECORD_FOREIGN || !declaration->counts_uncertified ||
		record_has_certificate(document)) {
		return r;
	}
	r = normalise(reader, document, encoding_of(record->value), record->value,
		record->timestamp_ms, reading);
	if (r != 0) {
		return r < 0 ? r : set_aside(reading, RECORD_UNREADABLE);
	}
	return name_by_place(reader, topic, number, record, reading);
}

/* The row as an event, where it is one. */
static int read_row(struct source_reader *reader, struct document *document,
	const struct record *record, struct reading *reading)
{
	const struct source_declaration *declaration = reader->declaration;
	struct row_change *row_change = &reader->row_change;
	const struct change *change = &row_change->change;
	int64_t made_ms = change->ts_ms > 0 ? change->ts_ms : record->timestamp_ms;

	if (declaration->table != NULL || change->row.size == 0) {
		return 0;
	}
	int r = normalise(reader, document, ENCODING_JSON, change->row, made_ms, reading);
	if (r < 0) {
		return r;
	}
	row_change->is_unfit = r != 0;
	reading->event.certificate =
		(struct certificate){.edge = row_change->source, .kind = declaration->event_kind};
	return 0;
}

static int read_change(struct source_reader *reader, struct document *document,
	const struct record *record, struct reading *reading)
{
	const struct source_declaration *declaration = reader->declaration;
	struct row_change *row_change = &reader->row_change;

	*row_change = (struct row_change){
		.source = slice_of_text(declaration->name),
		.table = slice_of_text(declaration->table != NULL ? declaration->table : ""),
	};
	int r = debezium_decode(reader->debezium, record->key, record->value, &row_change->change,
		&reading->complaint);

	if (r > 0 && record->value.size == 0) {
		return set_aside(reading, RECORD_FOREIGN); /* `key` names what no tombstone has */
	}
	if (r != 0) {
		return r < 0 ? r : set_aside(reading, RECORD_UNREADABLE);
	}
	if (row_change->change.op == CHANGE_MESSAGE) {
		complaint_set(&reading->complaint, REASON_BAD_VALUE, "op",
			"words of an application, no row");
		return set_aside(reading, RECORD_FOREIGN);
	}
	reading->class = RECORD_CHANGE;
	reading->row_change = row_change;
	reading->stream = (struct stream_id){
		row_change->source, 1, stream_kind_of(declaration->event_kind, false)};
	return read_row(reader, document, record, reading);
}

/* A record of a table's own topic: its row, or none where it is empty. What its key and columns are the table knows. */
static int read_table_row(
	struct source_reader *reader, const struct record *record, struct reading *reading)
{
	const struct source_declaration *declaration = reader->declaration;

	reader->row_change = (struct row_change){
		.source = slice_of_text(declaration->name),
		.table = slice_of_text(declaration->table),
		.change = {.op = record->value.size > 0 ? CHANGE_READ : CHANGE_DELETE,
			.key = record->key,
			.row = record->value},
		.is_placed_by_log = true,
	};
	reading->row_change = &reader->row_change;
	reading->stream = (struct stream_id){reader->row_change.source, 1, 0};
	return set_aside(reading, RECORD_CHANGE);
}

int source_read(struct source_reader *reader, struct document *document, const char *topic,
	uint64_t number, const struct record *record, struct reading *ret_reading)
{
	uint32_t checksum = checksum_crc32c(0, record->key.bytes, record->key.size);

	ret_reading->checksum = checksum_crc32c(checksum, record->value.bytes, record->value.size);
	ret_reading->letter_code = slice_of(NULL, 0);
	if (reader->declaration->format_type == SOURCE_DEBEZIUM) {
		return read_change(reader, document, record, ret_reading);
	}
	if (reader->declaration->table != NULL) {
		return read_table_row(reader, record, ret_reading);
	}
	if (record->value.size == 0) { /* a tombstone: of compacted topics, and no event */
		complaint_set(&ret_reading->complaint, REASON_BAD_FRAME, "", "an empty record");
		return set_aside(ret_reading, RECORD_FOREIGN);
	}
	return reader->declaration->format_type == SOURCE_TILL
		       ? read_till(reader, document, topic, number, record, ret_reading)
		       : read_plain(reader, document, topic, number, record, ret_reading);
}
