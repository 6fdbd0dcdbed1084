/* The decoder beside msgpack-c's object API, on generated values, on all their prefixes and on damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/writer.h"
#include "tests/lib/msgpack_oracle.h"

enum { DEPTH_MAX = 8, NODES_MAX = 4096 };

static uint64_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

static void put(struct buffer *buffer, uint8_t head, uint64_t number, int size)
{
	buffer_append_byte(buffer, head);
	for (int i = size - 1; i >= 0; i--) {
		buffer_append_byte(buffer, (uint8_t)(number >> (8 * i)));
	}
}

static void put_random(struct buffer *buffer, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		buffer_append_byte(buffer, (uint8_t)draw(256));
	}
}

static void put_letters(struct buffer *buffer, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		buffer_append_byte(buffer, (uint8_t)('a' + draw(26)));
	}
}

static void put_text(struct buffer *buffer)
{
	static const char *const words[] = {"", "\xc3\xa9", "\xf0\x9f\x98\x80", "tea"};
	uint32_t size = draw(4) == 0 ? draw(300) : draw(20);
	uint32_t form = draw(5);

	if (form == 0) {
		const char *word = words[draw(4)];
		buffer_append_byte(buffer, (uint8_t)(0xa0 + strlen(word)));
		buffer_append_text(buffer, word);
		return;
	}
	if (form == 1 && size < 32) {
		buffer_append_byte(buffer, (uint8_t)(0xa0 + size));
	} else if (form <= 2 && size < 256) {
		put(buffer, 0xd9, size, 1);
	} else if (form <= 3) {
		put(buffer, 0xda, size, 2);
	} else {
		put(buffer, 0xdb, size, 4);
	}
	put_letters(buffer, size);
}

static void put_scalar(struct buffer *buffer)
{
	static const uint8_t fixed[] = {0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3,
		0xd4, 0xd5, 0xd6, 0xd7, 0xd8};
	static const uint8_t sizes[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17};
	static const uint8_t plain[] = {0xc0, 0xc2, 0xc3, 0x00, 0x7f, 0xe0, 0xff};
	uint32_t kind = draw(20);
	uint32_t size = draw(40);

	if (kind < sizeof fixed) {
		buffer_append_byte(buffer, fixed[kind]);
		put_random(buffer, sizes[kind]);
	} else if (kind < 17) {
		buffer_append_byte(buffer, plain[draw(sizeof plain)]);
	} else if (kind == 17) {
		uint32_t form = draw(3);
		put(buffer, (uint8_t)(0xc4 + form), size, 1 << form);
		put_random(buffer, size);
	} else if (kind == 18) {
		uint32_t form = draw(3);
		put(buffer, (uint8_t)(0xc7 + form), size, 1 << form);
		put_random(buffer, size + 1);
	} else {
		put_text(buffer);
	}
}

/* A value without recursion: containers only push how much they still want. */
static void put_value(struct buffer *buffer)
{
	uint32_t left[10] = {1};
	bool is_map[10] = {false};
	uint32_t depth = 0;

	for (;;) {
		while (left[depth] == 0) {
			if (depth-- == 0) {
				return;
			}
		}
		left[depth]--;
		if (is_map[depth] && left[depth] % 2 == 1 && draw(200) != 0) {
			put_text(buffer);
			continue;
		}
		if (depth == 9 || draw(3) != 0) {
			put_scalar(buffer);
			continue;
		}
		uint32_t count = draw(20) == 0 ? draw(60) : draw(5);
		depth++;
		is_map[depth] = draw(2) == 0;
		left[depth] = is_map[depth] ? 2 * count : count;
		uint32_t form = count < 16 ? draw(3) : 1 + draw(2);
		if (form == 0) {
			buffer_append_byte(
				buffer, (uint8_t)((is_map[depth] ? 0x80 : 0x90) + count));
		} else {
			uint8_t head = is_map[depth] ? 0xde : 0xdc;
			put(buffer, (uint8_t)(head + form - 1), count, form == 1 ? 2 : 4);
		}
	}
}

static void check(struct document *document, const uint8_t *bytes, size_t size, uint32_t *taken)
{
	struct complaint complaint;
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	int r = document_decode(
		document, ENCODING_MSGPACK, slice_of(copy, size), DEPTH_MAX, &complaint);
	msgpack_oracle_check(document, slice_of(copy, size), DEPTH_MAX, r);
	*taken += r == 0 ? 1 : 0;
	free(copy);
}

static void test_both_read_the_same(void **state)
{
	struct buffer buffer;
	struct document document;
	uint32_t whole_taken = 0;
	uint32_t cut_taken = 0;
	uint32_t damaged_taken = 0;

	(void)state;
	buffer_init(&buffer, 1 << 20);
	assert_int_equal(document_init(&document, NODES_MAX), 0);
	for (int n = 0; n < 4000; n++) {
		buffer_clear(&buffer);
		put_value(&buffer);
		assert_int_equal(buffer.error, 0);
		check(&document, buffer.bytes, buffer.size, &whole_taken);
		check(&document, buffer.bytes, draw((uint32_t)buffer.size), &cut_taken);
		for (int i = 0; i < 4; i++) {
			buffer.bytes[draw((uint32_t)buffer.size)] ^= (uint8_t)(1u << draw(8));
			check(&document, buffer.bytes, buffer.size, &damaged_taken);
		}
	}
	/* the generator must have tried both sides of each */
	assert_in_range(whole_taken, 1000, 3999);
	assert_int_equal(cut_taken, 0);
	assert_in_range(damaged_taken, 1000, 15000);
	document_deinit(&document);
	buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_read_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
