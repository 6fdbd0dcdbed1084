/* Values as JSON for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/json_text.h"
#include <string.h>

static void expect(const char *json, const char *pretty)
{
	struct document document;
	struct complaint complaint;
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	assert_int_equal(document_init(&document, 1000), 0);
	assert_int_equal(
		document_decode(&document, ENCODING_JSON, slice_of_text(json), 40, &complaint), 0);
	json_text_pretty(document.nodes, ENCODING_JSON, &buffer);
	buffer_append_byte(&buffer, '\0');
	assert_int_equal(buffer.error, 0);
	assert_string_equal((const char *)buffer.bytes, pretty);
	buffer_deinit(&buffer);
	document_deinit(&document);
}

static void test_containers_are_indented_and_rows_stay_on_their_line(void **state)
{
	(void)state;
	expect("{\"ok\":true,\"rows\":[{\"a\":1,\"b\":\"x\"},{\"a\":2.50}],\"as_of\":{\"gaps\":[]}"
	       "}",
		"{\n"
		"  \"ok\": true,\n"
		"  \"rows\": [\n"
		"    {\"a\": 1, \"b\": \"x\"},\n"
		"    {\"a\": 2.50}\n"
		"  ],\n"
		"  \"as_of\": {\n"
		"    \"gaps\": []\n"
		"  }\n"
		"}");
}

static void test_empty_and_single_values(void **state)
{
	(void)state;
	expect("{}", "{}");
	expect("[]", "[]");
	expect(" 1.50 ", "1.50");
	expect("[1,[],{}]", "[\n  1,\n  [],\n  {}\n]");
	expect("[1,\"a\",null]", "[1, \"a\", null]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers_are_indented_and_rows_stay_on_their_line),
		cmocka_unit_test(test_empty_and_single_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
