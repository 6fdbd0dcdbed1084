#include "proto/pull.h"

static void pull_break(struct pull *pull)
{
	pull->is_broken = true;
	pull->at = pull->end;
}

/* `size` big-endian bytes, 0 … 8. */
static uint64_t take_big_endian(struct pull *pull, size_t size)
{
	uint64_t value = 0;

	if (pull_left(pull) < size) {
		pull_break(pull);
		return 0;
	}
	for (size_t i = 0; i < size; i++) {
		value = value << 8 | pull->at[i];
	}
	pull->at += size;
	return value;
}

static struct slice take_bytes(struct pull *pull, uint64_t size)
{
	struct slice bytes;

	if (pull->is_broken || pull_left(pull) < size) {
		pull_break(pull);
		return slice_of(NULL, 0);
	}
	bytes = slice_of(pull->at, (size_t)size);
	pull->at += size;
	return bytes;
}

static uint8_t take_byte(struct pull *pull)
{
	return (uint8_t)take_big_endian(pull, 1);
}

uint32_t pull_array(struct pull *pull)
{
	uint8_t first = take_byte(pull);

	if ((first & 0xf0) == 0x90) {
		return first & 0x0f;
	}
	if (first == 0xdc || first == 0xdd) {
		return (uint32_t)take_big_endian(pull, first == 0xdc ? 2 : 4);
	}
	pull_break(pull);
	return 0;
}

uint32_t pull_map(struct pull *pull)
{
	uint8_t first = take_byte(pull);

	if ((first & 0xf0) == 0x80) {
		return first & 0x0f;
	}
	if (first == 0xde || first == 0xdf) {
		return (uint32_t)take_big_endian(pull, first == 0xde ? 2 : 4);
	}
	pull_break(pull);
	return 0;
}

/* Signed forms are accepted while their value is not negative: some packers write them so. */
static uint64_t take_unsigned(struct pull *pull)
{
	uint8_t first = take_byte(pull);

	if (first < 0x80) {
		return first;
	}
	if (first >= 0xcc && first <= 0xcf) {
		return take_big_endian(pull, (size_t)1 << (first - 0xcc));
	}
	if (first >= 0xd0 && first <= 0xd3) {
		size_t size = (size_t)1 << (first - 0xd0);
		uint64_t value = take_big_endian(pull, size);
		if ((value >> (size * 8 - 1) & 1) == 0) {
			return value;
		}
	}
	pull_break(pull);
	return 0;
}

uint64_t pull_unsigned(struct pull *pull, uint64_t min, uint64_t max)
{
	uint64_t value = take_unsigned(pull);

	if (pull->is_broken || value < min || value > max) {
		pull_break(pull);
		return 0;
	}
	return value;
}

struct slice pull_text(struct pull *pull)
{
	uint8_t first = take_byte(pull);

	if ((first & 0xe0) == 0xa0) {
		return take_bytes(pull, first & 0x1f);
	}
	if (first >= 0xd9 && first <= 0xdb) {
		return take_bytes(pull, take_big_endian(pull, (size_t)1 << (first - 0xd9)));
	}
	pull_break(pull);
	return slice_of(NULL, 0);
}

struct slice pull_bin(struct pull *pull)
{
	uint8_t first = take_byte(pull);

	if (first >= 0xc4 && first <= 0xc6) {
		return take_bytes(pull, take_big_endian(pull, (size_t)1 << (first - 0xc4)));
	}
	pull_break(pull);
	return slice_of(NULL, 0);
}

bool pull_nil(struct pull *pull)
{
	if (pull_left(pull) == 0 || *pull->at != 0xc0) {
		return false;
	}
	pull->at++;
	return true;
}
