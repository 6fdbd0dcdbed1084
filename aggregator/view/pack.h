/* pack.h - the fixed encodings of what the store keeps: big-endian integers, varints, texts with their length before
 * them. Writing goes into a buffer whose error sticks; reading stops at the first thing that does not fit and gives
 * zeros from there on, so that a reader is straight lines and one check of `failed` at the end. Pure. */
#pragma once
#include "proto/buffer.h"

static inline void pack_u8(struct buffer *buffer, uint8_t value)
{
	buffer_append_byte(buffer, value);
}

static inline void pack_big_endian(uint8_t *bytes, uint64_t value, size_t size)
{
	for (size_t i = size; i-- > 0; value >>= 8) {
		bytes[i] = (uint8_t)value;
	}
}

static inline void pack_u32(struct buffer *buffer, uint32_t value)
{
	uint8_t bytes[4];
	pack_big_endian(bytes, value, sizeof bytes);
	buffer_append(buffer, bytes, sizeof bytes);
}

static inline void pack_u64(struct buffer *buffer, uint64_t value)
{
	uint8_t bytes[8];
	pack_big_endian(bytes, value, sizeof bytes);
	buffer_append(buffer, bytes, sizeof bytes);
}

/* 1 to 10 bytes, seven bits each, the lowest first. */
static inline void pack_varint(struct buffer *buffer, uint64_t value)
{
	while (value >= 0x80) {
		buffer_append_byte(buffer, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	buffer_append_byte(buffer, (uint8_t)value);
}

static inline void pack_bytes(struct buffer *buffer, struct slice bytes)
{
	pack_varint(buffer, bytes.size);
	buffer_append(buffer, bytes.bytes, bytes.size);
}

struct unpack {
	struct slice rest; /* borrowed */
	bool failed;
};

static inline struct unpack unpack_of(struct slice bytes)
{
	return (struct unpack){.rest = bytes};
}

/* The next `size` bytes; {NULL, 0} once it failed. */
static inline struct slice unpack_take(struct unpack *unpack, size_t size)
{
	if (unpack->failed || size > unpack->rest.size) {
		unpack->failed = true;
		return slice_of(NULL, 0);
	}
	struct slice taken = slice_of(unpack->rest.bytes, size);
	unpack->rest = slice_of(unpack->rest.bytes + size, unpack->rest.size - size);
	return taken;
}

static inline uint64_t unpack_big_endian(struct unpack *unpack, size_t size)
{
	struct slice taken = unpack_take(unpack, size);
	uint64_t value = 0;
	for (size_t i = 0; i < taken.size; i++) {
		value = value << 8 | taken.bytes[i];
	}
	return value;
}

static inline uint8_t unpack_u8(struct unpack *unpack)
{
	return (uint8_t)unpack_big_endian(unpack, 1);
}

static inline uint32_t unpack_u32(struct unpack *unpack)
{
	return (uint32_t)unpack_big_endian(unpack, 4);
}

static inline uint64_t unpack_u64(struct unpack *unpack)
{
	return unpack_big_endian(unpack, 8);
}

static inline uint64_t unpack_varint(struct unpack *unpack)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint64_t byte = unpack_u8(unpack);
		if (shift == 63 && byte > 1) {
			break;
		}
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			return unpack->failed ? 0 : value;
		}
	}
	unpack->failed = true;
	return 0;
}

static inline struct slice unpack_bytes(struct unpack *unpack)
{
	uint64_t size = unpack_varint(unpack);
	if (size > unpack->rest.size) {
		unpack->failed = true;
		return slice_of(NULL, 0);
	}
	return unpack_take(unpack, (size_t)size);
}

/* Everything was read, and nothing is left. */
static inline bool unpack_is_whole(const struct unpack *unpack)
{
	return !unpack->failed && unpack->rest.size == 0;
}
