/* Any bytes as a record that a person looks at: whatever it is, the answer is whole, and says how large the record is. The first
 * byte: the answer's encoding (1), whether it has a header (2) and a key (4), both of which are the value's first bytes. */
#include "proto/event.h"
#include "proto/record_view.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value, .prefix_size = 1};

enum {
	WORDS_SIZE_MAX = 8,
	VIEW_SIZE_MAX = 16 * 1024 * 1024,
	AROUND = 3, /* levels that an answer has around a record: its map, its array, the record */
	NODES_AROUND = 32,
};

static void write_answer(
	struct document *document, const struct topic_record *record, struct writer *writer)
{
	write_map(writer, 1);
	write_key(writer, "records");
	write_array(writer, 1);
	write_map(writer, RECORD_VIEW_PAIRS);
	fuzz_require(record_view_write(document, record, writer) == 0);
}

static void check_said(const struct node *view, const struct topic_record *record)
{
	struct slice as = node_text_at(view, "as");
	const struct node *reason = node_find(view, "reason");
	bool is_event = slice_equal(as, slice_of_text("event"));

	fuzz_require((size_t)node_integer_at(view, "size") == record->value.size);
	fuzz_require(node_find(view, "value") != NULL && node_find(view, "key") != NULL);
	fuzz_require(node_find(view, "headers")->count == record->header_count);
	fuzz_require(reason != NULL && (!is_event || reason->type == NODE_NIL));
	fuzz_require(slice_equal(as, slice_of_text("nothing")) == (record->value.size == 0));
	if (slice_equal(as, slice_of_text("bytes"))) {
		fuzz_require(reason->type == NODE_TEXT);
	}
}

static void check_answer(
	enum encoding encoding, struct slice answer, const struct topic_record *record)
{
	struct document read;
	struct complaint complaint;

	fuzz_require(document_init(&read, EVENT_NODES_MAX + NODES_AROUND) == 0);
	fuzz_require(document_decode(&read, encoding, answer, WRITER_DEPTH_MAX, &complaint) == 0);
	/* Behind the answer's map, its key and its array. */
	check_said(&read.nodes[AROUND], record);
	document_deinit(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct topic_record record = {.partition = 0, .timestamp_ms = -1};
	struct document document;
	struct buffer buffer;
	struct writer writer;

	if (size == 0) {
		return 0;
	}
	struct slice bytes = fuzz_copy(data + 1, size - 1);
	enum encoding encoding = data[0] & 1 ? ENCODING_MSGPACK : ENCODING_JSON;
	struct slice words =
		slice_of(bytes.bytes, bytes.size < WORDS_SIZE_MAX ? bytes.size : WORDS_SIZE_MAX);
	record.value = bytes;
	record.header_count = data[0] >> 1 & 1;
	record.headers[0] = (struct topic_header){"till.edge", words};
	record.key = data[0] & 4 ? words : slice_of(NULL, 0);

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	buffer_init(&buffer, VIEW_SIZE_MAX);
	writer_init(&writer, encoding, &buffer);
	write_answer(&document, &record, &writer);
	fuzz_require(buffer.error == 0);
	check_answer(encoding, buffer_slice(&buffer), &record);
	buffer_deinit(&buffer);
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
