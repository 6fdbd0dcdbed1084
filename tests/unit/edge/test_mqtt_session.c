/* The life of a connection to an MQTT broker: greeting, subscribing, keep alive, ends and attempts. */
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

static void greet(void)
{
	world_expect(&world, MQTT_ORDER_OPEN);
	mqtt_session_connected(world.session, world.now_ms);
	world_expect(&world, MQTT_ORDER_WAIT);
}

static void expect_end(enum mqtt_end end)
{
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_int_equal(world_look(&world).end, end);
	assert_int_equal(world_look(&world).state, MQTT_DOWN);
}

/* ---- greeting */

static void test_connect_asks_for_a_session_that_never_expires(void **state)
{
	(void)state;
	world_begin(&world);
	greet();
	world_sent(&world, "10 19 00 04 4d 51 54 54 05 00 00 3c"
			   "08 11 ff ff ff ff 21 00 0a"
			   "00 04 65 64 67 65");
	assert_int_equal(world_look(&world).state, MQTT_GREETING);
}

static void test_connect_of_3_1_1_keeps_its_session_too(void **state)
{
	(void)state;
	world.options.protocol = MQTT_PROTOCOL_3_1_1;
	world.options.user = slice_of_text("u");
	world.options.password = slice_of_text("pw");
	world_begin(&world);
	greet();
	world_sent(&world,
		"10 17 00 04 4d 51 54 54 04 c0 00 3c 00 04 65 64 67 65 00 01 75 00 02 70 77");
}

static void test_a_new_session_is_subscribed_after_all_ids_are_durably_forgotten(void **state)
{
	(void)state;
	world_begin(&world);
	mqtt_session_remember(world.session, 0, 7, 1);
	mqtt_session_remember(world.session, 0, 300, 2);
	world_connect(&world, false);
	world_expect(&world, MQTT_ORDER_FORGET);
	assert_int_equal(mqtt_session_next_id(world.session, world.order.broker, 0), 7);
	assert_int_equal(mqtt_session_next_id(world.session, world.order.broker, 7), 300);
	assert_int_equal(mqtt_session_next_id(world.session, world.order.broker, 300), 0);
	uint64_t number = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "");
	assert_false(world_reads(&world));
	mqtt_session_durable(world.session, number);
	world_expect(&world, MQTT_ORDER_WAIT);
	/* QoS 2, and no retained messages */
	world_sent(&world, "82 15 00 01 00 00 0f 73 74 6f 72 65 73 2f 2b 2f 6f 72 64 65 72 73 22");
	assert_int_equal(world_look(&world).ids, 0);
	assert_int_equal(world_look(&world).counts->forgotten_ids, 2);
}

static void test_a_kept_session_keeps_its_ids_and_is_subscribed_again(void **state)
{
	(void)state;
	world_begin(&world);
	world_know_session(&world);
	mqtt_session_remember(world.session, 0, 7, 1);
	world_connect(&world, true);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "82 15 00 01 00 00 0f 73 74 6f 72 65 73 2f 2b 2f 6f 72 64 65 72 73 22");
	assert_int_equal(world_look(&world).ids, 1);
	assert_int_equal(world_look(&world).counts->sessions_lost, 0);
}

static void test_a_session_that_the_broker_has_lost_is_said(void **state)
{
	(void)state;
	world_begin(&world);
	world_know_session(&world);
	world_connect(&world, false);
	world_forget(&world);
	assert_true(world_told(&world, "has lost our session"));
	assert_int_equal(world_look(&world).counts->sessions_lost, 1);
}

static void test_the_first_session_with_a_broker_is_no_loss(void **state)
{
	(void)state;
	world_begin(&world);
	world_connect(&world, false);
	world_forget(&world);
	assert_false(world_told(&world, "has lost our session"));
	assert_int_equal(world_look(&world).counts->sessions_lost, 0);
}

/* Two forgettings are on their way to the disk, of two connections; the second says nothing about what came between. */
static void test_a_forgetting_that_comes_late_forgets_nothing_new(void **state)
{
	(void)state;
	world_begin(&world);
	world_connect(&world, false);
	world_expect(&world, MQTT_ORDER_FORGET);
	uint64_t first = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_connect(&world, true);
	world_expect(&world, MQTT_ORDER_FORGET);
	uint64_t second = world.order.number;
	assert_int_equal(mqtt_session_taken(world.session), 0);
	mqtt_session_durable(world.session, first);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_hear(&world, "34 07 00 01 61 00 05 00 78");
	world_take(&world);
	mqtt_session_durable(world.session, second);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(&world).ids, 1);
}

/* The link breaks before the forgetting is durable; the broker has by then a session of ours, the new one. */
static void test_ids_are_forgotten_even_if_the_link_breaks_meanwhile(void **state)
{
	(void)state;
	world_begin(&world);
	mqtt_session_remember(world.session, 0, 7, 1);
	world_connect(&world, false);
	world_expect(&world, MQTT_ORDER_FORGET);
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_connect(&world, true);
	world_forget(&world);
	assert_int_equal(world_look(&world).ids, 0);
}

static void test_a_session_shorter_than_asked_for_is_said(void **state)
{
	(void)state;
	world_begin(&world);
	world_know_session(&world);
	greet();
	world_hear(&world, "20 08 01 00 05 11 00 00 0e 10");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_true(world_told(&world, "keeps our session for 3600 s only"));
}

/* ---- refusals */

static void refuse(const char *connack, const char *words)
{
	world_begin(&world);
	greet();
	world_hear(&world, connack);
	expect_end(MQTT_END_REFUSED);
	assert_true(world_told(&world, words));
}

static void test_wrong_credentials_say_what_to_check(void **state)
{
	(void)state;
	refuse("20 03 00 86 00", "refused the connection: bad user name or password (0x86): check "
				 "username and password_file");
	/* nobody will mend that soon */
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_true(world.order.wait_ms >= MQTT_RETRY_MS_MAX / 2);
}

static void test_old_return_codes_mean_the_same(void **state)
{
	(void)state;
	world.options.protocol = MQTT_PROTOCOL_3_1_1;
	refuse("20 02 00 05", "not authorized (0x87): give our user the right");
}

static void test_the_brokers_own_words_are_given_on(void **state)
{
	(void)state;
	refuse("20 09 00 97 06 1f 00 03 66 75 6c", "quota exceeded (0x97), ful");
}

static void test_a_broker_that_is_moved_names_the_other(void **state)
{
	(void)state;
	refuse("20 0a 00 9d 07 1c 00 04 62 3a 31 38",
		"server moved (0x9d); it names b:18: put that "
		"server into brokers");
}

static void test_mqtt_5_only_is_refused_by_an_old_broker_with_advice(void **state)
{
	(void)state;
	refuse("20 02 00 01", "unsupported protocol version (0x84): set version = 3.1.1");
}

static void test_auto_falls_back_to_3_1_1_at_once(void **state)
{
	(void)state;
	world.options.protocol = MQTT_PROTOCOL_AUTO;
	world_begin(&world);
	greet();
	world_hear(&world, "20 02 00 01");
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_true(world_told(&world, "does not speak MQTT 5"));
	world_come_up(&world, false);
	assert_int_equal(world_look(&world).version, MQTT_VERSION_3_1_1);
	/* and stays with it */
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	assert_int_equal(world_look(&world).version, MQTT_VERSION_3_1_1);
}

static void hang_up_on_connect(void)
{
	greet();
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
}

static void test_auto_tries_3_1_1_with_a_broker_that_hangs_up_on_5(void **state)
{
	(void)state;
	world.options.protocol = MQTT_PROTOCOL_AUTO;
	world_begin(&world);
	for (int i = 0; i < 3; i++) {
		hang_up_on_connect();
		assert_int_equal(world_look(&world).version, MQTT_VERSION_5);
	}
	world_come_up(&world, false);
	assert_int_equal(world_look(&world).version, MQTT_VERSION_3_1_1);
	mqtt_session_lost(world.session, NULL, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_come_up(&world, true);
	assert_int_equal(world_look(&world).version, MQTT_VERSION_5);
}

static void test_nothing_may_come_before_connack(void **state)
{
	(void)state;
	world_begin(&world);
	greet();
	buffer_clear(&world.sent);
	world_hear(&world, "30 05 00 01 61 00 78");
	expect_end(MQTT_END_PROTOCOL);
	world_sent(&world, "e0 01 82");
	assert_true(world_told(&world, "PUBLISH before CONNACK"));
}

static void test_a_second_connack_is_out_of_place(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	world_hear(&world, "20 03 00 00 00");
	expect_end(MQTT_END_PROTOCOL);
	world_sent(&world, "e0 01 82");
}

/* ---- subscribing */

static void subscribe_two(const char *suback)
{
	static struct slice filters[2];

	filters[0] = slice_of_text("a");
	filters[1] = slice_of_text("b/#");
	world.options.filters = filters;
	world.options.filter_count = 2;
	world.options.qos = 1;
	world_begin(&world);
	world_connect(&world, false);
	world_forget(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "82 0d 00 01 00 00 01 61 21 00 03 62 2f 23 21");
	world_hear(&world, suback);
}

static void test_granted_filters_make_it_up(void **state)
{
	(void)state;
	subscribe_two("90 05 00 01 00 01 01");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(&world).state, MQTT_UP);
	assert_true(world_look(&world).subscribed);
	assert_true(world_told(
		&world, "connected with MQTT 5, 2 of 2 subscriptions at QoS 1, a new session"));
}

static void test_a_refused_filter_is_said_and_asked_for_again(void **state)
{
	(void)state;
	subscribe_two("90 05 00 01 00 01 87");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world_look(&world).state, MQTT_UP);
	assert_false(world_look(&world).subscribed);
	assert_int_equal(world_look(&world).counts->filters_refused, 1);
	assert_true(world_told(
		&world, "refuses the subscription of b/#: not authorized (0x87): give our user"));
	buffer_clear(&world.sent);
	world_hear(&world, "d0 00");
	world_pass(&world, MQTT_RESUBSCRIBE_MS - 1);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.order.wait_ms, 1);
	buffer_clear(&world.sent);
	world_pass(&world, 1);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "82 09 00 02 00 00 03 62 2f 23 21");
	world_hear(&world, "90 04 00 02 00 01");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_true(world_look(&world).subscribed);
}

static void test_a_lower_qos_is_said(void **state)
{
	(void)state;
	subscribe_two("90 05 00 01 00 01 00");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_false(world_look(&world).subscribed);
	assert_int_equal(world_look(&world).counts->filters_lowered, 1);
	assert_true(world_told(
		&world, "grants the subscription of b/# QoS 0, not 1: messages of it may be lost"));
}

static void test_without_any_filter_the_connection_ends(void **state)
{
	(void)state;
	subscribe_two("90 05 00 01 00 9e 87");
	expect_end(MQTT_END_NO_SUBSCRIPTION);
	assert_true(
		world_told(&world, "refuses every subscription, of a because: shared subscriptions "
				   "not supported (0x9e)"));
}

static void test_a_suback_must_answer_our_subscribe(void **state)
{
	(void)state;
	subscribe_two("90 05 00 02 00 01 01");
	expect_end(MQTT_END_PROTOCOL);
}

static void test_a_suback_must_answer_each_filter(void **state)
{
	(void)state;
	subscribe_two("90 04 00 01 00 01");
	expect_end(MQTT_END_PROTOCOL);
}

static void test_a_broker_that_can_not_take_our_subscribe_is_left(void **state)
{
	(void)state;
	world_begin(&world);
	world_know_session(&world);
	greet();
	buffer_clear(&world.sent);
	world_hear(&world, "20 08 01 00 05 27 00 00 00 0a");
	expect_end(MQTT_END_NO_SUBSCRIPTION);
	world_sent(&world, "e0 00");
	assert_true(
		world_told(&world, "takes packets of 10 bytes at most, and our SUBSCRIBE has 23"));
}

static void test_retained_messages_are_asked_for_as_configured(void **state)
{
	(void)state;
	world.options.retained = MQTT_RETAINED_TAKE_NEW;
	world_begin(&world);
	world_connect(&world, false);
	world_forget(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.sent.bytes[world.sent.size - 1], 0x12);
	world_deinit(&world);
	world_init(&world);
	world.options.retained = MQTT_RETAINED_TAKE_ALL;
	world_begin(&world);
	world_connect(&world, false);
	world_forget(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.sent.bytes[world.sent.size - 1], 0x02);
}

/* ---- keep alive */

static void test_a_quiet_link_is_pinged_and_found_dead(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.order.wait_ms, 45000);
	world_pass(&world, 45000);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_sent(&world, "c0 00");
	assert_int_equal(world.order.wait_ms, MQTT_ANSWER_MS);
	world_pass(&world, MQTT_ANSWER_MS);
	expect_end(MQTT_END_SILENCE);
	assert_true(world_told(&world, "PINGRESP did not come within 10 s"));
}

static void test_an_answered_ping_keeps_the_link(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	for (int i = 0; i < 5; i++) {
		world_pass(&world, 45000);
		world_expect(&world, MQTT_ORDER_WAIT);
		world_sent(&world, "c0 00");
		world_hear(&world, "d0 00");
		world_expect(&world, MQTT_ORDER_WAIT);
		assert_int_equal(world.order.wait_ms, 45000);
	}
	assert_int_equal(world_look(&world).counts->pings, 5);
}

static void test_the_brokers_keep_alive_wins(void **state)
{
	(void)state;
	world_begin(&world);
	world_know_session(&world);
	greet();
	world_hear(&world, "20 06 01 00 03 13 00 04");
	world_expect(&world, MQTT_ORDER_WAIT);
	world_hear(&world, "90 04 00 01 00 02");
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.order.wait_ms, 3000);
}

static void test_connack_and_suback_are_owed(void **state)
{
	(void)state;
	world_begin(&world);
	greet();
	world_pass(&world, MQTT_ANSWER_MS);
	expect_end(MQTT_END_SILENCE);
	assert_true(world_told(&world, "CONNACK did not come"));
	world_pass(&world, MQTT_RETRY_MS_MAX);
	world_connect(&world, false);
	world_forget(&world);
	world_expect(&world, MQTT_ORDER_WAIT);
	world_pass(&world, MQTT_ANSWER_MS);
	expect_end(MQTT_END_SILENCE);
	assert_true(world_told(&world, "SUBACK did not come"));
}

static void test_a_link_that_takes_nothing_is_given_up(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	world.link_is_stuck = true;
	world_pass(&world, 45000);
	world_expect(&world, MQTT_ORDER_WAIT);
	for (int i = 0; i < 6; i++) {
		world_pass(&world, MQTT_WRITE_MS / 6);
		world_hear(&world, "d0 00"); /* it still talks */
		if (i < 5) {
			world_expect(&world, MQTT_ORDER_WAIT);
		}
	}
	expect_end(MQTT_END_SILENCE);
	assert_true(world_told(&world, "took nothing for 30 s"));
}

static void test_half_a_packet_sent_is_gone_on_with(void **state)
{
	struct mqtt_order order;

	(void)state;
	world_begin(&world);
	world_expect(&world, MQTT_ORDER_OPEN);
	mqtt_session_connected(world.session, world.now_ms);
	assert_int_equal(mqtt_session_step(world.session, world.now_ms, &order), 0);
	assert_int_equal(order.act, MQTT_ORDER_SEND);
	size_t size = order.bytes.size;
	mqtt_session_sent(world.session, 3, world.now_ms);
	assert_int_equal(mqtt_session_step(world.session, world.now_ms, &order), 0);
	assert_int_equal(order.act, MQTT_ORDER_WAIT);
	mqtt_session_writable(world.session);
	assert_int_equal(mqtt_session_step(world.session, world.now_ms, &order), 0);
	assert_int_equal(order.act, MQTT_ORDER_SEND);
	assert_int_equal(order.bytes.size, size - 3);
	assert_int_equal(order.bytes.bytes[0], 0x04); /* "0004 MQTT", its second byte */
}

/* ---- ends and attempts */

static void test_a_broker_that_can_not_be_reached_is_tried_more_and_more_slowly(void **state)
{
	int64_t longest = 0;

	(void)state;
	world_begin(&world);
	for (int i = 0; i < 12; i++) {
		world_expect(&world, MQTT_ORDER_OPEN);
		mqtt_session_lost(world.session, "Connection refused", world.now_ms);
		expect_end(MQTT_END_UNREACHABLE);
		world_expect(&world, MQTT_ORDER_WAIT);
		int64_t wait_ms = world.order.wait_ms;
		int64_t most_ms = (int64_t)MQTT_RETRY_MS_MIN << (i > 8 ? 8 : i);
		most_ms = most_ms > MQTT_RETRY_MS_MAX ? MQTT_RETRY_MS_MAX : most_ms;
		assert_in_range(wait_ms, most_ms / 2, most_ms);
		longest = wait_ms > longest ? wait_ms : longest;
		world_pass(&world, wait_ms);
	}
	assert_in_range(longest, MQTT_RETRY_MS_MAX / 2, MQTT_RETRY_MS_MAX);
	/* said once */
	assert_non_null(strstr(world.told, "can't be reached: Connection refused\n"));
	assert_null(strstr(strchr(world.told, '\n'), "refused"));
}

static void test_two_edges_do_not_come_back_in_one_moment(void **state)
{
	int64_t waits[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		world_init(&world);
		world.options.random = (uint64_t)i;
		world_begin(&world);
		for (int j = 0; j < 6; j++) {
			world_pass(&world, MQTT_RETRY_MS_MAX);
			world_expect(&world, MQTT_ORDER_OPEN);
			mqtt_session_lost(world.session, NULL, world.now_ms);
			world_expect(&world, MQTT_ORDER_CLOSE);
		}
		world_expect(&world, MQTT_ORDER_WAIT);
		waits[i] = world.order.wait_ms;
		world_deinit(&world);
	}
	assert_int_not_equal(waits[0], waits[1]);
	world_init(&world);
}

/* Two edges with one client id throw each other out, and not every broker says why. */
static void test_connections_that_break_soon_and_again_raise_a_question(void **state)
{
	(void)state;
	world_begin(&world);
	for (int i = 0; i < 2; i++) {
		world_come_up(&world, i > 0);
		assert_false(world_told(&world, "client_id"));
		mqtt_session_lost(world.session, NULL, world.now_ms);
		world_expect(&world, MQTT_ORDER_CLOSE);
		world_pass(&world, MQTT_RETRY_MS_MAX);
	}
	world_expect(&world, MQTT_ORDER_OPEN);
	assert_true(world_told(&world, "is another client using our client_id?"));
}

static void test_each_other_broker_is_tried_at_once(void **state)
{
	(void)state;
	world.options.broker_count = 3;
	world_begin(&world);
	for (uint32_t i = 0; i < 3; i++) {
		world_expect(&world, MQTT_ORDER_OPEN);
		assert_int_equal(world.order.broker, i);
		mqtt_session_lost(world.session, NULL, world.now_ms);
		expect_end(MQTT_END_UNREACHABLE);
	}
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_true(world.order.wait_ms > 0);
	world_pass(&world, world.order.wait_ms);
	world_expect(&world, MQTT_ORDER_OPEN);
	assert_int_equal(world.order.broker, 0);
}

static void test_a_connection_that_takes_too_long_is_given_up(void **state)
{
	(void)state;
	world_begin(&world);
	world_expect(&world, MQTT_ORDER_OPEN);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_int_equal(world.order.wait_ms, MQTT_CONNECT_MS);
	world_pass(&world, MQTT_CONNECT_MS);
	expect_end(MQTT_END_UNREACHABLE);
	/* what comes of it later is nothing */
	mqtt_session_connected(world.session, world.now_ms);
	assert_int_equal(world_look(&world).state, MQTT_DOWN);
}

static void test_a_steady_connection_begins_the_back_off_anew(void **state)
{
	(void)state;
	world_begin(&world);
	for (int i = 0; i < 9; i++) {
		world_expect(&world, MQTT_ORDER_OPEN);
		mqtt_session_lost(world.session, NULL, world.now_ms);
		expect_end(MQTT_END_UNREACHABLE);
		world_pass(&world, MQTT_RETRY_MS_MAX);
	}
	world_come_up(&world, false);
	world_pass(&world, MQTT_STEADY_MS);
	mqtt_session_lost(world.session, NULL, world.now_ms);
	expect_end(MQTT_END_DISCONNECTED);
	world_expect(&world, MQTT_ORDER_WAIT);
	assert_in_range(world.order.wait_ms, 0, MQTT_RETRY_MS_MIN);
}

static void test_the_brokers_disconnect_says_why(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	world_hear(&world, "e0 01 8e");
	expect_end(MQTT_END_DISCONNECT);
	assert_true(
		world_told(&world, "session taken over (0x8e): another client uses our client_id"));
	world_sent(&world, "");
}

static void test_a_malformed_packet_ends_the_connection_with_its_reason(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	world_hear(&world, "d1 00");
	expect_end(MQTT_END_MALFORMED);
	world_sent(&world, "e0 01 81");
	assert_true(world_told(&world, "sent what is not MQTT: a reserved bit is set"));
}

static void test_stopping_says_disconnect_and_closes(void **state)
{
	(void)state;
	world_begin(&world);
	world_come_up(&world, false);
	mqtt_session_stop(world.session, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	world_sent(&world, "e0 00");
	assert_int_equal(world_look(&world).state, MQTT_STOPPED);
	world_pass(&world, 100000);
	world_expect(&world, MQTT_ORDER_WAIT);
}

static void test_stopping_without_a_link_is_over_at_once(void **state)
{
	(void)state;
	world_begin(&world);
	mqtt_session_stop(world.session, world.now_ms);
	assert_int_equal(world_look(&world).state, MQTT_STOPPED);
	world_expect(&world, MQTT_ORDER_WAIT);
}

static void test_a_connection_attempt_is_given_up_when_stopping(void **state)
{
	(void)state;
	world_begin(&world);
	world_expect(&world, MQTT_ORDER_OPEN);
	mqtt_session_stop(world.session, world.now_ms);
	world_expect(&world, MQTT_ORDER_CLOSE);
	assert_int_equal(world_look(&world).state, MQTT_STOPPED);
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		UNIT(test_connect_asks_for_a_session_that_never_expires),
		UNIT(test_connect_of_3_1_1_keeps_its_session_too),
		UNIT(test_a_new_session_is_subscribed_after_all_ids_are_durably_forgotten),
		UNIT(test_a_kept_session_keeps_its_ids_and_is_subscribed_again),
		UNIT(test_a_session_that_the_broker_has_lost_is_said),
		UNIT(test_the_first_session_with_a_broker_is_no_loss),
		UNIT(test_ids_are_forgotten_even_if_the_link_breaks_meanwhile),
		UNIT(test_a_forgetting_that_comes_late_forgets_nothing_new),
		UNIT(test_a_session_shorter_than_asked_for_is_said),
		UNIT(test_wrong_credentials_say_what_to_check),
		UNIT(test_old_return_codes_mean_the_same),
		UNIT(test_the_brokers_own_words_are_given_on),
		UNIT(test_a_broker_that_is_moved_names_the_other),
		UNIT(test_mqtt_5_only_is_refused_by_an_old_broker_with_advice),
		UNIT(test_auto_falls_back_to_3_1_1_at_once),
		UNIT(test_auto_tries_3_1_1_with_a_broker_that_hangs_up_on_5),
		UNIT(test_nothing_may_come_before_connack),
		UNIT(test_a_second_connack_is_out_of_place),
		UNIT(test_granted_filters_make_it_up),
		UNIT(test_a_refused_filter_is_said_and_asked_for_again),
		UNIT(test_a_lower_qos_is_said),
		UNIT(test_without_any_filter_the_connection_ends),
		UNIT(test_a_suback_must_answer_our_subscribe),
		UNIT(test_a_suback_must_answer_each_filter),
		UNIT(test_a_broker_that_can_not_take_our_subscribe_is_left),
		UNIT(test_retained_messages_are_asked_for_as_configured),
		UNIT(test_a_quiet_link_is_pinged_and_found_dead),
		UNIT(test_an_answered_ping_keeps_the_link),
		UNIT(test_the_brokers_keep_alive_wins),
		UNIT(test_connack_and_suback_are_owed),
		UNIT(test_a_link_that_takes_nothing_is_given_up),
		UNIT(test_half_a_packet_sent_is_gone_on_with),
		UNIT(test_a_broker_that_can_not_be_reached_is_tried_more_and_more_slowly),
		UNIT(test_two_edges_do_not_come_back_in_one_moment),
		UNIT(test_connections_that_break_soon_and_again_raise_a_question),
		UNIT(test_each_other_broker_is_tried_at_once),
		UNIT(test_a_connection_that_takes_too_long_is_given_up),
		UNIT(test_a_steady_connection_begins_the_back_off_anew),
		UNIT(test_the_brokers_disconnect_says_why),
		UNIT(test_a_malformed_packet_ends_the_connection_with_its_reason),
		UNIT(test_stopping_says_disconnect_and_closes),
		UNIT(test_stopping_without_a_link_is_over_at_once),
		UNIT(test_a_connection_attempt_is_given_up_when_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
