#include "aggregator/books/record.h"
#include "proto/checksum.h"
#include <assert.h>
#include <errno.h>

static int set_aside(struct reading *reading, enum record_class class)
{
	reading->class = class;
	return 0;
}

/* An event lies in the topic of its kind, under its edge's key: else the promise of one partition, on which counting
 * once rests, was not kept by whoever wrote it. */
static int place(
	const struct record *record, enum kind topic, enum kind belongs_to, struct reading *reading)
{
	if (belongs_to != topic) {
		complaint_set(&reading->complaint, REASON_BAD_CERTIFICATE, "kind",
			"a record of kind %s in the topic of %s", kind_name(belongs_to),
			kind_name(topic));
		return set_aside(reading, RECORD_FOREIGN);
	}
	if (!slice_equal(record->key, reading->stream.edge)) {
		complaint_set(&reading->complaint, REASON_BAD_CERTIFICATE, "edge",
			"the record's key is not its edge");
		return set_aside(reading, RECORD_FOREIGN);
	}
	return 0;
}

bool record_has_certificate(const struct document *document)
{
	const struct node *map = document->nodes;
	return node_find(map, "edge") != NULL || node_find(map, "run") != NULL ||
	       node_find(map, "seq") != NULL;
}

/* Whatever event_decode refuses: well-formed values that never had a certificate are somebody else's. */
static int judge_refused(
	struct document *document, const struct record *record, struct reading *reading)
{
	struct complaint ignored;
	int r = document_decode(
		document, encoding_of(record->value), record->value, NESTING_MAX, &ignored);
	if (r < 0) {
		return r;
	}
	bool is_foreign = r == 0 && !record_has_certificate(document);
	return set_aside(reading, is_foreign ? RECORD_FOREIGN : RECORD_UNREADABLE);
}

static int read_event(struct document *document, enum kind topic, const struct record *record,
	struct reading *reading)
{
	if (record->value.size == 0) {
		complaint_set(&reading->complaint, REASON_BAD_FRAME, "", "an empty record");
		return set_aside(reading, RECORD_FOREIGN);
	}
	enum encoding encoding = encoding_of(record->value);
	int size_max = encoding == ENCODING_JSON ? EVENT_JSON_SIZE_MAX : EVENT_SIZE_MAX;
	if (record->value.size > (size_t)size_max) {
		complaint_set(&reading->complaint, REASON_TOO_LARGE, "",
			"%zu bytes, an event has at most %d", record->value.size, size_max);
		return set_aside(reading, RECORD_UNREADABLE);
	}
	int r = event_decode(
		document, encoding, record->value, &reading->event, &reading->complaint);
	if (r != 0) {
		return r < 0 ? r : judge_refused(document, record, reading);
	}
	const struct certificate *certificate = &reading->event.certificate;
	reading->class = reading->event.rejected == REASON_NONE ? RECORD_EVENT : RECORD_MARKER;
	reading->stream = (struct stream_id){
		certificate->edge, certificate->run, stream_kind_of(certificate->kind, false)};
	reading->seq = certificate->seq;
	return place(record, topic, certificate->kind, reading);
}

static int read_letter(const struct record *record, struct reading *reading)
{
	struct dead_letter letter;
	if (record->headers[DLQ_HEADER_EDGE].size == 0 &&
		record->headers[DLQ_HEADER_SEQ].size == 0) {
		complaint_set(&reading->complaint, REASON_BAD_CERTIFICATE, "till.edge",
			"a record without till's headers in a dead-letter topic");
		return set_aside(reading, RECORD_FOREIGN);
	}
	int r = dead_letter_from_headers(
		record->headers, record->value, &letter, &reading->complaint);
	if (r != 0) {
		return r < 0 ? r : set_aside(reading, RECORD_UNREADABLE);
	}
	bool is_refused = !kind_is_dead_letter(letter.certificate.kind);
	reading->class = RECORD_EVENT;
	reading->stream = (struct stream_id){letter.certificate.edge, letter.certificate.run,
		stream_kind_of(letter.certificate.kind, is_refused)};
	reading->seq = letter.certificate.seq;
	reading->event = (struct event){
		.kind = kind_dead_letter_of(letter.certificate.kind),
		.certificate = letter.certificate,
		.present = 1u << FIELD_TS,
		.ts_ms = letter.received_ms,
	};
	reading->letter_code = record->headers[DLQ_HEADER_CODE];
	return place(record, (enum kind)record->topic, reading->event.kind, reading);
}

static void begin(const struct record *record, struct reading *reading)
{
	uint32_t checksum = checksum_crc32c(0, record->key.bytes, record->key.size);

	reading->checksum = checksum_crc32c(checksum, record->value.bytes, record->value.size);
	reading->letter_code = slice_of(NULL, 0);
}

int record_read(struct document *document, const struct record *record, struct reading *ret_reading)
{
	enum kind kind = (enum kind)record->topic;

	assert(record->topic < KIND_COUNT);
	begin(record, ret_reading);
	return kind_is_dead_letter(kind) ? read_letter(record, ret_reading)
					 : read_event(document, kind, record, ret_reading);
}

int record_read_event(struct document *document, enum kind kind, const struct record *record,
	struct reading *ret_reading)
{
	begin(record, ret_reading);
	return read_event(document, kind, record, ret_reading);
}
