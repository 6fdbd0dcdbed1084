/* How the aggregator fared lately: samples, their ring, what they add up to, latencies. */
#include "aggregator/desk/vitals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WALL = 1000 * 1000 };

static struct vitals_look look_at(int64_t now_ms, uint64_t counted)
{
	return (struct vitals_look){
		.now_ms = now_ms,
		.wall_ms = WALL + now_ms,
		.counts = {.counted = counted,
			.rejected = counted / 10,
			.unreadable = 1,
			.foreign = 2,
			.duplicates = counted / 5,
			.commits = (uint64_t)now_ms / 1000},
		.lag = 7,
		.store_bytes = 4096,
	};
}

static struct vitals *begin(int64_t now_ms, uint64_t counted)
{
	struct vitals *vitals = NULL;
	const struct vitals_look look = look_at(now_ms, counted);

	assert_int_equal(vitals_new(&look, &vitals), 0);
	return vitals;
}

static void take(struct vitals *vitals, int64_t now_ms, uint64_t counted)
{
	const struct vitals_look look = look_at(now_ms, counted);

	vitals_take(vitals, &look);
}

static void test_a_sample_says_what_came_in_its_span(void **state)
{
	struct vitals *vitals = begin(0, 1000);
	int64_t wait_ms = -1;

	(void)state;
	assert_false(vitals_is_due(vitals, 4999, &wait_ms));
	assert_int_equal(wait_ms, 1);
	assert_true(vitals_is_due(vitals, 5000, &wait_ms));
	take(vitals, 4999, 1100); /* nothing is due */
	assert_int_equal(vitals_count(vitals, VITALS_SHORT), 0);
	take(vitals, 5000, 1200);
	assert_int_equal(vitals_count(vitals, VITALS_SHORT), 1);
	assert_int_equal(vitals_count(vitals, VITALS_LONG), 0);
	const struct vitals_sample *sample = vitals_at(vitals, VITALS_SHORT, 0);
	assert_int_equal(sample->from_ms, WALL);
	assert_int_equal(sample->span_ms, 5000);
	assert_int_equal(sample->counts.counted, 200);
	assert_int_equal(sample->counts.rejected, 20);
	assert_int_equal(sample->counts.duplicates, 40);
	assert_int_equal(sample->counts.unreadable, 0);
	assert_int_equal(sample->counts.commits, 5);
	assert_int_equal(sample->lag, 7);
	assert_int_equal(sample->store_bytes, 4096);
	assert_int_equal(sample->latency.count, 0);
	assert_false(vitals_is_due(vitals, 5000, &wait_ms));
	assert_int_equal(wait_ms, 5000);
	vitals_free(vitals);
}

static void test_a_machine_that_slept_has_one_long_sample(void **state)
{
	struct vitals *vitals = begin(0, 0);

	(void)state;
	take(vitals, 3600 * 1000, 50);
	assert_int_equal(vitals_count(vitals, VITALS_SHORT), 1);
	assert_int_equal(vitals_count(vitals, VITALS_LONG), 1);
	assert_int_equal(vitals_at(vitals, VITALS_SHORT, 0)->span_ms, 3600 * 1000);
	assert_int_equal(vitals_at(vitals, VITALS_LONG, 0)->counts.counted, 50);
	vitals_free(vitals);
}

/* 10 events each second for two days: the rings keep the newest hour and the newest day. */
static void test_the_oldest_go(void **state)
{
	struct vitals *vitals = begin(0, 0);
	const int64_t end_ms = 2 * 24 * 3600 * INT64_C(1000);

	(void)state;
	for (int64_t now_ms = 5000; now_ms <= end_ms; now_ms += 5000) {
		take(vitals, now_ms, (uint64_t)now_ms / 100);
	}
	assert_int_equal(vitals_count(vitals, VITALS_SHORT), 720);
	assert_int_equal(vitals_count(vitals, VITALS_LONG), 1440);
	assert_int_equal(vitals_at(vitals, VITALS_SHORT, 0)->from_ms, WALL + end_ms - 3600 * 1000);
	assert_int_equal(vitals_at(vitals, VITALS_SHORT, 719)->from_ms, WALL + end_ms - 5000);
	assert_int_equal(
		vitals_at(vitals, VITALS_LONG, 0)->from_ms, WALL + end_ms - 24 * 3600 * 1000);
	assert_int_equal(vitals_at(vitals, VITALS_LONG, 1439)->counts.counted, 600);
	struct vitals_sample sum = {0};
	for (size_t i = 0; i < 1440; i++) {
		vitals_add(&sum, vitals_at(vitals, VITALS_LONG, i));
	}
	assert_int_equal(sum.counts.counted, 10 * 24 * 3600);
	assert_int_equal(sum.span_ms, 24 * 3600 * 1000);
	assert_int_equal(sum.from_ms, WALL + end_ms - 24 * 3600 * 1000);
	vitals_free(vitals);
}

static void test_the_open_sample_is_as_of_the_look(void **state)
{
	struct vitals *vitals = begin(100, 10);
	const struct vitals_look look = look_at(1100, 30);
	struct vitals_sample open;

	(void)state;
	vitals_latency(vitals, 3, 20);
	vitals_open(vitals, VITALS_LONG, &look, &open);
	assert_int_equal(open.span_ms, 1000);
	assert_int_equal(open.counts.counted, 20);
	assert_int_equal(open.latency.count, 20);
	assert_int_equal(vitals_count(vitals, VITALS_LONG), 0);
	vitals_free(vitals);
}

/* After a rebuild another pipeline counts, from more or from less: neither is a burst of events. */
static void test_another_pipeline_goes_on_from_its_own_numbers(void **state)
{
	(void)state;
	for (uint64_t other = 0; other <= 1000; other += 500) {
		struct vitals *vitals = begin(0, 100);
		const struct vitals_counts before = look_at(2000, 130).counts;
		const struct vitals_counts after = look_at(2000, other).counts;
		vitals_rebase(vitals, &before, &after);
		take(vitals, 5000, other + 12);
		assert_int_equal(vitals_at(vitals, VITALS_SHORT, 0)->counts.counted, 30 + 12);
		vitals_free(vitals);
	}
}

/* Each latency is told at most 1/16 off, and never above the largest. */
static void test_a_quantile_of_one_latency_is_that_latency(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < UINT64_C(1) << 31; ms = ms * 17 / 16 + 1) {
		struct vitals *vitals = begin(0, 0);
		vitals_latency(vitals, ms, 3);
		vitals_latency(vitals, ms * 2 + 20, 1); /* else the largest would be the answer */
		take(vitals, 5000, 0);
		const struct vitals_latency *latency = &vitals_at(vitals, VITALS_SHORT, 0)->latency;
		uint64_t told = vitals_quantile(latency, 500000);
		uint64_t off = told > ms ? told - ms : ms - told;
		assert_true(ms < 8 ? off == 0 : off * 16 <= ms);
		assert_true(vitals_quantile(latency, 1000000) <= ms * 2 + 20);
		assert_int_equal(latency->sum_ms, 3 * ms + ms * 2 + 20);
		assert_int_equal(latency->max_ms, ms * 2 + 20);
		vitals_free(vitals);
	}
}

/* 1 … 7 ms, 100 events of each: percentile_disc by hand. */
static void test_quantiles_are_the_smallest_that_so_many_did_not_exceed(void **state)
{
	struct vitals *vitals = begin(0, 0);

	(void)state;
	for (uint64_t ms = 1; ms <= 7; ms++) {
		vitals_latency(vitals, ms, 100);
	}
	take(vitals, 5000, 0);
	const struct vitals_latency *latency = &vitals_at(vitals, VITALS_SHORT, 0)->latency;
	assert_int_equal(vitals_quantile(latency, 1), 1);
	assert_int_equal(vitals_quantile(latency, 142857), 1);
	assert_int_equal(vitals_quantile(latency, 142858), 2);
	assert_int_equal(vitals_quantile(latency, 500000), 4);
	assert_int_equal(vitals_quantile(latency, 990000), 7);
	assert_int_equal(latency->sum_ms, 100 * 28);
	vitals_free(vitals);
}

static void test_numbers_stop_at_their_ends(void **state)
{
	struct vitals *vitals = begin(0, 0);
	struct vitals_sample sum = {0};

	(void)state;
	vitals_latency(vitals, UINT64_MAX, UINT64_MAX);
	vitals_latency(vitals, 5, UINT64_MAX);
	take(vitals, 5000, 0);
	const struct vitals_sample *sample = vitals_at(vitals, VITALS_SHORT, 0);
	assert_true(sample->latency.count == UINT64_MAX && sample->latency.sum_ms == UINT64_MAX);
	assert_int_equal(sample->latency.bins[5], UINT32_MAX);
	assert_int_equal(sample->latency.bins[VITALS_BINS - 1], UINT32_MAX);
	vitals_add(&sum, sample);
	vitals_add(&sum, sample);
	assert_true(sum.latency.count == UINT64_MAX && sum.latency.max_ms == UINT64_MAX);
	assert_int_equal(sum.latency.bins[5], UINT32_MAX);
	assert_int_equal(vitals_quantile(&sum.latency, 500000), 5);
	vitals_free(vitals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sample_says_what_came_in_its_span),
		cmocka_unit_test(test_a_machine_that_slept_has_one_long_sample),
		cmocka_unit_test(test_the_oldest_go),
		cmocka_unit_test(test_the_open_sample_is_as_of_the_look),
		cmocka_unit_test(test_another_pipeline_goes_on_from_its_own_numbers),
		cmocka_unit_test(test_a_quantile_of_one_latency_is_that_latency),
		cmocka_unit_test(test_quantiles_are_the_smallest_that_so_many_did_not_exceed),
		cmocka_unit_test(test_numbers_stop_at_their_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
