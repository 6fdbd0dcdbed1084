/* Values of an answer as cells of a table. */
#include "cli/answer_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void test_a_value_is_one_cell_whatever_it_is(void **state)
{
	static const struct {
		const char *json, *plain, *grouped;
	} values[] = {
		{"[12345]", "12345", "12,345"},
		{"[1.5]", "1.5", "1.5"},
		{"[\"tea\"]", "tea", "tea"},
		{"[true]", "yes", "yes"},
		{"[null]", "-", "-"},
		{"[[1]]", "an array", "an array"},
	};
	struct document document;
	struct complaint complaint;
	char out[ANSWER_CELL_SIZE];
	(void)state;

	assert_int_equal(document_init(&document, 100), 0);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		assert_int_equal(document_decode(&document, ENCODING_JSON,
					 slice_of_text(values[i].json), 8, &complaint),
			0);
		const struct node *node = node_first(document.nodes);
		memset(out, '?', sizeof out);
		assert_true(slice_equals_text(answer_cell(node, false, out), values[i].plain));
		memset(out, '?', sizeof out);
		assert_true(slice_equals_text(answer_cell(node, true, out), values[i].grouped));
	}
	document_deinit(&document);
}

/* Integers of msgpack are numbers that nobody has written as text yet. */
static void test_an_integer_of_msgpack_is_a_cell_too(void **state)
{
	struct document document;
	struct complaint complaint;
	char out[ANSWER_CELL_SIZE];
	(void)state;

	assert_int_equal(document_init(&document, 100), 0);
	assert_int_equal(document_decode(&document, ENCODING_MSGPACK,
				 slice_of("\x92\xcd\x30\x39\xff", 5), 8, &complaint),
		0);
	const struct node *node = node_first(document.nodes);
	assert_true(slice_equals_text(answer_cell(node, false, out), "12345"));
	assert_true(slice_equals_text(answer_cell(node_next(node), false, out), "-1"));
	document_deinit(&document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_value_is_one_cell_whatever_it_is),
		cmocka_unit_test(test_an_integer_of_msgpack_is_a_cell_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
