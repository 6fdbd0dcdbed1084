#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/document.h"
#include "proto/limits.h"
#include "proto/writer.h"

#define BYTES(literal) slice_of(literal, sizeof literal - 1)

struct decode_case {
	const char *bytes;
	size_t size;
	int result;
	const char *why;
};
#define CASE(literal, result, why)                                                                 \
	{                                                                                          \
		literal, sizeof literal - 1, result, why                                           \
	}

enum { DEPTH_MAX = 8 };

/* Each input is decoded from a heap block of exactly its size, so that ASan sees a read past its end. */
static int decode(struct document *document, enum encoding encoding, struct slice bytes,
	struct complaint *complaint)
{
	static uint8_t *copy; /* slices of the document point into it until the next decode */

	free(copy);
	copy = malloc(bytes.size + (bytes.size == 0 ? 1 : 0));
	assert_non_null(copy);
	memcpy(copy, bytes.bytes, bytes.size);
	return document_decode(
		document, encoding, slice_of(copy, bytes.size), DEPTH_MAX, complaint);
}

static void check_cases(enum encoding encoding, const struct decode_case *cases, size_t count)
{
	struct document document;
	struct complaint complaint;

	assert_int_equal(document_init(&document, 1000), 0);
	for (size_t i = 0; i < count; i++) {
		int r = decode(
			&document, encoding, slice_of(cases[i].bytes, cases[i].size), &complaint);
		if (r != cases[i].result) {
			fail_msg("%s: result %d", cases[i].why, r);
		}
	}
	document_deinit(&document);
}

static void test_msgpack_that_is_none_is_refused(void **state)
{
	static const struct decode_case cases[] = {
		CASE("", REASON_BAD_FRAME, "nothing"),
		CASE("\xc1", REASON_BAD_FRAME, "the byte that is never used"),
		CASE("\x01\x02", REASON_BAD_FRAME, "two values"),
		CASE("\x92\x01", REASON_BAD_FRAME, "an array cut short"),
		CASE("\xa5tea", REASON_BAD_FRAME, "a text cut short"),
		CASE("\xd9", REASON_BAD_FRAME, "a head cut short"),
		CASE("\xdb\xff\xff\xff\xffx", REASON_BAD_FRAME, "a text of 4 GiB"),
		CASE("\xdd\xff\xff\xff\xff", REASON_BAD_FRAME, "an array of 2^32-1"),
		CASE("\xdf\xff\xff\xff\xff", REASON_BAD_FRAME, "a map of 2^32-1"),
		CASE("\xdf\x80\x00\x00\x00xx", REASON_BAD_FRAME, "a map of 2^31"),
		CASE("\xc9\xff\xff\xff\xff\x01", REASON_BAD_FRAME, "an extension of 2^32-1"),
		CASE("\xc9\xff\xff\xff\xff", REASON_BAD_FRAME, "an extension without type"),
		CASE("\xc7\x01\x05", REASON_BAD_FRAME, "an extension cut short"),
		CASE("\x81\x01\x02", REASON_BAD_VALUE, "a number as key"),
		CASE("\x81\xc4\x01k\x02", REASON_BAD_VALUE, "bytes as key"),
		CASE("\x81\x80\x02", REASON_BAD_VALUE, "a map as key"),
		CASE("\x82\xa1k\x01\xa1k\x02", REASON_BAD_VALUE, "a key twice"),
		CASE("\x91\x82\xa0\x01\xa0\x02", REASON_BAD_VALUE, "the empty key twice, within"),
		CASE("\xa2\xc3\x28", REASON_BAD_VALUE, "no UTF-8"),
		CASE("\xa3\xed\xa0\x80", REASON_BAD_VALUE, "a surrogate"),
		CASE("\xa2\xc0\x80", REASON_BAD_VALUE, "an overlong NUL"),
		CASE("\xa1\x00", REASON_BAD_VALUE, "a NUL"),
		CASE("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", REASON_TOO_DEEP, "nine arrays"),
		CASE("\x91\x91\x91\x91\x91\x91\x91\x91\x90", REASON_TOO_DEEP, "the ninth empty"),
		CASE("\x91\x91\x91\x91\x91\x91\x91\x91\x01", 0, "eight arrays"),
		CASE("\x91\x91\x91\x91\x91\x91\x91\x90", 0, "eight, the last empty"),
		CASE("\xd9\x00", 0, "an empty text in a long form"),
		CASE("\xc7\x00\x05", 0, "an empty extension"),
		CASE("\xd6\xff\x00\x00\x00\x01", 0, "a timestamp extension"),
		CASE("\xc4\x02\x00\xff", 0, "bytes need not be text"),
	};
	(void)state;
	check_cases(ENCODING_MSGPACK, cases, sizeof cases / sizeof cases[0]);
}

static void test_json_is_strict(void **state)
{
	static const struct decode_case cases[] = {
		CASE("", REASON_BAD_FRAME, "nothing"),
		CASE("  ", REASON_BAD_FRAME, "only space"),
		CASE("{", REASON_BAD_FRAME, "an open map"),
		CASE("{]", REASON_BAD_FRAME, "the wrong bracket"),
		CASE("[1,]", REASON_BAD_FRAME, "a trailing comma"),
		CASE("[,1]", REASON_BAD_FRAME, "a leading comma"),
		CASE("[1 2]", REASON_BAD_FRAME, "no comma"),
		CASE("{\"a\":1,}", REASON_BAD_FRAME, "a trailing comma in a map"),
		CASE("{\"a\"}", REASON_BAD_FRAME, "no value"),
		CASE("{\"a\" 1}", REASON_BAD_FRAME, "no colon"),
		CASE("{\"a\":}", REASON_BAD_FRAME, "nothing after the colon"),
		CASE("{a:1}", REASON_BAD_FRAME, "a bare key"),
		CASE("{1:1}", REASON_BAD_FRAME, "a number as key"),
		CASE("{'a':1}", REASON_BAD_FRAME, "single quotes"),
		CASE("[01]", REASON_BAD_FRAME, "a leading zero"),
		CASE("[+1]", REASON_BAD_FRAME, "a plus"),
		CASE("[.5]", REASON_BAD_FRAME, "no digit before the point"),
		CASE("[1.]", REASON_BAD_FRAME, "no digit after the point"),
		CASE("[1e]", REASON_BAD_FRAME, "no exponent"),
		CASE("[-]", REASON_BAD_FRAME, "only a sign"),
		CASE("[NaN]", REASON_BAD_FRAME, "NaN"),
		CASE("[nul]", REASON_BAD_FRAME, "half a word"),
		CASE("[nulls]", REASON_BAD_FRAME, "a word and more"),
		CASE("[True]", REASON_BAD_FRAME, "a capital"),
		CASE("[\"a]", REASON_BAD_FRAME, "text without end"),
		CASE("[\"a\\\"]", REASON_BAD_FRAME, "an escaped quote is no end"),
		CASE("[\"\\x41\"]", REASON_BAD_FRAME, "no such escape"),
		CASE("[\"\\", REASON_BAD_FRAME, "half an escape"),
		CASE("[\"\\\0\"]", REASON_BAD_FRAME, "an escaped NUL byte"),
		CASE("[\"\\u12\"]", REASON_BAD_FRAME, "two digits"),
		CASE("[\"\\u12g4\"]", REASON_BAD_FRAME, "no hexadecimal digit"),
		CASE("[\"\\u0000\"]", REASON_BAD_FRAME, "an escaped NUL"),
		CASE("[\"\\ud83d\"]", REASON_BAD_FRAME, "a lone high surrogate"),
		CASE("[\"\\ude00\"]", REASON_BAD_FRAME, "a lone low surrogate"),
		CASE("[\"\\ud83d\\u0041\"]", REASON_BAD_FRAME, "half a pair"),
		CASE("[\"a\nb\"]", REASON_BAD_FRAME, "a bare line end"),
		CASE("[\"\\ta\nb\"]", REASON_BAD_FRAME, "a bare line end after an escape"),
		CASE("[\"\xff\"]", REASON_BAD_VALUE, "no UTF-8"),
		CASE("[\"\\t\xff\"]", REASON_BAD_VALUE, "no UTF-8 after an escape"),
		CASE("[1] 2", REASON_BAD_FRAME, "more after the value"),
		CASE("[1]\xc2\xa0", REASON_BAD_FRAME, "other white space"),
		CASE("\xef\xbb\xbf{}", REASON_BAD_FRAME, "a byte order mark"),
		CASE("// no\n1", REASON_BAD_FRAME, "a comment"),
		CASE("{\"a\":1,\"\\u0061\":2}", REASON_BAD_VALUE,
			"a key twice, spelled differently"),
		CASE("[[[[[[[[[]]]]]]]]]", REASON_TOO_DEEP, "nine arrays"),
		CASE("[[[[[[[[]]]]]]]]", 0, "eight arrays"),
		CASE(" {\"a\" : [ true , false , null ] , \"b\":{} } \r\n\t", 0, "white space"),
		CASE("-0.5e+10", 0, "a number alone"),
		CASE("\"\x7f\"", 0, "DEL is allowed"),
	};
	(void)state;
	check_cases(ENCODING_JSON, cases, sizeof cases / sizeof cases[0]);
}

static void test_msgpack_types_are_told_apart(void **state)
{
	struct document document;
	struct complaint complaint;
	const struct slice bytes =
		BYTES("\xdc\x00\x0f\xc0\xc3\xc2\x7f\xe0\xcf\xff\xff\xff\xff\xff\xff"
		      "\xff\xff\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xd3\x80\0\0\0"
		      "\0\0\0\0\xca\x40\x20\0\0\xcb\x40\x04\0\0\0\0\0\0\xa3tea\xc4\x01x"
		      "\xd4\x05y\x90\x80");

	(void)state;
	assert_int_equal(document_init(&document, 1000), 0);
	assert_int_equal(decode(&document, ENCODING_MSGPACK, bytes, &complaint), 0);
	const struct node *n = node_first(document.nodes);
	assert_int_equal(document.nodes->count, 15);
	assert_int_equal(document.nodes->span, 16);
	assert_int_equal(document.nodes->raw.size, bytes.size);
	assert_int_equal(n[0].type, NODE_NIL);
	assert_true(n[1].type == NODE_BOOL && n[1].boolean);
	assert_true(n[2].type == NODE_BOOL && !n[2].boolean);
	assert_true(n[3].type == NODE_INTEGER && n[3].integer == 127);
	assert_true(n[4].type == NODE_INTEGER && n[4].integer == -32);
	assert_true(n[5].type == NODE_UNSIGNED && n[5].unsigned_integer == UINT64_MAX);
	assert_true(n[6].type == NODE_INTEGER && n[6].integer == INT64_MAX);
	assert_true(n[7].type == NODE_INTEGER && n[7].integer == INT64_MIN);
	assert_true(n[8].type == NODE_FLOAT32 && n[8].real == 2.5);
	assert_true(n[9].type == NODE_FLOAT64 && n[9].real == 2.5);
	assert_true(n[10].type == NODE_TEXT && slice_equals_text(n[10].text, "tea"));
	assert_int_equal(n[10].raw.size, 4);
	assert_true(n[11].type == NODE_BIN && slice_equals_text(n[11].text, "x"));
	assert_true(n[12].type == NODE_EXT);
	assert_int_equal(n[12].raw.size, 3);
	assert_true(n[13].type == NODE_ARRAY && n[13].span == 1);
	assert_true(n[14].type == NODE_MAP && n[14].span == 1);
	document_deinit(&document);
}

static void test_json_text_is_unescaped(void **state)
{
	struct document document;
	struct complaint complaint;
	const struct slice bytes = BYTES("{\"plain\":\"tea\",\"k\\u0065y\":\"a\\\"\\\\\\/"
					 "\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00z\"}");

	(void)state;
	assert_int_equal(document_init(&document, 1000), 0);
	assert_int_equal(decode(&document, ENCODING_JSON, bytes, &complaint), 0);
	const struct node *plain = node_find(document.nodes, "plain");
	const struct node *escaped = node_find(document.nodes, "key");
	assert_non_null(plain);
	assert_non_null(escaped);
	assert_true(slice_equals_text(plain->text, "tea"));
	assert_true(slice_equals_text(plain->raw, "\"tea\""));
	assert_true(slice_equals_text(
		escaped->text, "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"));
	assert_null(node_find(document.nodes, "k"));
	assert_null(node_find(plain, "tea"));
	document_deinit(&document);
}

static void test_what_a_map_has_at_a_key(void **state)
{
	struct document document;
	struct complaint complaint;
	const struct slice bytes = BYTES("{\"name\":\"tea\",\"count\":-7,\"digits\":\"12\","
					 "\"open\":true,\"shut\":false,\"none\":null}");

	(void)state;
	assert_int_equal(document_init(&document, 100), 0);
	assert_int_equal(decode(&document, ENCODING_JSON, bytes, &complaint), 0);
	const struct node *map = document.nodes;
	assert_true(slice_equals_text(node_text_at(map, "name"), "tea"));
	assert_int_equal(node_integer_at(map, "count"), -7);
	assert_int_equal(node_integer_at(map, "digits"), 12);
	assert_true(node_flag_at(map, "open"));
	assert_false(node_flag_at(map, "shut"));
	const char *const others[] = {"none", "absent", "shut"};
	for (size_t i = 0; i < 3; i++) {
		assert_null(node_text_at(map, others[i]).bytes);
		assert_int_equal(node_integer_at(map, others[i]), 0);
		assert_false(node_flag_at(map, others[i]));
	}
	assert_null(node_text_at(NULL, "name").bytes);
	assert_int_equal(node_integer_at(NULL, "count"), 0);
	assert_false(node_flag_at(NULL, "open"));
	document_deinit(&document);
}

static void test_a_slice_begins_with_itself_and_with_nothing(void **state)
{
	(void)state;
	assert_true(slice_begins_with(BYTES("tea"), BYTES("te")));
	assert_true(slice_begins_with(BYTES("tea"), BYTES("tea")));
	assert_true(slice_begins_with(BYTES("tea"), slice_of(NULL, 0)));
	assert_true(slice_begins_with(slice_of(NULL, 0), slice_of(NULL, 0)));
	assert_false(slice_begins_with(BYTES("tea"), BYTES("team")));
	assert_false(slice_begins_with(BYTES("tea"), BYTES("ta")));
	assert_false(slice_begins_with(slice_of(NULL, 0), BYTES("t")));
}

/* `pairs` keys, of which the last is the first again if asked for. */
static void put_map(struct buffer *buffer, uint32_t pairs, bool with_duplicate)
{
	struct writer writer;
	char key[16];

	buffer_clear(buffer);
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, pairs);
	for (uint32_t i = 0; i < pairs; i++) {
		/* a stride that scatters the keys, so that equal ones are far from each other */
		uint32_t number = with_duplicate && i == pairs - 1 ? 0 : i * 7919 % 100003;
		snprintf(key, sizeof key, "k%06u", number);
		write_key(&writer, key);
		write_nil(&writer);
	}
	assert_int_equal(buffer->error, 0);
}

static void test_duplicate_keys_are_found_in_maps_of_any_size(void **state)
{
	static const uint32_t sizes[] = {2, 3, 31, 32, 33, 34, 100, 10000};
	struct document document;
	struct complaint complaint;
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1 << 20);
	assert_int_equal(document_init(&document, EVENT_NODES_MAX), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		put_map(&buffer, sizes[i], false);
		assert_int_equal(
			decode(&document, ENCODING_MSGPACK, buffer_slice(&buffer), &complaint), 0);
		assert_int_equal(document.count, 1 + 2 * sizes[i]);
		put_map(&buffer, sizes[i], true);
		assert_int_equal(
			decode(&document, ENCODING_MSGPACK, buffer_slice(&buffer), &complaint),
			REASON_BAD_VALUE);
		assert_string_equal(complaint.field, "k000000");
		assert_string_equal(complaint.message, "the key \"k000000\" is there twice");
	}
	document_deinit(&document);
	buffer_deinit(&buffer);
}

static void test_nodes_are_limited_and_grow_only_as_needed(void **state)
{
	struct document document;
	struct complaint complaint;
	uint8_t nils[1003] = {0xdc, 0x03, 0xe8};
	char ones[2001];

	(void)state;
	memset(nils + 3, 0xc0, 1000);
	memset(ones, '1', sizeof ones);
	for (int i = 0; i < 1000; i++) {
		ones[2 * i] = i == 0 ? '[' : ',';
	}
	ones[2000] = ']';
	for (uint32_t nodes_max = 999; nodes_max <= 1002; nodes_max++) {
		int expected = nodes_max < 1001 ? REASON_TOO_LARGE : 0;
		assert_int_equal(document_init(&document, nodes_max), 0);
		assert_true(document.capacity < 100);
		assert_int_equal(
			decode(&document, ENCODING_MSGPACK, slice_of(nils, 1003), &complaint),
			expected);
		assert_int_equal(decode(&document, ENCODING_JSON, slice_of(ones, 2001), &complaint),
			expected);
		assert_true(document.capacity <= nodes_max);
		document_deinit(&document);
	}
	/* what a head declares and the bytes cannot hold allocates nothing */
	assert_int_equal(document_init(&document, EVENT_NODES_MAX), 0);
	uint32_t capacity = document.capacity;
	assert_int_equal(decode(&document, ENCODING_MSGPACK,
				 slice_of("\xdd\x00\x00\xff\xff\xc0\xc0", 7), &complaint),
		REASON_BAD_FRAME);
	assert_int_equal(document.capacity, capacity);
	document_deinit(&document);
}

static void test_a_document_is_used_again(void **state)
{
	struct document document;
	struct complaint complaint;

	(void)state;
	assert_int_equal(document_init(&document, 100), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			decode(&document, ENCODING_JSON,
				BYTES("[\"\\n1\",\"\\n2\",\"\\n\\u0041 and longer each time\"]"),
				&complaint),
			0);
		assert_true(slice_equals_text(document.nodes[1].text, "\n1"));
		assert_true(slice_equals_text(document.nodes[2].text, "\n2"));
		assert_true(slice_equals_text(document.nodes[3].text, "\nA and longer each time"));
		assert_int_equal(
			decode(&document, ENCODING_MSGPACK, BYTES("\x91\x05"), &complaint), 0);
		assert_int_equal(document.count, 2);
		assert_int_equal(
			decode(&document, ENCODING_JSON, BYTES("[\"\\n\"]"), &complaint), 0);
	}
	document_deinit(&document);
	document_deinit(&document);
}

struct integer_case {
	const char *json;
	bool is_integer;
	int64_t value;
};

static void test_integers_in_any_spelling(void **state)
{
	static const struct integer_case cases[] = {
		{"10", true, 10},
		{"10.0", true, 10},
		{"1e1", true, 10},
		{"100e-1", true, 10},
		{"-0", true, 0},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"99999999999999999999", false, 0},
		{"1e300", false, 0},
		{"1e19", false, 0},
		{"10.5", false, 0},
		{"1e-1", false, 0},
		{"\"10\"", true, 10},
		{"\"+10\"", true, 10},
		{"\"-010\"", true, -10},
		{"\"9223372036854775808\"", false, 0},
		{"\"-9223372036854775808\"", true, INT64_MIN},
		{"\"10.0\"", false, 0},
		{"\"1e1\"", false, 0},
		{"\" 10\"", false, 0},
		{"\"\"", false, 0},
		{"\"-\"", false, 0},
		{"true", false, 0},
		{"null", false, 0},
		{"[1]", false, 0},
	};
	struct document document;
	struct complaint complaint;

	(void)state;
	assert_int_equal(document_init(&document, 100), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t value = 4711;
		assert_int_equal(
			decode(&document, ENCODING_JSON, slice_of_text(cases[i].json), &complaint),
			0);
		if (node_integer(document.nodes, &value) != cases[i].is_integer ||
			value != (cases[i].is_integer ? cases[i].value : 4711)) {
			fail_msg("%s: %lld", cases[i].json, (long long)value);
		}
	}
	document_deinit(&document);
}

static void test_floats_that_are_integers(void **state)
{
	static const struct {
		double real;
		bool is_integer;
	} cases[] = {
		{17850.0, true},
		{-0.0, true},
		{-0x1p63, true},
		{0x1p63, false},
		{0.5, false},
		{NAN, false},
		{INFINITY, false},
		{1e300, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct node node = {.type = NODE_FLOAT64, .real = cases[i].real};
		int64_t value = 0;
		assert_int_equal(node_integer(&node, &value), cases[i].is_integer);
		if (cases[i].is_integer) {
			assert_true((double)value == cases[i].real);
		}
	}
}

static void test_numbers_as_doubles(void **state)
{
	struct document document;
	struct complaint complaint;
	double real = 0;

	(void)state;
	assert_int_equal(document_init(&document, 100), 0);
	assert_int_equal(
		decode(&document, ENCODING_JSON, BYTES("[0.1,-1e3,\"1\",null]"), &complaint), 0);
	assert_true(node_real(document.nodes + 1, &real) && real == 0.1);
	assert_true(node_real(document.nodes + 2, &real) && real == -1000);
	assert_false(node_real(document.nodes + 3, &real));
	assert_false(node_real(document.nodes + 4, &real));
	assert_int_equal(
		decode(&document, ENCODING_MSGPACK,
			BYTES("\x93\xff\xcf\x80\0\0\0\0\0\0\0\xca\x40\x20\0\0"), &complaint),
		0);
	assert_true(node_real(document.nodes + 1, &real) && real == -1);
	assert_true(node_real(document.nodes + 2, &real) && real == 0x1p63);
	assert_true(node_real(document.nodes + 3, &real) && real == 2.5);
	document_deinit(&document);
}

/* A number is copied to be read as a double, so its length is bounded. */
static void test_long_numbers_are_refused(void **state)
{
	struct document document;
	struct complaint complaint;
	char number[JSON_NUMBER_SIZE_MAX + 1];
	double real = 0;

	(void)state;
	memset(number, '1', sizeof number);
	assert_int_equal(document_init(&document, 100), 0);
	assert_int_equal(
		decode(&document, ENCODING_JSON, slice_of(number, sizeof number), &complaint),
		REASON_BAD_VALUE);
	assert_int_equal(
		decode(&document, ENCODING_JSON, slice_of(number, sizeof number - 1), &complaint),
		0);
	assert_true(node_real(document.nodes, &real) && isinf(real));
	document_deinit(&document);
}

static void test_the_first_byte_tells_the_encoding(void **state)
{
	(void)state;
	assert_int_equal(encoding_of(BYTES("{}")), ENCODING_JSON);
	assert_int_equal(encoding_of(BYTES("[]")), ENCODING_JSON);
	assert_int_equal(encoding_of(BYTES(" {}")), ENCODING_JSON);
	assert_int_equal(encoding_of(BYTES("\n{}")), ENCODING_JSON);
	assert_int_equal(encoding_of(BYTES("\x80")), ENCODING_MSGPACK);
	assert_int_equal(encoding_of(BYTES("")), ENCODING_MSGPACK);
	assert_string_equal(node_type_name(NODE_FLOAT32), "a float32");
	assert_string_equal(node_type_name(NODE_MAP), "a map");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msgpack_that_is_none_is_refused),
		cmocka_unit_test(test_json_is_strict),
		cmocka_unit_test(test_msgpack_types_are_told_apart),
		cmocka_unit_test(test_json_text_is_unescaped),
		cmocka_unit_test(test_what_a_map_has_at_a_key),
		cmocka_unit_test(test_a_slice_begins_with_itself_and_with_nothing),
		cmocka_unit_test(test_duplicate_keys_are_found_in_maps_of_any_size),
		cmocka_unit_test(test_nodes_are_limited_and_grow_only_as_needed),
		cmocka_unit_test(test_a_document_is_used_again),
		cmocka_unit_test(test_integers_in_any_spelling),
		cmocka_unit_test(test_floats_that_are_integers),
		cmocka_unit_test(test_numbers_as_doubles),
		cmocka_unit_test(test_long_numbers_are_refused),
		cmocka_unit_test(test_the_first_byte_tells_the_encoding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
