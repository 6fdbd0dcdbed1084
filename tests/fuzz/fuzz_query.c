/* Any bytes as a request: refused with a code of queries, or within every limit. */
#include "proto/query.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_refusal(int r, const struct complaint *complaint)
{
	struct document document;
	struct complaint ignored;
	struct buffer buffer;

	fuzz_require(r == (int)complaint->reason);
	fuzz_require(r == REASON_BAD_REQUEST || r == REASON_UNKNOWN_QUERY || r == REASON_TOO_LARGE);
	buffer_init(&buffer, 4096);
	query_encode_error(complaint, ENCODING_JSON, &buffer);
	fuzz_require(buffer.error == 0 && document_init(&document, 64) == 0);
	fuzz_require(
		document_decode(&document, ENCODING_JSON, buffer_slice(&buffer), 2, &ignored) == 0);
	document_deinit(&document);
	buffer_deinit(&buffer);
}

static void check_query(const struct query *query)
{
	fuzz_require(query->type <= QUERY_LEDGER);
	fuzz_require(query->limit <= SCAN_LIMIT_MAX && query->timeout_ms <= QUERY_TIMEOUT_MS_MAX);
	fuzz_require(query->max_lag >= -1 && query->after_count <= QUERY_AFTER_MAX);
	fuzz_require(query->type != QUERY_GET || (query->key == NULL) != (query->keys == NULL));
	fuzz_require(query->type != QUERY_TOP || query->by.size > 0);
	fuzz_require(query->type > QUERY_SCAN || query->view.size > 0);
	for (uint32_t i = 0; i < query->after_count; i++) {
		fuzz_require(query->after[i].seq >= 1 && query->after[i].run <= RUN_MAX);
		fuzz_require((int)query->after[i].kind < KIND_COUNT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct query query;
	struct slice bytes = fuzz_copy(data, size);
	struct document document;
	struct complaint complaint;

	fuzz_require(document_init(&document, QUERY_NODES_MAX) == 0);
	int r = query_decode(&document, bytes, &query, &complaint);
	if (r == 0) {
		check_query(&query);
	} else {
		check_refusal(r, &complaint);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
