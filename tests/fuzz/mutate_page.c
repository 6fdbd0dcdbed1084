/* A file of LMDB by the numbers that hold it together: page headers, places of nodes, node headers, records of trees. */
#include "proto/slice.h"
#include "tests/fuzz/mutate.h"

enum {
	PAGE_HEADER_SIZE = 16,
	AT_PAGE_SIZE = 40,
	AT_META = 16, /* numbers of 64 bits from 24 on, 152 bytes in all */
	META_SIZE = 152,
	PAGE_SIZE_MIN = 256,
	PAGE_SIZE_MAX = 32768,
};

/* Numbers are as the machine has them. */
static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static void step_u16(struct chance *chance, uint8_t *at)
{
	static const uint16_t steps[] = {1, 2, 4, 8, 16, 0xffff, 0xfffe, 0xfff8, 0x100, 0x8000};
	uint32_t choice = chance_draw(chance, 2 * sizeof steps / sizeof steps[0]);
	uint16_t value = choice < sizeof steps / sizeof steps[0]
				 ? (uint16_t)(get_u16(at) + steps[choice])
				 : (uint16_t)chance_draw(chance, 10);

	memcpy(at, &value, sizeof value);
}

static void step_u64(struct chance *chance, uint8_t *at)
{
	static const uint64_t values[] = {0, 1, 2, UINT64_MAX, UINT64_MAX - 1, 1u << 20, INT64_MAX};
	uint32_t choice = chance_draw(chance, 4 * sizeof values / sizeof values[0]);
	uint64_t value;

	memcpy(&value, at, sizeof value);
	value = choice < sizeof values / sizeof values[0] ? values[choice]
							  : value + chance_draw(chance, 5) - 2;
	memcpy(at, &value, sizeof value);
}

static void change_meta(struct chance *chance, uint8_t *data)
{
	uint32_t field = chance_draw(chance, (META_SIZE - AT_META) / 8);

	if (chance_one_in(chance, 4)) {
		step_u16(chance,
			data + AT_META + 2 * chance_draw(chance, (META_SIZE - AT_META) / 2));
	} else {
		step_u64(chance, data + AT_META + 8 * field);
	}
}

/* The header and the places of nodes; or two places change places. */
static void change_places(struct chance *chance, uint8_t *page, size_t page_size)
{
	uint32_t places = (uint32_t)(get_u16(page + 12) - PAGE_HEADER_SIZE) / 2;

	places = places < (page_size - PAGE_HEADER_SIZE) / 2 ? places : 0;
	if (places > 1 && chance_one_in(chance, 2)) {
		uint8_t *one = page + PAGE_HEADER_SIZE + 2 * chance_draw(chance, places);
		uint8_t *other = page + PAGE_HEADER_SIZE + 2 * chance_draw(chance, places);
		uint16_t kept = get_u16(one);
		memcpy(one, other, sizeof kept);
		memcpy(other, &kept, sizeof kept);
	} else {
		step_u16(chance, page + 2 * chance_draw(chance, PAGE_HEADER_SIZE / 2 + places));
	}
}

/* A node's header, key, or what is behind it. */
static void change_node(struct chance *chance, uint8_t *page, size_t page_size)
{
	uint32_t places = (uint32_t)(get_u16(page + 12) - PAGE_HEADER_SIZE) / 2;

	if (places == 0 || places >= (page_size - PAGE_HEADER_SIZE) / 2) {
		return;
	}
	size_t at = get_u16(page + PAGE_HEADER_SIZE + 2 * chance_draw(chance, places));
	size_t within = 2 * chance_draw(chance, chance_one_in(chance, 3) ? 32 : 5);
	if (at + within + 8 > page_size) {
		return;
	}
	if (chance_one_in(chance, 4)) {
		step_u64(chance, page + at + within);
	} else {
		step_u16(chance, page + at + within);
	}
}

/* One page as another, under its own number mostly. */
static void copy_page(struct chance *chance, uint8_t *data, size_t page_size, size_t count)
{
	uint8_t *from = data + page_size * chance_draw(chance, (uint32_t)count);
	uint8_t *to = data + page_size * chance_draw(chance, (uint32_t)count);
	size_t kept = chance_one_in(chance, 3) ? 0 : sizeof(uint64_t);

	if (from != to) {
		memcpy(to + kept, from + kept, page_size - kept);
	}
}

size_t mutate_page(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	uint32_t page_size = 0;

	(void)size_max;
	if (size >= META_SIZE) {
		memcpy(&page_size, data + AT_PAGE_SIZE, sizeof page_size);
	}
	if (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX || size / page_size < 2) {
		return 0;
	}
	size_t count = size / page_size;
	uint8_t *page = data + page_size * chance_draw(chance, (uint32_t)count);
	switch (chance_draw(chance, 8)) {
	case 0:
		copy_page(chance, data, page_size, count);
		break;
	case 1:
	case 2:
		change_meta(chance, data + (chance_one_in(chance, 2) ? page_size : 0));
		break;
	case 3:
	case 4:
		change_places(chance, page, page_size);
		break;
	case 5:
		return chance_one_in(chance, 4) ? size - page_size : size;
	default:
		change_node(chance, page, page_size);
		break;
	}
	return size;
}
