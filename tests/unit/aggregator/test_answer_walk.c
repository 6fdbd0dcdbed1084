/* Answers that walk many rows, and how rows are shown. */
#include "answer_world.h"
#include "proto/zone.h"

enum { MANY_ROWS = 2 * ANSWER_RENEW_ROWS + 20000 };

static void put_many_rows(struct world *world)
{
	const struct view *view = view_set_find(world->views, slice_of_text("products"));
	struct snapshot *store = &world->bases[0];
	struct buffer value;
	struct row row;

	fake_deinit(store);
	row_init(view, &row);
	buffer_init(&value, 4096);
	for (int i = 0; i < MANY_ROWS; i++) {
		char product[16];
		snprintf(product, sizeof product, "p%06d", i);
		struct row_key key = sample_key((const char *const[]){product, "GBP"}, 2);
		row.event_count = (uint64_t)(i * 7919 % MANY_ROWS) + 1; /* each number once */
		buffer_clear(&value);
		row_write(view, &row, &value);
		fake_put(store, view->id, row_key_slice(&key), buffer_slice(&value));
	}
	buffer_deinit(&value);
}

/* As the program does it: what was frozen has been committed meanwhile. */
static int renew_after_commit(void *owner, struct layers *shards, size_t shard_count)
{
	struct world *world = owner;

	assert_int_equal(world->bases[0].open_cursors, 0);
	if (world->renewals++ == 0) {
		fake_commit(&world->bases[0], world->views, world->frozen[0]);
		for (size_t i = 0; i < shard_count; i++) {
			shards[i].frozen = NULL;
		}
	}
	return 0;
}

static void check_many_top(struct world *world)
{
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\",\"limit\":50}"));
	const struct node *row = node_first(rows);

	for (int64_t i = 0; i < 50; i++, row = node_next(row)) {
		/* 500 more for the row that the layers add to, which was MANY_ROWS - 30 */
		int64_t expected = i == 0    ? MANY_ROWS - 30 + 500
				   : i <= 30 ? MANY_ROWS + 1 - i
					     : MANY_ROWS - i;
		assert_int_equal(integer_at(row, "order_count"), expected);
	}
}

/* A row near the end of the walk gets 300 orders from the frozen and 200 from the active layer. */
static void add_to_one_row(struct world *world)
{
	static char product[16];
	int row = 0;

	while (row * 7919 % MANY_ROWS + 1 != MANY_ROWS - 30) {
		row++;
	}
	snprintf(product, sizeof product, "p%06d", row);
	for (int i = 0; i < 500; i++) {
		struct event event = sample_order(1, 1, product, 1, 1);
		apply(i < 300 ? world->frozen[0] : world->active[0], &event);
	}
}

static void test_a_long_walk_renews_its_snapshots_and_counts_nothing_twice(void **state)
{
	struct world *world = new_world(1, true);
	(void)state;

	clear_world(world);
	put_many_rows(world);
	add_to_one_row(world);
	set_layers(world, true);
	check_many_top(world);
	world->context.renew = renew_after_commit;
	world->context.renew_owner = world;
	check_many_top(world);
	assert_int_equal(world->renewals, MANY_ROWS / ANSWER_RENEW_ROWS);
	check_many_top(world);
	free_world(world);
}

static int renew_fails(void *owner, struct layers *shards, size_t shard_count)
{
	(void)owner;
	(void)shards;
	(void)shard_count;
	return -ENOMEM;
}

static void test_a_snapshot_that_can_not_be_renewed_ends_the_answer(void **state)
{
	struct world *world = new_world(1, true);
	(void)state;

	put_many_rows(world);
	world->context.renew = renew_fails;
	const struct node *error = node_find(
		ask(world, "{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\"}"),
		"error");
	assert_string_equal(text_at(error, "code"), "internal");
	free_world(world);
}

static void test_a_scan_ends_where_the_answer_is_full(void **state)
{
	struct world *world = new_world(1, true);
	char request[600] = "{\"query\":\"scan\",\"view\":\"products\",\"limit\":100000}";
	size_t count = 0;
	(void)state;

	clear_world(world);
	put_many_rows(world);
	const struct node *answer = ask(world, request);
	assert_true(rows_of(answer)->count < 100000);
	assert_true(world->reply.size <= ANSWER_SIZE_MAX);
	assert_true(world->reply.size > ANSWER_SIZE_MAX - 100000);
	for (;;) {
		count += rows_of(answer)->count;
		if (node_find(answer, "next") == NULL) {
			break;
		}
		snprintf(request, sizeof request,
			"{\"query\":\"scan\",\"view\":\"products\",\"limit\":100000,\"cursor\":\"%"
			"s\"}",
			text_at(answer, "next"));
		answer = ask(world, request);
	}
	assert_int_equal(count, MANY_ROWS);
	free_world(world);
}

static void test_every_kind_of_measure_is_shown_as_what_it_is(void **state)
{
	struct world *world = new_world(1, true);
	struct view_set *views = new_view_set();
	struct event order = sample_order(1, INT64_C(1291191960000), "p", 3, 2550000);
	(void)state;

	add_view(views, "v",
		"group_by = weekday(ts), hour_of_day(ts), day(ts), quantity\nmeasures = a = "
		"average(quantity), m = average(revenue), none = min(tax), "
		"lo = min(quantity), hi = max(unit_price), f = first(channel), l = "
		"last(product_id), c = last(amount), t = min(ts)\n");
	struct overlay *overlay = new_overlay(views);
	apply(overlay, &order);
	world->context.views = views;
	world->context.shards[0].active = overlay;
	world->context.shards[0].frozen = NULL;
	fake_deinit(&world->bases[0]);
	const struct node *row = node_first(rows_of(ask(world,
		"{\"query\":\"get\",\"view\":\"v\",\"key\":[3,8,\"2010-12-01\",3,\"GBP\"]}")));
	assert_int_equal(integer_at(row, "weekday"), 3);
	assert_int_equal(integer_at(row, "hour_of_day"), 8);
	assert_string_equal(text_at(row, "day"), "2010-12-01");
	assert_int_equal(integer_at(row, "quantity"), 3);
	assert_string_equal(text_at(row, "a"), "3.00");
	assert_string_equal(text_at(row, "m"), "7.65");
	assert_int_equal(node_find(row, "none")->type, NODE_NIL);
	assert_int_equal(integer_at(row, "lo"), 3);
	assert_string_equal(text_at(row, "hi"), "2.55");
	assert_int_equal(node_find(row, "f")->type, NODE_NIL);
	assert_string_equal(text_at(row, "l"), "p");
	assert_int_equal(node_find(row, "c")->type, NODE_NIL);
	assert_string_equal(text_at(row, "t"), "2010-12-01T08:26:00.000Z");
	const char *by[] = {"a", "m", "none", "lo", "hi", "c", "t"};
	for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
		char request[100];
		snprintf(request, sizeof request,
			"{\"query\":\"top\",\"view\":\"v\",\"by\":\"%s\"}", by[i]);
		assert_int_equal(rows_of(ask(world, request))->count, 1);
	}
	const struct node *error =
		node_find(ask(world, "{\"query\":\"top\",\"view\":\"v\",\"by\":\"l\"}"), "error");
	assert_string_equal(text_at(error, "code"), "unknown_field");
	overlay_free(overlay);
	free_world(world);
	view_set_free(views);
}

/* Sums have 128 bits; what a client makes of them is its affair. */
static void test_sums_past_64_bits_are_shown_exactly(void **state)
{
	static const struct {
		const char *product, *json;
		money sum;
	} rows[] = {
		{"big", "1180591620717411303424", (money)1 << 70},
		{"low", "-1180591620717411303424", -((money)1 << 70)},
		{"max", "9223372036854775807", INT64_MAX},
		{"min", "-9223372036854775808", INT64_MIN},
	};
	struct world *world = new_world(1, true);
	const struct view *view = view_set_find(world->views, slice_of_text("products"));
	struct query query = {.type = QUERY_SCAN, .encoding = ENCODING_MSGPACK, .limit = 9};
	struct complaint complaint;
	struct row row;
	(void)state;

	clear_world(world);
	row_init(view, &row);
	row.event_count = 1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct row_key key = sample_key((const char *const[]){rows[i].product, "GBP"}, 2);
		struct buffer value;
		row.cells[1].number = rows[i].sum;
		buffer_init(&value, 4096);
		row_write(view, &row, &value);
		fake_put(&world->bases[0], view->id, row_key_slice(&key), buffer_slice(&value));
		buffer_deinit(&value);
	}
	const struct node *node = node_first(rows_of(
		ask(world, "{\"query\":\"top\",\"view\":\"products\",\"by\":\"total_quantity\"}")));
	static const size_t order[] = {0, 2, 3, 1};
	for (size_t i = 0; i < 4; i++, node = node_next(node)) {
		assert_true(slice_equals_text(
			node_find(node, "total_quantity")->text, rows[order[i]].json));
	}
	query.view = slice_of_text("products");
	buffer_clear(&world->reply);
	assert_int_equal(answer_query(&world->context, &query, &world->reply), 0);
	assert_int_equal(document_decode(&world->answer, ENCODING_MSGPACK,
				 buffer_slice(&world->reply), NESTING_MAX, &complaint),
		0);
	assert_string_equal(
		text_at(node_first(node_find(world->answer.nodes, "rows")), "total_quantity"),
		rows[0].json);
	free_world(world);
}

/* Keyed by 64 bytes and a hash, and shown whole, wherever the row lies. */
static void test_long_group_values_are_shown_whole(void **state)
{
	static char texts[2][131];
	struct world *world = new_world(1, true);
	char request[400];
	(void)state;

	for (int i = 0; i < 2; i++) {
		memset(texts[i], 'x', 130);
		texts[i][129] = (char)('a' + i); /* alike in all that the key shows */
		struct event event = sample_order(1, 1, texts[i], 1, 1);
		struct overlay *committed = new_overlay(world->views);
		apply(committed, &event);
		assert_int_equal(overlay_sort(committed), 0);
		fake_commit(&world->bases[0], world->views, committed);
		overlay_free(committed);
		if (i == 0) {
			apply(world->active[0], &event);
		}
	}
	for (int i = 0; i < 2; i++) {
		snprintf(request, sizeof request,
			"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"%s\"]}", texts[i]);
		const struct node *rows = rows_of(ask(world, request));
		assert_int_equal(rows->count, 1);
		assert_string_equal(text_at(node_first(rows), "product_id"), texts[i]);
		assert_int_equal(integer_at(node_first(rows), "order_count"), 2 - i);
	}
	const struct node *rows =
		rows_of(ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"from\":[\"x\"]}"));
	assert_int_equal(rows->count, 2);
	free_world(world);
}

static void put_be(struct buffer *buffer, uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		buffer_append_byte(buffer, (uint8_t)(number >> shift));
	}
}

/* A TZif file of nothing but Berlin's rule. */
static struct zone *new_berlin(void)
{
	struct zone *zone = NULL;
	struct buffer file;

	buffer_init(&file, 1000);
	for (int block = 0; block < 2; block++) {
		buffer_append(&file, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
		for (uint32_t i = 0; i < 6; i++) {
			put_be(&file, i == 4   ? 1
				      : i == 5 ? 4
					       : 0); /* one type, four bytes of names */
		}
		buffer_append(&file, "\0\0\0\0\0\0CET", 10);
	}
	buffer_append_text(&file, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
	assert_int_equal(zone_new("Europe/Berlin", buffer_slice(&file), &zone), 0);
	buffer_deinit(&file);
	return zone;
}

static int zone_of(void *owner, const char *name, const struct zone **ret_zone)
{
	assert_string_equal(name, "Europe/Berlin");
	*ret_zone = owner;
	return 0;
}

/* Half past two comes twice in the night when clocks go back: two rows, told apart by their offsets. */
static void test_buckets_of_a_zone_are_asked_and_shown_in_its_time(void **state)
{
	struct world *world = new_world(1, true);
	struct zone *berlin = new_berlin();
	struct view_set *views = NULL;
	(void)state;

	assert_int_equal(view_set_new(zone_of, berlin, &views), 0);
	add_view(views, "v",
		"group_by = hour(ts), day(ts)\nmeasures = n = count()\nzone = Europe/Berlin\n");
	struct overlay *overlay = new_overlay(views);
	struct event first = sample_order(1, INT64_C(1288485000000), "p", 1, 1); /* 00:30 UTC */
	struct event second = sample_order(2, INT64_C(1288488600000), "p", 1, 1);
	apply(overlay, &first);
	apply(overlay, &second);
	apply(overlay, &second);
	world->context.views = views;
	world->context.shards[0].active = overlay;
	world->context.shards[0].frozen = NULL;
	fake_deinit(&world->bases[0]);
	const struct node *rows = rows_of(ask(world, "{\"query\":\"scan\",\"view\":\"v\"}"));
	assert_int_equal(rows->count, 2);
	assert_string_equal(text_at(node_first(rows), "hour"), "2010-10-31T02:00+02:00");
	assert_string_equal(text_at(node_first(rows), "day"), "2010-10-31");
	rows = rows_of(ask(world, "{\"query\":\"get\",\"view\":\"v\",\"key\":[\"2010-10-31T02:00+"
				  "01:00\",\"2010-10-31\"]}"));
	assert_int_equal(rows->count, 1);
	assert_string_equal(text_at(node_first(rows), "hour"), "2010-10-31T02:00+01:00");
	assert_int_equal(integer_at(node_first(rows), "n"), 2);
	overlay_free(overlay);
	free_world(world);
	view_set_free(views);
	zone_free(berlin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_long_walk_renews_its_snapshots_and_counts_nothing_twice),
		cmocka_unit_test(test_a_snapshot_that_can_not_be_renewed_ends_the_answer),
		cmocka_unit_test(test_a_scan_ends_where_the_answer_is_full),
		cmocka_unit_test(test_every_kind_of_measure_is_shown_as_what_it_is),
		cmocka_unit_test(test_sums_past_64_bits_are_shown_exactly),
		cmocka_unit_test(test_long_group_values_are_shown_whole),
		cmocka_unit_test(test_buckets_of_a_zone_are_asked_and_shown_in_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
