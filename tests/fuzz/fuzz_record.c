/* Any bytes as a record of Kafka: an event, a marker, somebody else's or unreadable, and what is counted has a place in
 * the store. The first byte is the topic; of a dead-letter topic, the headers and the value are cut at zero bytes. */
#include "aggregator/books/record.h"
#include "proto/receipt.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value, .prefix_size = 1};

static void check_counted(const struct record *record, const struct reading *reading)
{
	struct stream_id again;
	uint8_t key[STREAM_KEY_SIZE_MAX];

	fuzz_require(slice_equal(record->key, reading->stream.edge));
	fuzz_require(edge_id_is_valid(reading->stream.edge) && reading->seq >= 1);
	fuzz_require(reading->stream.run >= 1 && reading->stream.run <= RUN_MAX);
	fuzz_require(stream_kind_counts_as(reading->stream.kind) == record->topic);
	size_t size = stream_key(&reading->stream, key);
	fuzz_require(stream_key_parse(slice_of(key, size), &again));
	fuzz_require(again.run == reading->stream.run && again.kind == reading->stream.kind);
	fuzz_require(slice_equal(again.edge, reading->stream.edge));
	if (reading->class == RECORD_EVENT) {
		fuzz_require(reading->event.kind == record->topic);
	}
}

/* Once under an edge's key of our own, once under the one that it claims. */
static void try_record(struct document *document, struct record *record)
{
	static struct reading reading;

	reading.stream = (struct stream_id){{NULL, 0}, 0, 0};
	for (int i = 0; i < 2; i++) {
		fuzz_require(record_read(document, record, &reading) == 0);
		if (reading.class == RECORD_EVENT || reading.class == RECORD_MARKER) {
			check_counted(record, &reading);
			return;
		}
		fuzz_require(reading.complaint.reason != REASON_NONE);
		fuzz_require(reading.complaint.message[0] != '\0');
		record->key = reading.stream.edge;
	}
}

static struct slice cut_headers(struct slice rest, struct slice headers[DLQ_HEADER_COUNT])
{
	for (int i = 0; i < DLQ_HEADER_COUNT; i++) {
		const uint8_t *zero = rest.size > 0 ? memchr(rest.bytes, 0, rest.size) : NULL;
		size_t size = zero != NULL ? (size_t)(zero - rest.bytes) : rest.size;
		size_t step = zero != NULL ? size + 1 : size;
		headers[i] = slice_of(rest.bytes, size);
		rest = slice_of(rest.bytes + step, rest.size - step);
	}
	return rest;
}

/* Any bytes as the header that says when events were received: what is read can be written, to the same bytes. */
static void try_receipt(struct slice bytes)
{
	struct receipt receipt;
	char text[RECEIPT_TEXT_SIZE];

	if (receipt_read(bytes, &receipt)) {
		int size = receipt_write(&receipt, text);
		fuzz_require(slice_equal(bytes, slice_of(text, (size_t)size)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	struct document document;

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	if (size > 0) {
		struct record record = {
			.topic = bytes.bytes[0] % KIND_COUNT,
			.key = slice_of_text("uk"),
			.value = slice_of(bytes.bytes + 1, bytes.size - 1),
		};
		if (kind_is_dead_letter((enum kind)record.topic)) {
			record.value = cut_headers(record.value, record.headers);
		}
		try_receipt(record.value);
		try_record(&document, &record);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
