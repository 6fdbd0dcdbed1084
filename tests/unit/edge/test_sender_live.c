/* What goes first when there is a backlog: live-first, the throttle, and the bounds on both. */
#include "sender_bench.h"

/* A spool with blocks 0 … end - 1 of orders, a session, live-first. */
static void begin(struct bench *bench, uint64_t end, int64_t drain_rate)
{
	sender_set_manners(&bench->sender, true, drain_rate, bench->now_ms);
	sender_inherit(&bench->sender, KIND_ORDER, end, 10 * end);
	open_session(bench);
}

static void commit(struct bench *bench, enum kind lane, uint64_t end)
{
	sender_set_end(&bench->sender, lane, end, 10 * end);
}

static void test_what_comes_in_leaves_before_what_waited(void **state)
{
	struct bench *bench = *state;

	begin(bench, 100, 0);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_ORDER, 1);
	commit(bench, KIND_ORDER, 101);
	expect_block(bench, KIND_ORDER, 100);
	expect_block(bench, KIND_ORDER, 2);
	commit(bench, KIND_ORDER, 103);
	expect_block(bench, KIND_ORDER, 101);
	expect_block(bench, KIND_ORDER, 102);
	expect_block(bench, KIND_ORDER, 3);
	assert_int_equal(bench->sender.counts.batches_resent, 0);
}

static void test_live_blocks_of_every_lane_leave_before_old_ones(void **state)
{
	struct bench *bench = *state;

	begin(bench, 100, 0);
	commit(bench, KIND_VIEW, 2);
	commit(bench, KIND_CART, 1);
	expect_block(bench, KIND_CART, 0);
	expect_block(bench, KIND_VIEW, 0);
	expect_block(bench, KIND_VIEW, 1);
	expect_block(bench, KIND_ORDER, 0);
}

static void test_without_live_first_a_lane_keeps_its_order(void **state)
{
	struct bench *bench = *state;

	sender_inherit(&bench->sender, KIND_ORDER, 2, 20);
	open_session(bench);
	commit(bench, KIND_ORDER, 3);
	commit(bench, KIND_CART, 2);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_CART, 0); /* and lanes their turns */
	expect_block(bench, KIND_ORDER, 1);
	expect_block(bench, KIND_CART, 1);
	expect_block(bench, KIND_ORDER, 2);
}

/* However much is live, the oldest event does not wait for ever. */
static void test_one_sending_in_eight_is_of_old_blocks(void **state)
{
	struct bench *bench = *state;
	int old = 0;

	begin(bench, 100, 0);
	commit(bench, KIND_ORDER, 1000);
	for (int i = 0; i < 80; i++) {
		assert_int_equal(step(bench), SENDER_READ);
		old += bench->order.age == BACKLOG_OLD ? 1 : 0;
		uint64_t number = send_block(bench, bench->order.first, BATCH);
		hear_ack(bench, number, number);
	}
	assert_int_equal(old, 10);
}

static void test_a_short_failover_makes_nothing_old(void **state)
{
	struct bench *bench = *state;

	sender_set_manners(&bench->sender, true, 0, bench->now_ms);
	commit(bench, KIND_ORDER, 3);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_ORDER, 1);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	bench->now_ms += 3000;
	open_session(bench);
	commit(bench, KIND_ORDER, 5);
	for (uint64_t i = 0; i < 5; i++) {
		expect_block(bench, KIND_ORDER, i);
		assert_int_equal(bench->order.age, BACKLOG_LIVE);
	}
}

static void wait_without_session(struct bench *bench, int64_t ms)
{
	for (int64_t until_ms = bench->now_ms + ms; bench->now_ms < until_ms;) {
		if (step(bench) == SENDER_OPEN) {
			sender_disconnected(&bench->sender, bench->now_ms);
		} else if (bench->order.act == SENDER_WAIT) {
			bench->now_ms += bench->order.wait_ms;
		}
	}
	while (bench->sender.state != SENDER_DOWN) {
		step(bench);
	}
	bench->sender.retry_at_ms = bench->now_ms;
}

static void test_after_a_long_outage_what_came_back_waits_its_turn(void **state)
{
	struct bench *bench = *state;

	sender_set_manners(&bench->sender, true, 0, bench->now_ms);
	commit(bench, KIND_ORDER, 2);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_ORDER, 1);
	sender_disconnected(&bench->sender, bench->now_ms);
	close_link(bench);
	commit(bench, KIND_ORDER, 5);
	wait_without_session(bench, 60000);
	commit(bench, KIND_ORDER, 6);
	assert_int_equal(sender_old_events(&bench->sender, KIND_ORDER), 50);
	open_session(bench);
	expect_block(bench, KIND_ORDER, 5);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_ORDER, 1);
	assert_int_equal(bench->sender.counts.batches_resent, 2);
	expect_block(bench, KIND_ORDER, 2);
}

/* A bridge that waits for Kafka keeps its session: what gathers meanwhile is a backlog all the same. */
static void test_what_gathers_in_a_session_that_stands_is_old(void **state)
{
	struct bench *bench = *state;

	sender_set_manners(&bench->sender, true, 0, bench->now_ms);
	commit(bench, KIND_ORDER, 1);
	greet(bench);
	struct wire_message message = welcome(bench);
	message.welcome.credit[KIND_ORDER] = BATCH;
	hear(bench, &message);
	expect_block(bench, KIND_ORDER, 0);
	commit(bench, KIND_ORDER, 50);
	struct wire_message state_message = {.type = WIRE_STATE, .session = bench->sender.session};
	for (int i = 0; i < 30; i++) {
		assert_int_equal(step(bench), SENDER_WAIT);
		bench->now_ms += 1000;
		hear(bench, &state_message);
	}
	commit(bench, KIND_ORDER, 51);
	hear_ack(bench, 1, 1);
	expect_block(bench, KIND_ORDER, 50);
	expect_block(bench, KIND_ORDER, 1);
}

/* ---- credit */

static void begin_with_credit(struct bench *bench, uint64_t credit)
{
	sender_set_manners(&bench->sender, true, 0, bench->now_ms);
	sender_inherit(&bench->sender, KIND_ORDER, 100, 1000);
	greet(bench);
	struct wire_message message = welcome(bench);
	message.welcome.credit[KIND_ORDER] = credit;
	hear(bench, &message);
}

static void test_old_blocks_leave_a_quarter_of_the_credit(void **state)
{
	struct bench *bench = *state;

	begin_with_credit(bench, 4 * BATCH);
	expect_block(bench, KIND_ORDER, 0);
	expect_block(bench, KIND_ORDER, 1);
	expect_block(bench, KIND_ORDER, 2);
	assert_int_equal(step(bench), SENDER_WAIT);
	commit(bench, KIND_ORDER, 101);
	expect_block(bench, KIND_ORDER, 100);
	assert_int_equal(step(bench), SENDER_WAIT);
}

static void test_an_old_block_too_large_for_the_credit_does_not_stop_live_ones(void **state)
{
	struct bench *bench = *state;

	begin_with_credit(bench, 4 * BATCH);
	expect_block(bench, KIND_ORDER, 0);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.size_max, 2 * BATCH);
	sender_starved(&bench->sender, &bench->order);
	assert_int_equal(step(bench), SENDER_WAIT);
	commit(bench, KIND_ORDER, 101);
	expect_block(bench, KIND_ORDER, 100);
}

/* Rule 9: without credit there is still one batch, and it is the live one. A whole block always fits. */
static void test_one_batch_may_fly_whatever_the_credit_and_age(void **state)
{
	struct bench *bench = *state;

	begin_with_credit(bench, 0);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.first, 0);
	assert_true(bench->order.size_max >= WIRE_BATCH_SIZE_LEAST);
	send_block(bench, 0, BATCH);
	commit(bench, KIND_ORDER, 101);
	assert_int_equal(step(bench), SENDER_WAIT);
	struct wire_range range = {1, 1};
	struct wire_message message = ack(bench, &range, 1);
	message.ack.credit[KIND_ORDER] = 0;
	hear(bench, &message);
	expect_block(bench, KIND_ORDER, 100);
	assert_int_equal(step(bench), SENDER_WAIT);
}

static void test_old_blocks_leave_places_for_live_ones(void **state)
{
	struct bench *bench = *state;
	uint32_t sent = 0;

	begin(bench, 10 * SENDER_FLIGHT_MAX, 0);
	while (step(bench) == SENDER_READ) {
		send_block(bench, bench->order.first, 1);
		sent++;
	}
	assert_in_range(sent, SENDER_FLIGHT_MAX / 2, SENDER_FLIGHT_MAX - 1);
	commit(bench, KIND_ORDER, 10 * SENDER_FLIGHT_MAX + 1);
	expect_block(bench, KIND_ORDER, 10 * SENDER_FLIGHT_MAX);
}

/* ---- the throttle */

static void test_the_throttle_holds_old_blocks_and_no_live_ones(void **state)
{
	struct bench *bench = *state;

	begin(bench, 100, 2 * BATCH); /* 2,000 bytes a second */
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.size_enough, BATCH / 2);
	send_block(bench, 0, BATCH);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, 251);
	commit(bench, KIND_ORDER, 103);
	for (uint64_t i = 100; i < 103; i++) {
		assert_int_equal(step(bench), SENDER_READ);
		assert_int_equal(bench->order.size_enough, 0);
		expect_block(bench, KIND_ORDER, i);
	}
	assert_int_equal(step(bench), SENDER_WAIT);
	bench->now_ms += bench->order.wait_ms;
	expect_block(bench, KIND_ORDER, 1);
}

static void test_what_is_sent_again_from_the_backlog_is_throttled_too(void **state)
{
	struct bench *bench = *state;

	begin(bench, 100, BATCH);
	expect_block(bench, KIND_ORDER, 0);
	hear_nack(bench, 1, 1, NACK_DELIVERY_FAILED, 50);
	bench->now_ms += 50;
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, 701); /* a second's worth less 250 ms of burst */
	bench->now_ms += bench->order.wait_ms;
	expect_block(bench, KIND_ORDER, 0);
}

/* ---- all of it at once, by dice */

struct world {
	struct bench *bench;
	uint64_t end;
	uint32_t dice;
	bool delivered[20000];
	uint64_t numbers[20000]; /* of the sending that is in flight, by block; 0: none */
	uint32_t intervals_max;
};

static uint32_t roll(struct world *world, uint32_t sides)
{
	world->dice = world->dice * 1664525 + 1013904223;
	return (world->dice >> 8) % sides;
}

static void carry_out(struct world *world)
{
	struct bench *bench = world->bench;

	for (int i = 0; i < 20 && step(bench) != SENDER_WAIT; i++) {
		switch (bench->order.act) {
		case SENDER_OPEN:
			sender_connected(&bench->sender, bench->next_session++, bench->now_ms);
			break;
		case SENDER_READ: {
			uint64_t size = 1 + roll(world, 6);
			uint64_t last = bench->order.first + size - 1;
			last = last < bench->order.last ? last : bench->order.last;
			last = last < world->end - 1 ? last : world->end - 1;
			struct sender_range sent = {.first = bench->order.first,
				.last = last,
				.bytes = (uint32_t)(last - bench->order.first + 1) * 100,
				.count = (uint32_t)(last - bench->order.first + 1) * 10};
			sender_sent(&bench->sender, &bench->order, &sent, bench->now_ms);
			break;
		}
		case SENDER_SEND:
			if (bench->order.message.type == WIRE_HELLO) {
				struct wire_message message = welcome(bench);
				for (int lane = 0; lane < LANE_COUNT; lane++) {
					message.welcome.credit[lane] = 2000;
				}
				hear(bench, &message);
			}
			break;
		default:
			break;
		}
	}
}

static uint32_t count_intervals(const struct world *world)
{
	uint32_t intervals = 0;

	for (uint64_t i = 0; i < world->end; i++) {
		intervals += world->delivered[i] && (i == 0 || !world->delivered[i - 1]) ? 1 : 0;
	}
	return intervals;
}

static void deliver(struct world *world)
{
	struct bench *bench = world->bench;

	removals_clear(&bench->removals);
	if (bench->sender.flight_count == 0) {
		return;
	}
	uint32_t at = roll(world, bench->sender.flight_count);
	uint64_t number = bench->sender.flight[at].number;
	if (roll(world, 10) == 0) {
		hear_nack(bench, number, number, NACK_DELIVERY_FAILED, 50);
		return;
	}
	hear_ack(bench, number, number);
	for (size_t i = 0; i < bench->removals.count; i++) {
		for (uint64_t j = bench->removals.ranges[i].first;
			j <= bench->removals.ranges[i].last; j++) {
			assert_false(world->delivered[j]); /* deleted once */
			world->delivered[j] = true;
		}
	}
	uint32_t intervals = count_intervals(world);
	world->intervals_max = intervals > world->intervals_max ? intervals : world->intervals_max;
}

static void live_a_while(struct world *world, bool selling)
{
	struct bench *bench = world->bench;

	if (selling) {
		world->end += roll(world, 8);
		sender_set_end(&bench->sender, KIND_ORDER, world->end, 0);
	}
	carry_out(world);
	for (uint32_t i = roll(world, 3); i > 0; i--) {
		deliver(world);
	}
	if (roll(world, 40) == 0) {
		sender_disconnected(&bench->sender, bench->now_ms);
		bench->now_ms += roll(world, 2) * 60000;
	}
	bench->now_ms += roll(world, 2000);
}

/* Sessions end, batches come back, the link is slower than the tills for hours, then the tills close: every block is
 * delivered once, and the stream's counted set never comes near the 4,096 intervals that the aggregator takes. */
static void test_whatever_happens_every_block_is_delivered_and_gaps_are_bounded(void **state)
{
	for (uint32_t seed = 1; seed <= 4; seed++) {
		struct bench *bench = *state;
		struct world *world = calloc(1, sizeof *world);
		world->bench = bench;
		world->dice = seed;
		sender_init(&bench->sender, 2, bench->now_ms);
		sender_set_manners(&bench->sender, seed != 4, seed == 3 ? 20000 : 0, bench->now_ms);
		for (int i = 0; i < 2000; i++) {
			live_a_while(world, true);
		}
		for (int i = 0; i < 30000 && !sender_is_drained(&bench->sender); i++) {
			live_a_while(world, false);
		}
		assert_true(sender_is_drained(&bench->sender));
		for (uint64_t i = 0; i < world->end; i++) {
			assert_true(world->delivered[i]);
		}
		assert_true(world->intervals_max <= BACKLOG_GAPS_MAX + SENDER_FLIGHT_MAX);
		free(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_what_comes_in_leaves_before_what_waited),
		BENCH_TEST(test_live_blocks_of_every_lane_leave_before_old_ones),
		BENCH_TEST(test_without_live_first_a_lane_keeps_its_order),
		BENCH_TEST(test_one_sending_in_eight_is_of_old_blocks),
		BENCH_TEST(test_a_short_failover_makes_nothing_old),
		BENCH_TEST(test_after_a_long_outage_what_came_back_waits_its_turn),
		BENCH_TEST(test_what_gathers_in_a_session_that_stands_is_old),
		BENCH_TEST(test_old_blocks_leave_a_quarter_of_the_credit),
		BENCH_TEST(test_an_old_block_too_large_for_the_credit_does_not_stop_live_ones),
		BENCH_TEST(test_one_batch_may_fly_whatever_the_credit_and_age),
		BENCH_TEST(test_old_blocks_leave_places_for_live_ones),
		BENCH_TEST(test_the_throttle_holds_old_blocks_and_no_live_ones),
		BENCH_TEST(test_what_is_sent_again_from_the_backlog_is_throttled_too),
		BENCH_TEST(test_whatever_happens_every_block_is_delivered_and_gaps_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
