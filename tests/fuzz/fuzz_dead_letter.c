/* Any bytes as an envelope; and, cut at zero bytes, as Kafka's headers of a letter. */
#include "proto/dead_letter.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_letter(const struct dead_letter *letter)
{
	fuzz_require(letter->certificate.run >= 1 && letter->certificate.run <= RUN_MAX);
	fuzz_require(letter->certificate.seq >= 1 && (int)letter->certificate.kind < KIND_COUNT);
	fuzz_require(edge_id_is_valid(letter->certificate.edge));
	fuzz_require(letter->reason != REASON_NONE && utf8_is_valid(letter->message));
	fuzz_require(letter->received_ms >= 0);
}

static void check_envelope(struct document *document, struct slice bytes)
{
	struct dead_letter letter, again;
	struct complaint complaint;
	struct document second;
	struct buffer buffer;

	int r = dead_letter_decode(document, bytes, &letter, &complaint);
	if (r != 0) {
		fuzz_require(r == (int)complaint.reason);
		return;
	}
	check_letter(&letter);
	if (!kind_is_dead_letter(letter.certificate.kind) ||
		letter.message.size >= COMPLAINT_SIZE_MAX) {
		return; /* not what an edge would write */
	}
	buffer_init(&buffer, DEAD_LETTER_SIZE_MAX);
	dead_letter_encode(&letter, &buffer);
	fuzz_require(buffer.error == 0 && document_init(&second, 64) == 0);
	fuzz_require(dead_letter_decode(&second, buffer_slice(&buffer), &again, &complaint) == 0);
	fuzz_require(again.certificate.seq == letter.certificate.seq);
	document_deinit(&second);
	buffer_deinit(&buffer);
}

static void check_headers(struct slice bytes)
{
	struct slice values[DLQ_HEADER_COUNT] = {{NULL, 0}};
	struct dead_letter letter;
	struct complaint complaint;
	size_t header = 0;

	for (size_t i = 0; i < bytes.size; i++) {
		if (bytes.bytes[i] == 0) {
			header++;
		} else if (header < DLQ_HEADER_COUNT) {
			if (values[header].size++ == 0) {
				values[header].bytes = bytes.bytes + i;
			}
		}
	}
	if (dead_letter_from_headers(values, bytes, &letter, &complaint) == 0) {
		check_letter(&letter);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	struct document document;

	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	check_envelope(&document, bytes);
	check_headers(bytes);
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
