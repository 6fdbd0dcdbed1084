#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/document.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msgpack_that_is_none_is_refused),
		cmocka_unit_test(test_json_is_strict),
		cmocka_unit_test(test_msgpack_types_are_told_apart),
		cmocka_unit_test(test_json_text_is_unescaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
