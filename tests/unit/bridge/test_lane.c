#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/lane.h"
#include <cmocka.h>

static struct lane lane;
static struct lane_sight sight;

static int set_up(void **state)
{
	(void)state;
	sight = (struct lane_sight){
		.now_ms = 1000, .wall_ms = 500000, .is_connected = true, .is_idle = true};
	lane_init(&lane, sight.now_ms);
	lane_open(&lane, sight.now_ms);
	return 0;
}

static bool look_at(int64_t now_ms)
{
	sight.wall_ms += now_ms - sight.now_ms;
	sight.now_ms = now_ms;
	return lane_look(&lane, &sight);
}

static void test_a_new_lane_is_closed_until_its_topic_was_seen(void **state)
{
	(void)state;
	lane_init(&lane, 1000);
	assert_false(lane.is_open);
	assert_true(look_at(1000));
	assert_int_equal(lane_state(&lane, 1500).waiting_ms, 500);
	assert_true(lane_state(&lane, 1500).why.size > 0);
}

static void test_an_idle_lane_is_well_for_ever(void **state)
{
	(void)state;
	assert_false(look_at(1000000));
	assert_int_equal(lane_state(&lane, 1000000).waiting_ms, -1);
}

static void test_a_lane_without_reports_waits_and_says_since_when(void **state)
{
	(void)state;
	sight.is_idle = false;
	assert_false(look_at(1000 + LANE_STALL_MS - 1));
	assert_true(look_at(1000 + LANE_STALL_MS));
	int64_t since_ms = sight.wall_ms;
	assert_false(look_at(10000));
	struct wire_lane_state seen = lane_state(&lane, 10000);
	assert_int_equal(seen.waiting_ms, 10000 - 1000 - LANE_STALL_MS);
	assert_int_equal(seen.since_ms, since_ms);
	assert_true(slice_equals_text(seen.why, "Kafka does not confirm"));
}

static void test_a_delivery_ends_the_wait(void **state)
{
	(void)state;
	sight.is_idle = false;
	look_at(10000);
	lane_delivered(&lane, 10001);
	assert_true(look_at(10002));
	assert_int_equal(lane_state(&lane, 10002).waiting_ms, -1);
}

static void test_every_lane_waits_while_kafka_is_away(void **state)
{
	(void)state;
	sight.is_connected = false;
	assert_true(look_at(2000));
	assert_true(slice_equals_text(lane_state(&lane, 2000).why, "Kafka can not be reached"));
	sight.is_connected = true;
	assert_true(look_at(3000));
}

/* Rights to write are not seen in metadata: the topic looks well and refuses all the same. */
static void test_a_topic_that_refused_is_shut_for_a_while_and_doubted_until_it_takes(void **state)
{
	(void)state;
	lane_refuse(&lane, "no rights", 1000);
	lane_open(&lane, 1001);
	assert_false(lane.is_open);
	lane_open(&lane, 1000 + LANE_REFUSED_MS);
	assert_true(lane.is_open);
	assert_true(look_at(1000 + LANE_REFUSED_MS));
	assert_true(slice_equals_text(lane_state(&lane, 7000).why, "no rights"));
	lane_delivered(&lane, 7000);
	assert_true(look_at(7001));
	assert_int_equal(lane_state(&lane, 7001).waiting_ms, -1);
}

static void test_the_wait_before_a_retry_grows_and_is_bounded(void **state)
{
	(void)state;
	uint32_t well_ms = lane_retry_after_ms(&lane, 1000);
	lane_close(&lane, "gone");
	look_at(1000);
	assert_int_equal(lane_retry_after_ms(&lane, 1000), well_ms);
	assert_true(lane_retry_after_ms(&lane, 3000) > well_ms);
	assert_int_equal(lane_retry_after_ms(&lane, 1000000), 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_new_lane_is_closed_until_its_topic_was_seen, set_up),
		cmocka_unit_test_setup(test_an_idle_lane_is_well_for_ever, set_up),
		cmocka_unit_test_setup(
			test_a_lane_without_reports_waits_and_says_since_when, set_up),
		cmocka_unit_test_setup(test_a_delivery_ends_the_wait, set_up),
		cmocka_unit_test_setup(test_every_lane_waits_while_kafka_is_away, set_up),
		cmocka_unit_test_setup(
			test_a_topic_that_refused_is_shut_for_a_while_and_doubted_until_it_takes,
			set_up),
		cmocka_unit_test_setup(test_the_wait_before_a_retry_grows_and_is_bounded, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
