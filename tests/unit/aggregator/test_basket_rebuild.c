/* What views of kind basket say follows from the records of each partition alone: whatever is read beside it, however it is spread
 * over shards, committed and killed. Held against counting by hand. */
#include "aggregator/desk/forgetting.h"
#include "many_logs.h"
#include "proto/money.h"
#include "tests/unit/rounds.h"

enum { ORDERS = 90, CHANNELS = 3, CURRENCIES = 2, LINE_SIZE = 512 };

#define HORIZON_MS (30 * MINUTE_MS)
#define MEMORY_MS DAY_MS

static const char *const channels[CHANNELS] = {"phone", "shop", "web"};
static const char *const currencies[CURRENCIES] = {"GBP", "USD"};

static const char *views[][2] = {
	{"baskets",
		"kind = basket\ngroup_by = channel\nmeasures = n = count(), a = sum(amount), s = "
		"min(amount), g = max(amount), q = sum(quantity), l = sum(lines), h = "
		"quantile(amount, 0.5)\n"},
	{"basket_users", "kind = basket\ngroup_by = user_id, day(ts)\nmeasures = n = count(), f = "
			 "first(order_id), u = last(user_id)\nretain = 2d\n"},
	{"returned",
		"kind = basket\ngroup_by = edge\nmeasures = n = count()\nwhere = quantity < 0\n"},
	{"lines", "kind = order\ngroup_by = channel\nmeasures = n = count()\n"},
};

struct sale {
	int order, channel, currency, units, quantity;
	int64_t append_ms;
};

static struct sale sales[EDGES][RECORDS];

static void log_sale(struct world *world, int edge, const struct sale *sale)
{
	char order_id[16], user_id[16];
	struct event event = sample_order(1, sale->append_ms - sale->order * 1000, "tea",
		sale->quantity, (int64_t)sale->units * MONEY_MICROS_PER_UNIT);

	snprintf(order_id, sizeof order_id, "o%d", sale->order);
	snprintf(user_id, sizeof user_id, "u%d", sale->order % 7);
	set_text(&event, FIELD_ORDER_ID, order_id);
	set_text(&event, FIELD_USER_ID, user_id);
	set_text(&event, FIELD_CURRENCY, currencies[sale->currency]);
	set_text(&event, FIELD_CHANNEL, channels[sale->channel]);
	log_event(world, edge, &event, sale->append_ms);
}

/* Three days; orders come again after minutes, hours and days. */
static struct world *new_sales(struct draw *draw)
{
	struct world *world = new_world(views, sizeof views / sizeof views[0]);

	for (int edge = 0; edge < EDGES; edge++) {
		int64_t time = START_MS + draw_below(draw, 100) * MINUTE_MS;
		world->logs[edge] = calloc(RECORDS, sizeof *world->logs[edge]);
		for (int i = 0; i < RECORDS; i++) {
			struct sale *sale = &sales[edge][i];
			int recent = i / 6 + (int)draw_below(draw, 3);
			time += draw_below(draw, 15) * MINUTE_MS;
			*sale = (struct sale){
				.order = draw_below(draw, 8) == 0 ? (int)draw_below(draw, ORDERS)
								  : recent % ORDERS,
				.channel = (int)draw_below(draw, CHANNELS),
				.currency = draw_below(draw, 9) == 0,
				.units = 1 + (int)draw_below(draw, 500),
				.quantity = draw_below(draw, 7) == 0 ? -2 : 1,
				.append_ms = draw_below(draw, 50) == 0 ? time - MINUTE_MS : time,
			};
			log_sale(world, edge, sale);
		}
	}
	return world;
}

/* ---- by hand */

struct hand_sum {
	int64_t units, quantity, lines;
};

struct hand_row {
	int64_t count, units, least, greatest, quantity, lines;
};

struct hand {
	struct basket_books books;
	struct hand_row rows[CHANNELS][CURRENCIES];
};

static void close_by_hand(struct hand *hand, int channel, const struct hand_sum sums[CURRENCIES])
{
	hand->books.closed++;
	for (int i = 0; i < CURRENCIES; i++) {
		struct hand_row *row = &hand->rows[channel][i];
		if (sums[i].lines == 0) {
			continue;
		}
		hand->books.given++;
		row->least =
			row->count == 0 || sums[i].units < row->least ? sums[i].units : row->least;
		row->greatest = row->count == 0 || sums[i].units > row->greatest ? sums[i].units
										 : row->greatest;
		row->count++;
		row->units += sums[i].units;
		row->quantity += sums[i].quantity;
		row->lines += sums[i].lines;
	}
}

/* One order of one edge, from its first record to the end of the log. */
static void count_order(struct hand *hand, int edge, int order)
{
	struct hand_sum sums[CURRENCIES] = {0};
	int64_t clock_ms = 0, last_ms = -1;
	bool is_open = false;
	int channel = 0;

	for (int i = 0; i < RECORDS; i++) {
		const struct sale *sale = &sales[edge][i];
		clock_ms = sale->append_ms > clock_ms ? sale->append_ms : clock_ms;
		if (is_open && clock_ms - last_ms > HORIZON_MS) {
			close_by_hand(hand, channel, sums);
			is_open = false;
		}
		if (sale->order != order) {
			continue;
		}
		if (!is_open && last_ms >= 0 && clock_ms - last_ms <= MEMORY_MS) {
			hand->books.late++;
			continue;
		}
		if (!is_open) {
			hand->books.opened++;
			memset(sums, 0, sizeof sums);
			channel = sale->channel;
		}
		is_open = true;
		last_ms = clock_ms;
		hand->books.lines++;
		sums[sale->currency].units += (int64_t)sale->units * sale->quantity;
		sums[sale->currency].quantity += sale->quantity;
		sums[sale->currency].lines++;
	}
}

static void assert_hand(const char *dump, const struct hand *hand)
{
	const struct basket_books *books = &hand->books;
	char line[LINE_SIZE];

	snprintf(line, sizeof line,
		"{\"baskets\":{\"lines\":%" PRIu64 ",\"late\":%" PRIu64 ",\"opened\":%" PRIu64
		",\"closed\":%" PRIu64 ",\"given\":%" PRIu64 "}}\n",
		books->lines, books->late, books->opened, books->closed, books->given);
	assert_non_null(strstr(dump, line));
	for (int i = 0; i < CHANNELS * CURRENCIES; i++) {
		const struct hand_row *row = &hand->rows[i / CURRENCIES][i % CURRENCIES];
		snprintf(line, sizeof line,
			"{\"view\":\"baskets\",\"row\":{\"channel\":\"%s\",\"currency\":\"%s\","
			"\"n\":%" PRId64 ",\"a\":\"%" PRId64 ".00\",\"s\":\"%" PRId64
			".00\",\"g\":\"%" PRId64 ".00\",\"q\":%" PRId64 ",\"l\":%" PRId64 ",",
			channels[i / CURRENCIES], currencies[i % CURRENCIES], row->count,
			row->units, row->least, row->greatest, row->quantity, row->lines);
		assert_non_null(strstr(dump, line));
	}
}

static void test_baskets_depend_on_the_records_of_their_partition_alone(void **state)
{
	struct draw draw = {7};
	static char first[DUMP_SIZE];
	(void)state;

	for (int round = 0; round < rounds_of(3); round++) {
		struct world *world = new_sales(&draw);
		struct hand hand = {0};
		for (int i = 0; i < EDGES * ORDERS; i++) {
			count_order(&hand, i / ORDERS, i % ORDERS);
		}
		assert_true(hand.books.late > 100 && hand.books.closed > 200);
		assert_int_equal(hand.books.lines + hand.books.late, EDGES * RECORDS);
		count_all(world, 1, &draw);
		assert_hand(world->dump, &hand);
		memcpy(first, world->dump, sizeof first);
		for (int i = 0; i < 2; i++) {
			count_all(world, 1, &draw);
			assert_same(world->dump, first);
		}
		cut_shares(first);
		count_all(world, 4, &draw);
		cut_shares(world->dump);
		assert_same(world->dump, first);
		free_world(world);
	}
}

/* ---- who is forgotten */

static void read_until(struct world *world, int64_t time_ms)
{
	for (int edge = 0; edge < EDGES; edge++) {
		const struct logged *log = world->logs[edge];
		while (world->next[edge] < world->counts[edge] &&
			log[world->next[edge]].timestamp_ms < time_ms) {
			take(world, edge);
		}
	}
	commit(world);
}

static void forget(struct world *world, const char *user, bool revoke, int64_t now_ms)
{
	const struct query query = {.user = slice_of_text(user), .revoke = revoke};
	const struct forgetting forgetting = {.stores = world->stores,
		.live = world->pipeline,
		.views = world->views,
		.now_ms = now_ms,
		.by = "boss"};
	struct complaint complaint = {0};
	struct forget_plan plan;

	assert_int_equal(forgetting_plan(&forgetting, &query, &plan, &complaint), 0);
	assert_int_equal(forgetting_carry_out(&forgetting, &plan, &complaint), 0);
	forget_plan_deinit(&plan);
}

/* Forgotten after a day, let back in after another; or both before the first record was read: it is the same. */
static void count_without(struct world *world, const char *user, bool amid, bool lets_back)
{
	const int64_t gone_ms = START_MS + DAY_MS, back_ms = START_MS + 2 * DAY_MS;
	struct draw draw = {9};

	start_counting(world, 1);
	if (amid) {
		read_until(world, gone_ms);
	}
	forget(world, user, false, gone_ms);
	if (amid) {
		read_until(world, back_ms);
	}
	if (lets_back) {
		forget(world, user, true, back_ms);
	}
	read_logs(world, &draw);
	end_counting(world);
}

static void test_baskets_of_who_is_forgotten_are_held_whenever_he_is(void **state)
{
	struct draw draw = {8};
	static char amid[DUMP_SIZE];
	(void)state;

	for (int lets_back = 0; lets_back < 2; lets_back++) {
		struct world *world = new_sales(&draw);
		count_without(world, "u3", true, lets_back);
		memcpy(amid, world->dump, sizeof amid);
		assert_true((strstr(amid, "\"user_id\":\"u3\"") != NULL) == lets_back);
		count_without(world, "u3", false, lets_back);
		assert_same(amid, world->dump);
		free_world(world);
	}
}

/* ---- many at once */

enum { MANY = 2500, MANY_OPEN = 9000, CLOSED_AT_ONCE = 128 };

/* So many orders, and a record a day later, when none of them is open any more. */
static struct world *new_crowd(int count)
{
	static const char *one[][2] = {
		{"baskets", "kind = basket\ngroup_by = edge\nmeasures = n = count()\n"}};
	struct world *world = new_world(one, 1);

	world->entries_at_once = SIZE_MAX;
	world->logs[0] = calloc((size_t)count + 1, sizeof *world->logs[0]);
	for (int i = 0; i < count; i++) {
		log_order(world, 0, START_MS, START_MS, i, i);
	}
	log_order(world, 0, START_MS, START_MS + DAY_MS, count, count);
	return world;
}

static void take_all(struct world *world)
{
	while (!is_read(world)) {
		take(world, 0);
	}
}

static int64_t tick(struct world *world)
{
	int64_t wait_ms = INT64_MAX;

	world->now_ms += 2000;
	assert_int_equal(pipeline_tick(world->pipeline, world->now_ms, &wait_ms), 0);
	drain(world);
	return wait_ms;
}

static void test_many_that_close_at_once_do_so_in_steps_and_are_written_together(void **state)
{
	struct world *world = new_crowd(MANY);
	(void)state;

	start_counting(world, 1);
	take_all(world);
	for (uint64_t closed = CLOSED_AT_ONCE; closed < MANY; closed += CLOSED_AT_ONCE) {
		assert_int_equal(tick(world), 0);
		const struct shard *shard = world->pipeline->shards[0];
		assert_int_equal(shard->ledger.baskets.closed, closed);
		assert_int_equal(shard->committed, 0);
		assert_true(pipeline_is_full(world->pipeline));
	}
	tick(world);
	assert_int_equal(world->pipeline->shards[0]->ledger.baskets.closed, MANY);
	assert_int_equal(world->pipeline->shards[0]->committed, 1);
	assert_false(pipeline_is_full(world->pipeline));
	check_store(world);
	end_counting(world);
	free_world(world);
}

static void test_without_room_for_all_that_close_some_are_written_and_a_kill_loses_none(
	void **state)
{
	struct world *world = new_crowd(MANY);
	bool is_clean = false;
	(void)state;

	start_counting(world, 1);
	take_all(world);
	world->pipeline->options.overlay_bytes_max = 1;
	tick(world);
	assert_int_equal(world->pipeline->shards[0]->committed, 1);
	assert_int_equal(world->pipeline->shards[0]->ledger.baskets.closed, CLOSED_AT_ONCE);
	drop_world(world);
	open_world(world);
	while (!is_clean) {
		assert_int_equal(pipeline_flush(world->pipeline, &is_clean), 0);
		drain(world);
	}
	assert_int_equal(world->pipeline->shards[0]->ledger.baskets.closed, MANY);
	check_store(world);
	end_counting(world);
	free_world(world);
}

/* Nobody waits for an answer while many thousands of changes are taken into a commit. */
static void test_what_is_to_be_written_is_gathered_in_steps_while_more_is_read(void **state)
{
	struct world *world = new_crowd(MANY);
	int steps = 0;
	(void)state;

	world->entries_at_once = 100;
	start_counting(world, 1);
	const struct shard *shard = world->pipeline->shards[0];
	for (int i = 0; i < MANY - 200; i++) {
		take(world, 0);
	}
	do {
		size_t changed = entries_changed_count(shard->entries);
		int64_t wait_ms = tick(world);
		bool is_amid = is_gathering(world);
		assert_int_equal(wait_ms == 0, is_amid);
		assert_int_equal(shard->committed, !is_amid);
		assert_true(!is_amid || changed - entries_changed_count(shard->entries) == 100);
		if (steps++ % 10 == 0) {
			take(world, 0); /* is in the same commit */
		}
	} while (is_gathering(world));
	assert_in_range(steps, 23, 30);
	assert_int_equal(shard->committed, 1);
	take_all(world);
	while (!entries_are_written(shard->entries)) {
		tick(world);
	}
	check_store(world);
	end_counting(world);
	free_world(world);
}

static struct world *die_with_many_open(void)
{
	struct world *world = new_crowd(MANY_OPEN);

	start_counting(world, 1);
	for (int i = 0; i < MANY_OPEN; i++) {
		take(world, 0);
	}
	tick(world);
	assert_int_equal(world->pipeline->shards[0]->committed, 1);
	drop_world(world);
	open_world(world);
	return world;
}

static void test_a_start_reads_what_is_open_in_steps_and_takes_records_meanwhile(void **state)
{
	struct world *world = die_with_many_open();
	const struct shard *shard = world->pipeline->shards[0];
	(void)state;

	assert_true(pipeline_is_loading(world->pipeline));
	take_all(world); /* the time of all has come */
	for (int step = 0; step < 2; step++) {
		assert_int_equal(tick(world), 0);
		assert_true(pipeline_is_loading(world->pipeline));
		assert_false(pipeline_is_full(world->pipeline));
		assert_int_equal(shard->ledger.baskets.closed, 0);
	}
	assert_int_equal(tick(world), 0);
	assert_false(pipeline_is_loading(world->pipeline));
	assert_int_equal(shard->ledger.baskets.closed, CLOSED_AT_ONCE);
	while (shard->ledger.baskets.closed < MANY_OPEN) {
		assert_int_equal(shard->committed, 1); /* nothing half closed is on disk */
		tick(world);
	}
	assert_int_equal(shard->committed, 2);
	check_store(world);
	end_counting(world);
	free_world(world);
}

static void test_a_stop_amid_a_start_closes_all_whose_time_has_come(void **state)
{
	struct world *world = die_with_many_open();
	bool is_clean = false;
	(void)state;

	take_all(world);
	tick(world);
	while (!is_clean) {
		assert_int_equal(pipeline_flush(world->pipeline, &is_clean), 0);
		drain(world);
	}
	assert_int_equal(world->pipeline->shards[0]->ledger.baskets.closed, MANY_OPEN);
	check_store(world);
	end_counting(world);
	free_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_baskets_depend_on_the_records_of_their_partition_alone),
		cmocka_unit_test(test_baskets_of_who_is_forgotten_are_held_whenever_he_is),
		cmocka_unit_test(
			test_many_that_close_at_once_do_so_in_steps_and_are_written_together),
		cmocka_unit_test(
			test_what_is_to_be_written_is_gathered_in_steps_while_more_is_read),
		cmocka_unit_test(
			test_without_room_for_all_that_close_some_are_written_and_a_kill_loses_none),
		cmocka_unit_test(
			test_a_start_reads_what_is_open_in_steps_and_takes_records_meanwhile),
		cmocka_unit_test(test_a_stop_amid_a_start_closes_all_whose_time_has_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
