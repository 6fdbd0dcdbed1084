/* What becomes of messages: delivered once, acknowledged when durable, in order, and never stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/edge/mqtt_world.h"

/* QoS 2, id 5: "a" = "x" */
#define PUBLISH_5 "34 07 00 01 61 00 05 00 78"
#define PUBLISH_5_DUP "3c 07 00 01 61 00 05 00 78"
#define PUBLISH_5_OTHER "34 07 00 01 61 00 05 00 79"

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

static void come_up(void)
{
	world_begin(&world);
	world_come_up(&world, false);
	buffer_clear(&world.sent);
}

static void come_up_old(void)
{
	world.options.protocol = MQTT_PROTOCOL_3_1_1;
	come_up();
}

static void durable(uint64_t number)
{
	mqtt_session_durable(world.session, number);
	world_expect(&world, MQTT_ORDER_WAIT);
}

static void reconnect(void)
{
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	buffer_clear(&world.sent);
}

static const struct mqtt_session_counts *counts(void)
{
	return world_look(&world).counts;
}

/* The books, at any moment. */
static void check_books(void)
{
	const struct mqtt_session_counts *c = counts();

	assert_int_equal(c->publishes[0] + c->publishes[1] + c->publishes[2],
		c->delivered + c->too_large + c->malformed + c->repeats + c->retained_skipped);
}

/* The disk is slow, and the broker comes back without our session before anything is durable. */
static void test_a_lost_session_waits_for_room_among_what_is_pending(void **state)
{
	uint64_t first = 0;

	(void)state;
	come_up();
	for (int i = 0; i < MQTT_PENDING_MAX; i++) {
		world_hear(&world, "30 05 00 01 61 00 78");
		uint64_t number = world_take(&world);
		first = first == 0 ? number : first;
		world_expect(&world, MQTT_ORDER_WAIT);
	}
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_connect(&world, false);
	world_expect(&world, MQTT_ORDER_WAIT);
	mqtt_session_durable(world.session, first);
	world_forget(&world);
}

/* ---- QoS 0 and 1 */

static void test_qos_1_is_acknowledged_when_it_is_durable_and_not_before(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	uint64_t number = world_take(&world);
	assert_int_equal(world.order.publish.qos, 1);
	assert_true(slice_equals_text(world.order.publish.topic, "a"));
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "");
	assert_int_equal(world_look(&world).pending, 1);
	durable(number);
	world_sent(&world, "40 02 00 05");
	assert_int_equal(world_look(&world).pending, 0);
	assert_int_equal(counts()->delivered, 1);
	assert_int_equal(counts()->pubacks, 1);
	check_books();
}

static void test_the_payload_is_the_publishers(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 10 00 01 61 00 05 08 26 00 01 6b 00 02 76 76 78 79");
	world_expect(&world, MQTT_ORDER_DELIVER);
	const struct mqtt_publish *publish = &world.order.publish;
	struct slice rest = publish->properties, name, value;
	assert_true(slice_equals_text(publish->payload, "xy"));
	assert_int_equal(publish->payload_size, 2);
	assert_true(mqtt_next_user_property(&rest, &name, &value));
	assert_true(slice_equals_text(name, "k"));
	assert_true(slice_equals_text(value, "vv"));
	assert_false(mqtt_next_user_property(&rest, &name, &value));
}

static void test_acknowledgements_keep_the_order_of_the_messages(void **state)
{
	uint64_t numbers[3];

	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78"
			   "32 07 00 01 61 00 06 00 78"
			   "34 07 00 01 61 00 07 00 78");
	for (int i = 0; i < 3; i++) {
		numbers[i] = world_take(&world);
	}
	durable(numbers[2]);
	durable(numbers[1]);
	world_sent(&world, "");
	durable(numbers[0]);
	world_sent(&world, "40 02 00 05 40 02 00 06 50 02 00 07");
}

static void test_qos_0_is_delivered_and_bounded_and_not_acknowledged(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "30 05 00 01 61 00 78");
	uint64_t number = world_take(&world);
	assert_int_equal(world_look(&world).pending, 1);
	durable(number);
	world_sent(&world, "");
	assert_int_equal(world_look(&world).pending, 0);
}

static void test_messages_may_come_before_suback(void **state)
{
	(void)state;
	world_begin(&world);
	world_know_session(&world);
	world_connect(&world, true);
	world_expect(&world, MQTT_ORDER_WAIT);
	buffer_clear(&world.sent);
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	durable(world_take(&world));
	world_sent(&world, "40 02 00 05");
}

/* ---- back-pressure */

static void test_what_is_held_comes_again_and_nothing_is_read(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	for (int i = 0; i < 3; i++) {
		world_expect(&world, MQTT_ORDER_DELIVER);
		assert_true(slice_equals_text(world.order.publish.payload, "x"));
		mqtt_session_held(world.session, world.now_ms);
		world_expect(&world, MQTT_ORDER_WAIT);
		assert_false(world_reads(&world));
		assert_int_equal(world.order.wait_ms, MQTT_HOLD_MS);
		world_pass(&world, MQTT_HOLD_MS);
	}
	durable(world_take(&world));
	world_sent(&world, "40 02 00 05");
	assert_true(world_reads(&world));
	assert_int_equal(counts()->publishes[1], 1);
}

static void test_undurable_bytes_are_bounded(void **state)
{
	(void)state;
	world.options.pending_size_max = 3;
	come_up();
	world_hear(&world, "32 08 00 01 61 00 05 00 78 78"
			   "32 08 00 01 61 00 06 00 78 78");
	uint64_t number = world_take(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_false(world_reads(&world));
	assert_int_equal(world_look(&world).pending_size, 2);
	mqtt_session_durable(world.session, number);
	world_take(&world);
	assert_int_equal(world_look(&world).pending_size, 2);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_true(world_reads(&world));
}

static void test_one_message_may_always_be_taken(void **state)
{
	(void)state;
	world.options.pending_size_max = 0;
	come_up();
	world_hear(&world, "32 08 00 01 61 00 05 00 78 78");
	world_take(&world);
}

static void test_undurable_messages_are_bounded_in_number(void **state)
{
	uint64_t first = 0;

	(void)state;
	come_up();
	for (int i = 0; i < MQTT_PENDING_MAX; i++) {
		world_hear(&world, "30 05 00 01 61 00 78");
		uint64_t number = world_take(&world);
		first = i == 0 ? number : first;
	}
	world_hear(&world, "30 05 00 01 61 00 78");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_false(world_reads(&world));
	mqtt_session_durable(world.session, first);
	world_take(&world);
}

/* A disk that stands for an hour must not cost the connection: the broker hears pings and owes nothing. */
static void test_the_link_is_kept_while_nothing_is_read(void **state)
{
	(void)state;
	world.options.pending_size_max = 1;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78 32 07 00 01 61 00 06 00 78");
	uint64_t number = world_take(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	for (int i = 0; i < 80; i++) {
		assert_in_range(world.order.wait_ms, 1, 45000);
		world_pass(&world, world.order.wait_ms);
		world_expect(&world, MQTT_ORDER_WAIT);
	}
	assert_in_range(counts()->pings, 60, 80);
	buffer_clear(&world.sent);
	mqtt_session_durable(world.session, number);
	world_take(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "40 02 00 05");
	world_pass(&world, MQTT_ANSWER_MS);
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_int_equal(world_look(&world).end, MQTT_END_SILENCE);
}

/* mosquitto 2.0 counts a message of QoS 2 as done at PUBREC: ended for that, the connection would end so again and again. */
static void test_more_than_the_receive_maximum_is_taken_all_the_same(void **state)
{
	(void)state;
	world.options.receive_maximum = 1;
	come_up();
	world_hear(&world, "34 07 00 01 61 00 05 00 78 34 07 00 01 61 00 06 00 78");
	uint64_t number = world_take(&world);
	world_take(&world);
	durable(number);
	world_sent(&world, "50 02 00 05");
	world_hear(&world, "32 07 00 01 61 00 07 00 78");
	world_take(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(&world).state, MQTT_UP);
}

/* ---- QoS 2 */

static void test_qos_2_goes_its_four_ways(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	world_expect(&world, MQTT_ORDER_DELIVER);
	assert_int_equal(world.order.packet_id, 5);
	assert_int_equal(world.order.broker, 0);
	assert_true(world.order.fingerprint != 0);
	uint64_t number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "");
	durable(number);
	world_sent(&world, "50 02 00 05");
	assert_int_equal(world_look(&world).ids, 1);
	world_hear(&world, "62 02 00 05");
	world_expect(&world, MQTT_ORDER_RELEASE);
	assert_int_equal(world.order.packet_id, 5);
	number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, ""); /* not before the mark is gone */
	durable(number);
	world_sent(&world, "70 02 00 05");
	assert_int_equal(world_look(&world).ids, 0);
}

static void test_a_repeat_is_answered_and_not_delivered(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	durable(world_take(&world));
	reconnect();
	world_hear(&world, PUBLISH_5_DUP);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "50 02 00 05");
	assert_int_equal(counts()->repeats, 1);
	assert_int_equal(counts()->dups, 1);
	check_books();
}

static void test_a_repeat_waits_until_the_original_is_durable(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	uint64_t number = world_take(&world);
	reconnect();
	world_hear(&world, PUBLISH_5_DUP);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "");
	durable(number);
	world_sent(&world, "50 02 00 05"); /* once, for the new link */
}

static void test_a_repeat_is_known_after_a_restart(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	world_expect(&world, MQTT_ORDER_DELIVER);
	uint64_t fingerprint = world.order.fingerprint;
	world_deinit(&world);
	world_init(&world);
	world_begin(&world);
	world_know_session(&world);
	mqtt_session_remember(world.session, 0, 5, fingerprint);
	world_come_up(&world, true);
	world_hear(&world, PUBLISH_5_DUP);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "50 02 00 05");
	world_hear(&world, "62 02 00 05");
	world_expect(&world, MQTT_ORDER_RELEASE);
}

/* The broker was killed and has come back from a state in which id 5 was not used yet. */
static void test_another_message_under_a_remembered_id_is_delivered(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	durable(world_take(&world));
	reconnect();
	world_hear(&world, PUBLISH_5_OTHER);
	uint64_t number = world_take(&world);
	assert_true(slice_equals_text(world.order.publish.payload, "y"));
	assert_int_equal(counts()->ids_reused, 1);
	durable(number);
	assert_true(world_told(&world, "uses a packet id again"));
	world_sent(&world, "50 02 00 05");
	/* and is now what a repeat is compared with */
	reconnect();
	world_hear(&world, PUBLISH_5_OTHER);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(counts()->repeats, 1);
	check_books();
}

static void test_the_same_payload_to_another_topic_is_another_message(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	world_take(&world);
	world_hear(&world, "34 07 00 01 62 00 05 00 78");
	world_expect(&world, MQTT_ORDER_DELIVER);
}

static void test_the_ids_of_one_broker_say_nothing_about_anothers(void **state)
{
	(void)state;
	world.options.broker_count = 2;
	come_up();
	world_hear(&world, PUBLISH_5);
	durable(world_take(&world));
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, false);
	assert_int_equal(world_look(&world).broker, 1);
	world_hear(&world, PUBLISH_5);
	world_expect(&world, MQTT_ORDER_DELIVER);
	assert_int_equal(world.order.broker, 1);
}

static void test_a_pubrel_of_an_unknown_id_is_answered_so(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "62 02 00 09");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "70 03 00 09 92");
	assert_int_equal(counts()->releases_unknown, 1);
}

static void test_a_pubrel_of_an_unknown_id_is_answered_in_3_1_1(void **state)
{
	(void)state;
	come_up_old();
	world_hear(&world, "62 02 00 09");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "70 02 00 09");
}

/* The release is on its way to the disk when the link breaks; the broker repeats PUBREL on the next. */
static void test_a_repeated_pubrel_waits_for_the_first(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	durable(world_take(&world));
	world_hear(&world, "62 02 00 05");
	world_expect(&world, MQTT_ORDER_RELEASE);
	uint64_t number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	reconnect();
	world_hear(&world, "62 02 00 05");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "");
	durable(number);
	world_sent(&world, "70 03 00 05 92");
}

/* ---- what could not be kept */

static void test_what_could_not_be_kept_is_sent_again_and_delivered_again(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	uint64_t number = world_take(&world);
	assert_int_equal(mqtt_session_not_kept(world.session, number, world.now_ms), 0);
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_int_equal(world_look(&world).end, MQTT_END_NOT_KEPT);
	world_sent(&world, "e0 00");
	assert_int_equal(counts()->not_kept, 1);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	world_hear(&world, PUBLISH_5_DUP);
	world_expect(&world, MQTT_ORDER_DELIVER);
}

static void test_a_release_that_could_not_be_kept_leaves_the_id_known(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, PUBLISH_5);
	durable(world_take(&world));
	world_hear(&world, "62 02 00 05");
	world_expect(&world, MQTT_ORDER_RELEASE);
	uint64_t number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	assert_int_equal(mqtt_session_not_kept(world.session, number, world.now_ms), 0);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	assert_int_equal(world_look(&world).ids, 1);
	world_hear(&world, "62 02 00 05");
	world_expect(&world, MQTT_ORDER_RELEASE);
}

static void test_no_acknowledgement_passes_one_that_was_not_kept(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78 32 07 00 01 61 00 06 00 78");
	uint64_t first = world_take(&world);
	uint64_t second = world_take(&world);
	mqtt_session_durable(world.session, second);
	assert_int_equal(mqtt_session_not_kept(world.session, first, world.now_ms), 0);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_sent(&world, "e0 00");
}

static void test_a_forgetting_that_could_not_be_kept_is_done_again(void **state)
{
	(void)state;
	world_begin(&world);
	mqtt_session_remember(world.session, 0, 7, 1);
	world_connect(&world, false);
	world_expect(&world, MQTT_ORDER_FORGET);
	uint64_t number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	assert_int_equal(mqtt_session_not_kept(world.session, number, world.now_ms), 0);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_connect(&world, true);
	world_forget(&world);
	assert_int_equal(world_look(&world).ids, 0);
}

/* ---- the link breaks */

static void test_no_acknowledgement_goes_out_on_another_link(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	uint64_t number = world_take(&world);
	reconnect();
	durable(number);
	world_sent(&world, "");
	world_hear(&world, "3a 07 00 01 61 00 05 00 78");
	durable(world_take(&world));
	world_sent(&world, "40 02 00 05");
}

static void test_a_packet_cut_off_by_the_end_of_its_link_is_forgotten(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61");
	world_expect(&world, MQTT_ORDER_WAIT);
	reconnect();
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	world_take(&world);
}

static void test_a_delivery_that_was_held_when_the_link_broke_is_not_delivered(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	world_expect(&world, MQTT_ORDER_DELIVER);
	mqtt_session_held(world.session, world.now_ms);
	reconnect();
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(counts()->publishes[1], 0);
}

static void test_stopping_still_acknowledges_what_was_taken(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78 32 07 00 01 61 00 06 00 78");
	uint64_t number = world_take(&world);
	mqtt_session_stop(world.session, world.now_ms);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_false(world_reads(&world));
	mqtt_session_durable(world.session, number);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_sent(&world, "40 02 00 05 e0 00");
	assert_int_equal(world_look(&world).state, MQTT_STOPPED);
}

static void test_stopping_leaves_what_is_held_to_the_broker(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 61 00 05 00 78");
	world_expect(&world, MQTT_ORDER_DELIVER);
	mqtt_session_held(world.session, world.now_ms);
	mqtt_session_stop(world.session, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_sent(&world, "e0 00");
	assert_int_equal(counts()->publishes[1], 0);
}

/* ---- retained */

static void test_retained_messages_of_3_1_1_are_acknowledged_and_not_counted(void **state)
{
	(void)state;
	come_up_old();
	world_hear(&world, "33 06 00 01 61 00 05 78"
			   "35 06 00 01 61 00 06 78"
			   "31 04 00 01 61 78");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "40 02 00 05 50 02 00 06");
	assert_int_equal(counts()->retained_skipped, 3);
	assert_true(world_told(&world, "sends retained messages"));
	check_books();
	world_hear(&world, "62 02 00 06");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "70 02 00 06");
	/* what is published now comes without the flag */
	world_hear(&world, "32 06 00 01 61 00 07 78");
	world_take(&world);
}

static void test_retained_messages_of_a_new_session_may_be_taken(void **state)
{
	(void)state;
	world.options.retained = MQTT_RETAINED_TAKE_NEW;
	come_up_old();
	world_hear(&world, "33 06 00 01 61 00 05 78");
	durable(world_take(&world));
	reconnect();
	world_hear(&world, "33 06 00 01 61 00 05 78");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(counts()->retained_skipped, 1);
	assert_int_equal(counts()->delivered, 1);
}

static void test_mqtt_5_was_told_and_is_believed(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "33 07 00 01 61 00 05 00 78");
	world_take(&world);
}

/* ---- too large, malformed */

static void hear_large(uint8_t first, size_t payload_size)
{
	static const uint8_t start[] = {0, 1, 'a', 0, 5, 0};
	size_t body_size = sizeof start + payload_size;
	uint8_t *packet = malloc(5 + body_size);

	assert_non_null(packet);
	packet[0] = first;
	packet[1] = (uint8_t)(body_size | 0x80);
	packet[2] = (uint8_t)(body_size >> 7 | 0x80);
	packet[3] = (uint8_t)(body_size >> 14 | 0x80);
	packet[4] = (uint8_t)(body_size >> 21);
	memcpy(packet + 5, start, sizeof start);
	memset(packet + 5 + sizeof start, 'p', payload_size);
	if (!world_reads(&world)) {
		world_expect(&world, MQTT_ORDER_WAIT);
	}
	world_hear_bytes(&world, slice_of(packet, 5 + body_size));
	free(packet);
}

static void test_a_message_too_large_is_delivered_as_such_and_acknowledged(void **state)
{
	(void)state;
	come_up();
	hear_large(0x34, 5 * MQTT_PACKET_SIZE_LEAST);
	uint64_t number = world_take(&world);
	assert_int_equal(world.order.problem, MQTT_PROBLEM_TOO_LARGE);
	assert_int_equal(world.order.publish.payload_size, 5 * MQTT_PACKET_SIZE_LEAST);
	assert_in_range(world.order.publish.payload.size, 127 * 1024, MQTT_KEPT_SIZE);
	durable(number);
	world_sent(&world, "50 02 00 05");
	assert_int_equal(counts()->too_large, 1);
	check_books();
	reconnect();
	hear_large(0x3c, 5 * MQTT_PACKET_SIZE_LEAST); /* the same again */
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(counts()->repeats, 1);
}

/* The broker would send it for ever: the second time it is taken as a dead letter. */
static void test_a_malformed_message_is_refused_once_and_then_delivered_as_such(void **state)
{
	(void)state;
	world.options.broker_count = 2;
	come_up();
	world_hear(&world, "32 07 00 01 ff 00 05 00 78");
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_sent(&world, "e0 01 81");
	assert_int_equal(world_look(&world).end, MQTT_END_MALFORMED);
	assert_true(world_told(&world, "if the same message comes again it becomes a dead letter"));
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	assert_int_equal(world_look(&world).broker, 0); /* with the broker that has it */
	buffer_clear(&world.sent);
	world_hear(&world, "3a 07 00 01 ff 00 05 00 78 3a 07 00 01 2b 00 06 00 79");
	uint64_t number = world_take(&world);
	assert_int_equal(world.order.problem, MQTT_PROBLEM_MALFORMED);
	assert_int_equal(world.order.error, MQTT_E_TEXT);
	assert_true(slice_equals_text(world.order.publish.payload, "x"));
	uint64_t other = world_take(&world);
	assert_int_equal(world.order.error, MQTT_E_TOPIC);
	durable(number);
	durable(other);
	world_sent(&world, "40 02 00 05 40 02 00 06");
	assert_int_equal(counts()->malformed, 2);
	check_books();
}

static void test_a_later_malformed_message_is_refused_first_again(void **state)
{
	(void)state;
	come_up();
	world_hear(&world, "32 07 00 01 ff 00 05 00 78");
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	reconnect();
	world_hear(&world, "32 07 00 01 ff 00 05 00 78");
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_int_equal(counts()->ends[MQTT_END_MALFORMED], 2);
}

static void test_a_message_that_can_not_be_acknowledged_is_never_delivered(void **state)
{
	(void)state;
	come_up();
	for (int i = 0; i < 3; i++) {
		world_hear(&world, "32 07 00 01 61 00 00 00 78"); /* id 0 */
		world_expect(&world, MQTT_ORDER_CLOSE);
		world_pass(&world, MQTT_RETRY_MS_MAX);
		world_come_up(&world, true);
	}
	assert_int_equal(counts()->publishes[1], 0);
	assert_int_equal(counts()->ends[MQTT_END_MALFORMED], 3);
}

static void test_acknowledgements_of_publishes_are_out_of_place(void **state)
{
	static const char *const packets[] = {
		"40 02 00 01", "50 02 00 01", "70 02 00 01", "b0 04 00 01 00 00", "f0 00"};

	(void)state;
	come_up();
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
		world_hear(&world, packets[i]);
		world_expect(&world, MQTT_ORDER_CLOSE);
		world_sent(&world, "e0 01 82");
		assert_int_equal(world_look(&world).end, MQTT_END_PROTOCOL);
		world_pass(&world, MQTT_RETRY_MS_MAX);
		world_come_up(&world, true);
		buffer_clear(&world.sent);
	}
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(test_a_lost_session_waits_for_room_among_what_is_pending),
		UNIT(test_qos_1_is_acknowledged_when_it_is_durable_and_not_before),
		UNIT(test_the_payload_is_the_publishers),
		UNIT(test_acknowledgements_keep_the_order_of_the_messages),
		UNIT(test_qos_0_is_delivered_and_bounded_and_not_acknowledged),
		UNIT(test_messages_may_come_before_suback),
		UNIT(test_what_is_held_comes_again_and_nothing_is_read),
		UNIT(test_undurable_bytes_are_bounded),
		UNIT(test_one_message_may_always_be_taken),
		UNIT(test_undurable_messages_are_bounded_in_number),
		UNIT(test_the_link_is_kept_while_nothing_is_read),
		UNIT(test_more_than_the_receive_maximum_is_taken_all_the_same),
		UNIT(test_qos_2_goes_its_four_ways),
		UNIT(test_a_repeat_is_answered_and_not_delivered),
		UNIT(test_a_repeat_waits_until_the_original_is_durable),
		UNIT(test_a_repeat_is_known_after_a_restart),
		UNIT(test_another_message_under_a_remembered_id_is_delivered),
		UNIT(test_the_same_payload_to_another_topic_is_another_message),
		UNIT(test_the_ids_of_one_broker_say_nothing_about_anothers),
		UNIT(test_a_pubrel_of_an_unknown_id_is_answered_so),
		UNIT(test_a_pubrel_of_an_unknown_id_is_answered_in_3_1_1),
		UNIT(test_a_repeated_pubrel_waits_for_the_first),
		UNIT(test_what_could_not_be_kept_is_sent_again_and_delivered_again),
		UNIT(test_a_release_that_could_not_be_kept_leaves_the_id_known),
		UNIT(test_no_acknowledgement_passes_one_that_was_not_kept),
		UNIT(test_a_forgetting_that_could_not_be_kept_is_done_again),
		UNIT(test_no_acknowledgement_goes_out_on_another_link),
		UNIT(test_a_packet_cut_off_by_the_end_of_its_link_is_forgotten),
		UNIT(test_a_delivery_that_was_held_when_the_link_broke_is_not_delivered),
		UNIT(test_stopping_still_acknowledges_what_was_taken),
		UNIT(test_stopping_leaves_what_is_held_to_the_broker),
		UNIT(test_retained_messages_of_3_1_1_are_acknowledged_and_not_counted),
		UNIT(test_retained_messages_of_a_new_session_may_be_taken),
		UNIT(test_mqtt_5_was_told_and_is_believed),
		UNIT(test_a_message_too_large_is_delivered_as_such_and_acknowledged),
		UNIT(test_a_malformed_message_is_refused_once_and_then_delivered_as_such),
		UNIT(test_a_later_malformed_message_is_refused_first_again),
		UNIT(test_a_message_that_can_not_be_acknowledged_is_never_delivered),
		UNIT(test_acknowledgements_of_publishes_are_out_of_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
