/* Any bytes as JSON; what is taken can be written as msgpack and read again. */
#include "proto/limits.h"
#include "proto/writer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_msgpack(const struct document *document)
{
	struct document again;
	struct complaint complaint;
	struct buffer buffer;
	struct writer writer;

	buffer_init(&buffer, FRAME_SIZE_MAX);
	writer_init(&writer, ENCODING_MSGPACK, &buffer);
	write_node(&writer, document->nodes, ENCODING_JSON);
	fuzz_require(buffer.error == 0 && document_init(&again, EVENT_NODES_MAX) == 0);
	fuzz_require(document_decode(&again, ENCODING_MSGPACK, buffer_slice(&buffer), NESTING_MAX,
			     &complaint) == 0);
	fuzz_require(again.count == document->count);
	document_deinit(&again);
	buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	struct document document;
	struct complaint complaint;

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	if (document_decode(&document, ENCODING_JSON, bytes, NESTING_MAX, &complaint) == 0) {
		check_msgpack(&document);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
