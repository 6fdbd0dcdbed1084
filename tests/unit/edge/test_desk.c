/* The desk over a real spool: who hears what, and when it is on disk. */
#include "edge/desk.h"
#include "edge/spool.h"
#include "fixture.h"
#include "proto/producer.h"

enum { WALL_MS = 1700000000, HEARD_MAX = 64 };

struct heard {
	uint64_t ticket;
	enum submission_outcome outcome;
	char reply[512];
};

struct bench {
	char dir[FIXTURE_PATH_SIZE];
	struct spool_options options;
	struct spool *spool;
	struct desk *desk;
	struct port *port;
	struct heard heard[HEARD_MAX];
	int heard_count;
	int64_t now_ms;
	int64_t wait_ms;
};

static void on_done(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct bench *bench = owner;
	struct heard *heard = &bench->heard[bench->heard_count++ % HEARD_MAX];
	heard->ticket = ticket;
	heard->outcome = result->outcome;
	snprintf(heard->reply, sizeof heard->reply, "%.*s", (int)result->reply.size,
		result->reply.size == 0 ? "" : (const char *)result->reply.bytes);
}

static struct port *open_port(struct bench *bench, const char *label)
{
	const struct port_options options = {
		.label = label, .owner = bench, .acknowledge = on_done};
	struct port *port = NULL;

	assert_int_equal(desk_open_port(bench->desk, &options, &port), 0);
	return port;
}

static void open_desk(struct bench *bench, int64_t sync_interval_ms)
{
	struct spool_error error;
	struct desk_options options = {.edge = "berlin-1",
		.default_currency = "EUR",
		.sync_interval_ms = sync_interval_ms,
		.run = 4711};

	assert_int_equal(spool_new(&bench->options, &bench->spool, &error), 0);
	options.spool = bench->spool;
	assert_int_equal(desk_new(&options, &bench->desk), 0);
	bench->port = open_port(bench, "zmq");
}

static void close_desk(struct bench *bench)
{
	bench->desk = desk_free(bench->desk);
	bench->spool = spool_free(bench->spool);
}

static int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	make_temp_dir(bench->dir);
	bench->now_ms = 5000;
	bench->options = (struct spool_options){.dir = bench->dir,
		.edge = "berlin-1",
		.quota_bytes = 1 << 20,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.event_id_window = 0,
		.producer_ttl_ms = 1000};
	*state = bench;
	return 0;
}

static int drop_bench(void **state)
{
	struct bench *bench = *state;
	close_desk(bench);
	remove_temp_dir(bench->dir);
	free(bench);
	return 0;
}

static int submit(struct bench *bench, uint64_t ticket, const char *events, bool unattended)
{
	struct submission submission = {.events = slice_of_text(events),
		.reply = unattended ? SUBMISSION_SILENT : SUBMISSION_REPLY_JSON,
		.unattended = unattended,
		.ticket = ticket};
	return port_submit(bench->port, &submission, WALL_MS);
}

static void round_of(struct bench *bench)
{
	bench->wait_ms = 60000;
	assert_int_equal(desk_round(bench->desk, bench->now_ms, WALL_MS, &bench->wait_ms), 0);
}

static bool heard_text(const struct bench *bench, int index, const char *text)
{
	return strstr(bench->heard[index].reply, text) != NULL;
}

static uint64_t orders_on_disk(const struct bench *bench)
{
	return spool_index(bench->spool)->lanes[KIND_ORDER].events;
}

static void check_books(const struct bench *bench)
{
	struct intake_counts counts;
	desk_count(bench->desk, &counts);
	uint64_t sum = counts.repeated;
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		sum += counts.accepted[i];
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		sum += counts.invalid[i] + counts.refused[i];
	}
	assert_int_equal(counts.received, sum);
}

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

/* The last block that still fits is smaller than `smallest`. */
static void shrink_room(struct bench *bench, size_t smallest)
{
	/* Blocks that nobody asked room for, until the map is full. */
	struct draft draft;
	static const uint8_t seed[16];
	uint64_t seq;
	int r = 0;

	assert_int_equal(draft_init(&draft, 1, seed), 0);
	for (size_t size = 100000; size >= smallest; size /= 10) {
		r = 0;
		while (r == 0) {
			draft_clear(&draft);
			memset(buffer_extend(draft_begin(&draft, KIND_CART, &seq), size), 'x',
				size);
			assert_int_equal(draft_end(&draft, KIND_CART, WALL_MS), 0);
			r = spool_commit(bench->spool, &draft, NULL, WALL_MS);
		}
		assert_int_equal(r, SPOOL_E_FULL);
	}
	draft_deinit(&draft);
	/* By the quota's books there is room: only the map knows better. */
	struct spool_index *index = (struct spool_index *)(uintptr_t)spool_index(bench->spool);
	index->short_of_pages = false;
	index->short_of_disk = false;
	index->quota_bytes *= 64;
	for (int i = 0; i < KIND_COUNT; i++) {
		index->lane_quota_bytes[i] = index->quota_bytes;
	}
}

static char *many_orders(size_t count)
{
	size_t size = sizeof ORDER_JSON;
	char *text = malloc(count * size + 2);
	char *at = text;

	*at++ = '[';
	for (size_t i = 0; i < count; i++) {
		memcpy(at, ORDER_JSON, size - 1);
		at += size - 1;
		*at++ = i + 1 < count ? ',' : ']';
	}
	*at = '\0';
	return text;
}

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

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

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
		BENCH_TEST(test_an_interval_keeps_a_draft_that_found_no_room),
		BENCH_TEST(test_what_is_acknowledged_leaves_although_a_draft_finds_no_room),
		BENCH_TEST(test_a_round_of_large_replies_is_bounded),
		BENCH_TEST(test_a_clock_that_leaps_ahead_makes_no_repeat_count_again),
		BENCH_TEST(test_a_round_takes_a_bounded_number_of_events),
		BENCH_TEST(test_a_new_run_begins_between_two_groups),
		BENCH_TEST(test_one_port_alone_has_the_whole_round),
		BENCH_TEST(test_a_flooded_port_leaves_the_others_their_share),
		BENCH_TEST(test_ports_whose_frames_fill_a_round_take_turns),
		BENCH_TEST(test_a_port_that_does_not_come_back_has_no_turn),
		BENCH_TEST(test_each_port_has_books_of_its_own),
		BENCH_TEST(test_marks_outlive_a_restart_and_belong_to_their_source),
		BENCH_TEST(test_marks_of_a_group_without_room_are_not_kept),
		BENCH_TEST(test_a_request_key_outlives_a_restart),
		BENCH_TEST(test_requests_that_append_nothing_are_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
