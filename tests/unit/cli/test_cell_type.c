/* What a cell can be in a table, so that the table says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cell_type.h"

static enum cell_type type_of(const char *cell)
{
	return cell_type_choose(cell_types(slice_of_text(cell)));
}

static void test_numbers_keep_every_digit_and_sign(void **state)
{
	(void)state;
	assert_int_equal(type_of("0"), CELL_INTEGER);
	assert_int_equal(type_of("2147483647"), CELL_INTEGER);
	assert_int_equal(type_of("-2147483648"), CELL_INTEGER);
	assert_int_equal(type_of("2147483648"), CELL_BIGINT);
	assert_int_equal(type_of("-9223372036854775808"), CELL_BIGINT);
	assert_int_equal(type_of("9223372036854775808"), CELL_NUMERIC);
	assert_int_equal(type_of("-0.50"), CELL_NUMERIC);
	static const char *const texts[] = {"007", "+1", "-0", "-0.00", "1e5", "1.", ".5", "00.5",
		"1,5", " 1", "-", "NaN", "0x1f"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(type_of(texts[i]), CELL_TEXT);
	}
}

static void test_times_are_those_of_a_calendar(void **state)
{
	(void)state;
	assert_int_equal(type_of("2010-12-01"), CELL_DATE);
	assert_int_equal(type_of("2010-12-01 08:26"), CELL_TIMESTAMP);
	assert_int_equal(type_of("2010-12-01T08:26:00.123456"), CELL_TIMESTAMP);
	assert_int_equal(type_of("2010-12-01T08:26:00Z"), CELL_TIMESTAMPTZ);
	assert_int_equal(type_of("2010-12-01 08:26+0100"), CELL_TIMESTAMPTZ);
	static const char *const texts[] = {"2010-02-29", "2010-12-01 24:26",
		"2010-12-01 08:26:00.1234567", "01.12.2010", "2010-12-1", "2010-12-01 08",
		"2010-12-01 "};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(type_of(texts[i]), CELL_TEXT);
	}
}

static void test_a_column_is_the_first_that_all_its_cells_are(void **state)
{
	(void)state;
	static const struct {
		const char *cells[3];
		enum cell_type type;
	} columns[] = {{{"1", "3000000000", ""}, CELL_BIGINT}, {{"1", "2.50", ""}, CELL_NUMERIC},
		{{"2010-12-01", "2010-12-01 08:26", ""}, CELL_TIMESTAMP},
		{{"2010-12-01 08:26", "2010-12-01 08:26Z", ""}, CELL_TEXT},
		{{"true", "False", ""}, CELL_BOOLEAN}, {{"true", "1", ""}, CELL_TEXT},
		{{"", "", ""}, CELL_TEXT}, {{"1", "x", "2"}, CELL_TEXT}};

	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		unsigned types = CELL_TYPES_ALL;
		for (size_t j = 0; j < 3; j++) {
			types &= cell_types(slice_of_text(columns[i].cells[j]));
		}
		assert_int_equal(cell_type_choose(types), columns[i].type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_keep_every_digit_and_sign),
		cmocka_unit_test(test_times_are_those_of_a_calendar),
		cmocka_unit_test(test_a_column_is_the_first_that_all_its_cells_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
