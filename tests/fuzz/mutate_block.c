/* A block of a spool: its header by fields, its events one by one; then sizes and checksums are mended, mostly. */
#include "edge/spool_block.h"
#include "proto/checksum.h"
#include "tests/fuzz/pieces.h"

enum {
	AT_COUNT = 4,
	AT_SIZE = 40,
	AT_EVENTS_CRC = 44,
	AT_HEADER_CRC = 48,
	LEFT_WRONG = 8, /* one in so many */
};

static size_t cut_event(struct slice rest)
{
	struct slice all = rest, event;

	return event_cut(&rest, &event) ? event.size : all.size;
}

static size_t make_event(struct chance *chance, uint8_t *out, size_t size_max)
{
	size_t size = chance_draw(chance, 16);

	out[0] = 0x80; /* an empty map */
	return size == 0 || size > size_max ? 1 : LLVMFuzzerMutate(out, 1, size);
}

static uint32_t count_events(struct slice rest)
{
	struct slice event;
	uint32_t count = 0;

	while (event_cut(&rest, &event)) {
		count++;
	}
	return count;
}

/* u8 version, lane, u16 zero, u32 count, u64 run, first seq, two times. */
static void change_header(struct chance *chance, uint8_t *header)
{
	static const uint64_t values[] = {0, 1, 2, 255, 256, UINT32_MAX, INT64_MAX, UINT64_MAX,
		(UINT64_C(1) << 53) - 1, UINT64_C(1) << 53, INT64_MAX - 1};
	uint64_t value = values[chance_draw(chance, sizeof values / sizeof values[0])];
	uint32_t field = chance_draw(chance, 8);

	if (field < 3) {
		header[field] = (uint8_t)chance_draw(chance, 8);
	} else if (field == 3) {
		spool_put_u32(header + AT_COUNT, (uint32_t)value);
	} else {
		spool_put_u64(header + 8 + 8 * (field - 4), value);
	}
}

static void mend(struct chance *chance, uint8_t *data, size_t size)
{
	struct slice events =
		slice_of(data + SPOOL_BLOCK_HEADER_SIZE, size - SPOOL_BLOCK_HEADER_SIZE);

	if (!chance_one_in(chance, LEFT_WRONG)) {
		spool_put_u32(data + AT_SIZE, (uint32_t)events.size);
	}
	if (!chance_one_in(chance, LEFT_WRONG)) {
		spool_put_u32(data + AT_EVENTS_CRC, checksum_crc32c(0, events.bytes, events.size));
	}
	if (!chance_one_in(chance, LEFT_WRONG)) {
		spool_put_u32(data + AT_HEADER_CRC, checksum_crc32c(0, data, AT_HEADER_CRC));
	}
}

size_t mutate_block(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind events = {cut_event, mutate_value, make_event};
	uint8_t *body = data + SPOOL_BLOCK_HEADER_SIZE;

	if (size <= SPOOL_BLOCK_HEADER_SIZE) {
		return 0;
	}
	size_t body_size = size - SPOOL_BLOCK_HEADER_SIZE;
	if (chance_one_in(chance, 3)) {
		change_header(chance, data);
	} else {
		body_size = pieces_mutate(
			&events, chance, body, body_size, size_max - SPOOL_BLOCK_HEADER_SIZE);
		if (body_size == 0) {
			return 0;
		}
		spool_put_u32(data + AT_COUNT, count_events(slice_of(body, body_size)));
	}
	mend(chance, data, SPOOL_BLOCK_HEADER_SIZE + body_size);
	return SPOOL_BLOCK_HEADER_SIZE + body_size;
}
