#include "edge/spool_block.h"
#include "proto/checksum.h"
#include <assert.h>

enum {
	AT_VERSION = 0,
	AT_LANE = 1,
	AT_ZERO = 2,
	AT_COUNT = 4,
	AT_RUN = 8,
	AT_FIRST_SEQ = 16,
	AT_RECEIVED_FIRST = 24,
	AT_RECEIVED_LAST = 32,
	AT_SIZE = 40,
	AT_EVENTS_CRC = 44,
	AT_HEADER_CRC = 48,

	PAGE_SIZE = 4096,
	/* LMDB moves a value to pages of its own when a leaf page can't hold two of them. */
	LEAF_VALUE_MAX = 2000,
	LEAF_NODE_OVERHEAD = 16,
	PAGE_OVERHEAD = 16,
};

void spool_put_u32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		out[i] = (uint8_t)(value >> (24 - 8 * i));
	}
}

void spool_put_u64(uint8_t *out, uint64_t value)
{
	spool_put_u32(out, (uint32_t)(value >> 32));
	spool_put_u32(out + 4, (uint32_t)value);
}

uint32_t spool_get_u32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

uint64_t spool_get_u64(const uint8_t *in)
{
	return (uint64_t)spool_get_u32(in) << 32 | spool_get_u32(in + 4);
}

void spool_block_encode_header(const struct spool_block_header *header, struct slice events,
	uint8_t out[SPOOL_BLOCK_HEADER_SIZE])
{
	assert(events.size == header->size);

	out[AT_VERSION] = SPOOL_BLOCK_VERSION;
	out[AT_LANE] = (uint8_t)header->lane;
	out[AT_ZERO] = 0;
	out[AT_ZERO + 1] = 0;
	spool_put_u32(out + AT_COUNT, header->count);
	spool_put_u64(out + AT_RUN, header->run);
	spool_put_u64(out + AT_FIRST_SEQ, header->first_seq);
	spool_put_u64(out + AT_RECEIVED_FIRST, (uint64_t)header->received_first_ms);
	spool_put_u64(out + AT_RECEIVED_LAST, (uint64_t)header->received_last_ms);
	spool_put_u32(out + AT_SIZE, header->size);
	spool_put_u32(out + AT_EVENTS_CRC, checksum_crc32c(0, events.bytes, events.size));
	spool_put_u32(out + AT_HEADER_CRC, checksum_crc32c(0, out, AT_HEADER_CRC));
}

/* What no edge writes, whatever its checksum says. */
static bool header_is_sane(const struct spool_block_header *header, struct slice block)
{
	return (int)header->lane < KIND_COUNT && header->count > 0 &&
	       header->count <= header->size && header->run > 0 && header->run <= RUN_MAX &&
	       header->first_seq > 0 && header->first_seq <= (uint64_t)INT64_MAX - header->count &&
	       header->size <= SPOOL_BLOCK_SIZE_MAX &&
	       header->size == block.size - SPOOL_BLOCK_HEADER_SIZE;
}

int spool_block_decode_header(struct slice block, struct spool_block_header *ret_header)
{
	const uint8_t *in = block.bytes;

	if (block.size < SPOOL_BLOCK_HEADER_SIZE || in[AT_VERSION] != SPOOL_BLOCK_VERSION ||
		in[AT_ZERO] != 0 || in[AT_ZERO + 1] != 0 ||
		spool_get_u32(in + AT_HEADER_CRC) != checksum_crc32c(0, in, AT_HEADER_CRC)) {
		return SPOOL_BLOCK_E_HEADER;
	}
	struct spool_block_header header = {
		.lane = (enum kind)in[AT_LANE],
		.count = spool_get_u32(in + AT_COUNT),
		.run = spool_get_u64(in + AT_RUN),
		.first_seq = spool_get_u64(in + AT_FIRST_SEQ),
		.received_first_ms = (int64_t)spool_get_u64(in + AT_RECEIVED_FIRST),
		.received_last_ms = (int64_t)spool_get_u64(in + AT_RECEIVED_LAST),
		.size = spool_get_u32(in + AT_SIZE),
		.events_crc = spool_get_u32(in + AT_EVENTS_CRC),
	};
	if (!header_is_sane(&header, block)) {
		return SPOOL_BLOCK_E_HEADER;
	}
	*ret_header = header;
	return 0;
}

int spool_block_decode(
	struct slice block, struct spool_block_header *ret_header, struct slice *ret_events)
{
	struct spool_block_header header;

	int r = spool_block_decode_header(block, &header);
	if (r != 0) {
		return r;
	}
	*ret_header = header;
	struct slice events = slice_of(block.bytes + SPOOL_BLOCK_HEADER_SIZE, header.size);
	if (checksum_crc32c(0, events.bytes, events.size) != header.events_crc) {
		return SPOOL_BLOCK_E_EVENTS;
	}
	*ret_events = events;
	return 0;
}

void spool_key_encode(enum kind lane, uint64_t index, uint8_t out[SPOOL_KEY_SIZE])
{
	out[0] = (uint8_t)lane;
	spool_put_u64(out + 1, index);
}

bool spool_key_decode(struct slice key, enum kind *ret_lane, uint64_t *ret_index)
{
	if (key.size != SPOOL_KEY_SIZE || key.bytes[0] >= KIND_COUNT) {
		return false;
	}
	*ret_lane = (enum kind)key.bytes[0];
	*ret_index = spool_get_u64(key.bytes + 1);
	return true;
}

uint64_t spool_cost(uint64_t key_size, uint64_t value_size)
{
	uint64_t node = LEAF_NODE_OVERHEAD + key_size;

	if (value_size <= LEAF_VALUE_MAX) {
		return (node + value_size) * 2;
	}
	uint64_t pages = (value_size + PAGE_OVERHEAD + PAGE_SIZE - 1) / PAGE_SIZE;
	return pages * PAGE_SIZE + node * 2;
}
