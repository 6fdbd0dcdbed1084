#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/ranges.h"
#include <cmocka.h>

static struct ranges ranges;

static int tear_down(void **state)
{
	(void)state;
	ranges_deinit(&ranges);
	return 0;
}

static void add(uint64_t number)
{
	assert_int_equal(ranges_reserve(&ranges, 1), 0);
	ranges_add(&ranges, number);
}

static void assert_range(size_t index, uint64_t first, uint64_t last)
{
	assert_true(index < ranges.count);
	assert_int_equal(ranges.items[index].first, first);
	assert_int_equal(ranges.items[index].last, last);
}

static void test_numbers_in_a_row_are_one_range(void **state)
{
	(void)state;
	for (uint64_t number = 1; number <= 1000; number++) {
		add(number);
	}
	assert_int_equal(ranges.count, 1);
	assert_range(0, 1, 1000);
}

static void test_a_gap_is_kept_until_it_is_filled(void **state)
{
	(void)state;
	add(1);
	add(3);
	add(7);
	assert_int_equal(ranges.count, 3);
	add(2);
	assert_int_equal(ranges.count, 2);
	assert_range(0, 1, 3);
	assert_range(1, 7, 7);
}

static void test_a_number_before_a_range_joins_it(void **state)
{
	(void)state;
	add(5);
	add(4);
	add(1);
	assert_int_equal(ranges.count, 2);
	assert_range(0, 1, 1);
	assert_range(1, 4, 5);
}

static void test_the_same_number_again_changes_nothing(void **state)
{
	(void)state;
	add(2);
	add(3);
	add(2);
	add(3);
	assert_int_equal(ranges.count, 1);
	assert_range(0, 2, 3);
}

/* 11 generates every residue of the prime 1009, so each number comes once, in a wild order. */
static void test_any_order_ends_in_the_same_ranges(void **state)
{
	(void)state;
	uint64_t number = 1;
	for (int i = 0; i < 1008; i++) {
		number = number * 11 % 1009;
		add(number);
		for (size_t k = 0; k + 1 < ranges.count; k++) {
			assert_true(ranges.items[k].last + 1 < ranges.items[k + 1].first);
		}
	}
	assert_int_equal(ranges.count, 1);
	assert_range(0, 1, 1008);
}

static void test_dropping_forgets_the_first_ranges(void **state)
{
	(void)state;
	add(1);
	add(3);
	add(5);
	ranges_drop(&ranges, 2);
	assert_int_equal(ranges.count, 1);
	assert_range(0, 5, 5);
	ranges_drop(&ranges, 1);
	assert_int_equal(ranges.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_numbers_in_a_row_are_one_range, tear_down),
		cmocka_unit_test_teardown(test_a_gap_is_kept_until_it_is_filled, tear_down),
		cmocka_unit_test_teardown(test_a_number_before_a_range_joins_it, tear_down),
		cmocka_unit_test_teardown(test_the_same_number_again_changes_nothing, tear_down),
		cmocka_unit_test_teardown(test_any_order_ends_in_the_same_ranges, tear_down),
		cmocka_unit_test_teardown(test_dropping_forgets_the_first_ranges, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
