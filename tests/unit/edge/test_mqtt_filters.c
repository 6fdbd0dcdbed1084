/* What an MQTT session holds from an earlier configuration: it is unsubscribed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/edge/mqtt_world.h"

static struct world world;

static int set_up(void **state)
{
	(void)state;
	world_init(&world);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_deinit(&world);
	return 0;
}

static uint64_t expect_note(const char *list, size_t size)
{
	world_expect(&world, MQTT_ORDER_NOTE);
	assert_int_equal(world.order.bytes.size, size);
	assert_memory_equal(world.order.bytes.bytes, list, size);
	uint64_t number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	world_expect(&world, MQTT_ORDER_WAIT);
	return number;
}

static void begin_with_filters(const char *list, size_t size)
{
	world_begin(&world);
	mqtt_session_remember(world.session, 0, 0, 0);
	mqtt_session_remember_filters(world.session, 0, slice_of(list, size));
	world_connect(&world, true);
}

static void test_a_new_session_is_noted_with_what_is_subscribed_in_it(void **state)
{
	(void)state;
	world_begin(&world);
	world_connect(&world, false);
	world_expect(&world, MQTT_ORDER_FORGET);
	assert_int_equal(world.order.bytes.size, 16);
	assert_memory_equal(world.order.bytes.bytes, "stores/+/orders", 16);
}

static void test_what_is_configured_no_more_is_unsubscribed(void **state)
{
	(void)state;
	begin_with_filters("old/#\0stores/+/orders", 22);
	world_expect(&world, MQTT_ORDER_WAIT); /* nothing to note: all of it is there */
	buffer_clear(&world.sent);
	world_hear(&world, "90 04 00 01 00 02");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "a2 0a ff ff 00 00 05 6f 6c 64 2f 23");
	assert_true(world_told(
		&world, "is told to drop 1 subscriptions that are configured no more: old/#"));
	world_hear(&world, "b0 04 ff ff 00 00");
	uint64_t number = expect_note("stores/+/orders", 16);
	mqtt_session_durable(world.session, number);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(&world).counts->filters_dropped, 1);
	/* and that was it */
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	world_sent(&world, "");
}

/* Else a crash would leave a subscription that nobody remembers. */
static void test_a_filter_is_on_disk_before_it_is_subscribed(void **state)
{
	(void)state;
	begin_with_filters("old/#", 6);
	uint64_t number = expect_note("old/#\0stores/+/orders", 22);
	world_sent(&world, "");
	mqtt_session_durable(world.session, number);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.sent.bytes[0], 0x82);
}

static void test_3_1_1_unsubscribes_without_reasons(void **state)
{
	(void)state;
	world.options.protocol = MQTT_PROTOCOL_3_1_1;
	begin_with_filters("old/#\0stores/+/orders", 22);
	world_expect(&world, MQTT_ORDER_WAIT);
	buffer_clear(&world.sent);
	world_hear(&world, "90 03 00 01 02");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "a2 09 ff ff 00 05 6f 6c 64 2f 23");
	world_hear(&world, "b0 02 ff ff");
	world_expect(&world, MQTT_ORDER_NOTE);
}

static void test_a_refused_unsubscribe_is_asked_again_at_the_next_connection(void **state)
{
	(void)state;
	begin_with_filters("old/#\0stores/+/orders", 22);
	world_hear(&world, "90 04 00 01 00 02");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_hear(&world, "b0 04 ff ff 00 87");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(&world).counts->filters_dropped, 0);
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	assert_true(world_told(&world, "is told to drop 1 subscriptions"));
}

static void test_unsuback_is_owed_and_must_answer(void **state)
{
	(void)state;
	begin_with_filters("old/#\0stores/+/orders", 22);
	world_hear(&world, "90 04 00 01 00 02");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.order.wait_ms, MQTT_ANSWER_MS);
	world_hear(&world, "b0 05 ff ff 00 00 00");
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_int_equal(world_look(&world).end, MQTT_END_PROTOCOL);
	assert_true(world_told(&world, "UNSUBACK that answers no UNSUBSCRIBE of ours"));
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(test_a_new_session_is_noted_with_what_is_subscribed_in_it),
		UNIT(test_what_is_configured_no_more_is_unsubscribed),
		UNIT(test_a_filter_is_on_disk_before_it_is_subscribed),
		UNIT(test_3_1_1_unsubscribes_without_reasons),
		UNIT(test_a_refused_unsubscribe_is_asked_again_at_the_next_connection),
		UNIT(test_unsuback_is_owed_and_must_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
