/* The sender in virtual time. */
#include "sender_bench.h"

/* ---- sessions */

static void test_nothing_is_sent_before_welcome(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 3, 30);
	greet(bench);
	bench->now_ms += 4000;
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, 1000); /* of the five seconds */
}

static void test_blocks_are_sent_in_order_and_removed_when_acknowledged(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 3, 30);
	open_session(bench);
	assert_int_equal(expect_block(bench, KIND_ORDER, 0), 1);
	assert_int_equal(expect_block(bench, KIND_ORDER, 1), 2);
	assert_int_equal(expect_block(bench, KIND_ORDER, 2), 3);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(sender_unacked_batches(&bench->sender), 3);
	assert_int_equal(bench->sender.lanes[KIND_ORDER].unacked_events, 30);

	hear_ack(bench, 2, 3);
	assert_int_equal(bench->removals.count, 1);
	assert_int_equal(bench->removals.ranges[0].first, 1);
	assert_int_equal(bench->removals.ranges[0].last, 2);
	assert_false(sender_is_drained(&bench->sender));
	hear_ack(bench, 1, 1);
	assert_true(sender_is_drained(&bench->sender));
	assert_int_equal(bench->sender.counts.events_acked[KIND_ORDER], 30);
	assert_int_equal(bench->sender.counts.batches_acked, 3);
}

static void test_one_message_may_acknowledge_many_ranges(void **state)
{
	struct bench *bench = *state;
	struct wire_range ranges[] = {{1, 1}, {3, 4}, {9, UINT64_MAX}};

	sender_set_end(&bench->sender, KIND_ORDER, 5, 50);
	open_session(bench);
	for (uint64_t i = 0; i < 5; i++) {
		expect_block(bench, KIND_ORDER, i);
	}
	struct wire_message message = ack(bench, ranges, 3);
	hear(bench, &message);
	assert_int_equal(sender_unacked_batches(&bench->sender), 2);
}

static void test_frames_of_another_session_are_ignored(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	struct wire_range range = {1, 1};
	struct wire_message message = ack(bench, &range, 1);
	message.session++;
	hear(bench, &message);
	assert_int_equal(sender_unacked_batches(&bench->sender), 1);
	assert_int_equal(bench->removals.count, 0);
	assert_int_equal(bench->sender.counts.stale_frames, 1);
	/* and it does not count as a sign of life */
	bench->now_ms += SENDER_SILENCE_MS;
	message.session++;
	hear(bench, &message);
	step(bench);
	assert_int_equal(bench->sender.end, SENDER_END_SILENCE);
}

static void test_a_second_welcome_changes_nothing(void **state)
{
	struct bench *bench = *state;

	open_session(bench);
	struct wire_message message = welcome(bench);
	message.welcome.credit[0] = 1;
	hear(bench, &message);
	assert_int_equal(bench->sender.lanes[0].credit, CREDIT);
	assert_int_equal(bench->sender.counts.stale_frames, 1);
}

/* Rule 4, rule 1: again, under the next numbers of the new session. */
static void test_what_a_session_left_is_sent_again_in_the_next(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 4, 40);
	open_session(bench);
	for (uint64_t i = 0; i < 3; i++) {
		expect_block(bench, KIND_ORDER, i);
	}
	hear_ack(bench, 2, 2);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	assert_int_equal(sender_unacked_batches(&bench->sender), 0);
	open_session(bench);
	assert_int_equal(expect_block(bench, KIND_ORDER, 0), 1);
	assert_int_equal(expect_block(bench, KIND_ORDER, 2), 2);
	assert_int_equal(expect_block(bench, KIND_ORDER, 3), 3);
	assert_int_equal(bench->sender.counts.batches_resent, 2);
	hear_ack(bench, 1, 3);
	assert_true(sender_is_drained(&bench->sender));
}

/* A range that was sent whole to one bridge may be too large for the next one. */
static void test_a_returned_range_may_leave_in_pieces(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 4, 40);
	open_session(bench);
	assert_int_equal(step(bench), SENDER_READ);
	struct sender_range all = {.first = 0, .last = 3, .bytes = 4000, .count = 40};
	sender_sent(&bench->sender, &bench->order, &all, bench->now_ms);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	open_session(bench);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.first, 0);
	assert_int_equal(bench->order.last, 3);
	struct sender_range half = {.first = 0, .last = 1, .bytes = 2000, .count = 20};
	sender_sent(&bench->sender, &bench->order, &half, bench->now_ms);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.first, 2);
	assert_int_equal(bench->order.last, 3);
	struct sender_range rest = {.first = 2, .last = 3, .bytes = 2000, .count = 20};
	sender_sent(&bench->sender, &bench->order, &rest, bench->now_ms);
	assert_int_equal(step(bench), SENDER_WAIT);
}

static void test_blocks_that_are_gone_are_passed_over(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 2, 20);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	assert_int_equal(step(bench), SENDER_READ);
	sender_skipped(&bench->sender, &bench->order);
	assert_int_equal(step(bench), SENDER_WAIT);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	open_session(bench);
	assert_int_equal(step(bench), SENDER_READ);
	sender_skipped(&bench->sender, &bench->order); /* deleted meanwhile */
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_true(sender_is_drained(&bench->sender));
}

/* ---- silence */

static void test_five_seconds_of_silence_end_a_session_that_is_owed_something(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	bench->now_ms += 3600000; /* nothing is owed: an idle session lasts */
	expect_block(bench, KIND_ORDER, 0);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, SENDER_SILENCE_MS);
	bench->now_ms += SENDER_SILENCE_MS - 1;
	struct wire_message message = {.type = WIRE_STATE, .session = bench->sender.session};
	message.state[0].waiting_ms = 4000;
	message.state[1].waiting_ms = -1;
	hear(bench, &message);
	assert_true(bench->sender.lanes[0].waiting);
	assert_false(bench->sender.lanes[1].waiting);
	bench->now_ms += SENDER_SILENCE_MS - 1;
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
	bench->now_ms += 1;
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(bench->sender.end, SENDER_END_SILENCE);
	assert_false(bench->sender.lanes[0].waiting);
}

static void test_a_bridge_that_never_welcomes_is_left_after_five_seconds(void **state)
{
	struct bench *bench = *state;

	greet(bench);
	bench->now_ms += SENDER_SILENCE_MS;
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(step(bench), SENDER_OPEN);
	assert_int_equal(bench->order.bridge, 1);
}

/* ---- several bridges */

static void test_a_bridge_that_does_not_connect_is_passed_over(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(step(bench), SENDER_OPEN);
	assert_int_equal(bench->order.bridge, 0);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, SENDER_CONNECT_MS);
	bench->now_ms += SENDER_CONNECT_MS;
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(step(bench), SENDER_OPEN);
	assert_int_equal(bench->order.bridge, 1);
	sender_disconnected(&bench->sender, bench->now_ms);
	assert_int_equal(bench->sender.end, SENDER_END_UNREACHABLE);
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(step(bench), SENDER_OPEN);
	assert_int_equal(bench->order.bridge, 2);
	sender_disconnected(&bench->sender, bench->now_ms);
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(step(bench), SENDER_WAIT); /* all were asked: now a pause */
	bench->now_ms += bench->order.wait_ms;
	assert_int_equal(step(bench), SENDER_OPEN);
	assert_int_equal(bench->order.bridge, 0);
}

static void test_attempts_become_rarer_until_something_is_acknowledged(void **state)
{
	struct bench *bench = *state;
	int64_t last_ms = 0;

	for (int i = 0; i < 20; i++) {
		while (step(bench) == SENDER_WAIT) {
			last_ms = bench->order.wait_ms;
			bench->now_ms += bench->order.wait_ms;
		}
		assert_int_equal(bench->order.act, SENDER_OPEN);
		sender_disconnected(&bench->sender, bench->now_ms);
		assert_int_equal(step(bench), SENDER_CLOSE);
	}
	assert_true(last_ms >= SENDER_RETRY_MS_MAX);
	assert_true(last_ms <= SENDER_RETRY_MS_MAX * 5 / 4);

	bench->now_ms += 10000;
	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	uint64_t number = expect_block(bench, KIND_ORDER, 0);
	hear_ack(bench, number, number);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	assert_int_equal(step(bench), SENDER_OPEN); /* at once */
}

static void test_failovers_are_counted_when_the_bridge_changes(void **state)
{
	struct bench *bench = *state;

	open_session(bench);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	open_session(bench);
	assert_int_equal(bench->sender.counts.sessions, 2);
	assert_int_equal(bench->sender.counts.failovers, 1);
}

static void test_a_bye_ends_the_session_and_the_next_bridge_is_tried(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	hear_bye(bench, BYE_NO_SESSION);
	assert_int_equal(bench->sender.end, SENDER_END_BYE);
	assert_int_equal(bench->sender.bye_code, BYE_NO_SESSION);
	assert_string_equal(bench->sender.end_words, "words");
	close_link(bench);
	open_session(bench);
	assert_int_equal(bench->sender.last_bridge, 1);
	expect_block(bench, KIND_ORDER, 0);
}

static void test_a_bye_without_session_is_for_this_one(void **state)
{
	struct bench *bench = *state;

	open_session(bench);
	struct wire_message message = {.type = WIRE_BYE, .session = 0};
	message.bye.code = BYE_BAD_FRAME;
	hear(bench, &message);
	assert_int_equal(bench->sender.state, SENDER_ENDING);
}

static void test_a_bridge_that_is_not_ready_is_left(void **state)
{
	struct bench *bench = *state;

	greet(bench);
	hear_bye(bench, BYE_NOT_READY);
	close_link(bench);
	assert_int_equal(bench->sender.bridge, 1);
}

static void test_a_replaced_session_is_a_conflict_of_ids(void **state)
{
	struct bench *bench = *state;

	open_session(bench);
	hear_bye(bench, BYE_REPLACED);
	assert_int_equal(bench->sender.counts.id_conflicts, 1);
}

/* Nothing will change by itself: such a bridge is asked again only now and then. */
static void test_a_bridge_that_forbids_us_is_asked_rarely(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 3; i++) {
		greet(bench);
		hear_bye(bench, BYE_FORBIDDEN);
		close_link(bench);
	}
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, SENDER_RETRY_MS_MAX);
}

static void test_garbage_is_answered_bye_bad_frame(void **state)
{
	struct bench *bench = *state;

	open_session(bench);
	sender_heard_garbage(&bench->sender, bench->now_ms);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.type, WIRE_BYE);
	assert_int_equal(bench->order.message.bye.code, BYE_BAD_FRAME);
	assert_int_equal(step(bench), SENDER_WAIT); /* it needs a moment to leave */
	assert_true(bench->order.wait_ms <= 100);
	bench->now_ms += bench->order.wait_ms;
	close_link(bench);
}

static void test_another_version_is_left(void **state)
{
	struct bench *bench = *state;

	greet(bench);
	struct wire_message message = welcome(bench);
	message.welcome.version = WIRE_VERSION + 1;
	hear(bench, &message);
	assert_int_equal(bench->sender.end, SENDER_END_VERSION);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.bye.code, BYE_WRONG_VERSION);
}

/* ---- NACK and lanes */

static void test_a_nack_pauses_its_lane_and_no_other(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 2, 20);
	sender_set_end(&bench->sender, KIND_VIEW, 1, 10);
	open_session(bench);
	assert_int_equal(expect_block(bench, KIND_ORDER, 0), 1);
	hear_nack(bench, 1, 1, NACK_TOPIC_REFUSED, 3000);
	expect_block(bench, KIND_VIEW, 0);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, 3000);
	bench->now_ms += 3000;
	assert_int_equal(expect_block(bench, KIND_ORDER, 0), 3); /* a new number */
	assert_int_equal(expect_block(bench, KIND_ORDER, 1), 4);
	assert_int_equal(bench->sender.counts.batches_nacked[NACK_TOPIC_REFUSED], 1);
}

static void test_a_nack_without_pause_does_not_spin(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	hear_nack(bench, 1, 1, NACK_DELIVERY_FAILED, 0);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, SENDER_NACK_MS_MIN);
}

static void test_lanes_take_turns(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 2, 20);
	sender_set_end(&bench->sender, KIND_CART, 2, 20);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_CART, 0);
	expect_block(bench, KIND_ORDER, 1);
	expect_block(bench, KIND_CART, 1);
}

/* ---- credit */

/* Rule 9. */
static void test_one_batch_may_fly_whatever_the_credit(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 3, 30);
	greet(bench);
	struct wire_message message = welcome(bench);
	message.welcome.credit[KIND_ORDER] = 0;
	hear(bench, &message);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.size_max, BATCH_SIZE_MAX);
	send_block(bench, 0, BATCH);
	assert_int_equal(step(bench), SENDER_WAIT);
	struct wire_range range = {1, 1};
	message = ack(bench, &range, 1);
	message.ack.credit[KIND_ORDER] = 0;
	hear(bench, &message);
	expect_block(bench, KIND_ORDER, 1);
	assert_int_equal(step(bench), SENDER_WAIT);
}

static void test_credit_bounds_what_is_unacknowledged(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 9, 90);
	greet(bench);
	struct wire_message message = welcome(bench);
	message.welcome.credit[KIND_ORDER] = 2500;
	hear(bench, &message);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_ORDER, 1);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.size_max, 500);
	sender_starved(&bench->sender, &bench->order); /* the next block has 1,000 */
	assert_int_equal(step(bench), SENDER_WAIT);
	hear_ack(bench, 1, 1);
	expect_block(bench, KIND_ORDER, 2);
}

static void test_a_smaller_batch_is_asked_for_where_the_bridge_wants_it(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	greet(bench);
	struct wire_message message = welcome(bench);
	message.welcome.batch_size_max = WIRE_BATCH_SIZE_LEAST;
	hear(bench, &message);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.size_max, WIRE_BATCH_SIZE_LEAST);
}

static void test_bookkeeping_is_bounded_when_blocks_are_tiny(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 10 * SENDER_FLIGHT_MAX, 100 * SENDER_FLIGHT_MAX);
	open_session(bench);
	for (uint64_t i = 0; i < SENDER_FLIGHT_MAX; i++) {
		assert_int_equal(step(bench), SENDER_READ);
		send_block(bench, i, 1);
	}
	assert_int_equal(step(bench), SENDER_WAIT);
	hear_nack(bench, 1, SENDER_FLIGHT_MAX, NACK_DELIVERY_FAILED, 100);
	bench->now_ms += 100;
	for (uint64_t i = 0; i < SENDER_FLIGHT_MAX; i++) {
		expect_block(bench, KIND_ORDER, i);
	}
	assert_int_equal(step(bench), SENDER_WAIT);
}

static void test_bookkeeping_is_bounded_when_what_came_back_leaves_in_pieces(void **state)
{
	struct bench *bench = *state;
	struct sender_range many = {.last = 99999, .bytes = 100000, .count = 100000};

	sender_set_end(&bench->sender, KIND_ORDER, 100000, 1000000);
	open_session(bench);
	assert_int_equal(step(bench), SENDER_READ);
	sender_sent(&bench->sender, &bench->order, &many, bench->now_ms);
	hear_nack(bench, 1, 1, NACK_DELIVERY_FAILED, 100);
	bench->now_ms += 100;
	for (uint64_t i = 0; i < SENDER_FLIGHT_MAX; i++) {
		expect_block(bench, KIND_ORDER, i);
	}
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(sender_unacked_batches(&bench->sender), SENDER_FLIGHT_MAX);
}

static void test_a_full_link_is_tried_again_in_a_moment(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	assert_int_equal(step(bench), SENDER_READ);
	sender_held(&bench->sender, bench->now_ms);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_in_range(bench->order.wait_ms, 1, 100);
	bench->now_ms += bench->order.wait_ms;
	expect_block(bench, KIND_ORDER, 0);
}

/* ---- rule 8 */

static void test_the_cluster_is_kept_at_the_first_ack(void **state)
{
	struct bench *bench = *state;

	sender_set_end(&bench->sender, KIND_ORDER, 2, 20);
	open_session(bench);
	assert_false(bench->sender.keep_cluster);
	expect_block(bench, KIND_ORDER, 0);
	hear_ack(bench, 1, 1);
	assert_true(bench->sender.keep_cluster);
	assert_string_equal(bench->sender.cluster, "C1");
	assert_int_equal(bench->sender.topics_hash, 5);
	bench->sender.keep_cluster = false;
	expect_block(bench, KIND_ORDER, 1);
	hear_ack(bench, 2, 2);
	assert_false(bench->sender.keep_cluster);
}

static void expect_refused_cluster(struct bench *bench)
{
	greet(bench);
	struct wire_message message = welcome(bench);
	hear(bench, &message);
	assert_int_equal(bench->sender.end, SENDER_END_CLUSTER);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.type, WIRE_BYE);
}

static void test_a_bridge_of_another_cluster_gets_nothing(void **state)
{
	struct bench *bench = *state;

	sender_set_cluster(&bench->sender, "C0", 5, NULL);
	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	expect_refused_cluster(bench);
	assert_int_equal(bench->sender.counts.batches_sent, 0);
}

static void test_other_topics_are_another_cluster(void **state)
{
	struct bench *bench = *state;
	sender_set_cluster(&bench->sender, "C1", 6, NULL);
	expect_refused_cluster(bench);
}

static void test_the_operator_may_accept_exactly_one_cluster(void **state)
{
	struct bench *bench = *state;

	sender_set_cluster(&bench->sender, "C0", 6, "C2");
	expect_refused_cluster(bench);
	sender_init(&bench->sender, 3, bench->now_ms);
	sender_set_cluster(&bench->sender, "C0", 6, "C1");
	sender_set_end(&bench->sender, KIND_ORDER, 1, 10);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	hear_ack(bench, 1, 1);
	assert_true(bench->sender.keep_cluster);
	assert_string_equal(bench->sender.cluster, "C1");
	assert_string_equal(bench->sender.accept_cluster, "");
}

/* ---- the end */

static void test_a_stop_says_bye(void **state)
{
	struct bench *bench = *state;

	open_session(bench);
	sender_stop(&bench->sender, bench->now_ms);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.bye.code, BYE_SHUTTING_DOWN);
	assert_int_equal(step(bench), SENDER_WAIT);
	bench->now_ms += bench->order.wait_ms;
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(bench->sender.state, SENDER_STOPPED);
	assert_int_equal(step(bench), SENDER_WAIT);
}

static void test_a_stop_without_session_closes_at_once(void **state)
{
	struct bench *bench = *state;

	sender_stop(&bench->sender, bench->now_ms);
	assert_int_equal(bench->sender.state, SENDER_STOPPED);
	sender_init(&bench->sender, 1, bench->now_ms);
	assert_int_equal(step(bench), SENDER_OPEN);
	sender_stop(&bench->sender, bench->now_ms);
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(bench->sender.state, SENDER_STOPPED);
	sender_connected(&bench->sender, 1, bench->now_ms); /* too late */
	assert_int_equal(bench->sender.state, SENDER_STOPPED);
}

static void test_every_end_has_a_name(void **state)
{
	(void)state;
	for (int end = SENDER_END_NONE; end <= SENDER_END_STOPPED; end++) {
		assert_true(strlen(sender_end_name((enum sender_end)end)) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_nothing_is_sent_before_welcome),
		BENCH_TEST(test_blocks_are_sent_in_order_and_removed_when_acknowledged),
		BENCH_TEST(test_one_message_may_acknowledge_many_ranges),
		BENCH_TEST(test_frames_of_another_session_are_ignored),
		BENCH_TEST(test_a_second_welcome_changes_nothing),
		BENCH_TEST(test_what_a_session_left_is_sent_again_in_the_next),
		BENCH_TEST(test_a_returned_range_may_leave_in_pieces),
		BENCH_TEST(test_blocks_that_are_gone_are_passed_over),
		BENCH_TEST(test_five_seconds_of_silence_end_a_session_that_is_owed_something),
		BENCH_TEST(test_a_bridge_that_never_welcomes_is_left_after_five_seconds),
		BENCH_TEST(test_a_bridge_that_does_not_connect_is_passed_over),
		BENCH_TEST(test_attempts_become_rarer_until_something_is_acknowledged),
		BENCH_TEST(test_failovers_are_counted_when_the_bridge_changes),
		BENCH_TEST(test_a_bye_ends_the_session_and_the_next_bridge_is_tried),
		BENCH_TEST(test_a_bye_without_session_is_for_this_one),
		BENCH_TEST(test_a_bridge_that_is_not_ready_is_left),
		BENCH_TEST(test_a_replaced_session_is_a_conflict_of_ids),
		BENCH_TEST(test_a_bridge_that_forbids_us_is_asked_rarely),
		BENCH_TEST(test_garbage_is_answered_bye_bad_frame),
		BENCH_TEST(test_another_version_is_left),
		BENCH_TEST(test_a_nack_pauses_its_lane_and_no_other),
		BENCH_TEST(test_a_nack_without_pause_does_not_spin),
		BENCH_TEST(test_lanes_take_turns),
		BENCH_TEST(test_one_batch_may_fly_whatever_the_credit),
		BENCH_TEST(test_credit_bounds_what_is_unacknowledged),
		BENCH_TEST(test_a_smaller_batch_is_asked_for_where_the_bridge_wants_it),
		BENCH_TEST(test_bookkeeping_is_bounded_when_blocks_are_tiny),
		BENCH_TEST(test_bookkeeping_is_bounded_when_what_came_back_leaves_in_pieces),
		BENCH_TEST(test_a_full_link_is_tried_again_in_a_moment),
		BENCH_TEST(test_the_cluster_is_kept_at_the_first_ack),
		BENCH_TEST(test_a_bridge_of_another_cluster_gets_nothing),
		BENCH_TEST(test_other_topics_are_another_cluster),
		BENCH_TEST(test_the_operator_may_accept_exactly_one_cluster),
		BENCH_TEST(test_a_stop_says_bye),
		BENCH_TEST(test_a_stop_without_session_closes_at_once),
		BENCH_TEST(test_every_end_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
