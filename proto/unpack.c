#include "proto/unpack.h"

static void unpack_break(struct unpack *unpack)
{
	unpack->is_broken = true;
	unpack->at = unpack->end;
}

/* `size` big-endian bytes, 0 … 8. */
static uint64_t take_big_endian(struct unpack *unpack, size_t size)
{
	uint64_t value = 0;

	if (unpack_left(unpack) < size) {
		unpack_break(unpack);
		return 0;
	}
	for (size_t i = 0; i < size; i++) {
		value = value << 8 | unpack->at[i];
	}
	unpack->at += size;
	return value;
}

static struct slice take_bytes(struct unpack *unpack, uint64_t size)
{
	struct slice bytes;

	if (unpack->is_broken || unpack_left(unpack) < size) {
		unpack_break(unpack);
		return slice_of(NULL, 0);
	}
	bytes = slice_of(unpack->at, (size_t)size);
	unpack->at += size;
	return bytes;
}

static uint8_t take_byte(struct unpack *unpack)
{
	return (uint8_t)take_big_endian(unpack, 1);
}

uint32_t unpack_array(struct unpack *unpack)
{
	uint8_t first = take_byte(unpack);

	if ((first & 0xf0) == 0x90) {
		return first & 0x0f;
	}
	if (first == 0xdc || first == 0xdd) {
		return (uint32_t)take_big_endian(unpack, first == 0xdc ? 2 : 4);
	}
	unpack_break(unpack);
	return 0;
}

uint32_t unpack_map(struct unpack *unpack)
{
	uint8_t first = take_byte(unpack);

	if ((first & 0xf0) == 0x80) {
		return first & 0x0f;
	}
	if (first == 0xde || first == 0xdf) {
		return (uint32_t)take_big_endian(unpack, first == 0xde ? 2 : 4);
	}
	unpack_break(unpack);
	return 0;
}

/* Signed forms are accepted while their value is not negative: some packers write them so. */
static uint64_t take_unsigned(struct unpack *unpack)
{
	uint8_t first = take_byte(unpack);

	if (first < 0x80) {
		return first;
	}
	if (first >= 0xcc && first <= 0xcf) {
		return take_big_endian(unpack, (size_t)1 << (first - 0xcc));
	}
	if (first >= 0xd0 && first <= 0xd3) {
		size_t size = (size_t)1 << (first - 0xd0);
		uint64_t value = take_big_endian(unpack, size);
		if ((value >> (size * 8 - 1) & 1) == 0) {
			return value;
		}
	}
	unpack_break(unpack);
	return 0;
}

uint64_t unpack_unsigned(struct unpack *unpack, uint64_t min, uint64_t max)
{
	uint64_t value = take_unsigned(unpack);

	if (unpack->is_broken || value < min || value > max) {
		unpack_break(unpack);
		return 0;
	}
	return value;
}

struct slice unpack_text(struct unpack *unpack)
{
	uint8_t first = take_byte(unpack);

	if ((first & 0xe0) == 0xa0) {
		return take_bytes(unpack, first & 0x1f);
	}
	if (first >= 0xd9 && first <= 0xdb) {
		return take_bytes(unpack, take_big_endian(unpack, (size_t)1 << (first - 0xd9)));
	}
	unpack_break(unpack);
	return slice_of(NULL, 0);
}

struct slice unpack_bin(struct unpack *unpack)
{
	uint8_t first = take_byte(unpack);

	if (first >= 0xc4 && first <= 0xc6) {
		return take_bytes(unpack, take_big_endian(unpack, (size_t)1 << (first - 0xc4)));
	}
	unpack_break(unpack);
	return slice_of(NULL, 0);
}

bool unpack_nil(struct unpack *unpack)
{
	if (unpack_left(unpack) == 0 || *unpack->at != 0xc0) {
		return false;
	}
	unpack->at++;
	return true;
}
