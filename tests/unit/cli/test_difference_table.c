/* Rows of two sides beside each other. */
#include "cli/difference_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

/* What is printed for the difference must be this; "" where there are no rows. */
static void assert_shown(const char *json, const char *wanted)
{
	struct document document;
	struct complaint complaint;
	struct text_table table;
	char *text = NULL;
	size_t size = 0;

	assert_int_equal(document_init(&document, 200), 0);
	assert_int_equal(
		document_decode(&document, ENCODING_JSON, slice_of_text(json), 8, &complaint), 0);
	FILE *out = open_memstream(&text, &size);
	if (difference_table_fill(&table, document.nodes)) {
		assert_int_equal(text_table_print(&table, out), 0);
		text_table_deinit(&table);
	}
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
	document_deinit(&document);
}

static void test_keys_are_columns_and_a_missing_row_is_empty(void **state)
{
	(void)state;
	assert_shown("{\"group_by\":[\"edge\",\"currency\"],\"rows\":["
		     "{\"key\":[\"uk\",\"GBP\"],\"live\":null,\"staged\":{\"n\":1234,\"sum\":"
		     "\"1000.50\"}},"
		     "{\"key\":[\"de\",\"EUR\"],\"live\":{\"n\":1},\"staged\":null}]}",
		"edge  currency  live.n  staged.n  staged.sum\n"
		"uk    GBP            -     1,234    1,000.50\n"
		"de    EUR            1         -           -\n");
	assert_shown("{\"group_by\":[\"edge\"],\"rows\":[{\"key\":[\"uk\"],\"live\":{\"n\":1},"
		     "\"staged\":null}]}",
		"edge  live.n\nuk         1\n");
}

static void test_without_rows_there_is_no_table(void **state)
{
	(void)state;
	assert_shown("{\"group_by\":[\"edge\"],\"rows\":[]}", "");
	assert_shown("{\"rows\":[{\"key\":[1]}]}", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_columns_and_a_missing_row_is_empty),
		cmocka_unit_test(test_without_rows_there_is_no_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
