/* Shares of a whole and bands of a measure, over base + frozen + active of several shards, against plain sums of the orders. Random
 * questions against another model: tests/system/test_query.py. */
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

static int compare_counts(const void *a, const void *b)
{
	return *(const int *)b - *(const int *)a;
}

/* Orders by product in one currency, most first. */
static int count_products(const struct world *world, const char *currency, int counts[PRODUCTS])
{
	int whole = 0;

	memset(counts, 0, PRODUCTS * sizeof *counts);
	for (size_t i = 0; i < ORDERS; i++) {
		const struct event *event = &world->events[i];
		if (slice_equals_text(event->text[FIELD_CURRENCY], currency)) {
			counts[atoi((const char *)event->text[FIELD_PRODUCT_ID].bytes + 1)]++;
			whole++;
		}
	}
	qsort(counts, PRODUCTS, sizeof *counts, compare_counts);
	return whole;
}

static const char *share_text(int part, int whole)
{
	static char text[MONEY_TEXT_SIZE];
	money share = 0;

	assert_true(money_share(part, whole, &share));
	money_format(share, text);
	return text;
}

#define OF_EUROS "\"where\":[{\"field\":\"currency\",\"op\":\"=\",\"value\":\"EUR\"}]"

static void test_each_row_has_its_share_and_that_of_all_up_to_it(void **state)
{
	struct world *world = *state;
	int counts[PRODUCTS];
	int whole = count_products(world, "EUR", counts), so_far = 0;
	const struct node *rows = rows_of(ask(world,
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\",\"limit\":5,"
		"\"cumulative\":true," OF_EUROS "}"));
	const struct node *row = node_first(rows);

	assert_int_equal(rows->count, 5);
	for (int i = 0; i < 5; i++, row = node_next(row)) {
		so_far += counts[i];
		assert_int_equal(integer_at(row, "order_count"), counts[i]);
		assert_string_equal(text_at(row, "share"), share_text(counts[i], whole));
		assert_string_equal(text_at(row, "cumulative_share"), share_text(so_far, whole));
	}
}

static void test_rows_end_with_the_one_that_reaches_the_share(void **state)
{
	struct world *world = *state;
	int counts[PRODUCTS];
	int whole = count_products(world, "EUR", counts), so_far = 0;
	uint32_t needed = 0;

	while (5 * so_far < 4 * whole) {
		so_far += counts[needed++];
	}
	const struct node *answer =
		ask(world, "{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\","
			   "\"until_share\":\"0.80\"," OF_EUROS "}");
	assert_int_equal(rows_of(answer)->count, needed);
	assert_null(node_find(answer, "cut"));
	answer = ask(world, "{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\","
			    "\"until_share\":\"0.80\",\"limit\":3," OF_EUROS "}");
	assert_int_equal(rows_of(answer)->count, 3);
	assert_non_null(node_find(answer, "cut"));
}

static void test_amounts_of_two_currencies_have_no_share(void **state)
{
	struct world *world = *state;

	expect_error(world,
		"{\"query\":\"top\",\"view\":\"products\",\"by\":\"total_revenue\","
		"\"cumulative\":true}",
		"bad_request", "name one by \"where\"");
	expect_error(world,
		"{\"query\":\"top\",\"view\":\"users\",\"by\":\"last_order\",\"cumulative\":true}",
		"bad_request", "is max(), of which rows have no share");
	/* Orders are orders, whatever they cost. */
	rows_of(ask(world, "{\"query\":\"top\",\"view\":\"products\",\"by\":\"order_count\","
			   "\"cumulative\":true}"));
}

static void test_every_row_is_in_one_band_between_the_edges(void **state)
{
	struct world *world = *state;
	int counts[PRODUCTS], members[3] = {0}, sums[3] = {0};
	int whole = count_products(world, "EUR", counts);
	const struct node *rows = rows_of(
		ask(world, "{\"query\":\"bands\",\"view\":\"products\",\"by\":\"order_count\","
			   "\"edges\":[6,\"9\"]," OF_EUROS "}"));
	const struct node *row = node_first(rows);

	int product_count = 0;
	for (int i = 0; i < PRODUCTS && counts[i] > 0; i++, product_count++) {
		int band = (counts[i] >= 6) + (counts[i] >= 9);
		members[band]++;
		sums[band] += counts[i];
	}
	assert_int_equal(rows->count, 3);
	for (int i = 0; i < 3; i++, row = node_next(row)) {
		assert_int_equal(integer_at(row, "rows"), members[i]);
		assert_int_equal(integer_at(row, "sum"), sums[i]);
		assert_string_equal(text_at(row, "share"), share_text(sums[i], whole));
		assert_string_equal(
			text_at(row, "row_share"), share_text(members[i], product_count));
	}
	assert_int_equal(node_find(node_first(rows), "from")->type, NODE_NIL);
	assert_int_equal(integer_at(node_first(rows), "to"), 6);
}

static void test_each_currency_has_bands_of_equal_width_of_its_own(void **state)
{
	struct world *world = *state;
	const struct node *rows = rows_of(
		ask(world, "{\"query\":\"bands\",\"view\":\"products\",\"by\":\"total_revenue\","
			   "\"count\":4}"));
	const struct node *row = node_first(rows);
	int64_t count = 0;

	assert_int_equal(rows->count, 8);
	for (uint32_t i = 0; i < 8; i++, row = node_next(row)) {
		assert_string_equal(text_at(row, "currency"), i < 4 ? "EUR" : "GBP");
		count += integer_at(row, "rows");
		if (i % 4 < 3) { /* where one ends the next begins */
			assert_string_equal(text_at(row, "to"), text_at(node_next(row), "from"));
		}
	}
	const struct node *all =
		rows_of(ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"limit\":1000}"));
	assert_int_equal(count, all->count);
}

static void test_bands_are_refused_where_they_say_nothing(void **state)
{
	struct world *world = *state;

	expect_error(world,
		"{\"query\":\"bands\",\"view\":\"users\",\"by\":\"last_order\",\"count\":3}",
		"bad_request", "bands are of a sum()");
	expect_error(world,
		"{\"query\":\"bands\",\"view\":\"users\",\"by\":\"order_count\",\"edges\":[\"1.5\"]"
		"}",
		"bad_request", "is a whole number, and so are its edges");
	expect_error(world,
		"{\"query\":\"bands\",\"view\":\"users\",\"by\":\"order_coumt\",\"count\":3}",
		"unknown_field", "did you mean \"order_count\"");
}

static void test_nothing_is_in_no_band(void **state)
{
	struct world *world = *state;

	clear_world(world);
	assert_int_equal(rows_of(ask(world, "{\"query\":\"bands\",\"view\":\"products\","
					    "\"by\":\"total_revenue\",\"count\":4}"))
				 ->count,
		0);
	assert_int_equal(rows_of(ask(world, "{\"query\":\"top\",\"view\":\"products\","
					    "\"by\":\"total_revenue\",\"cumulative\":true}"))
				 ->count,
		0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_row_has_its_share_and_that_of_all_up_to_it),
		TEST(test_rows_end_with_the_one_that_reaches_the_share),
		TEST(test_amounts_of_two_currencies_have_no_share),
		TEST(test_every_row_is_in_one_band_between_the_edges),
		TEST(test_each_currency_has_bands_of_equal_width_of_its_own),
		TEST(test_bands_are_refused_where_they_say_nothing),
		TEST(test_nothing_is_in_no_band),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
