/* The same command again counts nothing twice: numbers by input position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/position.h"

static void test_the_first_record_goes_alone_and_all_wait_for_its_answer(void **state)
{
	(void)state;
	struct position position = {.asked = false};

	assert_true(position_goes_alone(&position));
	assert_false(position_must_wait(&position));
	position.asked = true;
	assert_false(position_goes_alone(&position));
	assert_true(position_must_wait(&position));
	position_answered(&position, 1, 1);
	assert_false(position_must_wait(&position));
	assert_true(position_is_counted(&position, 1));
	assert_false(position_is_counted(&position, 2));
}

static void test_what_an_earlier_run_counted_is_skipped(void **state)
{
	(void)state;
	struct position position = {.asked = true};

	position_answered(&position, 3, 501);
	assert_true(position_is_counted(&position, 501));
	assert_false(position_is_counted(&position, 502));
}

/* A frame of the run that was killed reached the edge after our first question. */
static void test_a_late_frame_of_an_earlier_run_moves_the_place(void **state)
{
	(void)state;
	struct position position = {.asked = true};

	position_answered(&position, 1, 1000);
	position_answered(&position, 1300, 1500);
	assert_true(position_is_counted(&position, 1500));
	assert_false(position_is_counted(&position, 1501));
}

static void test_nothing_is_skipped_before_it_is_known(void **state)
{
	(void)state;
	struct position position = {.asked = false};

	assert_false(position_is_counted(&position, 1));
}

/* A repeat after resending is our own, unless the edge knows a higher number. */
static void test_only_a_repeat_of_an_earlier_run_is_one(void **state)
{
	(void)state;
	assert_true(position_is_of_earlier_run(10, 10, 1));
	assert_false(position_is_of_earlier_run(10, 10, 2));
	assert_true(position_is_of_earlier_run(10, 900, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_record_goes_alone_and_all_wait_for_its_answer),
		cmocka_unit_test(test_what_an_earlier_run_counted_is_skipped),
		cmocka_unit_test(test_a_late_frame_of_an_earlier_run_moves_the_place),
		cmocka_unit_test(test_nothing_is_skipped_before_it_is_known),
		cmocka_unit_test(test_only_a_repeat_of_an_earlier_run_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
