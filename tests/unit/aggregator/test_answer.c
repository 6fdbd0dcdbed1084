/* Answers from base + frozen + active of several shards, against a naive model that keeps every order. */
#include "aggregator/overlay/overlay_table.h"
#include "answer_world.h"

struct total {
	struct slice group, currency;
	int64_t minute;
	int64_t count, quantity;
	money revenue;
	int64_t last_ts;
	struct {
		struct slice edge, order;
	} baskets[ORDERS];
	int64_t basket_count;
};

enum group { BY_PRODUCT, BY_USER, BY_EDGE, BY_MINUTE };

static struct slice group_of(const struct event *event, enum group group)
{
	switch (group) {
	case BY_PRODUCT:
		return event->text[FIELD_PRODUCT_ID];
	case BY_USER:
		return event->text[FIELD_USER_ID];
	case BY_EDGE:
		return event->certificate.edge;
	case BY_MINUTE:
		break;
	}
	return slice_of(NULL, 0);
}

static struct total *find_total(
	struct total *totals, size_t *count, const struct event *event, enum group by)
{
	struct slice group = group_of(event, by);
	int64_t minute = by == BY_MINUTE ? event->ts_ms / 60000 : 0;

	for (size_t i = 0; i < *count; i++) {
		if (slice_equal(totals[i].group, group) && totals[i].minute == minute &&
			slice_equal(totals[i].currency, event->text[FIELD_CURRENCY])) {
			return &totals[i];
		}
	}
	totals[*count] = (struct total){
		.group = group, .minute = minute, .currency = event->text[FIELD_CURRENCY]};
	return &totals[(*count)++];
}

static void note_basket(struct total *total, const struct event *event)
{
	for (int64_t i = 0; i < total->basket_count; i++) {
		if (slice_equal(total->baskets[i].edge, event->certificate.edge) &&
			slice_equal(total->baskets[i].order, event->text[FIELD_ORDER_ID])) {
			return;
		}
	}
	total->baskets[total->basket_count].edge = event->certificate.edge;
	total->baskets[total->basket_count++].order = event->text[FIELD_ORDER_ID];
}

static int compare_totals(const void *a, const void *b)
{
	const struct total *x = a;
	const struct total *y = b;

	if (x->minute != y->minute) {
		return x->minute < y->minute ? -1 : 1;
	}
	int order = row_key_compare(x->group, y->group);
	return order != 0 ? order : row_key_compare(x->currency, y->currency);
}

/* All rows of a view, in key order. */
static struct total *count_totals(const struct world *world, enum group by, size_t *ret_count)
{
	struct total *totals = calloc(300, sizeof *totals);
	size_t count = 0;

	assert_non_null(totals);
	for (size_t i = 0; i < ORDERS; i++) {
		const struct event *event = &world->events[i];
		struct total *total = find_total(totals, &count, event, by);
		total->count++;
		total->quantity += event->quantity;
		total->revenue += (money)event->quantity * event->unit_price;
		total->last_ts = event->ts_ms > total->last_ts ? event->ts_ms : total->last_ts;
		note_basket(total, event);
		assert_true(count < 300);
	}
	qsort(totals, count, sizeof *totals, compare_totals);
	*ret_count = count;
	return totals;
}

static void check_row(const struct node *row, const struct total *total, enum group by)
{
	static const char *const columns[] = {"product_id", "user_id", "edge", "minute"};
	char text[MONEY_TEXT_SIZE + TIMESTAMP_TEXT_SIZE];
	const char *group = text_at(row, columns[by]);

	if (by == BY_MINUTE) {
		text[timestamp_format_bucket(total->minute * 60000, BUCKET_MINUTE, NULL, text)] = 0;
		assert_string_equal(group, text);
	} else {
		assert_true(slice_equals_text(total->group, group));
	}
	assert_true(slice_equals_text(total->currency, text_at(row, "currency")));
	assert_int_equal(integer_at(row, "order_count"), total->count);
	text[money_format(total->revenue, text)] = 0;
	assert_string_equal(text_at(row, "total_revenue"), text);
	if (by != BY_EDGE) {
		assert_int_equal(integer_at(row, "total_quantity"), total->quantity);
	}
	if (by == BY_USER || by == BY_EDGE) {
		assert_int_equal(integer_at(row, "basket_count"), total->basket_count);
	}
	if (by == BY_USER) {
		text[timestamp_format(total->last_ts, text)] = 0;
		assert_string_equal(text_at(row, "last_order"), text);
	}
}

static const struct {
	size_t shard_count;
	bool has_frozen;
} shapes[] = {{1, true}, {1, false}, {SHARDS, true}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static const struct {
	enum group by;
	const char *view;
} grouped[] = {{BY_PRODUCT, "products"}, {BY_USER, "users"}, {BY_EDGE, "stores"},
	{BY_MINUTE, "sales_per_minute"}};

static void check_scan(struct world *world, enum group by, const char *view)
{
	char request[2000];
	size_t count = 0, at = 0;
	struct total *totals = count_totals(world, by, &count);

	snprintf(request, sizeof request, "{\"query\":\"scan\",\"view\":\"%s\",\"limit\":7}", view);
	for (;;) {
		const struct node *answer = ask(world, request);
		const struct node *rows = rows_of(answer);
		const struct node *row = node_first(rows);
		for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
			assert_true(at < count);
			check_row(row, &totals[at++], by);
		}
		if (node_find(answer, "next") == NULL) {
			break;
		}
		assert_int_equal(rows->count, 7);
		snprintf(request, sizeof request,
			"{\"query\":\"scan\",\"view\":\"%s\",\"limit\":7,\"cursor\":\"%s\"}", view,
			text_at(answer, "next"));
	}
	assert_int_equal(at, count);
	free(totals);
}

static void test_scans_page_through_every_row_in_key_order(void **state)
{
	(void)state;

	for (size_t s = 0; s < SHAPES; s++) {
		struct world *world = new_world(shapes[s].shard_count, shapes[s].has_frozen);
		for (size_t g = 0; g < 4; g++) {
			check_scan(world, grouped[g].by, grouped[g].view);
		}
		free_world(world);
	}
}

static bool sort_ascending;

static int compare_revenue(const void *a, const void *b)
{
	const struct total *x = a;
	const struct total *y = b;

	if (x->revenue != y->revenue) {
		return (x->revenue < y->revenue) == sort_ascending ? -1 : 1;
	}
	return compare_totals(a, b);
}

static int compare_baskets(const void *a, const void *b)
{
	const struct total *x = a;
	const struct total *y = b;

	if (x->basket_count != y->basket_count) {
		return (x->basket_count < y->basket_count) == sort_ascending ? -1 : 1;
	}
	return compare_totals(a, b);
}

static void check_top(struct world *world, enum group by, const char *view, const char *measure,
	int (*compare)(const void *, const void *), uint32_t limit)
{
	char request[300];
	size_t count = 0;
	struct total *totals = count_totals(world, by, &count);

	qsort(totals, count, sizeof *totals, compare);
	snprintf(request, sizeof request,
		"{\"query\":\"top\",\"view\":\"%s\",\"by\":\"%s\",\"limit\":%u,\"order\":\"%s\"}",
		view, measure, limit, sort_ascending ? "asc" : "desc");
	const struct node *rows = rows_of(ask(world, request));
	assert_int_equal(rows->count, limit < count ? limit : count);
	const struct node *row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		check_row(row, &totals[i], by);
	}
	free(totals);
}

static void test_top_is_what_sorting_everything_gives(void **state)
{
	static const uint32_t limits[] = {1, 2, 10, 37, 10000};
	(void)state;

	for (size_t s = 0; s < SHAPES; s++) {
		struct world *world = new_world(shapes[s].shard_count, shapes[s].has_frozen);
		for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
			for (int ascending = 0; ascending < 2; ascending++) {
				sort_ascending = ascending != 0;
				check_top(world, BY_PRODUCT, "products", "total_revenue",
					compare_revenue, limits[i]);
				check_top(world, BY_USER, "users", "basket_count", compare_baskets,
					limits[i]);
				check_top(world, BY_EDGE, "stores", "basket_count", compare_baskets,
					limits[i]);
			}
		}
		free_world(world);
	}
}

static void test_get_finds_rows_with_and_without_their_currency(void **state)
{
	(void)state;

	for (size_t s = 0; s < SHAPES; s++) {
		struct world *world = new_world(shapes[s].shard_count, shapes[s].has_frozen);
		size_t count = 0;
		struct total *totals = count_totals(world, BY_PRODUCT, &count);
		for (size_t i = 0; i + 1 < count; i++) {
			char request[200];
			bool is_pair = slice_equal(totals[i].group, totals[i + 1].group);
			bool is_second = i > 0 && slice_equal(totals[i].group, totals[i - 1].group);
			snprintf(request, sizeof request,
				"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"%.*s\",\"%.*"
				"s\"]}",
				(int)totals[i].group.size, (const char *)totals[i].group.bytes,
				(int)totals[i].currency.size,
				(const char *)totals[i].currency.bytes);
			const struct node *rows = rows_of(ask(world, request));
			assert_int_equal(rows->count, 1);
			check_row(node_first(rows), &totals[i], BY_PRODUCT);
			snprintf(request, sizeof request,
				"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"%.*s\"]}",
				(int)totals[i].group.size, (const char *)totals[i].group.bytes);
			rows = rows_of(ask(world, request));
			assert_int_equal(rows->count, is_pair || is_second ? 2 : 1);
			check_row(node_first(rows), &totals[is_second ? i - 1 : i], BY_PRODUCT);
		}
		free(totals);
		free_world(world);
	}
}

/* More currencies than the overlay keeps in mind: then the rows are found by walking. */
static void test_get_finds_every_currency_however_many(void **state)
{
	struct world *world = new_world(SHARDS, true);
	char currency[4] = "AAA";
	(void)state;

	for (int i = 0; i < CURRENCIES_MAX + 8; i++) {
		struct event event = sample_order(1, 1, "many", 1, 1);
		currency[2] = (char)('A' + i % 26);
		currency[1] = (char)('A' + i / 26);
		set_text(&event, FIELD_CURRENCY, currency);
		apply(world->active[i % SHARDS], &event);
		const struct node *rows = rows_of(
			ask(world, "{\"query\":\"get\",\"view\":\"products\",\"key\":[\"many\"]}"));
		assert_int_equal(rows->count, i + 1);
		const struct node *row = node_first(rows);
		for (int j = 0; j < i; j++) {
			row = node_next(row);
		}
		assert_string_equal(text_at(row, "currency"), currency);
	}
	free_world(world);
}

static void test_many_keys_answer_in_their_order_without_the_missing(void **state)
{
	struct world *world = new_world(SHARDS, true);
	const struct node *rows =
		rows_of(ask(world, "{\"query\":\"get\",\"view\":\"products\",\"keys\":[[\"p07\","
				   "\"GBP\"],[\"nothing\"],[\"p03\",\"EUR\"],[\"p07\",\"XYZ\"]]}"));
	(void)state;

	assert_int_equal(rows->count, 2);
	assert_string_equal(text_at(node_first(rows), "product_id"), "p07");
	assert_string_equal(text_at(node_next(node_first(rows)), "product_id"), "p03");
	free_world(world);
}

static void test_ranges_take_from_and_leave_to(void **state)
{
	struct world *world = new_world(1, true);
	const struct node *answer =
		ask(world, "{\"query\":\"scan\",\"view\":\"sales_per_minute\",\"from\":[\"2010-12-"
			   "01T08:10\"],\"to\":[\"2010-12-01T08:12\"]}");
	const struct node *row = node_first(rows_of(answer));
	(void)state;

	assert_true(rows_of(answer)->count > 0);
	for (uint32_t i = 0; i < rows_of(answer)->count; i++, row = node_next(row)) {
		const char *minute = text_at(row, "minute");
		assert_true(strcmp(minute, "2010-12-01T08:10") == 0 ||
			    strcmp(minute, "2010-12-01T08:11") == 0);
	}
	assert_null(node_find(answer, "next"));
	answer = ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"from\":[\"p05\",\"GBP\"],"
			    "\"to\":[\"p06\"]}");
	assert_int_equal(rows_of(answer)->count, 1);
	assert_string_equal(text_at(node_first(rows_of(answer)), "currency"), "GBP");
	answer = ask(world,
		"{\"query\":\"scan\",\"view\":\"products\",\"from\":[\"p06\"],\"to\":[\"p05\"]}");
	assert_int_equal(rows_of(answer)->count, 0);
	free_world(world);
}

/* The end of the range is in the cursor; a request that gives an earlier one gets the earlier one. */
static void test_a_cursor_keeps_the_end_of_its_range(void **state)
{
	struct world *world = new_world(1, true);
	char request[600];
	const struct node *answer = ask(
		world, "{\"query\":\"scan\",\"view\":\"products\",\"to\":[\"p02\"],\"limit\":1}");
	(void)state;

	snprintf(request, sizeof request,
		"{\"query\":\"scan\",\"view\":\"products\",\"cursor\":\"%s\"}",
		text_at(answer, "next"));
	answer = ask(world, request);
	assert_int_equal(rows_of(answer)->count, 3);
	request[strlen(request) - 1] = 0;
	strcat(request, ",\"to\":[\"p01\"]}");
	assert_int_equal(rows_of(ask(world, request))->count, 1);
	free_world(world);
}

static void test_a_cursor_survives_a_commit(void **state)
{
	struct world *world = new_world(1, true);
	char request[600];
	size_t count = 0;
	struct total *totals = count_totals(world, BY_USER, &count);
	const struct node *answer =
		ask(world, "{\"query\":\"scan\",\"view\":\"users\",\"limit\":9}");
	(void)state;

	snprintf(request, sizeof request,
		"{\"query\":\"scan\",\"view\":\"users\",\"cursor\":\"%s\"}",
		text_at(answer, "next"));
	fake_commit(&world->bases[0], world->views, world->frozen[0]);
	set_layers(world, false);
	answer = ask(world, request);
	const struct node *row = node_first(rows_of(answer));
	assert_int_equal(rows_of(answer)->count, count - 9);
	for (size_t i = 9; i < count; i++, row = node_next(row)) {
		check_row(row, &totals[i], BY_USER);
	}
	free(totals);
	free_world(world);
}

static const struct {
	const char *request, *code, *message;
} refusals[] = {
	{"{\"query\":\"top\",\"view\":\"prodcts\",\"by\":\"order_count\"}", "unknown_view",
		"no view \"prodcts\"; did you mean \"products\"?"},
	{"{\"query\":\"top\",\"view\":\"zebra\",\"by\":\"order_count\"}", "unknown_view",
		"no view \"zebra\""},
	{"{\"query\":\"top\",\"view\":\"products\",\"by\":\"total_revenu\"}", "unknown_field",
		"view products has no number \"total_revenu\" to order by; did you mean "
		"\"total_revenue\"?"},
	{"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"a\",\"GBP\",\"b\"]}", "bad_key",
		"key must be an array of at most 2 group values of view products: product_id, "
		"currency"},
	{"{\"query\":\"get\",\"view\":\"products\",\"key\":[1.5]}", "bad_key",
		"product_id must be text, not a number"},
	{"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"\"]}", "bad_key",
		"product_id must be a text of 1 to 1024 bytes"},
	{"{\"query\":\"get\",\"view\":\"sales_per_minute\",\"key\":[\"noon\"]}", "bad_key",
		"minute must be a text such as \"2010-12-01T08:26\""},
	{"{\"query\":\"get\",\"view\":\"sales_per_minute\",\"key\":[5]}", "bad_key",
		"minute must be a text such as \"2010-12-01T08:26\""},
	{"{\"query\":\"get\",\"view\":\"dead_letters\",\"key\":[\"order.dlq\"]}", "bad_key",
		"a key of view dead_letters needs 3 group values (kind, code, edge); 1 given; scan "
		"takes less"},
	{"{\"query\":\"scan\",\"view\":\"products\",\"cursor\":\"AAAA\"}", "bad_request",
		"cursor is no `next` of a scan of view products as it is declared now; begin the "
		"scan anew"},
	{"{\"query\":\"scan\",\"view\":\"products\",\"cursor\":\"not base64!\"}", "bad_request",
		"cursor is no `next` of a scan of view products as it is declared now; begin the "
		"scan anew"},
	{"{\"query\":\"status\"}", "unknown_query", "status is not answered from views"},
};

static void test_bad_questions_are_told_what_is_wrong(void **state)
{
	struct world *world = new_world(1, true);
	(void)state;

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct node *error = node_find(ask(world, refusals[i].request), "error");
		assert_non_null(error);
		assert_string_equal(text_at(error, "message"), refusals[i].message);
		assert_string_equal(text_at(error, "code"), refusals[i].code);
	}
	free_world(world);
}

static void test_whole_numbers_stand_for_ids(void **state)
{
	struct world *world = new_world(1, true);
	struct event event = sample_order(7, 1, "17850", 1, 1);
	(void)state;

	apply(world->active[0], &event);
	assert_int_equal(
		rows_of(ask(world, "{\"query\":\"get\",\"view\":\"products\",\"key\":[17850]}"))
			->count,
		1);
	free_world(world);
}

static void test_a_corrupt_store_is_said_and_not_guessed_around(void **state)
{
	static const char *const requests[] = {
		"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"p01\",\"GBP\"]}",
		"{\"query\":\"get\",\"view\":\"products\",\"key\":[\"p01\"]}",
		"{\"query\":\"scan\",\"view\":\"products\"}",
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\"}",
	};
	struct world *world = new_world(SHARDS, true);
	(void)state;

	world->bases[1].is_corrupt = true;
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		const struct node *error = node_find(ask(world, requests[i]), "error");
		assert_non_null(error);
		assert_string_equal(text_at(error, "code"), "internal");
		assert_string_equal(text_at(error, "message"),
			"a row of view products in the store is corrupt; nothing is guessed: "
			"restore the store or rebuild it");
	}
	free_world(world);
}

/* A member that can't be read is neither new nor old. */
static void test_a_corrupt_member_is_said_too(void **state)
{
	struct world *world = new_world(1, true);
	const char *request = "{\"query\":\"scan\",\"view\":\"stores\"}";
	(void)state;

	world->bases[0].are_members_corrupt = true;
	const struct node *error = node_find(ask(world, request), "error");
	assert_non_null(error);
	assert_string_equal(text_at(error, "code"), "internal");
	world->bases[0].are_members_corrupt = false;
	assert_null(node_find(ask(world, request), "error"));
	free_world(world);
}

static void test_as_of_says_what_is_known(void **state)
{
	struct world *world = new_world(1, true);
	const struct node *as_of = node_find(ask(world, "{\"query\":\"views\"}"), "as_of");
	(void)state;

	assert_string_equal(text_at(as_of, "store"), "5f0c");
	assert_int_equal(integer_at(as_of, "commit"), 8123);
	assert_int_equal(integer_at(as_of, "event_ts"), 1291193160000);
	assert_int_equal(integer_at(as_of, "lag"), 0);
	assert_int_equal(node_find(as_of, "gaps")->count, 1);
	world->context.freshness = (struct freshness){.store_id = "x", .lag = -1};
	as_of = node_find(ask(world, "{\"query\":\"views\"}"), "as_of");
	assert_int_equal(node_find(as_of, "event_ts")->type, NODE_NIL);
	assert_int_equal(node_find(as_of, "lag")->type, NODE_NIL);
	assert_int_equal(node_find(as_of, "gaps")->count, 0);
	free_world(world);
}

static void test_views_are_listed_with_their_columns(void **state)
{
	struct world *world = new_world(1, true);
	const struct node *views = node_find(ask(world, "{\"query\":\"views\"}"), "views");
	const struct node *products = node_next(node_first(views));
	(void)state;

	assert_int_equal(views->count, 5);
	assert_string_equal(text_at(products, "name"), "products");
	assert_string_equal(text_at(products, "kind"), "order");
	static const struct {
		const char *key, *json;
	} lists[] = {{"group_by", "[\"product_id\",\"currency\"]"},
		{"group_types", "[\"text\",\"text\"]"},
		{"measures", "[\"order_count\",\"total_quantity\",\"total_revenue\"]"},
		{"measure_types", "[\"integer\",\"integer\",\"money\"]"},
		{"measure_errors", "[null,null,null]"}};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		assert_true(
			slice_equals_text(node_find(products, lists[i].key)->raw, lists[i].json));
	}
	assert_int_equal(integer_at(products, "stored_rows"),
		world->bases[0].count - integer_at(node_next(products), "stored_rows") -
			integer_at(node_next(node_next(products)), "stored_rows") -
			integer_at(node_next(node_next(node_next(products))), "stored_rows"));
	world->bases[0].is_corrupt = true;
	const struct node *error = node_find(ask(world, "{\"query\":\"views\"}"), "error");
	assert_string_equal(text_at(error, "code"), "internal");
	free_world(world);
}

static void test_the_answer_speaks_the_language_of_the_question(void **state)
{
	struct world *world = new_world(1, true);
	struct query query = {.type = QUERY_TOP,
		.encoding = ENCODING_MSGPACK,
		.view = slice_of_text("products"),
		.by = slice_of_text("order_count"),
		.limit = 3};
	struct complaint complaint;
	(void)state;

	assert_int_equal(answer_query(&world->context, &query, &world->reply), 0);
	assert_int_equal(document_decode(&world->answer, ENCODING_MSGPACK,
				 buffer_slice(&world->reply), NESTING_MAX, &complaint),
		0);
	assert_int_equal(node_find(world->answer.nodes, "rows")->count, 3);
	free_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scans_page_through_every_row_in_key_order),
		cmocka_unit_test(test_top_is_what_sorting_everything_gives),
		cmocka_unit_test(test_get_finds_rows_with_and_without_their_currency),
		cmocka_unit_test(test_get_finds_every_currency_however_many),
		cmocka_unit_test(test_many_keys_answer_in_their_order_without_the_missing),
		cmocka_unit_test(test_ranges_take_from_and_leave_to),
		cmocka_unit_test(test_a_cursor_keeps_the_end_of_its_range),
		cmocka_unit_test(test_a_cursor_survives_a_commit),
		cmocka_unit_test(test_bad_questions_are_told_what_is_wrong),
		cmocka_unit_test(test_whole_numbers_stand_for_ids),
		cmocka_unit_test(test_a_corrupt_store_is_said_and_not_guessed_around),
		cmocka_unit_test(test_a_corrupt_member_is_said_too),
		cmocka_unit_test(test_as_of_says_what_is_known),
		cmocka_unit_test(test_views_are_listed_with_their_columns),
		cmocka_unit_test(test_the_answer_speaks_the_language_of_the_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
