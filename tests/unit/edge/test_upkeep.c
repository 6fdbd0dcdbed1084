/* When a spool's file is made small again, and what is said about the time that is left. */
#include "edge/upkeep.h"
#include "spool_bench.h"
#include <math.h>

enum { MIB = 1024 * 1024 };

static void test_only_a_large_file_with_little_in_it_is_wasteful(void **state)
{
	(void)state;
	static const struct {
		uint64_t file_mib, used_kib;
		bool wasteful;
	} cases[] = {
		{64, 10, false}, /* small enough */
		{65, 10, true},
		{65, 8 * 1024, true}, /* an eighth, and a bit */
		{64 * 1024, 8 * 1024, true},
		{64 * 1024, 8 * 1024 + 1, false}, /* a till would wait */
		{66, 8 * 1024 + 512, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct spool_space space = {.file_bytes = cases[i].file_mib * MIB,
			.used_bytes = cases[i].used_kib * 1024};
		assert_int_equal(upkeep_file_is_wasteful(&space), cases[i].wasteful);
	}
}

static struct upkeep upkeep_of(const struct bench *bench)
{
	return (struct upkeep){.spool = bench->spool};
}

/* More than 64 MiB of events and nothing after them. */
static void fill_and_drain(struct bench *bench)
{
	uint64_t first = lane_of(bench, KIND_ORDER)->end;

	for (int i = 0; i < 9; i++) {
		for (int j = 0; j < 8 * MIB / 100000; j++) {
			add(bench, KIND_ORDER, 100000, 'x');
		}
		assert_int_equal(commit(bench), 0);
	}
	uint64_t last = lane_of(bench, KIND_ORDER)->end - 1;
	assert_int_equal(removals_add(&bench->removals, KIND_ORDER, first, last), 0);
	assert_int_equal(commit(bench), 0);
}

static void test_a_drained_spool_is_compacted_at_most_every_few_minutes(void **state)
{
	struct bench *bench = *state;
	int64_t now_ms = 1000000;

	bench->options.quota_bytes = 200 * MIB;
	reopen(bench);
	struct upkeep upkeep = upkeep_of(bench);
	fill_and_drain(bench);
	assert_int_equal(upkeep_tick(&upkeep, true, now_ms), 0);
	assert_int_equal(upkeep.compactions, 1);
	assert_true(spool_space(bench->spool).file_bytes < MIB);
	fill_and_drain(bench);
	for (int64_t until_ms = now_ms + UPKEEP_COMPACT_MS; now_ms < until_ms - 1000;) {
		now_ms += 1000;
		assert_int_equal(upkeep_tick(&upkeep, true, now_ms), 0);
		assert_int_equal(upkeep.compactions, 1);
	}
	assert_true(spool_space(bench->spool).file_bytes > 64 * MIB);
	assert_int_equal(upkeep_tick(&upkeep, true, now_ms + 1000), 0);
	assert_int_equal(upkeep.compactions, 2);
	assert_int_equal(upkeep.compactions_failed, 0);
}

/* A directory in the copy's place. */
static void test_a_copy_that_can_not_be_made_is_counted_and_tried_again_later(void **state)
{
	struct bench *bench = *state;
	char path[FIXTURE_PATH_SIZE * 2];

	bench->options.quota_bytes = 200 * MIB;
	reopen(bench);
	struct upkeep upkeep = upkeep_of(bench);
	fill_and_drain(bench);
	snprintf(path, sizeof path, "%s/compact.mdb", bench->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(upkeep_tick(&upkeep, true, 1000000), 0);
	assert_int_equal(upkeep.compactions_failed, 1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(upkeep_tick(&upkeep, true, 1000000 + UPKEEP_COMPACT_MS), 0);
	assert_int_equal(upkeep.compactions, 1);
}

static void test_words_name_what_is_full_first(void **state)
{
	struct bench *bench = *state;
	struct upkeep upkeep = upkeep_of(bench);
	char words[UPKEEP_WORDS_SIZE];
	int64_t now_ms = 1000000;

	upkeep_forecast_words(&upkeep, words);
	assert_string_equal(words, "");
	for (int i = 0; i <= FORECAST_SEEN_MS / 1000 + 1; i++) {
		assert_int_equal(upkeep_tick(&upkeep, false, now_ms + i * INT64_C(1000)), 0);
		add_block(bench, KIND_ORDER, 1000, 'a');
	}
	upkeep_forecast_words(&upkeep, words);
	assert_non_null(strstr(words, "spool full in "));
	assert_non_null(strstr(words, " at this rate"));
	assert_false(isinf(upkeep_full_seconds(&upkeep)));
	assert_true(isinf(upkeep_lane_full_seconds(&upkeep, KIND_VIEW)));

	now_ms += 100000;
	for (int i = 0; i <= FORECAST_SEEN_MS / 1000 + 1; i++) {
		assert_int_equal(upkeep_tick(&upkeep, i > 0, now_ms + i * INT64_C(1000)), 0);
		add_block(bench, KIND_VIEW, 1000, 'a');
	}
	upkeep_forecast_words(&upkeep, words);
	assert_non_null(strstr(words, "the spool's share of view full in "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_a_large_file_with_little_in_it_is_wasteful),
		BENCH_TEST(test_a_drained_spool_is_compacted_at_most_every_few_minutes),
		BENCH_TEST(test_a_copy_that_can_not_be_made_is_counted_and_tried_again_later),
		BENCH_TEST(test_words_name_what_is_full_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
