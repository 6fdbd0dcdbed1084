/* Tables and numbers as people see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/number_text.h"
#include "cli/text_table.h"
#include <stdlib.h>

static char *printed(const struct text_table *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(text_table_print(table, out), 0);
	fclose(out);
	return text;
}

static void test_columns_are_as_wide_as_needed(void **state)
{
	(void)state;
	struct text_table table;
	static const char *const cells[] = {
		"name", "n", "end", "tea", "5", "x", "z\xc3\xbcri", "1,234", "yy"};

	text_table_init(&table, 3);
	table.right[1] = true;
	for (size_t i = 0; i < 9; i++) {
		text_table_add_text(&table, cells[i]);
	}
	char *text = printed(&table);
	assert_string_equal(text, "name      n  end\n"
				  "tea       5  x\n"
				  "z\xc3\xbcri  1,234  yy\n");
	free(text);
	text_table_deinit(&table);
}

static void test_wide_cells_are_cut_and_control_characters_cleaned(void **state)
{
	(void)state;
	struct text_table table;

	text_table_init(&table, 2);
	table.cell_width_max = 4;
	text_table_add_text(&table, "abcdef");
	text_table_add_text(&table, "a\x1b[");
	char *text = printed(&table);
	assert_string_equal(text, "abc\xe2\x80\xa6  a?[\n");
	free(text);
	text_table_deinit(&table);
}

static void test_numbers_get_separators(void **state)
{
	(void)state;
	static const struct {
		const char *plain;
		const char *grouped;
	} cases[] = {{"0", "0"}, {"999", "999"}, {"1000", "1,000"}, {"-1000", "-1,000"},
		{"-100", "-100"}, {"1234567.89", "1,234,567.89"}, {"12.3456", "12.3456"},
		{"-1234.50", "-1,234.50"}, {"85123A", "85123A"}, {"", ""}, {".5", ".5"},
		{"1.", "1."}, {"1.2.3", "1.2.3"}, {"-", "-"}};
	char text[NUMBER_TEXT_SIZE];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_string_equal(
			number_text_group(text, slice_of_text(cases[i].plain)), cases[i].grouped);
	}
	assert_string_equal(number_text(text, INT64_MIN), "-9,223,372,036,854,775,808");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_as_wide_as_needed),
		cmocka_unit_test(test_wide_cells_are_cut_and_control_characters_cleaned),
		cmocka_unit_test(test_numbers_get_separators),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
