#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/writer.h"

static struct buffer buffer;
static struct writer writer;

static void begin(enum encoding encoding)
{
	buffer_clear(&buffer);
	writer_init(&writer, encoding, &buffer);
}

static void expect_text(const char *text)
{
	assert_int_equal(buffer.error, 0);
	if (!slice_equals_text(buffer_slice(&buffer), text)) {
		fail_msg("expected %s, got %.*s", text, (int)buffer.size,
			(const char *)buffer.bytes);
	}
}

static void expect_bytes(const char *bytes, size_t size)
{
	assert_int_equal(buffer.error, 0);
	assert_int_equal(buffer.size, size);
	assert_memory_equal(buffer.bytes, bytes, size);
}
#define EXPECT_BYTES(literal) expect_bytes(literal, sizeof literal - 1)

static void write_sample(void)
{
	write_map(&writer, 4);
	write_key(&writer, "a");
	write_array(&writer, 3);
	write_integer(&writer, -1);
	write_array(&writer, 0);
	write_map(&writer, 0);
	write_key(&writer, "b");
	write_map(&writer, 1);
	write_key(&writer, "c");
	write_nil(&writer);
	write_key(&writer, "d");
	write_bool(&writer, true);
	write_key(&writer, "e");
	write_bool(&writer, false);
}

static void test_json_separates_what_it_must(void **state)
{
	(void)state;
	begin(ENCODING_JSON);
	write_sample();
	expect_text("{\"a\":[-1,[],{}],\"b\":{\"c\":null},\"d\":true,\"e\":false}");
	assert_int_equal(writer.depth, 0);
}

static void test_msgpack_is_the_shortest_form(void **state)
{
	(void)state;
	begin(ENCODING_MSGPACK);
	write_sample();
	EXPECT_BYTES(
		"\x84\xa1\x61\x93\xff\x90\x80\xa1\x62\x81\xa1\x63\xc0\xa1\x64\xc3\xa1\x65\xc2");
	begin(ENCODING_MSGPACK);
	write_integer(&writer, 127);
	write_integer(&writer, 128);
	write_integer(&writer, 65536);
	write_integer(&writer, -32);
	write_integer(&writer, -33);
	write_integer(&writer, INT64_MIN);
	write_unsigned(&writer, UINT64_MAX);
	EXPECT_BYTES("\x7f\xcc\x80\xce\x00\x01\x00\x00\xe0\xd0\xdf\xd3\x80\0\0\0\0\0\0\0"
		     "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
	begin(ENCODING_MSGPACK);
	write_double(&writer, 2.5);
	write_bin(&writer, slice_of("\0x", 2));
	write_text(&writer, slice_of(NULL, 0));
	write_money(&writer, 2550000);
	EXPECT_BYTES("\xcb\x40\x04\0\0\0\0\0\0\xc4\x02\0x\xa0\xa4"
		     "2.55");
}

static void test_json_numbers(void **state)
{
	static const struct {
		double value;
		const char *text;
	} doubles[] = {
		{0.1, "0.1"},
		{1.0 / 3, "0.3333333333333333"},
		{0.1 + 0.2, "0.30000000000000004"},
		{5e-324, "4.94065645841247e-324"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{-2.5, "-2.5"},
		{1e21, "1e+21"},
		{NAN, "null"},
		{INFINITY, "null"},
		{-INFINITY, "null"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
		begin(ENCODING_JSON);
		write_double(&writer, doubles[i].value);
		expect_text(doubles[i].text);
	}
	begin(ENCODING_JSON);
	write_array(&writer, 5);
	write_integer(&writer, INT64_MIN);
	write_integer(&writer, INT64_MAX);
	write_unsigned(&writer, UINT64_MAX);
	write_unsigned(&writer, 0);
	write_money(&writer, -2550000);
	expect_text("[-9223372036854775808,9223372036854775807,18446744073709551615,0,\"-2.55\"]");
}

static void test_json_text_is_escaped(void **state)
{
	(void)state;
	begin(ENCODING_JSON);
	write_text(&writer, slice_of("a\"\\/\b\f\n\r\t\x01\x1f\x7fz", 13));
	expect_text("\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7fz\"");
	begin(ENCODING_JSON);
	write_text(&writer, slice_of_text("Z\xc3\xbcrich"));
	expect_text("\"Z\xc3\xbcrich\"");
	begin(ENCODING_JSON);
	write_text(&writer, slice_of("\0", 1));
	expect_text("\"\\u0000\"");
}

/* RFC 4648, section 10 */
static void test_json_bytes_are_base64(void **state)
{
	static const char *const expected[] = {"\"\"", "\"Zg==\"", "\"Zm8=\"", "\"Zm9v\"",
		"\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""};

	(void)state;
	for (size_t size = 0; size <= 6; size++) {
		begin(ENCODING_JSON);
		write_bin(&writer, slice_of("foobar", size));
		expect_text(expected[size]);
	}
	begin(ENCODING_JSON);
	write_bin(&writer, slice_of("\xfb\xff\xfe", 3));
	expect_text("\"+//+\"");
}

static void convert(enum encoding from, struct slice bytes)
{
	struct document document;
	struct complaint complaint;

	assert_int_equal(document_init(&document, 1000), 0);
	assert_int_equal(document_decode(&document, from, bytes, 8, &complaint), 0);
	begin(from == ENCODING_JSON ? ENCODING_MSGPACK : ENCODING_JSON);
	write_array(&writer, 2);
	write_node(&writer, document.nodes, from);
	write_nil(&writer);
	document_deinit(&document);
}

static void test_msgpack_becomes_json(void **state)
{
	static const char bytes[] =
		"\x9f\x01\xcf\x00\x20\x00\x00\x00\x00\x00\x00\xcf\x00\x20\x00\x00"
		"\x00\x00\x00\x01\xd3\xff\xdf\xff\xff\xff\xff\xff\xff\xcf\xff\xff"
		"\xff\xff\xff\xff\xff\xff\xcb\x3f\xf8\0\0\0\0\0\0\xcb\x7f\xf8\0\0"
		"\0\0\0\0\xc4\x01x\xd4\x05y\xc3\xc0\xa1\x0a\x81\xa1k\x91\x02\x90\x80";

	(void)state;
	convert(ENCODING_MSGPACK, slice_of(bytes, sizeof bytes - 1));
	expect_text("[[1,9007199254740992,\"9007199254740993\",\"-9007199254740993\","
		    "\"18446744073709551615\",1.5,null,\"eA==\",null,true,null,\"\\n\","
		    "{\"k\":[2]},[],{}],null]");
}

static void test_json_becomes_msgpack(void **state)
{
	(void)state;
	convert(ENCODING_JSON, slice_of_text("[1,1.0,-1e1,1.5,9223372036854775808,1e400,\"a\\n\","
					     "true,null,{\"k\":[]}]"));
	EXPECT_BYTES("\x92\x9a\x01\x01\xf6\xcb\x3f\xf8\0\0\0\0\0\0\xcb\x43\xe0\0\0\0\0\0\0\xa5"
		     "1e400\xa2"
		     "a\n\xc3\xc0\x81\xa1k\x90\xc0");
}

static void test_the_same_encoding_goes_through_byte_for_byte(void **state)
{
	static const char *const json = "{ \"a\" : [1.50, 1E2,\"\\u0041\"] }";
	struct document document;
	struct complaint complaint;

	(void)state;
	assert_int_equal(document_init(&document, 1000), 0);
	assert_int_equal(
		document_decode(&document, ENCODING_JSON, slice_of_text(json), 8, &complaint), 0);
	begin(ENCODING_JSON);
	write_array(&writer, 2);
	write_node(&writer, node_find(document.nodes, "a"), ENCODING_JSON);
	write_raw(&writer, slice_of_text("2.55"));
	expect_text("[[1.50, 1E2,\"\\u0041\"],2.55]");
	document_deinit(&document);
}

static void test_a_full_buffer_is_an_error_that_sticks(void **state)
{
	struct buffer small;

	(void)state;
	for (size_t limit = 0; limit < 60; limit++) {
		buffer_init(&small, limit);
		writer_init(&writer, limit % 2 == 0 ? ENCODING_JSON : ENCODING_MSGPACK, &small);
		write_sample();
		bool fits = limit >= (limit % 2 == 0 ? 49 : 19);
		assert_int_equal(small.error, fits ? 0 : -EMSGSIZE);
		assert_true(small.size <= limit);
		buffer_deinit(&small);
	}
	buffer_init(&small, 6);
	writer_init(&writer, ENCODING_JSON, &small);
	write_bin(&writer, slice_of_text("foobar"));
	assert_int_equal(small.error, -EMSGSIZE);
	buffer_deinit(&small);
}

static void test_the_greatest_depth_can_be_written(void **state)
{
	(void)state;
	begin(ENCODING_JSON);
	for (int i = 0; i < WRITER_DEPTH_MAX; i++) {
		write_array(&writer, i < WRITER_DEPTH_MAX - 1);
	}
	expect_text("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
}

static int setup(void **state)
{
	(void)state;
	buffer_init(&buffer, 100000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buffer_deinit(&buffer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_separates_what_it_must),
		cmocka_unit_test(test_msgpack_is_the_shortest_form),
		cmocka_unit_test(test_json_numbers),
		cmocka_unit_test(test_json_text_is_escaped),
		cmocka_unit_test(test_json_bytes_are_base64),
		cmocka_unit_test(test_msgpack_becomes_json),
		cmocka_unit_test(test_json_becomes_msgpack),
		cmocka_unit_test(test_the_same_encoding_goes_through_byte_for_byte),
		cmocka_unit_test(test_a_full_buffer_is_an_error_that_sticks),
		cmocka_unit_test(test_the_greatest_depth_can_be_written),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
