/* What rotated files are called, and which of two is older. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/tail_names.h"

static void test_numbers_and_dates_of_logrotate_are_known(void **state)
{
	(void)state;
	static const char *const rotated[] = {"/log/sales.csv.1", "/log/sales.csv.12.gz",
		"/log/sales.csv-20240131", "/log/sales.csv-20240131.gz", "/log/sales-20240131.csv",
		"/log/sales-2024-01-31_10.csv", "/log/sales-20240131.csv.xz",
		"/log/sales.csv.2024-01-31"};
	static const char *const others[] = {"/log/sales.csv", "/log/sales.csv2",
		"/log/sales-berlin.csv", "/log/sales-berlin-1.csv", "/log/sales.csv-old",
		"/log/sales.json.1", "/log/sales-20240131.csv.bak", "/log/sales.csv."};

	for (size_t i = 0; i < sizeof rotated / sizeof *rotated; i++) {
		assert_true(tail_name_is_rotated("/log/sales.csv", rotated[i]));
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_false(tail_name_is_rotated("/log/sales.csv", others[i]));
	}
	assert_true(tail_name_is_rotated("/lo.g/sales", "/lo.g/sales.1"));
	assert_false(tail_name_is_rotated("/lo.g/sales", "/lo-1.g/sales"));
}

static void test_a_rotated_name_is_found_among_those_that_are_followed(void **state)
{
	(void)state;
	static const char *const names[] = {"/log/a.csv", "/log/b.c-1.csv", "/log/z"};

	assert_true(tail_name_has_base("/log/a.csv.1", names, 3));
	assert_true(tail_name_has_base("/log/a-20240131.csv", names, 3));
	assert_true(tail_name_has_base("/log/b.c-1-7.csv", names, 3));
	assert_true(tail_name_has_base("/log/z-1", names, 3));
	assert_false(tail_name_has_base("/log/a.csv", names, 3));
	assert_false(tail_name_has_base("/log/c.csv.1", names, 3));
}

static void test_higher_numbers_and_lower_dates_are_older(void **state)
{
	(void)state;
	assert_true(tail_name_compare_age("log.10", "log.9") < 0);
	assert_true(tail_name_compare_age("log.1", "log.2") > 0);
	assert_true(tail_name_compare_age("log-20240130", "log-20240131") < 0);
	assert_true(tail_name_compare_age("log.20240130", "log.20240131") < 0);
}

static void test_compressed_names_are_told_by_their_ending(void **state)
{
	(void)state;
	assert_true(tail_name_is_compressed("log.1.gz"));
	assert_true(tail_name_is_compressed("log.zst"));
	assert_false(tail_name_is_compressed("log.gz.1"));
	assert_false(tail_name_is_compressed("gz"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_and_dates_of_logrotate_are_known),
		cmocka_unit_test(test_a_rotated_name_is_found_among_those_that_are_followed),
		cmocka_unit_test(test_higher_numbers_and_lower_dates_are_older),
		cmocka_unit_test(test_compressed_names_are_told_by_their_ending),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
