/* sender_bench.h - a sender in virtual time, and what the tests of it do all the time: every millisecond here is a number,
 * nothing waits. */
#pragma once
#include "edge/sender.h"
#include "fixture.h"

enum { CREDIT = 1000000, BATCH = 1000, SESSION = 77 };

struct bench {
	struct sender sender;
	struct removals removals;
	struct sender_order order;
	int64_t now_ms;
	uint64_t next_session;
};

static inline int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	bench->now_ms = 1000000;
	bench->next_session = SESSION;
	sender_init(&bench->sender, 3, bench->now_ms);
	*state = bench;
	return 0;
}

static inline int drop_bench(void **state)
{
	struct bench *bench = *state;
	removals_deinit(&bench->removals);
	free(bench);
	return 0;
}

static inline enum sender_act step(struct bench *bench)
{
	sender_step(&bench->sender, bench->now_ms, &bench->order);
	return bench->order.act;
}

static inline void hear(struct bench *bench, const struct wire_message *message)
{
	assert_int_equal(sender_heard(&bench->sender, message, &bench->removals, bench->now_ms), 0);
}

static inline struct wire_message welcome(const struct bench *bench)
{
	struct wire_message message = {.type = WIRE_WELCOME, .session = bench->sender.session};
	message.welcome.version = WIRE_VERSION;
	message.welcome.cluster_id = slice_of_text("C1");
	message.welcome.topics_hash = 5;
	message.welcome.batch_size_max = BATCH_SIZE_MAX;
	for (int i = 0; i < LANE_COUNT; i++) {
		message.welcome.credit[i] = CREDIT;
	}
	return message;
}

static inline struct wire_message ack(
	const struct bench *bench, const struct wire_range *ranges, uint32_t count)
{
	struct wire_message message = {.type = WIRE_ACK, .session = bench->sender.session};
	message.ack.ranges = ranges;
	message.ack.range_count = count;
	for (int i = 0; i < LANE_COUNT; i++) {
		message.ack.credit[i] = CREDIT;
	}
	return message;
}

static inline void hear_ack(struct bench *bench, uint64_t first, uint64_t last)
{
	struct wire_range range = {first, last};
	struct wire_message message = ack(bench, &range, 1);
	hear(bench, &message);
}

static inline void hear_nack(
	struct bench *bench, uint64_t first, uint64_t last, enum nack_code code, uint32_t pause_ms)
{
	struct wire_range range = {first, last};
	struct wire_message message = ack(bench, &range, 1);
	message.type = WIRE_NACK;
	message.ack.code = code;
	message.ack.retry_after_ms = pause_ms;
	hear(bench, &message);
}

static inline void hear_bye(struct bench *bench, enum bye_code code)
{
	struct wire_message message = {.type = WIRE_BYE, .session = bench->sender.session};
	message.bye.code = code;
	message.bye.words = slice_of_text("words");
	hear(bench, &message);
}

static inline void greet(struct bench *bench)
{
	assert_int_equal(step(bench), SENDER_OPEN);
	assert_int_equal(step(bench), SENDER_WAIT);
	sender_connected(&bench->sender, bench->next_session++, bench->now_ms);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.type, WIRE_HELLO);
	assert_int_equal(bench->order.message.session, bench->sender.session);
	assert_int_equal(step(bench), SENDER_WAIT);
}

static inline void open_session(struct bench *bench)
{
	greet(bench);
	struct wire_message message = welcome(bench);
	hear(bench, &message);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
}

/* Carries out a read of one block of 10 events; returns the sending's number. */
static inline uint64_t send_block(struct bench *bench, uint64_t index, uint32_t bytes)
{
	uint64_t number = sender_number(&bench->sender);
	struct sender_range sent = {.first = index, .last = index, .bytes = bytes, .count = 10};
	sender_sent(&bench->sender, &bench->order, &sent, bench->now_ms);
	return number;
}

static inline uint64_t expect_block(struct bench *bench, enum kind lane, uint64_t index)
{
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.lane, lane);
	assert_int_equal(bench->order.first, index);
	return send_block(bench, index, BATCH);
}

static inline void close_link(struct bench *bench)
{
	assert_int_equal(bench->sender.state, SENDER_ENDING);
	assert_int_equal(step(bench), SENDER_CLOSE);
	assert_int_equal(bench->sender.state, SENDER_DOWN);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)
