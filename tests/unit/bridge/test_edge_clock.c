/* How long frames are on their way, by two clocks of which nobody knows how far they are apart. */
#include "bridge/edge_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_what_took_longer_than_the_fastest_is_told(void **state)
{
	static const int64_t apart_ms[] = {0, 7000, -7000, INT64_C(1) << 40};

	(void)state;
	for (size_t i = 0; i < sizeof apart_ms / sizeof *apart_ms; i++) {
		struct edge_clock clock = {0};
		int64_t ours = apart_ms[i];
		assert_int_equal(
			edge_clock_hear(&clock, 1000, ours + 1030), 0); /* on its way 30 ms */
		assert_int_equal(edge_clock_hear(&clock, 2000, ours + 2500), 470);
		assert_int_equal(
			edge_clock_hear(&clock, 3000, ours + 3010), 0); /* the fastest yet */
		assert_int_equal(edge_clock_hear(&clock, 4000, ours + 4030), 20);
	}
}

/* Their clock loses 100 ms in ten minutes: what was fastest an hour ago would say that every frame is late. */
static void test_a_clock_that_drifts_is_followed(void **state)
{
	struct edge_clock clock = {0};

	(void)state;
	for (int64_t now_ms = 10; now_ms < 6 * 3600 * 1000; now_ms += 1000) {
		int64_t drift_ms = now_ms / 6000;
		int64_t late_ms = edge_clock_hear(&clock, now_ms - 10 - drift_ms, now_ms);
		assert_in_range(late_ms, 0, 2 * 100);
	}
}

static void test_after_a_long_silence_the_old_is_forgotten(void **state)
{
	struct edge_clock clock = {0};

	(void)state;
	edge_clock_hear(&clock, 0, 10);
	/* Ten minutes on, the fastest of before still counts; two windows on, it does not. */
	assert_int_equal(
		edge_clock_hear(&clock, EDGE_CLOCK_WINDOW_MS, EDGE_CLOCK_WINDOW_MS + 60), 50);
	assert_int_equal(
		edge_clock_hear(&clock, 4 * EDGE_CLOCK_WINDOW_MS, 4 * EDGE_CLOCK_WINDOW_MS + 90),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_took_longer_than_the_fastest_is_told),
		cmocka_unit_test(test_a_clock_that_drifts_is_followed),
		cmocka_unit_test(test_after_a_long_silence_the_old_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
