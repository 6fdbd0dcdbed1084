/* Which blocks wait, and which go next, in virtual time. */
#include "edge/backlog.h"
#include "fixture.h"

struct bench {
	struct backlog backlog;
	int64_t now_ms;
};

static int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	bench->now_ms = 1000000;
	backlog_init(&bench->backlog, bench->now_ms);
	*state = bench;
	return 0;
}

static int drop_bench(void **state)
{
	free(*state);
	return 0;
}

static void grow(struct bench *bench, uint64_t end)
{
	backlog_grow(&bench->backlog, end, end);
}

static void pass_time(struct bench *bench, int64_t ms)
{
	for (int64_t until_ms = bench->now_ms + ms; bench->now_ms < until_ms;
		bench->now_ms += 1000) {
		backlog_look(&bench->backlog, bench->now_ms);
	}
	backlog_look(&bench->backlog, bench->now_ms);
}

static void expect(const struct bench *bench, enum backlog_age age, uint64_t first)
{
	struct backlog_range range;
	assert_true(backlog_next(&bench->backlog, age, &range));
	assert_int_equal(range.first, first);
}

static void expect_none(const struct bench *bench, enum backlog_age age)
{
	struct backlog_range range;
	assert_false(backlog_next(&bench->backlog, age, &range));
}

static void test_what_was_just_committed_is_live(void **state)
{
	struct bench *bench = *state;

	assert_true(backlog_is_empty(&bench->backlog));
	grow(bench, 5);
	expect(bench, BACKLOG_LIVE, 0);
	expect_none(bench, BACKLOG_OLD);
	backlog_take(&bench->backlog, 0, 4);
	assert_true(backlog_is_empty(&bench->backlog));
}

static void test_what_waits_too_long_is_old_and_what_comes_then_is_live(void **state)
{
	struct bench *bench = *state;

	grow(bench, 5);
	pass_time(bench, BACKLOG_LIVE_MS - 1000);
	expect_none(bench, BACKLOG_OLD);
	pass_time(bench, BACKLOG_LIVE_MS + 1000);
	expect(bench, BACKLOG_OLD, 0);
	expect_none(bench, BACKLOG_LIVE);
	grow(bench, 7);
	expect(bench, BACKLOG_LIVE, 5);
	assert_int_equal(bench->backlog.old_events, 5);
}

static void test_what_an_earlier_process_left_is_old(void **state)
{
	struct bench *bench = *state;

	backlog_inherit(&bench->backlog, 100, 42);
	expect(bench, BACKLOG_OLD, 0);
	expect_none(bench, BACKLOG_LIVE);
	assert_int_equal(bench->backlog.old_events, 42);
	grow(bench, 101);
	expect(bench, BACKLOG_LIVE, 100);
	pass_time(bench, 2 * BACKLOG_LIVE_MS); /* not sent all the time: it joins its neighbours */
	assert_int_equal(bench->backlog.count, 1);
	assert_int_equal(bench->backlog.ranges[0].last, 100);
}

/* A night without a bridge is one range, however many looks at it there were. */
static void test_a_long_outage_is_one_range(void **state)
{
	struct bench *bench = *state;

	for (uint64_t end = 1; end < 1000; end++) {
		grow(bench, end);
		pass_time(bench, 30000);
	}
	assert_int_equal(bench->backlog.count, 1);
	assert_int_equal(bench->backlog.ranges[0].first, 0);
}

static void test_what_came_back_is_live_while_it_is_young(void **state)
{
	struct bench *bench = *state;

	grow(bench, 10);
	backlog_take(&bench->backlog, 0, 9);
	backlog_return(&bench->backlog, 4, 6);
	backlog_return(&bench->backlog, 0, 1);
	expect(bench, BACKLOG_LIVE, 0);
	expect_none(bench, BACKLOG_OLD);
	grow(bench, 12);
	expect(bench, BACKLOG_LIVE, 0); /* before what was never sent */
	pass_time(bench, 2 * BACKLOG_LIVE_MS);
	expect(bench, BACKLOG_OLD, 0);
	expect_none(bench, BACKLOG_LIVE);
	backlog_take(&bench->backlog, 0, 1);
	expect(bench, BACKLOG_OLD, 4);
	backlog_take(&bench->backlog, 4, 5);
	expect(bench, BACKLOG_OLD, 6);
	backlog_take(&bench->backlog, 6, 6);
	expect(bench, BACKLOG_OLD, 10);
}

static void test_neighbours_that_come_back_are_one_range(void **state)
{
	struct bench *bench = *state;

	grow(bench, 100);
	backlog_take(&bench->backlog, 0, 99);
	backlog_return(&bench->backlog, 0, 9);
	backlog_return(&bench->backlog, 20, 29);
	assert_int_equal(bench->backlog.count, 2);
	backlog_return(&bench->backlog, 10, 19);
	assert_int_equal(bench->backlog.count, 1);
	assert_int_equal(bench->backlog.ranges[0].last, 29);
	assert_true(bench->backlog.ranges[0].sent);
}

/* Old and live ones leave at different times, so they stay apart. */
static void test_neighbours_of_different_age_stay_apart(void **state)
{
	struct bench *bench = *state;

	grow(bench, 10);
	backlog_take(&bench->backlog, 0, 4);
	pass_time(bench, 2 * BACKLOG_LIVE_MS); /* 5 … 9 are passed over */
	grow(bench, 20);
	backlog_take(&bench->backlog, 5, 9);
	backlog_take(&bench->backlog, 10, 19);
	backlog_return(&bench->backlog, 5, 9);
	backlog_return(&bench->backlog, 10, 19);
	expect(bench, BACKLOG_OLD, 5);
	expect(bench, BACKLOG_LIVE, 10);
}

static void test_a_range_without_blocks_is_skipped(void **state)
{
	struct bench *bench = *state;

	backlog_inherit(&bench->backlog, 10, 0);
	grow(bench, 12);
	backlog_skip(&bench->backlog, 0);
	expect_none(bench, BACKLOG_OLD);
	backlog_skip(&bench->backlog, 10);
	assert_true(backlog_is_empty(&bench->backlog));
}

/* A link that is slower than the tills: in each while something is sent, and the rest passed over. */
static void test_gaps_are_bounded_however_long_the_link_is_too_slow(void **state)
{
	struct bench *bench = *state;
	uint32_t gaps_max = 0;

	for (uint64_t end = 10; end <= 10 * 1000; end += 10) {
		struct backlog_range live;
		grow(bench, end);
		if (backlog_next(&bench->backlog, BACKLOG_LIVE, &live)) {
			backlog_take(&bench->backlog, live.first, live.first);
		}
		pass_time(bench, 3 * BACKLOG_LIVE_MS);
		gaps_max = bench->backlog.count > gaps_max ? bench->backlog.count : gaps_max;
	}
	assert_int_equal(gaps_max, BACKLOG_GAPS_MAX);
	expect(bench, BACKLOG_OLD, 1);
	expect(bench, BACKLOG_LIVE, bench->backlog.next); /* in their order from here on */
	struct backlog_range range;
	while (backlog_next(&bench->backlog, BACKLOG_OLD, &range)) {
		backlog_take(&bench->backlog, range.first, range.last);
	}
	pass_time(bench, BACKLOG_LIVE_MS); /* there is room for gaps again */
	assert_int_equal(bench->backlog.count, 1);
	expect_none(bench, BACKLOG_LIVE);
}

static void test_old_events_are_counted_until_acknowledged(void **state)
{
	struct bench *bench = *state;

	backlog_inherit(&bench->backlog, 10, 100);
	backlog_grow(&bench->backlog, 20, 200);
	backlog_take(&bench->backlog, 10, 19);
	backlog_forget(&bench->backlog, 19, 100); /* live ones */
	assert_int_equal(bench->backlog.old_events, 100);
	backlog_take(&bench->backlog, 0, 9);
	backlog_forget(&bench->backlog, 9, 100);
	assert_int_equal(bench->backlog.old_events, 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_what_was_just_committed_is_live),
		BENCH_TEST(test_what_waits_too_long_is_old_and_what_comes_then_is_live),
		BENCH_TEST(test_what_an_earlier_process_left_is_old),
		BENCH_TEST(test_a_long_outage_is_one_range),
		BENCH_TEST(test_what_came_back_is_live_while_it_is_young),
		BENCH_TEST(test_neighbours_that_come_back_are_one_range),
		BENCH_TEST(test_neighbours_of_different_age_stay_apart),
		BENCH_TEST(test_a_range_without_blocks_is_skipped),
		BENCH_TEST(test_gaps_are_bounded_however_long_the_link_is_too_slow),
		BENCH_TEST(test_old_events_are_counted_until_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
