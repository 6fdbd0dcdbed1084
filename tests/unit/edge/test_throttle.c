#include "edge/throttle.h"
#include "fixture.h"

static void test_without_a_rate_nothing_waits(void **state)
{
	struct throttle throttle;
	(void)state;

	throttle_init(&throttle, 0, 1000);
	throttle_take(&throttle, UINT32_MAX, 1000);
	assert_int_equal(throttle_wait_ms(&throttle, 1000), 0);
	assert_int_equal(throttle_portion(&throttle), 0);
}

static void test_a_debt_is_paid_by_time(void **state)
{
	struct throttle throttle;
	(void)state;

	throttle_init(&throttle, 1000, 5000); /* 250 bytes are in the bucket */
	assert_int_equal(throttle_portion(&throttle), 250);
	throttle_take(&throttle, 1250, 5000);
	assert_int_equal(throttle_wait_ms(&throttle, 5000), 1001);
	assert_int_equal(throttle_wait_ms(&throttle, 6000), 1);
	assert_int_equal(throttle_wait_ms(&throttle, 6001), 0);
}

static void test_idle_time_gathers_a_burst_and_no_more(void **state)
{
	struct throttle throttle;
	(void)state;

	throttle_init(&throttle, 1000, 0);
	throttle_take(&throttle, 1000, INT64_MAX / 2);
	assert_int_equal(throttle_wait_ms(&throttle, INT64_MAX / 2), 751);
}

static void test_a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
	struct throttle throttle;
	(void)state;

	throttle_init(&throttle, 1000, 5000);
	throttle_take(&throttle, 500, 5000);
	assert_int_equal(throttle_wait_ms(&throttle, 1), 251);
}

/* Whatever the size of sendings, the mean is the rate: the fractions of a byte are not lost. */
static void test_over_an_hour_the_mean_is_the_rate(void **state)
{
	static const int64_t rates[] = {1, 7, 333, 65536, 10000019, THROTTLE_RATE_MAX};
	(void)state;

	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		struct throttle throttle;
		int64_t bytes = 0, now_ms = 0;
		uint32_t portion = rates[i] > 100000 ? 100003 : 13;
		throttle_init(&throttle, rates[i], now_ms);
		for (int step = 0; step < 20000; step++) {
			now_ms += throttle_wait_ms(&throttle, now_ms);
			throttle_take(&throttle, portion, now_ms);
			bytes += portion;
		}
		int64_t due = rates[i] * THROTTLE_BURST_MS / 1000 + rates[i] * now_ms / 1000;
		assert_true(bytes - due <= portion + 1);
		assert_true(rates[i] > 100000000 || due - bytes <= rates[i] / 100 + portion);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_rate_nothing_waits),
		cmocka_unit_test(test_a_debt_is_paid_by_time),
		cmocka_unit_test(test_idle_time_gathers_a_burst_and_no_more),
		cmocka_unit_test(test_a_clock_that_stands_or_goes_back_gives_nothing),
		cmocka_unit_test(test_over_an_hour_the_mean_is_the_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
