/* The desk over a real spool: who hears what, and when it is on disk. */
#include "desk_bench.h"

static void test_nobody_hears_ok_before_the_commit(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	assert_int_equal(submit(bench, 1, ORDER_JSON, false), 0);
	assert_int_equal(submit(bench, 2, ORDER_JSON, false), 0);
	assert_int_equal(bench->heard_count, 0);
	assert_int_equal(orders_on_disk(bench), 0);
	round_of(bench);
	assert_int_equal(bench->heard_count, 2);
	assert_int_equal(bench->heard[0].ticket, 1);
	assert_int_equal(bench->heard[1].ticket, 2);
	assert_true(heard_text(bench, 0, "\"durable\":true"));
	assert_int_equal(orders_on_disk(bench), 2);
	assert_int_equal(desk_view(bench->desk).commits, 1); /* one for both */
	check_books(bench);
}

static void test_refusals_and_repeats_need_no_commit(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	assert_int_equal(submit(bench, 1, "[nonsense", false), 0);
	round_of(bench);
	assert_int_equal(bench->heard_count, 1);
	assert_true(heard_text(bench, 0, "bad_frame"));
	assert_int_equal(desk_view(bench->desk).commits, 0);
	check_books(bench);
}

static void test_a_message_of_too_many_frames_is_refused(void **state)
{
	struct bench *bench = *state;
	const struct submission submission = {.ticket = 3, .reply = SUBMISSION_REPLY_JSON};
	struct intake_counts counts;

	open_desk(bench, 0);
	assert_int_equal(port_refuse(bench->port, NULL), 0);
	assert_int_equal(port_refuse(bench->port, &submission), 0);
	round_of(bench);
	assert_int_equal(bench->heard_count, 1);
	assert_int_equal(bench->heard[0].ticket, 3);
	desk_count(bench->desk, &counts);
	assert_int_equal(counts.refused[REASON_BAD_FRAME], 2);
	check_books(bench);
}

static void test_acknowledged_blocks_ride_on_the_next_commit(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	submit(bench, 1, ORDER_JSON, false);
	round_of(bench);
	removals_add(desk_removals(bench->desk), KIND_ORDER, 0, 0);
	submit(bench, 2, ORDER_JSON, false);
	round_of(bench);
	assert_int_equal(orders_on_disk(bench), 1);
	assert_int_equal(desk_view(bench->desk).commits, 2);
}

static void test_acknowledged_blocks_do_not_wait_long_for_one(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	submit(bench, 1, ORDER_JSON, false);
	round_of(bench);
	removals_add(desk_removals(bench->desk), KIND_ORDER, 0, 0);
	round_of(bench);
	assert_int_equal(orders_on_disk(bench), 1);
	assert_int_equal(bench->wait_ms, DESK_REMOVAL_MS);
	bench->now_ms += DESK_REMOVAL_MS;
	round_of(bench);
	assert_int_equal(orders_on_disk(bench), 0);
	assert_int_equal(bench->wait_ms, 60000);
}

static void test_acknowledged_blocks_wait_less_in_a_spool_that_is_half_full(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	uint64_t half = spool_index(bench->spool)->quota_bytes / 2;
	for (uint64_t i = 1; spool_index(bench->spool)->bytes <= half; i++) {
		for (int j = 0; j < 1000; j++) {
			submit(bench, 1000 * i + (uint64_t)j, ORDER_JSON, false);
		}
		round_of(bench);
	}
	removals_add(desk_removals(bench->desk), KIND_ORDER, 0, 0);
	round_of(bench);
	assert_int_equal(bench->wait_ms, DESK_REMOVAL_SHORT_MS);
}

static void test_a_closed_desk_refuses_and_keeps_what_it_has(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	submit(bench, 1, ORDER_JSON, false);
	desk_close(bench->desk);
	assert_int_equal(submit(bench, 2, ORDER_JSON, false), 0);
	assert_int_equal(submit(bench, 3, ORDER_JSON, true), PORT_E_FULL);
	round_of(bench);
	assert_int_equal(bench->heard_count, 2);
	assert_true(heard_text(bench, 0, "\"accepted\":1"));
	assert_true(heard_text(bench, 1, "shutting_down"));
	assert_int_equal(orders_on_disk(bench), 1);
	check_books(bench);
}

/* ---- interval */

static void test_an_interval_answers_at_once_and_writes_later(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 100);
	submit(bench, 1, ORDER_JSON, false);
	round_of(bench);
	assert_int_equal(bench->heard_count, 1);
	assert_true(heard_text(bench, 0, "\"durable\":false"));
	assert_int_equal(orders_on_disk(bench), 0);
	assert_int_equal(bench->wait_ms, 100);
	bench->now_ms += 60;
	submit(bench, 2, ORDER_JSON, false);
	round_of(bench);
	assert_int_equal(orders_on_disk(bench), 0);
	bench->now_ms += 40;
	round_of(bench);
	assert_int_equal(orders_on_disk(bench), 2);
	assert_int_equal(desk_view(bench->desk).commits, 1);
	check_books(bench);
}

static void test_the_end_writes_what_an_interval_still_held(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 100);
	submit(bench, 1, ORDER_JSON, false);
	round_of(bench);
	removals_add(desk_removals(bench->desk), KIND_CART, 0, 0);
	assert_int_equal(desk_flush(bench->desk, bench->now_ms, WALL_MS), 0);
	assert_int_equal(orders_on_disk(bench), 1);
	close_desk(bench);
	open_desk(bench, 100);
	assert_int_equal(orders_on_disk(bench), 1);
}

/* ---- no room: a map that fills up before the quota does, as when the disk is full */

static void test_a_commit_without_room_becomes_a_refusal_and_uses_no_seq(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(3000);

	open_desk(bench, 0);
	submit(bench, 0, ORDER_JSON, false);
	round_of(bench);
	shrink_room(bench, 1000);
	assert_int_equal(submit(bench, 1, orders, false), 0);
	assert_int_equal(submit(bench, 2, orders, true), 0);
	round_of(bench);
	assert_int_equal(bench->heard_count, 3);
	assert_true(heard_text(bench, 1, "spool_full"));
	assert_int_equal(bench->heard[2].outcome, SUBMISSION_NOT_KEPT);
	assert_true(desk_view(bench->desk).full);
	assert_int_equal(desk_view(bench->desk).next_seq[KIND_ORDER], 2);
	struct intake_counts counts;
	desk_count(bench->desk, &counts);
	assert_int_equal(counts.refused[REASON_SPOOL_FULL], 6000);
	check_books(bench);
	free(orders);
}

/* Whether to come again is another question to whom it is forbidden. */
static void test_what_is_refused_for_its_own_sake_hears_so_in_a_group_without_room(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(3000);

	open_desk(bench, 0);
	submit(bench, 0, ORDER_JSON, false);
	round_of(bench);
	shrink_room(bench, 1000);
	assert_int_equal(submit(bench, 1, orders, false), 0);
	assert_int_equal(submit(bench, 2, "[nonsense", false), 0);
	round_of(bench);
	assert_true(heard_text(bench, 1, "spool_full"));
	assert_true(heard_text(bench, 2, "bad_frame"));
	check_books(bench);
	free(orders);
}

static void test_an_interval_keeps_a_draft_that_found_no_room(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(3000);

	open_desk(bench, 100);
	shrink_room(bench, 1000);
	assert_int_equal(submit(bench, 1, orders, false), 0);
	round_of(bench);
	assert_true(heard_text(bench, 0, "\"ok\":true"));
	bench->now_ms += 100;
	round_of(bench);
	assert_true(desk_view(bench->desk).full);
	assert_true(port_takes_more(bench->port)); /* to say that it is full */
	assert_int_equal(submit(bench, 2, ORDER_JSON, false), 0);
	assert_int_equal(submit(bench, 3, ORDER_JSON, true), PORT_E_FULL);
	round_of(bench);
	assert_true(heard_text(bench, 1, "spool_full"));
	assert_in_range(bench->wait_ms, 1, DESK_RETRY_MS);
	assert_int_equal(desk_view(bench->desk).next_seq[KIND_ORDER], 3001); /* not taken back */
	check_books(bench);
	free(orders);
}

static void run_until_nothing_waits(struct bench *bench)
{
	for (int i = 0; i < 10; i++) {
		bench->now_ms += DESK_RETRY_MS;
		round_of(bench);
	}
}

static void test_what_is_acknowledged_leaves_although_a_draft_finds_no_room(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(3000);

	open_desk(bench, 100);
	shrink_room(bench, 100000); /* deleting needs some pages too */
	assert_int_equal(submit(bench, 1, orders, false), 0);
	bench->now_ms += 100;
	round_of(bench);
	bench->now_ms += 100;
	round_of(bench);
	assert_true(desk_view(bench->desk).full);
	assert_int_equal(removals_add(desk_removals(bench->desk), KIND_CART, 0, 30), 0);
	run_until_nothing_waits(bench);
	assert_false(desk_view(bench->desk).full);
	assert_int_equal(orders_on_disk(bench), 3000);
	check_books(bench);
	free(orders);
}

/* What was acknowledged leaves at once, but the group whose commit made room for it was not written all the same. */
static void test_nobody_hears_ok_of_a_draft_in_whose_place_blocks_were_deleted(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(3000);

	open_desk(bench, 0);
	shrink_room(bench, 100000);
	assert_int_equal(removals_add(desk_removals(bench->desk), KIND_CART, 0, 1), 0);
	assert_int_equal(submit(bench, 1, orders, false), 0);
	round_of(bench);
	assert_int_equal(desk_removals(bench->desk)->count, 0);
	assert_int_equal(orders_on_disk(bench), 0);
	assert_int_equal(bench->heard_count, 1);
	assert_true(heard_text(bench, 0, "spool_full"));
	assert_int_equal(desk_view(bench->desk).next_seq[KIND_ORDER], 1);
	check_books(bench);
	free(orders);
}

/* ---- bounds and runs */

static void test_a_round_of_large_replies_is_bounded(void **state)
{
	struct bench *bench = *state;
	char *bad = malloc(100 * (sizeof BAD_ORDER_JSON + 1000));
	char *at = bad;
	struct submission submission = {.header = slice_of_text("{\"producer\":\"p\",\"n\":1}"),
		.reply = SUBMISSION_REPLY_JSON};

	open_desk(bench, 0);
	for (int i = 0; i < 100; i++) {
		at += sprintf(at,
			"%s{\"order_id\":\"1\",\"product_id\":\"%s\",\"unit_price\":\"%0200d,\"}",
			i == 0 ? "[" : ",", "tea", 0);
	}
	sprintf(at, "]");
	submission.events = slice_of_text(bad);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	round_of(bench);
	submission.events = slice_of_text("{}");
	while (port_takes_more(bench->port)) {
		assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	}
	round_of(bench);
	assert_true(bench->heard_count > 100);
	assert_true(heard_text(bench, 0, "repeated\":true"));
	free(bad);
}

static void test_a_clock_that_leaps_ahead_makes_no_repeat_count_again(void **state)
{
	struct bench *bench = *state;
	struct submission numbered = {.header = slice_of_text("{\"producer\":\"p\",\"n\":1}"),
		.events = slice_of_text(ORDER_JSON),
		.reply = SUBMISSION_REPLY_JSON};
	int64_t wall_ms = WALL_MS;

	open_desk(bench, 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(port_submit(bench->port, &numbered, wall_ms), 0);
		numbered.header = slice_of(NULL, 0);
		assert_int_equal(
			desk_round(bench->desk, bench->now_ms, wall_ms, &bench->wait_ms), 0);
		bench->now_ms += 10;
		wall_ms = WALL_MS + 1000 * bench->options.producer_ttl_ms;
	}
	numbered.header = slice_of_text("{\"producer\":\"p\",\"n\":1}");
	assert_int_equal(port_submit(bench->port, &numbered, wall_ms), 0);
	assert_int_equal(desk_round(bench->desk, bench->now_ms, wall_ms, &bench->wait_ms), 0);
	assert_true(heard_text(bench, 20, "\"repeated\":true"));
	assert_int_equal(orders_on_disk(bench), 20);
}

static void send_some(struct bench *bench, int64_t wall_ms)
{
	for (int i = 0; i < 20; i++) { /* each commit sweeps a few rows */
		submit(bench, 0, ORDER_JSON, false);
		assert_int_equal(
			desk_round(bench->desk, bench->now_ms, wall_ms, &bench->wait_ms), 0);
		bench->now_ms += 10;
	}
}

/* Ten years ahead or back while the edge was stopped: a host without a clock of its own, or a bad one. */
static void test_a_clock_that_leaps_over_a_restart_makes_no_repeat_count_again(void **state)
{
	static const int64_t leaps_days[] = {3650, -7300, 7300};
	const int64_t day_ms = 24 * 60 * 60 * 1000;
	struct bench *bench = *state;
	struct submission numbered = {.header = slice_of_text("{\"producer\":\"p\",\"n\":1}"),
		.events = slice_of_text(ORDER_JSON),
		.reply = SUBMISSION_REPLY_JSON};
	int64_t wall_ms = WALL_MS;

	bench->options.producer_ttl_ms = 30 * day_ms;
	for (size_t i = 0; i <= sizeof leaps_days / sizeof *leaps_days; i++) {
		bench->heard_count = 0;
		open_desk(bench, 0);
		send_some(bench, wall_ms);
		assert_int_equal(port_submit(bench->port, &numbered, wall_ms), 0);
		round_of(bench);
		int last = (int)bench->heard_count - 1;
		assert_int_equal(heard_text(bench, last, "\"repeated\":true"), i > 0);
		send_some(bench, wall_ms);
		close_desk(bench);
		wall_ms += i < sizeof leaps_days / sizeof *leaps_days ? leaps_days[i] * day_ms : 0;
	}
}

/* Days that the edge was off do count, one for each start at most. */
static void test_who_is_not_heard_for_longer_than_the_ttl_is_forgotten_over_restarts(void **state)
{
	const int64_t hour_ms = 60 * 60 * 1000;
	struct bench *bench = *state;
	struct submission numbered = {.header = slice_of_text("{\"producer\":\"p\",\"n\":1}"),
		.events = slice_of_text(ORDER_JSON),
		.reply = SUBMISSION_REPLY_JSON};

	bench->options.producer_ttl_ms = 10 * hour_ms;
	open_desk(bench, 0);
	assert_int_equal(port_submit(bench->port, &numbered, WALL_MS), 0);
	round_of(bench);
	close_desk(bench);
	open_desk(bench, 0);
	send_some(bench, WALL_MS + 11 * hour_ms);
	assert_int_equal(port_submit(bench->port, &numbered, WALL_MS + 11 * hour_ms), 0);
	round_of(bench);
	assert_false(heard_text(bench, (int)bench->heard_count - 1, "\"repeated\":true"));
}

static void test_a_round_takes_a_bounded_number_of_events(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(5000);

	bench->options.quota_bytes = 64 << 20;
	open_desk(bench, 0);
	int frames = 0;
	while (port_takes_more(bench->port)) {
		assert_int_equal(submit(bench, 1, orders, false), 0);
		frames++;
	}
	assert_int_equal(frames, DESK_ROUND_EVENTS / 5000);
	round_of(bench);
	assert_true(port_takes_more(bench->port));
	free(orders);
}

static void test_a_new_run_begins_between_two_groups(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	submit(bench, 1, ORDER_JSON, false);
	assert_false(desk_set_run(bench->desk, 4712));
	round_of(bench);
	assert_true(desk_set_run(bench->desk, 4712));
	assert_int_equal(desk_view(bench->desk).run, 4712);
	submit(bench, 1, ORDER_JSON, false);
	round_of(bench);
	assert_true(heard_text(bench, 1, "\"run\":4712,\"seq\":{\"order\":[1,1]}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_nobody_hears_ok_before_the_commit),
		BENCH_TEST(test_refusals_and_repeats_need_no_commit),
		BENCH_TEST(test_a_message_of_too_many_frames_is_refused),
		BENCH_TEST(test_acknowledged_blocks_ride_on_the_next_commit),
		BENCH_TEST(test_acknowledged_blocks_do_not_wait_long_for_one),
		BENCH_TEST(test_acknowledged_blocks_wait_less_in_a_spool_that_is_half_full),
		BENCH_TEST(test_a_closed_desk_refuses_and_keeps_what_it_has),
		BENCH_TEST(test_an_interval_answers_at_once_and_writes_later),
		BENCH_TEST(test_the_end_writes_what_an_interval_still_held),
		BENCH_TEST(test_a_commit_without_room_becomes_a_refusal_and_uses_no_seq),
		BENCH_TEST(test_what_is_refused_for_its_own_sake_hears_so_in_a_group_without_room),
		BENCH_TEST(test_an_interval_keeps_a_draft_that_found_no_room),
		BENCH_TEST(test_what_is_acknowledged_leaves_although_a_draft_finds_no_room),
		BENCH_TEST(test_nobody_hears_ok_of_a_draft_in_whose_place_blocks_were_deleted),
		BENCH_TEST(test_a_round_of_large_replies_is_bounded),
		BENCH_TEST(test_a_clock_that_leaps_ahead_makes_no_repeat_count_again),
		BENCH_TEST(test_a_clock_that_leaps_over_a_restart_makes_no_repeat_count_again),
		BENCH_TEST(
			test_who_is_not_heard_for_longer_than_the_ttl_is_forgotten_over_restarts),
		BENCH_TEST(test_a_round_takes_a_bounded_number_of_events),
		BENCH_TEST(test_a_new_run_begins_between_two_groups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
