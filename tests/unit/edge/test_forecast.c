/* When it will be full, in virtual time. */
#include "edge/forecast.h"
#include "fixture.h"
#include <math.h>

enum { SECOND_MS = 1000, MIB = 1024 * 1024 };

struct bench {
	struct forecast forecast;
	int64_t now_ms;
	uint64_t bytes;
};

static int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	bench->now_ms = 1000000;
	bench->bytes = 100 * MIB;
	*state = bench;
	return 0;
}

static int drop_bench(void **state)
{
	free(*state);
	return 0;
}

static void go(struct bench *bench, int seconds, int64_t growth, bool flows)
{
	for (int i = 0; i < seconds; i++) {
		bench->now_ms += SECOND_MS;
		bench->bytes = (uint64_t)((int64_t)bench->bytes + growth);
		forecast_look(&bench->forecast, bench->bytes, flows, bench->now_ms);
	}
}

static void assert_about(double value, double expected)
{
	if (fabs(value - expected) > expected / 100) {
		fail_msg("%f is not about %f", value, expected);
	}
}

static void test_nothing_is_said_before_something_was_seen(void **state)
{
	struct bench *bench = *state;

	assert_true(isinf(forecast_seconds(&bench->forecast, MIB)));
	go(bench, FORECAST_SEEN_MS / SECOND_MS, 1000, false);
	assert_true(isinf(forecast_seconds(&bench->forecast, MIB)));
	go(bench, 1, 1000, false);
	assert_about(forecast_seconds(&bench->forecast, 1000000), 1000);
}

static void test_an_even_rate_is_told_exactly_from_the_beginning(void **state)
{
	struct bench *bench = *state;

	go(bench, 60, 500, false);
	assert_about(forecast_seconds(&bench->forecast, 500 * 3600), 3600);
	go(bench, 3600, 500, false);
	assert_about(forecast_seconds(&bench->forecast, 500 * 3600), 3600);
}

static void test_what_shrinks_or_stands_is_never_full(void **state)
{
	struct bench *bench = *state;

	go(bench, 100, 0, true);
	assert_true(isinf(forecast_seconds(&bench->forecast, MIB)));
	go(bench, 100, -1000, true);
	assert_true(isinf(forecast_seconds(&bench->forecast, MIB)));
}

static void test_growth_of_a_byte_a_second_is_never(void **state)
{
	struct bench *bench = *state;

	go(bench, 100, 1, true);
	assert_true(isinf(forecast_seconds(&bench->forecast, 1024 * (uint64_t)MIB)));
	assert_about(forecast_seconds(&bench->forecast, 3600), 3600);
}

static void test_no_room_is_full_now(void **state)
{
	struct bench *bench = *state;
	assert_true(forecast_seconds(&bench->forecast, 0) <= 0);
}

/* Bursts of a second every ten are a tenth of their rate. */
static void test_bursts_count_as_their_mean(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 200; i++) {
		go(bench, 1, 10000, false);
		go(bench, 9, 0, false);
	}
	double seconds = forecast_seconds(&bench->forecast, 1000 * 3600);
	assert_true(seconds > 3600 * 0.95 && seconds < 3600 * 1.05);
}

static void test_a_change_of_pace_is_followed_within_minutes(void **state)
{
	struct bench *bench = *state;

	go(bench, 3600, 100, false);
	go(bench, 180, 1000, false);
	double seconds = forecast_seconds(&bench->forecast, 1000 * 1000);
	assert_true(seconds > 1000 && seconds < 1600);
	go(bench, 900, 1000, false);
	assert_about(forecast_seconds(&bench->forecast, 1000 * 1000), 1006);
}

/* It drained with a thousand times the pace that it fills with now. */
static void test_the_end_of_draining_begins_anew(void **state)
{
	struct bench *bench = *state;

	bench->bytes = UINT64_C(1) << 40;
	go(bench, 3600, -1000 * 1000, true);
	go(bench, 1 + FORECAST_SEEN_MS / SECOND_MS, 1000, false);
	assert_about(forecast_seconds(&bench->forecast, 1000 * 60), 60);
}

static void test_a_clock_that_stands_changes_nothing(void **state)
{
	struct bench *bench = *state;

	go(bench, 60, 500, false);
	forecast_look(&bench->forecast, bench->bytes + MIB, false, bench->now_ms);
	assert_about(forecast_seconds(&bench->forecast, 500 * 3600), 3600);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_nothing_is_said_before_something_was_seen),
		BENCH_TEST(test_an_even_rate_is_told_exactly_from_the_beginning),
		BENCH_TEST(test_what_shrinks_or_stands_is_never_full),
		BENCH_TEST(test_growth_of_a_byte_a_second_is_never),
		BENCH_TEST(test_no_room_is_full_now),
		BENCH_TEST(test_bursts_count_as_their_mean),
		BENCH_TEST(test_a_change_of_pace_is_followed_within_minutes),
		BENCH_TEST(test_the_end_of_draining_begins_anew),
		BENCH_TEST(test_a_clock_that_stands_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
