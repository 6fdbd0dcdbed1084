/* Any bytes as an archive's stream. Whole and in pieces it is the same, up to the same end or the same words; what is taken lies within
 * the input and its limits; only a whole one is over. */
#include "aggregator/log/archive_stream.h"
#include "tests/fuzz/fuzz.h"

/* What a way through it came to. */
struct way {
	struct archive_stream stream;
	size_t at; /* taken */
	uint64_t items, records;
	uint64_t hash; /* of what was in them */
};

static void mix(struct way *way, uint64_t number)
{
	way->hash = (way->hash ^ number) * UINT64_C(0x100000001b3);
}

static void mix_bytes(struct way *way, struct slice bytes, struct slice input)
{
	fuzz_require(
		bytes.size == 0 || (bytes.bytes >= input.bytes &&
					   bytes.bytes + bytes.size <= input.bytes + input.size));
	mix(way, bytes.size);
	for (size_t i = 0; i < bytes.size; i++) {
		mix(way, bytes.bytes[i]);
	}
}

static void note(struct way *way, const struct archive_item *item, struct slice input)
{
	bool is_placed = item->type == ARCHIVE_PARTITION || item->type == ARCHIVE_RECORD;

	fuzz_require(
		!is_placed || (item->topic.size >= 1 && item->partition >= 0 && item->offset >= 0));
	fuzz_require(!is_placed || (item->timestamp_ms >= 0 && item->last_offset < item->offset));
	mix(way, item->type);
	mix_bytes(way, item->cluster_id, input);
	mix_bytes(way, item->topic, input);
	mix(way, (uint64_t)item->partition);
	mix(way, (uint64_t)item->offset);
	mix(way, (uint64_t)item->timestamp_ms);
	mix_bytes(way, item->key, input);
	mix_bytes(way, item->value, input);
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		mix(way, item->left_out[fate]);
	}
	for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
		mix_bytes(way, item->headers[header], input);
	}
	way->records += item->type == ARCHIVE_RECORD;
	fuzz_require(item->type != ARCHIVE_END || item->count == way->records);
}

static int go(struct way *way, struct slice input, size_t step)
{
	size_t end = 0;
	int r = ARCHIVE_E_MORE;

	while (r != ARCHIVE_E_BAD && (end < input.size || r == 0)) {
		struct archive_item item;
		size_t size = 0;
		if (r == ARCHIVE_E_MORE) {
			end = input.size - end < step ? input.size : end + step;
		}
		r = archive_stream_next(
			&way->stream, slice_of(input.bytes + way->at, end - way->at), &item, &size);
		if (r == 0) {
			fuzz_require(size >= 1 && size <= end - way->at);
			note(way, &item, slice_of(input.bytes + way->at, size));
			way->at += size;
			way->items++;
		}
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_copy(data, size);
	size_t step = size == 0 ? 1 : 1 + data[size - 1] % 61;
	struct way whole = {.at = 0}, pieces = {.at = 0};

	int r = go(&whole, input, size);
	fuzz_require(go(&pieces, input, step) == r);
	fuzz_require(
		pieces.at == whole.at && pieces.items == whole.items && pieces.hash == whole.hash);
	fuzz_require(strcmp(pieces.stream.why, whole.stream.why) == 0);
	fuzz_require((r == ARCHIVE_E_BAD) == (whole.stream.why[0] != '\0'));
	fuzz_require(
		!archive_stream_is_over(&whole.stream) || whole.at == size || r == ARCHIVE_E_BAD);
	fuzz_free(input);
	return 0;
}
