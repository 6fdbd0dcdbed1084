/* Any bytes as a producer's header and as an edge's reply. */
#include "proto/producer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_header(struct document *document, struct slice bytes)
{
	struct producer_header header;
	struct complaint complaint;
	int r = producer_header_decode(document, bytes, &header, &complaint);

	if (r != 0) {
		fuzz_require(r == (int)complaint.reason && complaint.message[0] != '\0');
		return;
	}
	fuzz_require(header.n >= 1 && header.producer.size >= 1);
	fuzz_require(header.producer.size <= PRODUCER_ID_SIZE_MAX);
}

/* What a client read it can write, and reads the same again. */
static void check_reply_again(const struct reply *reply)
{
	static struct reply_error errors[REPLY_ERRORS_MAX];
	struct document document;
	struct buffer first, second;
	struct complaint complaint;
	struct reply again;

	buffer_init(&first, FRAME_SIZE_MAX);
	buffer_init(&second, FRAME_SIZE_MAX);
	reply_encode(reply, ENCODING_JSON, &first);
	fuzz_require(first.error == 0 && document_init(&document, EVENT_NODES_MAX) == 0);
	fuzz_require(
		reply_decode(&document, buffer_slice(&first), errors, &again, &complaint) == 0);
	reply_encode(&again, ENCODING_JSON, &second);
	fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	document_deinit(&document);
	buffer_deinit(&first);
	buffer_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply_error errors[REPLY_ERRORS_MAX];
	struct slice bytes = fuzz_copy(data, size);
	struct document document;
	struct complaint complaint;
	struct reply reply;

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	check_header(&document, bytes);
	if (reply_decode(&document, bytes, errors, &reply, &complaint) == 0) {
		check_reply_again(&reply);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
