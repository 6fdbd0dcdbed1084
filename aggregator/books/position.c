#include "aggregator/books/position.h"
#include "proto/checksum.h"

struct anchor anchor_of(int64_t offset, int64_t timestamp_ms, struct slice key, struct slice value)
{
	uint32_t checksum = checksum_crc32c(0, key.bytes, key.size);
	return (struct anchor){
		.offset = offset,
		.timestamp_ms = timestamp_ms,
		.checksum = checksum_crc32c(checksum, value.bytes, value.size),
	};
}

bool anchor_equal(const struct anchor *a, const struct anchor *b)
{
	return a->offset == b->offset && a->timestamp_ms == b->timestamp_ms &&
	       a->checksum == b->checksum;
}

enum position_verdict position_judge(
	const struct position *position, int64_t low, int64_t high, int64_t *ret_offset)
{
	if (high < position->next) {
		return POSITION_RECREATED;
	}
	if (low > position->next) {
		return POSITION_MISSING;
	}
	if (position->anchor.offset < 0) {
		*ret_offset = position->next;
		return POSITION_READ;
	}
	if (position->anchor.offset < low) {
		*ret_offset = position->next;
		return POSITION_ANCHOR_GONE;
	}
	*ret_offset = position->anchor.offset;
	return POSITION_CHECK;
}

size_t position_key(const char *topic, int32_t partition, uint8_t ret_key[POSITION_KEY_SIZE_MAX])
{
	size_t size = strnlen(topic, POSITION_KEY_SIZE_MAX - 5);
	memcpy(ret_key, topic, size);
	ret_key[size] = 0;
	pack_big_endian(ret_key + size + 1, (uint32_t)partition, 4);
	return size + 5;
}

bool position_key_parse(struct slice key, struct slice *ret_topic, int32_t *ret_partition)
{
	if (key.size < 6 || key.size > POSITION_KEY_SIZE_MAX || key.bytes[key.size - 5] != 0) {
		return false;
	}
	struct unpack unpack = unpack_of(slice_of(key.bytes + key.size - 4, 4));
	*ret_topic = slice_of(key.bytes, key.size - 5);
	*ret_partition = (int32_t)unpack_u32(&unpack);
	return true;
}

static void encode_anchor(const struct anchor *anchor, struct buffer *buffer)
{
	pack_u64(buffer, (uint64_t)anchor->offset);
	pack_u64(buffer, (uint64_t)anchor->timestamp_ms);
	pack_u32(buffer, anchor->checksum);
}

static struct anchor decode_anchor(struct unpack *unpack)
{
	struct anchor anchor = {.offset = (int64_t)unpack_u64(unpack)};
	anchor.timestamp_ms = (int64_t)unpack_u64(unpack);
	anchor.checksum = unpack_u32(unpack);
	return anchor;
}

static bool may_be(const struct anchor *anchor, int64_t next)
{
	return anchor->offset >= -1 && anchor->offset < next;
}

void position_encode(const struct position *position, struct buffer *buffer)
{
	pack_u64(buffer, (uint64_t)position->next);
	encode_anchor(&position->anchor, buffer);
	encode_anchor(&position->candidate, buffer);
	encode_anchor(&position->last, buffer);
	books_encode(&position->books, buffer);
}

bool position_decode(struct slice bytes, struct position *ret_position)
{
	struct unpack unpack = unpack_of(bytes);
	struct position position = POSITION_START;
	position.next = (int64_t)unpack_u64(&unpack);
	position.anchor = decode_anchor(&unpack);
	position.candidate = decode_anchor(&unpack);
	position.last = decode_anchor(&unpack);
	books_decode(&unpack, &position.books);
	if (!unpack_is_whole(&unpack) || position.next < 0 ||
		!may_be(&position.anchor, position.next) ||
		!may_be(&position.candidate, position.next) ||
		!may_be(&position.last, position.next)) {
		return false;
	}
	*ret_position = position;
	return true;
}
