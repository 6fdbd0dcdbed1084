/* Up to when the log is read: no promise too early, and one as soon as may be. */
#include "aggregator/log/horizon.h"
#include "log_world.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct log_world *world;
static struct horizon horizon;
static int64_t until_ms;

static int set_up(void **state)
{
	(void)state;
	world = new_log_world();
	open_store(world, ROOMY_MAP);
	horizon = (struct horizon){0};
	until_ms = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free_log_world(world);
	return 0;
}

static bool look(int64_t now_ms)
{
	return horizon_look(&horizon, world->pipeline, now_ms, &until_ms);
}

static bool observe(int64_t now_ms)
{
	assert_int_equal(observe_log(world), 0);
	return look(now_ms);
}

/* The answer taken at 2000 may be of a question that was asked before 1000; the one taken at 4000 is not. */
static void test_an_end_counts_for_what_lay_there_when_it_was_asked_for(void **state)
{
	(void)state;
	log_order(world, 1, "tea");
	assert_false(look(500));
	assert_false(observe(1000));
	read_log(world);
	assert_false(look(1500));
	assert_false(observe(2000));
	assert_false(observe(3000));
	assert_true(observe(4000));
	assert_int_equal(until_ms, 1000);
	assert_false(look(4500)); /* said once */
}

static void test_nothing_is_promised_before_it_is_read(void **state)
{
	(void)state;
	assert_false(observe(1000));
	assert_false(observe(2000));
	int64_t begun_at = world->started_at;
	(void)begun_at;
	assert_false(observe(3000));
	log_order(world, 1, "tea");
	assert_false(observe(4000)); /* its end is 1 now, and what is read is 0 */
	log_order(world, 2, "tea");
	assert_false(observe(5000)); /* the first promise is kept first */
	take_one(world, 0);
	assert_true(look(5100));
	assert_int_equal(until_ms, 1000);
	assert_false(observe(6000));
	take_one(world, 1);
	assert_true(look(6100));
	assert_int_equal(until_ms, 3000);
}

static void test_what_one_pipeline_read_says_nothing_of_the_next(void **state)
{
	struct pipeline other = {.observed = 9};

	(void)state;
	log_order(world, 1, "tea");
	for (int64_t now_ms = 1000; now_ms <= 4000; now_ms += 1000) {
		assert_false(observe(now_ms)); /* open: nothing is read */
	}
	assert_false(horizon_look(&horizon, &other, 5000, &until_ms));
	assert_int_equal(until_ms, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_end_counts_for_what_lay_there_when_it_was_asked_for),
		TEST(test_nothing_is_promised_before_it_is_read),
		TEST(test_what_one_pipeline_read_says_nothing_of_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
