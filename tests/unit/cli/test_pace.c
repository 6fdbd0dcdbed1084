/* So many a second, whatever the ticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/pace.h"

static int take_all(struct pace *pace)
{
	int count = 0;

	while (count < 1000000 && pace_take(pace)) {
		count++;
	}
	return count;
}

static void test_a_second_brings_a_seconds_worth(void **state)
{
	(void)state;
	struct pace pace;
	int count = 0;

	pace_init(&pace, 250, 5000);
	for (int64_t now_ms = 5000; now_ms <= 15000; now_ms += 7) {
		pace_fill(&pace, now_ms);
		count += take_all(&pace);
	}
	assert_in_range(count, 2498, 2501);
}

static void test_what_was_missed_is_made_up_for_by_one_second_at_most(void **state)
{
	(void)state;
	struct pace pace;

	pace_init(&pace, 100, 0);
	pace_fill(&pace, 60000);
	assert_int_equal(take_all(&pace), 100);
}

static void test_a_slow_pace_waits_for_its_next(void **state)
{
	(void)state;
	struct pace pace;

	pace_init(&pace, 0.5, 0);
	assert_int_equal(pace_wait_ms(&pace), 0);
	assert_int_equal(take_all(&pace), 1);
	assert_in_range(pace_wait_ms(&pace), 2000, 2001);
	pace_fill(&pace, 2001);
	assert_int_equal(pace_wait_ms(&pace), 0);
}

static void test_without_a_rate_nothing_waits(void **state)
{
	(void)state;
	struct pace pace;

	pace_init(&pace, 0, 0);
	assert_int_equal(take_all(&pace), 1000000);
	assert_int_equal(pace_wait_ms(&pace), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_brings_a_seconds_worth),
		cmocka_unit_test(test_what_was_missed_is_made_up_for_by_one_second_at_most),
		cmocka_unit_test(test_a_slow_pace_waits_for_its_next),
		cmocka_unit_test(test_without_a_rate_nothing_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
