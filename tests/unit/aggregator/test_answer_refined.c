/* where, range, group_by, order_by, compare and explain, over base + frozen + active of several shards. The model is
 * plain: every order is kept. tests/system/test_query.py holds thousands of random questions against another model. */
#include "aggregator/answer/answer_parts.h"
#include "answer_world.h"

static int set_up(void **state)
{
	*state = new_world(SHARDS, true);
	return 0;
}

static int tear_down(void **state)
{
	free_world(*state);
	return 0;
}

static void expect_error(
	struct world *world, const char *request, const char *code, const char *words)
{
	const struct node *error = node_find(ask(world, request), "error");

	if (error == NULL) {
		fail_msg("answered: %s", request);
	}
	assert_string_equal(text_at(error, "code"), code);
	if (strstr(text_at(error, "message"), words) == NULL) {
		fail_msg("%s: \"%s\" lacks \"%s\"", request, text_at(error, "message"), words);
	}
}

/* Orders of one hour (0, 1, or -1 for all) and one currency (NULL for all). */
static int64_t count_orders(const struct world *world, int hour, const char *currency)
{
	int64_t count = 0;

	for (size_t i = 0; i < ORDERS; i++) {
		const struct event *event = &world->events[i];
		count += (hour < 0 || (event->ts_ms - INT64_C(1291190400000)) / 3600000 == hour) &&
			 (currency == NULL ||
				 slice_equals_text(event->text[FIELD_CURRENCY], currency));
	}
	return count;
}

static void test_rows_are_rolled_up_to_a_coarser_bucket(void **state)
{
	static const char *const hours[] = {"2010-12-01T08:00", "2010-12-01T09:00"};
	static const char *const currencies[] = {"EUR", "GBP"};
	struct world *world = *state;
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"scan\",\"view\":\"sales_per_minute\",\"group_by\":[\"hour\"]}"));
	const struct node *row = node_first(rows);

	assert_int_equal(rows->count, 4);
	for (int i = 0; i < 4; i++, row = node_next(row)) {
		assert_int_equal(row->count, 5);
		assert_string_equal(text_at(row, "hour"), hours[i / 2]);
		assert_string_equal(text_at(row, "currency"), currencies[i % 2]);
		assert_int_equal(integer_at(row, "order_count"),
			count_orders(world, i / 2, currencies[i % 2]));
	}
}

static void test_everything_is_one_row_a_currency(void **state)
{
	struct world *world = *state;
	const struct node *rows =
		rows_of(ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"group_by\":[]}"));

	assert_int_equal(rows->count, 2);
	assert_int_equal(
		integer_at(node_first(rows), "order_count"), count_orders(world, -1, "EUR"));
}

static void test_a_get_finds_rolled_up_rows(void **state)
{
	struct world *world = *state;
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"get\",\"view\":\"sales_per_minute\",\"group_by\":[\"hour\"],"
		"\"keys\":[[\"2010-12-01T09:00\",\"GBP\"],[\"2010-12-01T10:00\"],"
		"[\"2010-12-01T09:00\"]]}"));

	assert_int_equal(rows->count, 3);
	assert_int_equal(
		integer_at(node_first(rows), "order_count"), count_orders(world, 1, "GBP"));
	assert_string_equal(text_at(node_next(node_first(rows)), "currency"), "EUR");
}

static void test_conditions_choose_rows(void **state)
{
	struct world *world = *state;
	const struct node *rows = rows_of(
		ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"where\":["
			   "{\"field\":\"currency\",\"op\":\"in\",\"value\":[\"USD\",\"GBP\"]},"
			   "{\"field\":\"product_id\",\"op\":\"prefix\",\"value\":\"p1\"},"
			   "{\"field\":\"order_count\",\"op\":\">\",\"value\":5},"
			   "{\"field\":\"total_revenue\",\"op\":\"!=\",\"value\":\"0.00\"}]}"));
	const struct node *row = node_first(rows);

	assert_true(rows->count > 0 && rows->count < 10);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		assert_string_equal(text_at(row, "currency"), "GBP");
		assert_int_equal(text_at(row, "product_id")[1], '1');
		assert_true(integer_at(row, "order_count") > 5);
	}
}

static void test_a_filtered_get_leaves_a_row_out(void **state)
{
	struct world *world = *state;
	const char *const format =
		"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"p10\",\"GBP\"],\"where\":["
		"{\"field\":\"order_count\",\"op\":\"%s\",\"value\":1}]}";
	char request[300];

	snprintf(request, sizeof request, format, ">=");
	assert_int_equal(rows_of(ask(world, request))->count, 1);
	snprintf(request, sizeof request, format, "<");
	assert_int_equal(rows_of(ask(world, request))->count, 0);
}

static void test_a_range_ends_before_its_end(void **state)
{
	struct world *world = *state;
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"scan\",\"view\":\"sales_per_minute\",\"limit\":1000,\"range\":"
		"{\"from\":\"2010-12-01T08:59\",\"to\":\"2010-12-01T09:01\"}}"));
	const struct node *row = node_first(rows);

	assert_true(rows->count >= 2 && rows->count <= 4);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		const char *minute = text_at(row, "minute");
		assert_true(strcmp(minute, "2010-12-01T08:59") == 0 ||
			    strcmp(minute, "2010-12-01T09:00") == 0);
	}
}

/* event_ts is 2010-12-01T08:46. */
static void test_the_last_unit_is_that_of_the_newest_event(void **state)
{
	struct world *world = *state;
	const struct node *explained =
		node_find(ask(world, "{\"query\":\"scan\",\"view\":\"sales_per_minute\",\"range\":{"
				     "\"last\":\"2h\"},\"explain\":true}"),
			"explain");
	const struct node *range = node_find(explained, "range");

	assert_string_equal(text_at(range, "from"), "2010-12-01T07:00");
	assert_string_equal(text_at(range, "to"), "2010-12-01T09:00");
	assert_string_equal(text_at(explained, "access"), "key_range");
}

static void test_rows_are_ordered_by_several_columns(void **state)
{
	struct world *world = *state;
	const struct node *answer =
		ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"limit\":50,\"order_by\":["
			   "{\"by\":\"currency\",\"order\":\"desc\"},{\"by\":\"order_count\"}]}");
	const struct node *rows = rows_of(answer);
	const struct node *row = node_first(rows);
	int64_t before = -1;

	assert_int_equal(rows->count, 50);
	assert_true(node_find(answer, "cut")->boolean);
	assert_null(node_find(answer, "next"));
	for (int i = 0; i < 50; i++, row = node_next(row)) {
		assert_string_equal(text_at(row, "currency"), "GBP");
		assert_true(integer_at(row, "order_count") >= before);
		before = integer_at(row, "order_count");
	}
}

static void test_pages_of_a_refined_scan_have_each_row_once(void **state)
{
	struct world *world = *state;
	char request[2000], cursor[1200] = "";
	size_t count = 0;

	do {
		snprintf(request, sizeof request,
			"{\"query\":\"scan\",\"view\":\"users\",\"limit\":3,\"where\":[{\"field\":"
			"\"currency\",\"op\":\"=\",\"value\":\"EUR\"}]%s%s%s}",
			cursor[0] == 0 ? "" : ",\"cursor\":\"", cursor, cursor[0] == 0 ? "" : "\"");
		const struct node *answer = ask(world, request);
		const struct node *next = node_find(answer, "next");
		count += rows_of(answer)->count;
		snprintf(cursor, sizeof cursor, "%.*s", next == NULL ? 0 : (int)next->text.size,
			next == NULL ? "" : (const char *)next->text.bytes);
	} while (cursor[0] != 0);
	assert_int_equal(count, 20);
}

static void test_a_cursor_is_for_its_own_question(void **state)
{
	struct world *world = *state;
	char request[2000];
	const struct node *next = node_find(
		ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"limit\":3,\"group_by\":["
			   "\"product_id\"]}"),
		"next");

	snprintf(request, sizeof request,
		"{\"query\":\"scan\",\"view\":\"products\",\"cursor\":\"%.*s\"}",
		(int)next->text.size, (const char *)next->text.bytes);
	expect_error(world, request, "bad_request", "begin the scan anew");
}

static void test_an_hour_is_compared_with_the_one_before(void **state)
{
	struct world *world = *state;
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"scan\",\"view\":\"sales_per_minute\",\"group_by\":[\"hour\"],"
		"\"compare\":{\"shift\":\"1h\"}}"));
	const struct node *first = node_first(rows);
	const struct node *later = node_next(node_next(first));
	int64_t now = count_orders(world, 1, "EUR"), then = count_orders(world, 0, "EUR");

	assert_int_equal(integer_at(node_find(first, "previous"), "order_count"), 0);
	assert_string_equal(text_at(node_find(first, "previous"), "total_revenue"), "0.00");
	assert_int_equal(integer_at(later, "order_count"), now);
	assert_int_equal(integer_at(node_find(later, "previous"), "order_count"), then);
	assert_int_equal(integer_at(node_find(later, "difference"), "order_count"), now - then);
}

static void test_a_period_is_compared_with_another(void **state)
{
	struct world *world = *state;
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"top\",\"view\":\"sales_per_minute\",\"by\":\"order_count\","
		"\"group_by\":[\"currency\"],\"range\":{\"from\":\"2010-12-01T09:00\"},\"compare\":"
		"{\"to\":{\"from\":\"2010-12-01T08:00\",\"to\":\"2010-12-01T09:00\"}}}"));
	const struct node *row = node_first(rows);

	assert_int_equal(rows->count, 2);
	for (int i = 0; i < 2; i++, row = node_next(row)) {
		const char *currency = text_at(row, "currency");
		assert_int_equal(integer_at(row, "order_count"), count_orders(world, 1, currency));
		assert_int_equal(integer_at(node_find(row, "previous"), "order_count"),
			count_orders(world, 0, currency));
	}
}

/* Without a roll-up the earlier row is looked up by its key. */
static void test_a_row_is_compared_with_a_row(void **state)
{
	struct world *world = *state;
	char request[300];
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"get\",\"view\":\"sales_per_minute\",\"key\":[\"2010-12-01T08:30\","
		"\"EUR\"],\"compare\":{\"shift\":\"3min\"}}"));
	int64_t previous = integer_at(node_find(node_first(rows), "previous"), "order_count");

	snprintf(request, sizeof request,
		"{\"query\":\"get\",\"view\":\"sales_per_minute\",\"key\":[\"2010-12-01T08:27\","
		"\"EUR\"]}");
	assert_int_equal(
		integer_at(node_first(rows_of(ask(world, request))), "order_count"), previous);
}

static void test_distinct_things_are_not_added_up_where_rows_share_them(void **state)
{
	struct world *world = *state;

	expect_error(world, "{\"query\":\"scan\",\"view\":\"users\",\"group_by\":[\"currency\"]}",
		"bad_request", "basket_count of view users");
	/* Currency is lost by no one's wish: the view has money. A basket tells its edge, so edges may go. */
	const struct node *rows =
		rows_of(ask(world, "{\"query\":\"scan\",\"view\":\"stores\",\"group_by\":[]}"));
	const struct node *stores = node_first(rows);
	int64_t baskets = integer_at(stores, "basket_count");
	rows = rows_of(ask(world,
		"{\"query\":\"scan\",\"view\":\"stores\",\"where\":[{\"field\":\"currency\",\"op\":"
		"\"=\",\"value\":\"EUR\"}]}"));
	const struct node *row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		baskets -= integer_at(row, "basket_count");
	}
	assert_int_equal(baskets, 0);
}

static void test_explain_says_what_would_be_done(void **state)
{
	struct world *world = *state;
	const struct node *explained = node_find(
		ask(world,
			"{\"query\":\"scan\",\"view\":\"sales_per_minute\",\"group_by\":[\"hour\"],"
			"\"where\":[{\"field\":\"order_count\",\"op\":\">\",\"value\":1}],"
			"\"compare\":{\"shift\":\"1d\"},\"explain\":true}"),
		"explain");

	assert_int_equal(explained->count, 12);
	assert_string_equal(text_at(explained, "access"), "full_walk");
	assert_string_equal(text_at(explained, "rows_are"), "exact");
	assert_true(integer_at(explained, "rows") > 100);
	assert_int_equal(integer_at(explained, "shards"), SHARDS);
	assert_string_equal(text_at(explained, "merge"), "by_group");
	assert_string_equal(text_at(explained, "order"), "by_key");
	assert_string_equal(text_at(explained, "earlier"), "second_walk");
	const struct node *filter = node_first(node_find(explained, "filters"));
	assert_string_equal(text_at(filter, "field"), "order_count");
	assert_string_equal(text_at(filter, "on"), "measure");
	explained =
		node_find(ask(world, "{\"query\":\"get\",\"view\":\"products\",\"key\":[\"p10\"],"
				     "\"explain\":true}"),
			"explain");
	assert_string_equal(text_at(explained, "access"), "keys");
	assert_string_equal(text_at(explained, "earlier"), "none");
	explained = node_find(
		ask(world, "{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\","
			   "\"where\":[{\"field\":\"product_id\",\"op\":\"=\",\"value\":\"p10\"}],"
			   "\"explain\":true}"),
		"explain");
	assert_string_equal(text_at(explained, "access"), "key_range");
	assert_string_equal(text_at(explained, "order"), "by_column");
	assert_int_equal(integer_at(explained, "rows"), 2);
}

static void test_what_makes_no_sense_is_refused_by_name(void **state)
{
	static const struct {
		const char *rest, *code, *words;
	} cases[] = {
		{"\"view\":\"products\",\"where\":[{\"field\":\"totl_revenue\",\"op\":\"=\","
		 "\"value\":\"1\"}]",
			"unknown_field", "did you mean \"total_revenue\"?"},
		{"\"view\":\"products\",\"where\":[{\"field\":\"total_revenue\",\"op\":\"=\","
		 "\"value\":1}]",
			"bad_request", "decimal number as text"},
		{"\"view\":\"products\",\"where\":[{\"field\":\"order_count\",\"op\":\"prefix\","
		 "\"value\":1}]",
			"bad_request", "has no prefix"},
		{"\"view\":\"sales_per_minute\",\"where\":[{\"field\":\"hour\",\"op\":\"=\","
		 "\"value\":"
		 "\"2010-12-01T08:30\"}]",
			"bad_request", "the start of a bucket"},
		{"\"view\":\"products\",\"group_by\":[\"day\"]", "unknown_field",
			"no column \"day\""},
		{"\"view\":\"products\",\"group_by\":[\"currency\",\"currency\"]", "bad_request",
			"twice"},
		{"\"view\":\"products\",\"range\":{\"last\":\"7d\"}", "bad_request",
			"minute, hour, day"},
		{"\"view\":\"sales_per_minute\",\"range\":{\"from\":\"2010-12-01T08:30:20\"}",
			"bad_request", "not the start of a minute"},
		{"\"view\":\"sales_per_minute\",\"range\":{\"from\":\"2010-12-02\",\"to\":\"2010-"
		 "12-01\"}",
			"bad_request", "ends before it begins"},
		{"\"view\":\"products\",\"compare\":{\"shift\":\"1d\"}", "bad_request",
			"needs a view"},
		{"\"view\":\"sales_per_minute\",\"group_by\":[\"currency\"],\"compare\":{\"shift\":"
		 "\"1d\"}",
			"bad_request", "needs a \"range\""},
		{"\"view\":\"sales_per_minute\",\"group_by\":[\"month\"],\"compare\":{\"shift\":"
		 "\"1d\"}",
			"bad_request", "take a longer unit"},
		{"\"view\":\"sales_per_minute\",\"group_by\":[\"week\"],\"compare\":{\"shift\":"
		 "\"1mo\"}",
			"bad_request", "take a longer unit"},
		{"\"view\":\"sales_per_minute\",\"compare\":{\"to\":{\"from\":\"2010-12-01\","
		 "\"to\":"
		 "\"2010-12-02\"}},\"range\":{\"from\":\"2010-12-01\"}",
			"bad_request", "\"shift\" compares each bucket"},
		{"\"view\":\"sales_per_minute\",\"compare\":{\"shift\":\"1d\"},\"where\":[{"
		 "\"field\":\"day\","
		 "\"op\":\"=\",\"value\":\"2010-12-01\"}]",
			"bad_request", "say the period by \"range\""},
		{"\"view\":\"products\",\"order_by\":[{\"by\":\"products_id\"}]", "unknown_field",
			"did you mean \"product_id\"?"},
	};
	char request[500];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(request, sizeof request, "{\"query\":\"scan\",%s}", cases[i].rest);
		expect_error(*state, request, cases[i].code, cases[i].words);
	}
	expect_error(*state,
		"{\"query\":\"get\",\"view\":\"sales_per_minute\",\"group_by\":[\"hour\","
		"\"currency\"],"
		"\"key\":[\"2010-12-01T08:00\",\"GBP\",\"x\"]}",
		"bad_key", "at most 2 group values");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_rows_are_rolled_up_to_a_coarser_bucket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_everything_is_one_row_a_currency, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_get_finds_rolled_up_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_conditions_choose_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_filtered_get_leaves_a_row_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_range_ends_before_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_last_unit_is_that_of_the_newest_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_rows_are_ordered_by_several_columns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_pages_of_a_refined_scan_have_each_row_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_cursor_is_for_its_own_question, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_hour_is_compared_with_the_one_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_period_is_compared_with_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_row_is_compared_with_a_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_distinct_things_are_not_added_up_where_rows_share_them, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_explain_says_what_would_be_done, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_makes_no_sense_is_refused_by_name, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("answer_refined", tests, NULL, NULL);
}
