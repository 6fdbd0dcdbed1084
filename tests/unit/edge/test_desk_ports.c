/* Several sources at one desk: their shares, their books, what they must not forget, requests that come again. */
#include "desk_bench.h"

/* ---- several ports */

static int submit_to(struct port *port, uint64_t ticket)
{
	const struct submission submission = {.events = slice_of_text(ORDER_JSON),
		.reply = SUBMISSION_REPLY_JSON,
		.ticket = ticket};
	return port_submit(port, &submission, WALL_MS);
}

/* Hands in until the port takes no more. */
static int flood(struct port *port)
{
	int count = 0;

	while (port_takes_more(port)) {
		assert_int_equal(submit_to(port, 0), 0);
		count++;
	}
	return count;
}

static void test_one_port_alone_has_the_whole_round(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	open_port(bench, "idle");
	assert_int_equal(flood(bench->port), DESK_ROUND_FRAMES);
	round_of(bench);
	assert_int_equal(flood(bench->port), DESK_ROUND_FRAMES);
	round_of(bench);
	check_books(bench);
}

static void test_a_flooded_port_leaves_the_others_their_share(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	struct port *quiet = open_port(bench, "quiet");
	round_of(bench);
	assert_int_equal(submit_to(quiet, 7), 0);
	flood(bench->port);
	round_of(bench);
	for (int i = 0; i < 3; i++) { /* from now on rounds are short */
		int taken = flood(bench->port);
		assert_in_range(taken, 1, DESK_SHARED_FRAMES / 2);
		assert_true(port_takes_more(quiet));
		assert_int_equal(submit_to(quiet, 8), 0);
		round_of(bench);
		bench->now_ms += 10;
	}
	bench->now_ms += DESK_IDLE_MS;
	round_of(bench);
	assert_int_equal(flood(bench->port), DESK_ROUND_FRAMES); /* the quiet one has gone quiet */
	round_of(bench);
	check_books(bench);
}

/* Who is asked first in each round must not have all of it. */
static void test_ports_whose_frames_fill_a_round_take_turns(void **state)
{
	enum { PORTS = 5, ROUNDS = 20 };
	static struct source_mark marks[DESK_ROUND_MARKS];
	struct bench *bench = *state;
	struct submission submission = {.marks = marks, .mark_count = DESK_ROUND_MARKS};
	struct port *ports[PORTS];
	int served[PORTS] = {0};

	open_desk(bench, 0);
	for (int i = 0; i < PORTS; i++) {
		ports[i] = open_port(bench, "many");
	}
	for (int i = 0; i < DESK_ROUND_MARKS; i++) {
		marks[i].key = slice_of_text("x");
	}
	for (int i = 0; i < ROUNDS * PORTS; i++) {
		if (port_takes_more(ports[i % PORTS])) {
			assert_int_equal(port_submit(ports[i % PORTS], &submission, WALL_MS), 0);
			served[i % PORTS]++;
		}
		if (i % PORTS == PORTS - 1) {
			assert_true(desk_is_wanted(bench->desk));
			round_of(bench);
			assert_false(desk_is_wanted(bench->desk));
		}
	}
	for (int i = 0; i < PORTS; i++) {
		assert_in_range(served[i], ROUNDS / PORTS - 1, ROUNDS / PORTS + 1);
	}
}

static void test_a_port_that_does_not_come_back_has_no_turn(void **state)
{
	static struct source_mark marks[DESK_ROUND_MARKS];
	struct bench *bench = *state;
	struct submission submission = {.marks = marks, .mark_count = DESK_ROUND_MARKS};

	open_desk(bench, 0);
	struct port *gone = open_port(bench, "gone");
	for (int i = 0; i < DESK_ROUND_MARKS; i++) {
		marks[i].key = slice_of_text("x");
	}
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	assert_false(port_takes_more(gone));
	round_of(bench);
	assert_false(port_takes_more(bench->port)); /* it is the other's turn */
	round_of(bench);
	assert_true(port_takes_more(bench->port));
}

static void test_each_port_has_books_of_its_own(void **state)
{
	struct bench *bench = *state;
	struct intake_counts counts;

	open_desk(bench, 0);
	struct port *other = open_port(bench, "other");
	assert_int_equal(submit_to(bench->port, 1), 0);
	assert_int_equal(submit_to(other, 2), 0);
	assert_int_equal(submit_to(other, 3), 0);
	port_count(other, &counts);
	assert_int_equal(counts.received, 0); /* nothing is told yet */
	round_of(bench);
	port_count(other, &counts);
	assert_int_equal(counts.accepted[KIND_ORDER], 2);
	port_count(bench->port, &counts);
	assert_int_equal(counts.accepted[KIND_ORDER], 1);
	desk_count(bench->desk, &counts);
	assert_int_equal(counts.accepted[KIND_ORDER], 3);
}

/* ---- marks */

struct found_marks {
	char text[256];
};

static int note_mark(void *owner, struct slice key, struct slice value)
{
	struct found_marks *found = owner;
	size_t used = strlen(found->text);

	snprintf(found->text + used, sizeof found->text - used, "%.*s=%.*s ", (int)key.size,
		(const char *)key.bytes, (int)value.size, (const char *)value.bytes);
	return 0;
}

static void assert_marks(struct port *port, const char *expected)
{
	struct found_marks found = {0};

	assert_int_equal(port_each_mark(port, &found, note_mark), 0);
	assert_string_equal(found.text, expected);
}

static void put_marks(struct port *port, const char *key, const char *value)
{
	const struct source_mark mark = {
		slice_of_text(key), value == NULL ? slice_of(NULL, 0) : slice_of_text(value)};
	const struct submission submission = {.marks = &mark, .mark_count = 1, .unattended = true};

	assert_int_equal(port_submit(port, &submission, WALL_MS), 0);
}

static void test_marks_outlive_a_restart_and_belong_to_their_source(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	struct port *tail = open_port(bench, "tail:a");
	struct port *tail_b = open_port(bench, "tail:ab");
	put_marks(tail, "x", "1");
	put_marks(tail, "y", "2");
	put_marks(tail, "x", "3"); /* in the same transaction: the newest stands */
	put_marks(tail_b, "x", "9");
	assert_marks(tail, ""); /* not before the commit */
	round_of(bench);
	assert_int_equal(bench->heard_count, 4);
	assert_marks(tail, "x=3 y=2 ");
	put_marks(tail, "x", NULL);
	put_marks(tail, "none", NULL);
	put_marks(tail, "z", "");
	round_of(bench);
	close_desk(bench);

	open_desk(bench, 0);
	assert_marks(open_port(bench, "tail:a"), "y=2 z= ");
	assert_marks(open_port(bench, "tail:ab"), "x=9 ");
	assert_marks(open_port(bench, "tail:"), "");
}

struct judged {
	char value[40];
	struct source_mark mark;
};

static size_t judge(void *owner, const struct reply *reply, const struct source_mark **ret_marks)
{
	struct judged *judged = owner;

	snprintf(judged->value, sizeof judged->value, "%u+%u!%u", reply->accepted, reply->invalid,
		reply->error_count > 0 ? reply->errors[0].index : 0);
	judged->mark = (struct source_mark){slice_of_text("counts"), slice_of_text(judged->value)};
	*ret_marks = &judged->mark;
	return 1;
}

static void test_marks_may_say_what_became_of_the_events_they_are_kept_with(void **state)
{
	struct bench *bench = *state;
	const struct complaint complaint = {.reason = REASON_BAD_FRAME, .message = "is none"};
	const struct submission_item items[] = {
		{.event = slice_of_text(ORDER_JSON), .raw = slice_of_text(ORDER_JSON)},
		{.raw = slice_of_text("x"), .complaint = &complaint}};
	struct judged judged;
	const struct submission submission = {.items = items,
		.item_count = 2,
		.judge = judge,
		.owner = &judged,
		.unattended = true};

	open_desk(bench, 0);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	round_of(bench);
	assert_marks(bench->port, "counts=1+1!1 ");
}

static void test_marks_of_a_group_without_room_are_not_kept(void **state)
{
	struct bench *bench = *state;
	char *orders = many_orders(3000);
	const struct source_mark mark = {slice_of_text("x"), slice_of_text("1")};
	struct submission submission = {.events = slice_of_text(orders),
		.marks = &mark,
		.mark_count = 1,
		.unattended = true};

	open_desk(bench, 0);
	submit(bench, 0, ORDER_JSON, false);
	round_of(bench);
	shrink_room(bench, 1000);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	round_of(bench);
	assert_int_equal(bench->heard[1].outcome, SUBMISSION_NOT_KEPT);
	assert_marks(bench->port, "");
	free(orders);
}

/* ---- requests */

static void test_a_request_key_outlives_a_restart(void **state)
{
	struct bench *bench = *state;
	const struct submission submission = {.events = slice_of_text(ORDER_JSON),
		.request_key = slice_of_text("key"),
		.reply = SUBMISSION_REPLY_JSON};

	bench->options.event_id_window = 10;
	open_desk(bench, 0);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0); /* still in the air */
	round_of(bench);
	assert_true(heard_text(bench, 0, "\"repeated\":false"));
	assert_true(heard_text(bench, 1, "\"repeated\":true"));
	close_desk(bench);

	open_desk(bench, 0);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	round_of(bench);
	assert_true(heard_text(bench, 2, "\"repeated\":true"));
	assert_true(heard_text(bench, 2, "\"order\":[1,1]"));
	assert_int_equal(orders_on_disk(bench), 1);
}

/* Its events were known one by one, so nothing is appended but the request itself: that alone must be committed, or such
 * requests pile up until the desk takes no more, of anybody, and nothing ever empties it. */
static void test_requests_that_append_nothing_are_committed(void **state)
{
	struct bench *bench = *state;
	struct submission submission = {
		.events =
			slice_of_text("{\"order_id\":\"1\",\"product_id\":\"tea\",\"unit_price\":1,"
				      "\"event_id\":\"e1\"}"),
		.reply = SUBMISSION_REPLY_JSON};
	char key[16];

	bench->options.event_id_window = 2 * DESK_ROUND_EVENT_IDS;
	open_desk(bench, 0);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	round_of(bench);
	for (int i = 0; i < DESK_ROUND_EVENT_IDS + 10; i++) {
		snprintf(key, sizeof key, "key %d", i);
		submission.request_key = slice_of_text(key);
		if (!port_takes_more(bench->port)) {
			round_of(bench);
		}
		assert_true(port_takes_more(bench->port));
		assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	}
	round_of(bench);
	close_desk(bench);

	open_desk(bench, 0);
	assert_int_equal(port_submit(bench->port, &submission, WALL_MS), 0);
	round_of(bench);
	assert_true(heard_text(bench, (bench->heard_count - 1) % HEARD_MAX, "\"repeated\":true"));
	assert_int_equal(orders_on_disk(bench), 1);
	check_books(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_one_port_alone_has_the_whole_round),
		BENCH_TEST(test_a_flooded_port_leaves_the_others_their_share),
		BENCH_TEST(test_ports_whose_frames_fill_a_round_take_turns),
		BENCH_TEST(test_a_port_that_does_not_come_back_has_no_turn),
		BENCH_TEST(test_each_port_has_books_of_its_own),
		BENCH_TEST(test_marks_outlive_a_restart_and_belong_to_their_source),
		BENCH_TEST(test_marks_may_say_what_became_of_the_events_they_are_kept_with),
		BENCH_TEST(test_marks_of_a_group_without_room_are_not_kept),
		BENCH_TEST(test_a_request_key_outlives_a_restart),
		BENCH_TEST(test_requests_that_append_nothing_are_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
