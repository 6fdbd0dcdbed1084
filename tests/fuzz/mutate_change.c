/* A record of a change of a row: u8 settings, u16 size of the key, little-endian, the key and the value, each JSON. */
#include "tests/fuzz/mutate.h"

enum { HEAD_SIZE = 3 };

size_t mutate_change(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static uint8_t page[1 << 16];

	if (size <= HEAD_SIZE) {
		return 0;
	}
	uint8_t *key = data + HEAD_SIZE;
	size_t rest = size - HEAD_SIZE;
	size_t key_size = (size_t)(data[1] | data[2] << 8);
	key_size = key_size < rest ? key_size : rest;
	bool is_key = chance_one_in(chance, 4);
	uint8_t *part = is_key ? key : key + key_size;
	size_t part_size = is_key ? key_size : rest - key_size;
	size_t room = size_max - (size - part_size);
	if (part_size > sizeof page) {
		return 0;
	}
	memcpy(page, part, part_size);
	size_t made =
		mutate_value(chance, page, part_size, room < sizeof page ? room : sizeof page);
	if (made == 0) {
		return 0;
	}
	memmove(part + made, part + part_size, size - (size_t)(part - data) - part_size);
	memcpy(part, page, made);
	key_size = is_key ? made : key_size;
	data[1] = (uint8_t)key_size;
	data[2] = (uint8_t)(key_size >> 8);
	return size - part_size + made;
}
