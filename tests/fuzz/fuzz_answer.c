/* Any bytes as an aggregator's answer: no answer, or one whose parts lie within the bytes or the document. */
#include "client/answer_view.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_answer(const struct answer_view *answer, struct slice bytes)
{
	fuzz_require(answer->root->type == NODE_MAP && slice_equal(answer->bytes, bytes));
	fuzz_require(slice_equal(answer->root->raw, bytes) || encoding_of(bytes) == ENCODING_JSON);
	fuzz_require(node_find(answer->root, "ok")->boolean == answer->ok);
	fuzz_require(answer->error_code.size <= bytes.size);
	fuzz_require(answer->error_message.size <= bytes.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	struct document document;
	struct answer_view answer;

	fuzz_require(document_init(&document, ANSWER_FRAME_SIZE_MAX) == 0);
	int r = answer_view_read(&document, bytes, &answer);
	fuzz_require(r == 0 || r == ANSWER_VIEW_E_MALFORMED);
	if (r == 0) {
		check_answer(&answer, bytes);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
