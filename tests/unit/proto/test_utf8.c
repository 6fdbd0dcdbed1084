#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/utf8.h"

/* What RFC 3629 says, told in another way: decode by the length bits alone, then look at the number. */
static bool is_valid_by_definition(struct slice text)
{
	static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};

	for (size_t at = 0; at < text.size;) {
		uint8_t lead = text.bytes[at];
		size_t size = lead < 0x80       ? 1
			      : lead >> 5 == 6  ? 2
			      : lead >> 4 == 14 ? 3
			      : lead >> 3 == 30 ? 4
						: 0;
		if (size == 0 || size > text.size - at) {
			return false;
		}
		uint32_t c = size == 1 ? lead : lead & (0xffu >> (size + 1));
		for (size_t i = 1; i < size; i++) {
			if (text.bytes[at + i] >> 6 != 2) {
				return false;
			}
			c = c << 6 | (text.bytes[at + i] & 63u);
		}
		if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
			return false;
		}
		at += size;
	}
	return true;
}

/* All sequences of one to three bytes, alone and behind ASCII that the fast path takes. */
static void test_it_agrees_with_the_definition(void **state)
{
	uint8_t text[12] = "abcdefghi";

	(void)state;
	for (uint32_t bytes = 0; bytes < 1u << 24; bytes += bytes % 251 == 0 ? 1 : 7) {
		for (int i = 0; i < 3; i++) {
			text[9 + i] = (uint8_t)(bytes >> (16 - 8 * i));
		}
		bool expected = is_valid_by_definition(slice_of(text + 9, 3));
		if (utf8_is_valid(slice_of(text + 9, 3)) != expected ||
			utf8_is_valid(slice_of(text, 12)) != expected) {
			fail_msg("%06x", bytes);
		}
	}
}

static void test_four_bytes_end_at_the_last_code_point(void **state)
{
	(void)state;
	for (uint32_t lead = 0xf0; lead <= 0xff; lead++) {
		for (uint32_t second = 0; second <= 0xff; second++) {
			uint8_t text[4] = {(uint8_t)lead, (uint8_t)second, 0x80, 0xbf};
			assert_int_equal(utf8_is_valid(slice_of(text, 4)),
				is_valid_by_definition(slice_of(text, 4)));
			assert_false(utf8_is_valid(slice_of(text, 3)));
		}
	}
}

/* One bad byte at each place of texts of each length up to a few words. */
static void test_no_place_escapes_the_fast_path(void **state)
{
	static const uint8_t bad[] = {0x00, 0x80, 0xff, 0xc0};

	(void)state;
	for (size_t size = 1; size < 40; size++) {
		uint8_t *text = malloc(size);
		assert_non_null(text);
		memset(text, 0x7f, size);
		assert_true(utf8_is_valid(slice_of(text, size)));
		memset(text, 0x01, size);
		assert_true(utf8_is_valid(slice_of(text, size)));
		for (size_t at = 0; at < size * sizeof bad; at++) {
			text[at / sizeof bad] = bad[at % sizeof bad];
			assert_false(utf8_is_valid(slice_of(text, size)));
			text[at / sizeof bad] = 0x01;
		}
		free(text);
	}
	assert_true(utf8_is_valid(slice_of(NULL, 0)));
}

static void test_any_bytes_become_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		size_t size_max;
		const char *text;
	} cases[] = {
		{"", 0, 8, ""},
		{"tea", 3, 8, "tea"},
		{"caf\xe9.csv", 8, 20, "caf?.csv"},
		{"a\0b", 3, 8, "a?b"},
		{"\xc3\xa4\xc3", 3, 8, "\xc3\xa4?"}, /* a character that ends too soon */
		{"a\xc3\xa4", 3, 2, "a"}, /* one that has no room */
		{"\xed\xa0\x80", 3, 8, "???"}, /* half of a surrogate pair */
		{"abc", 3, 0, ""},
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = utf8_repair(
			slice_of(cases[i].bytes, cases[i].size), out, cases[i].size_max);
		if (!slice_equals_text(slice_of(out, size), cases[i].text)) {
			fail_msg("case %zu: %.*s", i, (int)size, out);
		}
	}
}

static void test_edge_ids(void **state)
{
	static const struct {
		const char *id;
		bool is_valid;
	} cases[] = {
		{"United Kingdom", true},
		{"berlin-1", true},
		{"Z\xc3\xbcrich", true},
		{"\xe6\x9d\xb1\xe4\xba\xac", true},
		{"", false},
		{" a", false},
		{"a ", false},
		{" ", false},
		{"a\tb", false},
		{"a\nb", false},
		{"a\x7f", false},
		{"a\xc2\x85", false}, /* NEL, a control character of two bytes */
		{"a\xff", false},
	};
	char longest[EDGE_ID_SIZE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (edge_id_is_valid(slice_of_text(cases[i].id)) != cases[i].is_valid) {
			fail_msg("case %zu", i);
		}
	}
	memset(longest, 'x', sizeof longest);
	assert_true(edge_id_is_valid(slice_of(longest, EDGE_ID_SIZE_MAX)));
	assert_false(edge_id_is_valid(slice_of(longest, EDGE_ID_SIZE_MAX + 1)));
	assert_false(edge_id_is_valid(slice_of("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_agrees_with_the_definition),
		cmocka_unit_test(test_four_bytes_end_at_the_last_code_point),
		cmocka_unit_test(test_no_place_escapes_the_fast_path),
		cmocka_unit_test(test_any_bytes_become_text),
		cmocka_unit_test(test_edge_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
