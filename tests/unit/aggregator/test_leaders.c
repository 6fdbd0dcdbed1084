/* top out of the rows that lead: whatever is counted, taken back, handed over, written and not yet heard of, the answer is the
 * walk's, byte for byte. */
#include "aggregator/shard/boards.h"
#include "draw.h"
#include "log_world.h"
#include <semaphore.h>

enum { PRODUCTS = 400, SALES_MAX = 1500, KEPT = 24 };

static const char *const questions[] = {
	"{\"query\":\"top\",\"view\":\"products\",\"by\":\"n\",\"limit\":1}",
	"{\"query\":\"top\",\"view\":\"products\",\"by\":\"n\",\"limit\":7}",
	"{\"query\":\"top\",\"view\":\"products\",\"by\":\"r\",\"limit\":5}",
	"{\"query\":\"top\",\"view\":\"products\",\"by\":\"big\",\"limit\":3}",
	"{\"query\":\"top\",\"view\":\"products\",\"by\":\"q\",\"limit\":40}",
};

struct sale {
	char product[16];
	int64_t quantity, price;
};

struct contest_world {
	struct log_world *log;
	struct draw draw;
	struct sale sales[SALES_MAX]; /* that are counted */
	size_t count;
	struct top_tally tally;
	struct job gate; /* before it is opened no commit is written */
	sem_t opened;
};

static void open_world(struct contest_world *world)
{
	struct boards *boards;

	open_store(world->log, ROOMY_MAP);
	boards = &world->log->pipeline->shards[0]->boards;
	boards->kept = KEPT;
}

static int make(void **state)
{
	struct contest_world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->log = new_log_world();
	view_set_free(world->log->views);
	world->log->views = new_view_set();
	add_view(world->log->views, "products",
		"kind = order\ngroup_by = product_id\nmeasures = n = count(), q = sum(quantity), "
		"r = sum(revenue), big = count() where quantity > 5, m = average(quantity)\n");
	add_view(world->log->views, "stores",
		"kind = order\ngroup_by = edge\nmeasures = n = count(), b = distinct(basket)\n");
	add_view(world->log->views, "hours",
		"kind = order\ngroup_by = hour(ts)\nmeasures = n = count()\nretain = 1d\n");
	world->draw.state = 77;
	sem_init(&world->opened, 0, 0);
	open_world(world);
	*state = world;
	return 0;
}

static int unmake(void **state)
{
	struct contest_world *world = *state;

	assert_int_equal(sem_post(&world->opened), 0); /* where a test failed before it opened */
	free_log_world(world->log);
	sem_destroy(&world->opened);
	free(world);
	return 0;
}

static struct shard *shard_of(const struct contest_world *world)
{
	return world->log->pipeline->shards[0];
}

/* ---- what changes */

static void count_sale(struct contest_world *world, const struct sale *sale, bool takes_back)
{
	struct overlay *active = shard_of(world)->active.overlay;
	struct event event =
		sample_order(1, 1291191960000, sale->product, sale->quantity, sale->price);

	if (takes_back) {
		assert_int_equal(overlay_take_back(active, &event, (struct standing){0}), 0);
	} else {
		apply(active, &event);
	}
}

/* Some products sell much more than others, and many equally little. */
static void draw_sale(struct contest_world *world, struct sale *sale)
{
	struct draw *draw = &world->draw;
	uint32_t range = draw_below(draw, 4) == 0 ? 10 : 1 + draw_below(draw, PRODUCTS);

	snprintf(sale->product, sizeof sale->product, "p%03u", draw_below(draw, range));
	sale->quantity = (int64_t)draw_below(draw, 12) - 3;
	sale->price = draw_below(draw, 4) * 1250000;
}

static void sell(struct contest_world *world, size_t count)
{
	for (size_t i = 0; i < count && world->count < SALES_MAX; i++) {
		draw_sale(world, &world->sales[world->count]);
		count_sale(world, &world->sales[world->count++], false);
	}
}

static void take_back(struct contest_world *world, size_t count)
{
	for (size_t i = 0; i < count && world->count > 0; i++) {
		size_t at = draw_below(&world->draw, (uint32_t)world->count);
		count_sale(world, &world->sales[at], true);
		world->sales[at] = world->sales[--world->count];
	}
}

/* All of one product: a row is emptied, often one that leads. */
static void take_all_back(struct contest_world *world)
{
	struct sale gone;

	draw_sale(world, &gone);
	for (size_t i = world->count; i-- > 0;) {
		if (strcmp(world->sales[i].product, gone.product) == 0) {
			count_sale(world, &world->sales[i], true);
			world->sales[i] = world->sales[--world->count];
		}
	}
}

static void change(struct contest_world *world)
{
	switch (draw_below(&world->draw, 6)) {
	case 0:
		take_back(world, draw_below(&world->draw, 60));
		break;
	case 1:
		take_all_back(world);
		break;
	case 2:
		sell(world, draw_below(&world->draw, 150));
		break;
	default:
		sell(world, draw_below(&world->draw, 30));
	}
}

/* ---- commits */

static int wait_at_gate(struct job *job)
{
	struct contest_world *world =
		(struct contest_world *)((char *)job - offsetof(struct contest_world, gate));

	while (sem_wait(&world->opened) != 0) {
	}
	return 0;
}

static void is_through(struct job *job)
{
	(void)job;
}

static void freeze(struct contest_world *world)
{
	static const struct topics topics = {.count = KIND_COUNT};

	world->gate = (struct job){.run = wait_at_gate, .done = is_through};
	worker_submit(world->log->stores->workers[0], &world->gate);
	assert_int_equal(shard_freeze(shard_of(world), NULL, 0, &topics), 0);
}

static bool is_stored(struct contest_world *world)
{
	struct snapshot *snapshot = NULL;

	assert_int_equal(snapshot_begin(world->log->stores->items[0], 1, &snapshot), 0);
	bool is_there = snapshot_commit(snapshot) >= shard_of(world)->frozen.number;
	snapshot_end(snapshot);
	return is_there;
}

/* It is written, and the loop has not heard of it. */
static void open_gate(struct contest_world *world)
{
	assert_int_equal(sem_post(&world->opened), 0);
	while (!is_stored(world)) {
	}
}

static void hear(struct contest_world *world)
{
	worker_drain(world->log->stores->workers[0]);
	assert_false(shard_of(world)->is_frozen);
}

/* ---- questions */

static void ask_with(struct contest_world *world, const char *question, bool has_boards,
	char *ret_reply, size_t size)
{
	static const char *const no_gaps[] = {NULL};
	struct answer_context context = {.views = world->log->views, .shard_count = 1};
	struct document document;
	struct complaint complaint;
	struct buffer reply;
	struct query query;

	context.freshness = (struct freshness){.store_id = "x", .gaps = no_gaps};
	context.tops = has_boards ? &world->tally : NULL;
	buffer_init(&reply, ANSWER_SIZE_MAX);
	assert_int_equal(document_init(&document, QUERY_NODES_MAX), 0);
	assert_int_equal(query_decode(&document, slice_of_text(question), &query, &complaint), 0);
	assert_int_equal(shard_layers(shard_of(world), &context.shards[0]), 0);
	if (!has_boards) {
		context.shards[0].boards = NULL;
	}
	assert_int_equal(answer_query(&context, &query, &reply), 0);
	snapshot_end(context.shards[0].snapshot);
	assert_in_range(reply.size, 1, size - 1);
	memcpy(ret_reply, reply.bytes, reply.size);
	ret_reply[reply.size] = '\0';
	document_deinit(&document);
	buffer_deinit(&reply);
}

static void check(struct contest_world *world, const char *question)
{
	static char by_walk[64 * 1024], given[64 * 1024];

	ask_with(world, question, false, by_walk, sizeof by_walk);
	ask_with(world, question, true, given, sizeof given);
	assert_string_equal(given, by_walk);
}

static void check_some(struct contest_world *world)
{
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		if (draw_below(&world->draw, 3) > 0) {
			check(world, questions[i]);
		}
	}
}

/* Is this question answered out of leaders? */
static bool is_led(struct contest_world *world, const char *question)
{
	uint64_t before = world->tally.by_leaders;

	check(world, question);
	return world->tally.by_leaders > before;
}

static void sell_so_many(struct contest_world *world, const char *product, int count)
{
	struct sale sale = {.quantity = 1, .price = 1000000};

	snprintf(sale.product, sizeof sale.product, "%s", product);
	for (int i = 0; i < count; i++) {
		count_sale(world, &sale, false);
	}
}

static void commit(struct contest_world *world)
{
	freeze(world);
	open_gate(world);
	hear(world);
}

/* p000 has one, p001 two, and so on. */
static void sell_stairs(struct contest_world *world, int products)
{
	for (int i = 0; i < products; i++) {
		char name[16];
		snprintf(name, sizeof name, "p%03d", i);
		sell_so_many(world, name, i + 1);
	}
}

/* ---- tests */

static void test_the_rows_that_lead_are_those_of_a_walk_whatever_changes(void **state)
{
	struct contest_world *world = *state;

	for (int round = 0; round < 160; round++) {
		change(world);
		check_some(world);
		freeze(world);
		check_some(world);
		change(world);
		check_some(world);
		open_gate(world);
		check_some(world);
		change(world);
		hear(world);
		check_some(world);
	}
	/* Most are answered so, and the walk is needed, too. */
	assert_true(world->tally.by_leaders > 2 * world->tally.by_walk);
	assert_true(world->tally.by_walk > 20);
}

static void test_leaders_begin_anew_after_a_start(void **state)
{
	struct contest_world *world = *state;

	sell_stairs(world, 60);
	commit(world);
	assert_false(is_led(world, questions[1]));
	assert_true(is_led(world, questions[1]));
	drop_store(world->log);
	open_world(world);
	assert_false(is_led(world, questions[1]));
	assert_true(is_led(world, questions[1]));
}

static void test_one_walk_serves_all_commits_that_follow(void **state)
{
	struct contest_world *world = *state;

	sell_stairs(world, 60);
	commit(world);
	assert_false(is_led(world, questions[1]));
	for (int i = 0; i < 10; i++) {
		freeze(world);
		assert_true(is_led(world, questions[1]));
		sell_so_many(world, "p003", 9); /* from far below to the top */
		open_gate(world);
		assert_true(is_led(world, questions[1]));
		hear(world);
		assert_true(is_led(world, questions[1]));
	}
	assert_non_null(
		strstr(ask(world->log, questions[0]), "\"p003\",\"currency\":\"GBP\",\"n\":94"));
}

static void test_what_a_walk_sees_of_a_commit_under_way_is_not_added_again(void **state)
{
	struct contest_world *world = *state;

	sell_stairs(world, 60);
	freeze(world);
	sell_so_many(world, "p050", 3);
	assert_false(is_led(world, questions[1]));
	assert_true(is_led(world, questions[1]));
	open_gate(world);
	assert_true(is_led(world, questions[1]));
	hear(world);
	assert_true(is_led(world, questions[1]));
	assert_non_null(
		strstr(ask(world->log, questions[1]), "\"p050\",\"currency\":\"GBP\",\"n\":54"));
}

static void test_equals_come_in_the_order_of_their_keys(void **state)
{
	struct contest_world *world = *state;

	sell_stairs(world, 60);
	commit(world);
	check(world, questions[1]);
	for (int i = 0; i < 12; i++) {
		char name[16];
		snprintf(name, sizeof name, "p%03d", 59 - i);
		sell_so_many(world, name, i); /* they all have 60 */
	}
	assert_true(is_led(world, questions[1]));
	const char *first = strstr(ask(world->log, questions[1]), "p0");
	assert_memory_equal(first, "p048", 4);
	sell_so_many(world, "p001", 58); /* so has this one, which did not lead */
	check(world, questions[1]);
	assert_memory_equal(strstr(ask(world->log, questions[1]), "p0"), "p001", 4);
}

static void test_a_row_that_was_emptied_and_comes_back_is_missed_by_nobody(void **state)
{
	struct contest_world *world = *state;
	const struct sale sale = {"p059", 1, 1000000};

	sell_stairs(world, 60);
	commit(world);
	for (int i = 0; i < 60; i++) {
		count_sale(world, &sale, true);
	}
	assert_false(is_led(world, questions[0])); /* the walk shows no p059 */
	assert_null(strstr(ask(world->log, questions[0]), "p059"));
	sell_so_many(world, "p059", 70);
	assert_true(is_led(world, questions[0]));
	assert_non_null(strstr(ask(world->log, questions[0]), "p059"));
	commit(world);
	assert_true(is_led(world, questions[0]));
}

static void test_a_board_that_does_not_fit_the_store_is_dropped(void **state)
{
	struct contest_world *world = *state;
	struct boards *boards = &shard_of(world)->boards;

	sell_stairs(world, 60);
	commit(world);
	check(world, questions[1]);
	assert_int_equal(boards->count, 1);
	boards->items[0].leaders->rows[0].number += 5;
	assert_false(is_led(world, questions[1])); /* the row is read, and has less */
	assert_true(is_led(world, questions[1]));
	boards->items[0].leaders->rows[3].number -= 2;
	sell_so_many(world, "p056", 1);
	commit(world); /* finds it out, and leads on none */
	assert_false(is_led(world, questions[1]));
	assert_true(is_led(world, questions[1]));
}

static void test_what_has_no_leaders_is_walked(void **state)
{
	static const char *const others[] = {
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"n\",\"order\":\"asc\",\"limit\":"
		"7}",
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"m\",\"limit\":7}",
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"n\",\"limit\":101}",
		"{\"query\":\"top\",\"view\":\"stores\",\"by\":\"b\",\"limit\":1}",
		"{\"query\":\"top\",\"view\":\"hours\",\"by\":\"n\",\"limit\":1}",
	};
	struct contest_world *world = *state;

	sell_stairs(world, 60);
	commit(world);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		check(world, others[i]);
		assert_false(is_led(world, others[i]));
	}
	assert_int_equal(shard_of(world)->boards.count, 0);
}

static void test_all_equal_rows_are_walked_and_right(void **state)
{
	struct contest_world *world = *state;

	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof name, "p%03d", 99 - i);
		sell_so_many(world, name, 1);
	}
	commit(world);
	check(world, questions[1]);
	assert_false(is_led(world, questions[1]));
	assert_memory_equal(strstr(ask(world->log, questions[1]), "p0"), "p000", 4);
}

/* Leaders of so many measures that some have to go; those that were handed over live on until the commit is through. */
static void test_the_board_that_was_not_asked_for_longest_goes(void **state)
{
	struct boards boards = {.kept = 4};
	(void)state;

	for (size_t i = 0; i < BOARDS_MAX + 2; i++) {
		struct leaders *leaders = NULL;
		assert_int_equal(leaders_new(0, i, 0, boards.kept, &leaders), 0);
		leaders_add(leaders, slice_of_text("a"), (money)i + 1);
		assert_int_equal(leaders_finish(leaders), 0);
		if (i == BOARDS_MAX) {
			boards_hand_over(&boards, 8);
			assert_non_null(boards_find(&boards, 0, 0, 7, false));
		}
		boards_keep(&boards, leaders, 7);
		assert_non_null(boards_find(&boards, 0, i, 7, false));
	}
	assert_int_equal(boards.count, BOARDS_MAX);
	assert_non_null(boards_find(&boards, 0, 0, 7, false));
	assert_null(boards_find(&boards, 0, 1, 7, false));
	assert_null(boards_find(&boards, 0, 2, 7, false));
	assert_non_null(boards_find(&boards, 0, BOARDS_MAX + 1, 7, false));
	assert_int_equal(boards.handed_count, BOARDS_MAX);
	assert_int_equal(leaders_key(boards.successions[1].before, 0).size, 1);
	boards_committed(&boards, 8); /* nobody wrote it: none leads on */
	assert_null(boards_find(&boards, 0, 0, 8, false));
	boards_deinit(&boards);
}

static void assert_left(
	const int *numbers, size_t count, money floor, const int *left, size_t left_count)
{
	struct leaders *leaders = NULL;

	assert_int_equal(leaders_new(3, 1, 0, 4, &leaders), 0);
	for (size_t i = 0; i < count; i++) {
		char name[8];
		snprintf(name, sizeof name, "k%d", numbers[i]);
		leaders_add(leaders, slice_of_text(name), numbers[i]);
	}
	assert_int_equal(leaders_finish(leaders), 0);
	assert_true(leaders->floor == floor);
	assert_int_equal(leaders->count, left_count);
	for (size_t i = 0; i < left_count; i++) {
		char name[8];
		snprintf(name, sizeof name, "k%d", left[i]);
		assert_true(leaders->rows[i].number == left[i]);
		assert_true(slice_equals_text(leaders_key(leaders, i), name));
	}
	leaders_free(leaders);
}

static void test_leaders_are_cut_to_those_above_the_first_that_goes(void **state)
{
	static const int stairs[] = {13, 19, 11, 15, 17, 12, 18, 14, 16, 10, 14};
	static const int left[] = {19, 18, 17, 16, 15};
	static const int equals[] = {5, 5, 5, 5, 5, 5, 5, 9, 7, 5, 4};
	static const int left_of_equals[] = {9, 7};
	(void)state;

	assert_left(stairs, 11, 14, left, 5);
	assert_left(equals, 11, 5, left_of_equals, 2);
	assert_left(stairs, 3, 0, (const int[]){19, 13, 11}, 3);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_the_rows_that_lead_are_those_of_a_walk_whatever_changes),
		WITH_WORLD(test_leaders_begin_anew_after_a_start),
		WITH_WORLD(test_one_walk_serves_all_commits_that_follow),
		WITH_WORLD(test_what_a_walk_sees_of_a_commit_under_way_is_not_added_again),
		WITH_WORLD(test_equals_come_in_the_order_of_their_keys),
		WITH_WORLD(test_a_row_that_was_emptied_and_comes_back_is_missed_by_nobody),
		WITH_WORLD(test_a_board_that_does_not_fit_the_store_is_dropped),
		WITH_WORLD(test_what_has_no_leaders_is_walked),
		WITH_WORLD(test_all_equal_rows_are_walked_and_right),
		cmocka_unit_test(test_the_board_that_was_not_asked_for_longest_goes),
		cmocka_unit_test(test_leaders_are_cut_to_those_above_the_first_that_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
