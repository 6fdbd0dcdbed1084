/* Sender and probe side by side in virtual time: when another bridge is asked, and what its answer does. */
#include "edge/probe.h"
#include "edge/sender.h"
#include "fixture.h"

enum {
	CREDIT = 1000000,
	SESSION = 77 * PROBE_SPREAD_MS,
	ASKED = 990 * PROBE_SPREAD_MS,
	SECOND_MS = 1000
};

struct bench {
	struct sender sender;
	struct probe probe;
	struct removals removals;
	struct sender_order sent;
	struct probe_order order;
	int64_t now_ms;
};

static void hear(struct bench *bench, const struct wire_message *message)
{
	assert_int_equal(sender_heard(&bench->sender, message, &bench->removals, bench->now_ms), 0);
}

static struct wire_message welcome(uint64_t session)
{
	struct wire_message message = {.type = WIRE_WELCOME, .session = session};
	message.welcome.version = WIRE_VERSION;
	message.welcome.cluster_id = slice_of_text("C1");
	message.welcome.topics_hash = 5;
	message.welcome.batch_size_max = BATCH_SIZE_MAX;
	for (int i = 0; i < LANE_COUNT; i++) {
		message.welcome.credit[i] = CREDIT;
	}
	return message;
}

static enum sender_act step_sender(struct bench *bench)
{
	sender_step(&bench->sender, bench->now_ms, &bench->sent);
	return bench->sent.act;
}

static enum probe_act step(struct bench *bench)
{
	const struct probe_sight sight = {
		.stuck_since_ms = sender_stuck_since_ms(&bench->sender),
		.session = bench->sender.session,
		.acked = bench->sender.counts.batches_acked,
		.bridge = bench->sender.bridge,
		.bridge_count = bench->sender.bridge_count,
	};
	probe_step(&bench->probe, &sight, bench->now_ms, &bench->order);
	return bench->order.act;
}

static int begin(void **state, uint32_t bridge_count)
{
	struct bench *bench = calloc(1, sizeof *bench);
	struct wire_message message = welcome(SESSION);

	bench->now_ms = 1000000;
	sender_init(&bench->sender, bridge_count, bench->now_ms);
	assert_int_equal(step_sender(bench), SENDER_OPEN);
	sender_connected(&bench->sender, SESSION, bench->now_ms);
	assert_int_equal(step_sender(bench), SENDER_SEND);
	hear(bench, &message);
	*state = bench;
	return 0;
}

static int begin_with_three(void **state)
{
	return begin(state, 3);
}

static int begin_with_one(void **state)
{
	return begin(state, 1);
}

static int end(void **state)
{
	struct bench *bench = *state;
	removals_deinit(&bench->removals);
	free(bench);
	return 0;
}

/* One more block of a lane goes out. */
static void send_block(struct bench *bench, enum kind lane)
{
	uint64_t index = bench->sender.lanes[lane].backlog.end;
	struct sender_range range = {.first = index, .last = index, .bytes = 1000, .count = 10};

	sender_set_end(&bench->sender, lane, index + 1, 10 * (index + 1));
	assert_int_equal(step_sender(bench), SENDER_READ);
	assert_int_equal(bench->sent.lane, lane);
	sender_sent(&bench->sender, &bench->sent, &range, bench->now_ms);
}

/* lanes: a bit for each that waits. */
static void hear_state(struct bench *bench, unsigned lanes)
{
	struct wire_message message = {.type = WIRE_STATE, .session = bench->sender.session};
	for (int i = 0; i < LANE_COUNT; i++) {
		message.state[i].waiting_ms = (lanes >> i & 1) != 0 ? 0 : -1;
	}
	hear(bench, &message);
}

static void hear_ack(struct bench *bench, uint64_t number)
{
	struct wire_range range = {number, number};
	struct wire_message message = {.type = WIRE_ACK, .session = bench->sender.session};
	message.ack.ranges = &range;
	message.ack.range_count = 1;
	hear(bench, &message);
}

enum { ALL_LANES = (1 << LANE_COUNT) - 1 };

/* The bridge says each second that it waits; returns after how many ms another one is asked. */
static int64_t wait_for_question(struct bench *bench)
{
	int64_t start_ms = bench->now_ms;

	while (step(bench) == PROBE_WAIT) {
		assert_true(bench->now_ms - start_ms < 1000 * SECOND_MS);
		bench->now_ms +=
			bench->order.wait_ms < SECOND_MS ? bench->order.wait_ms : SECOND_MS;
		hear_state(bench, ALL_LANES);
	}
	assert_int_equal(bench->order.act, PROBE_OPEN);
	return bench->now_ms - start_ms;
}

static void ask(struct bench *bench)
{
	probe_connected(&bench->probe, ASKED, bench->now_ms);
	assert_int_equal(step(bench), PROBE_SEND);
	assert_int_equal(bench->order.message.type, WIRE_HELLO);
	assert_int_equal(bench->order.message.session, ASKED);
	assert_int_equal(step(bench), PROBE_WAIT);
}

static void wait_until_asked(struct bench *bench)
{
	send_block(bench, KIND_ORDER);
	hear_state(bench, ALL_LANES);
	wait_for_question(bench);
	ask(bench);
}

static bool answer(struct bench *bench, const struct wire_message *message)
{
	bool could_move = sender_could_move(&bench->sender, message);
	return probe_heard(&bench->probe, message, could_move, bench->now_ms);
}

static void answer_bye(struct bench *bench, uint64_t session)
{
	struct wire_message message = {.type = WIRE_BYE, .session = session};
	message.bye.code = BYE_NOT_READY;
	assert_false(answer(bench, &message));
}

/* As the courier does it. */
static void move(struct bench *bench)
{
	struct wire_message message = welcome(ASKED);
	uint64_t old_session = bench->sender.session;
	const struct sender_move move = {
		.bridge = bench->probe.bridge, .session = ASKED, .welcome = &message};

	assert_true(answer(bench, &message));
	sender_move(&bench->sender, &move, bench->now_ms);
	probe_moved(&bench->probe, old_session, bench->now_ms);
}

static void expect_bye_and_close(struct bench *bench, uint64_t session)
{
	assert_int_equal(step(bench), PROBE_SEND);
	assert_int_equal(bench->order.message.type, WIRE_BYE);
	assert_int_equal(bench->order.message.session, session);
	assert_int_equal(step(bench), PROBE_WAIT);
	bench->now_ms += bench->order.wait_ms;
	assert_int_equal(step(bench), PROBE_CLOSE);
	assert_int_equal(bench->probe.state, PROBE_IDLE);
}

/* ---- when */

static void test_another_bridge_is_asked_after_five_seconds_of_waiting(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	assert_int_equal(step(bench), PROBE_WAIT);
	hear_state(bench, ALL_LANES);
	assert_int_equal(step(bench), PROBE_WAIT);
	assert_int_equal(bench->order.wait_ms, PROBE_PATIENCE_MS);
	assert_int_equal(wait_for_question(bench), PROBE_PATIENCE_MS);
	assert_int_equal(bench->order.bridge, 1);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
}

static void test_edges_that_get_stuck_together_do_not_ask_together(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	bench->sender.session += 123;
	hear_state(bench, ALL_LANES);
	assert_int_equal(wait_for_question(bench), PROBE_PATIENCE_MS + 123);
}

static void test_an_edge_with_one_bridge_asks_nobody(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	hear_state(bench, ALL_LANES);
	bench->now_ms += 4 * SECOND_MS;
	hear_state(bench, ALL_LANES);
	bench->now_ms += 4 * SECOND_MS;
	assert_int_equal(step(bench), PROBE_WAIT);
	assert_int_equal(bench->probe.asked, 0);
	assert_int_equal(step_sender(bench), SENDER_WAIT);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
}

static void test_waiting_with_nothing_unacknowledged_is_no_reason(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	hear_ack(bench, 1);
	hear_state(bench, ALL_LANES);
	bench->now_ms += 60 * SECOND_MS;
	assert_int_equal(step(bench), PROBE_WAIT);
	assert_int_equal(sender_stuck_since_ms(&bench->sender), -1);
}

static void test_one_lane_that_waits_while_another_delivers_is_no_reason(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_VIEW);
	for (uint64_t number = 2; number < 60; number++) {
		send_block(bench, KIND_ORDER);
		hear_state(bench, 1U << KIND_VIEW);
		assert_int_equal(step(bench), PROBE_WAIT);
		hear_ack(bench, number);
		bench->now_ms += SECOND_MS;
		assert_int_equal(step(bench), PROBE_WAIT);
	}
	assert_int_equal(bench->probe.asked, 0);
}

/* A refused topic's batches come back by NACK: nothing is in flight while the lane stands. */
static void test_a_refused_topic_is_no_reason(void **state)
{
	struct bench *bench = *state;
	struct wire_range range = {1, 1};
	struct wire_message nack = {.type = WIRE_NACK, .session = SESSION};

	send_block(bench, KIND_VIEW);
	hear_state(bench, 1U << KIND_VIEW);
	nack.ack.ranges = &range;
	nack.ack.range_count = 1;
	nack.ack.code = NACK_TOPIC_REFUSED;
	nack.ack.retry_after_ms = 60 * SECOND_MS;
	hear(bench, &nack);
	bench->now_ms += 30 * SECOND_MS;
	assert_int_equal(step(bench), PROBE_WAIT);
	assert_int_equal(sender_stuck_since_ms(&bench->sender), -1);
}

static void test_patience_begins_anew_with_each_ack(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	send_block(bench, KIND_ORDER);
	hear_state(bench, ALL_LANES);
	bench->now_ms += PROBE_PATIENCE_MS - 1;
	hear_ack(bench, 1);
	hear_state(bench, ALL_LANES);
	assert_int_equal(wait_for_question(bench), PROBE_PATIENCE_MS);
}

/* ---- what the answer does */

static void test_a_welcome_moves_the_session_and_what_is_unacknowledged(void **state)
{
	struct bench *bench = *state;

	wait_until_asked(bench);
	move(bench);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
	assert_int_equal(bench->sender.session, ASKED);
	assert_int_equal(bench->sender.bridge, 1);
	assert_int_equal(bench->sender.counts.failovers, 1);
	assert_int_equal(bench->sender.counts.sessions, 2);
	assert_int_equal(sender_unacked_batches(&bench->sender), 0);
	assert_int_equal(step_sender(bench), SENDER_READ);
	assert_int_equal(bench->sent.first, 0);
	assert_int_equal(sender_number(&bench->sender), 1);
	expect_bye_and_close(bench, SESSION);
}

static void test_what_the_left_bridge_still_says_counts_nothing(void **state)
{
	struct bench *bench = *state;
	struct wire_message bye = {.type = WIRE_BYE};

	wait_until_asked(bench);
	move(bench);
	assert_false(answer(bench, &bye)); /* of any session, but by the old link */
	probe_heard_garbage(&bench->probe, bench->now_ms);
	assert_int_equal(bench->probe.stale_frames, 2);
	assert_int_equal(bench->probe.state, PROBE_PARTING);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
	expect_bye_and_close(bench, SESSION);
}

static void test_a_left_bridge_that_hangs_up_first_gets_no_bye(void **state)
{
	struct bench *bench = *state;

	wait_until_asked(bench);
	move(bench);
	probe_disconnected(&bench->probe, bench->now_ms);
	assert_int_equal(step(bench), PROBE_CLOSE);
}

static void test_a_no_keeps_the_session_and_the_next_bridge_is_asked_later_and_later(void **state)
{
	struct bench *bench = *state;
	int64_t last_ms = 0;

	wait_until_asked(bench);
	for (uint32_t i = 0; i < 6; i++) {
		answer_bye(bench, i % 2 == 0 ? ASKED : 0);
		assert_int_equal(step(bench), PROBE_CLOSE);
		assert_int_equal(bench->sender.session, SESSION);
		assert_int_equal(sender_unacked_batches(&bench->sender), 1);
		int64_t took_ms = wait_for_question(bench);
		assert_true(took_ms >= last_ms && took_ms >= PROBE_RETRY_MS_MIN);
		assert_true(took_ms <= PROBE_RETRY_MS_MAX * 5 / 4);
		assert_int_equal(
			bench->order.bridge, i % 2 == 0 ? 2 : 1); /* never the present one */
		last_ms = took_ms;
		ask(bench);
	}
	assert_true(last_ms >= PROBE_RETRY_MS_MAX);
	assert_int_equal(bench->probe.asked, 7);
}

static void test_another_cluster_is_no_answer(void **state)
{
	struct bench *bench = *state;
	struct wire_message message = welcome(ASKED);

	wait_until_asked(bench);
	message.welcome.cluster_id = slice_of_text("C2");
	assert_false(answer(bench, &message));
	expect_bye_and_close(bench, ASKED); /* it has a session of ours */
	assert_string_equal(bench->sender.offered_cluster, "C1");
	wait_for_question(bench);
	ask(bench);
	message = welcome(ASKED);
	message.welcome.topics_hash++;
	assert_false(answer(bench, &message));
	assert_int_equal(bench->sender.session, SESSION);
}

static void test_a_bridge_that_does_not_connect_is_given_up(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	hear_state(bench, ALL_LANES);
	wait_for_question(bench);
	assert_int_equal(step(bench), PROBE_WAIT);
	bench->now_ms += bench->order.wait_ms;
	hear_state(bench, ALL_LANES);
	assert_int_equal(step(bench), PROBE_CLOSE);
	wait_for_question(bench);
	probe_disconnected(&bench->probe, bench->now_ms);
	assert_int_equal(step(bench), PROBE_CLOSE);
}

static void test_a_bridge_that_is_silent_is_given_up(void **state)
{
	struct bench *bench = *state;

	wait_until_asked(bench);
	bench->now_ms += SENDER_SILENCE_MS;
	hear_state(bench, ALL_LANES);
	expect_bye_and_close(bench, ASKED);
}

static void test_garbage_is_no_answer(void **state)
{
	struct bench *bench = *state;

	wait_until_asked(bench);
	probe_heard_garbage(&bench->probe, bench->now_ms);
	expect_bye_and_close(bench, ASKED);
}

static void test_an_answer_of_another_session_is_none(void **state)
{
	struct bench *bench = *state;
	struct wire_message message = welcome(ASKED + 1);

	wait_until_asked(bench);
	assert_false(answer(bench, &message));
	assert_int_equal(bench->probe.stale_frames, 1);
	assert_int_equal(bench->probe.state, PROBE_GREETING);
}

/* The bridge found Kafka again between question and answer. */
static void test_who_is_no_longer_stuck_stays(void **state)
{
	struct bench *bench = *state;
	struct wire_message message = welcome(ASKED);

	wait_until_asked(bench);
	hear_ack(bench, 1);
	assert_false(answer(bench, &message));
	expect_bye_and_close(bench, ASKED);
	assert_int_equal(bench->sender.session, SESSION);
	assert_int_equal(bench->sender.counts.failovers, 0);
}

static void test_the_question_is_taken_back_when_the_session_ends(void **state)
{
	struct bench *bench = *state;

	wait_until_asked(bench);
	sender_disconnected(&bench->sender, bench->now_ms);
	expect_bye_and_close(bench, ASKED);
	bench->now_ms += 60 * SECOND_MS;
	assert_int_equal(step(bench), PROBE_WAIT);
}

static void test_the_question_is_taken_back_before_hello(void **state)
{
	struct bench *bench = *state;

	send_block(bench, KIND_ORDER);
	hear_state(bench, ALL_LANES);
	wait_for_question(bench);
	hear_state(bench, 0);
	assert_int_equal(step(bench), PROBE_CLOSE);
	probe_connected(&bench->probe, ASKED, bench->now_ms); /* too late */
	assert_int_equal(bench->probe.state, PROBE_IDLE);
}

/* Where no bridge can deliver, each would get a copy of what the edge has. */
static void test_moves_in_vain_become_rarer_until_something_is_acknowledged(void **state)
{
	struct bench *bench = *state;
	int64_t patience_ms = PROBE_PATIENCE_MS;

	wait_until_asked(bench);
	for (int i = 0; i < PROBE_VAIN_MOVES_MAX + 2; i++) {
		struct sender_range range = {.bytes = 1000, .count = 10};
		move(bench);
		expect_bye_and_close(bench, i == 0 ? SESSION : ASKED);
		assert_int_equal(step_sender(bench), SENDER_READ);
		sender_sent(&bench->sender, &bench->sent, &range, bench->now_ms);
		hear_state(bench, ALL_LANES);
		patience_ms = i < PROBE_VAIN_MOVES_MAX ? 2 * patience_ms : patience_ms;
		assert_int_equal(wait_for_question(bench), patience_ms);
		ask(bench);
	}
	answer_bye(bench, ASKED);
	assert_int_equal(step(bench), PROBE_CLOSE);
	hear_ack(bench, 1);
	assert_int_equal(step(bench), PROBE_WAIT);
	send_block(bench, KIND_ORDER);
	hear_state(bench, ALL_LANES);
	assert_int_equal(wait_for_question(bench), PROBE_PATIENCE_MS);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, begin_with_three, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_another_bridge_is_asked_after_five_seconds_of_waiting),
		BENCH_TEST(test_edges_that_get_stuck_together_do_not_ask_together),
		cmocka_unit_test_setup_teardown(
			test_an_edge_with_one_bridge_asks_nobody, begin_with_one, end),
		BENCH_TEST(test_waiting_with_nothing_unacknowledged_is_no_reason),
		BENCH_TEST(test_one_lane_that_waits_while_another_delivers_is_no_reason),
		BENCH_TEST(test_a_refused_topic_is_no_reason),
		BENCH_TEST(test_patience_begins_anew_with_each_ack),
		BENCH_TEST(test_a_welcome_moves_the_session_and_what_is_unacknowledged),
		BENCH_TEST(test_what_the_left_bridge_still_says_counts_nothing),
		BENCH_TEST(test_a_left_bridge_that_hangs_up_first_gets_no_bye),
		BENCH_TEST(
			test_a_no_keeps_the_session_and_the_next_bridge_is_asked_later_and_later),
		BENCH_TEST(test_another_cluster_is_no_answer),
		BENCH_TEST(test_a_bridge_that_does_not_connect_is_given_up),
		BENCH_TEST(test_a_bridge_that_is_silent_is_given_up),
		BENCH_TEST(test_garbage_is_no_answer),
		BENCH_TEST(test_an_answer_of_another_session_is_none),
		BENCH_TEST(test_who_is_no_longer_stuck_stays),
		BENCH_TEST(test_the_question_is_taken_back_when_the_session_ends),
		BENCH_TEST(test_the_question_is_taken_back_before_hello),
		BENCH_TEST(test_moves_in_vain_become_rarer_until_something_is_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
