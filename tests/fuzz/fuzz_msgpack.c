/* Any bytes as msgpack: taken or refused as msgpack-c's object API says, and writable as JSON that can be read. */
#include "proto/limits.h"
#include "proto/writer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include "tests/lib/msgpack_oracle.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_json(const struct document *document)
{
	struct document again;
	struct complaint complaint;
	struct buffer buffer;
	struct writer writer;

	buffer_init(&buffer, FRAME_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_node(&writer, document->nodes, ENCODING_MSGPACK);
	fuzz_require(buffer.error == 0 && document_init(&again, EVENT_NODES_MAX) == 0);
	fuzz_require(document_decode(&again, ENCODING_JSON, buffer_slice(&buffer), NESTING_MAX,
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
	int r = document_decode(&document, ENCODING_MSGPACK, bytes, NESTING_MAX, &complaint);
	msgpack_oracle_check(&document, bytes, NESTING_MAX, r);
	if (r == 0) {
		check_json(&document);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
