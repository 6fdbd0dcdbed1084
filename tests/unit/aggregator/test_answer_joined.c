/* join and with_missing: rows of a view beside those of a table. */
#include "aggregator/store/table_row.h"
#include "answer_world.h"
#include "runtime/key_holder.h"

/* What the table says of each edge; of paris it has no row. */
static const struct shop {
	const char *edge, *town;
	int64_t floor, rent, opened;
	bool has_numbers;
} shops[] = {
	{"berlin", "Berlin", 2, 1500000, 1291190400000, true}, {"oslo", NULL, 0, 0, 0, false},
	{"rom", "Rom", 2, -2500000, 1291190400000, true},
	{"wien", "Wien", -1, 0, 1291190460000, true}, /* sold nothing */
};
enum { SHOPS = sizeof shops / sizeof shops[0] };

struct joined {
	struct world *world;
	struct entries *entries[SHARDS];
};

static int load_none(void *owner, struct slice key, struct buffer *ret_value)
{
	(void)owner, (void)key, (void)ret_value;
	return 1;
}

static void put_shop(struct joined *joined, const struct view *table, const struct shop *shop)
{
	const struct table_row there = {.is_there = true};
	struct row_key row_key = {0};
	struct table_key key;
	struct buffer value;
	struct row row;

	row_init(table, &row);
	if (shop->town != NULL) {
		table_row_set(&row, 0, slice_of_text(shop->town), 0);
	}
	if (shop->has_numbers) {
		table_row_set(&row, 1, slice_of("", 0), shop->floor);
		table_row_set(&row, 2, slice_of("", 0), shop->rent);
		table_row_set(&row, 3, slice_of("", 0), shop->opened);
	}
	assert_true(row_key_append(
		&row_key, &(struct group_value){GROUP_TEXT, slice_of_text(shop->edge), 0}));
	table_key_make(table->id, row_key_slice(&row_key), &key);
	buffer_init(&value, 4096);
	table_row_write(table, &there, &row, &value);
	assert_int_equal(entries_put(joined->entries[shop->edge[0] % SHARDS], table_key_slice(&key),
				 buffer_slice(&value)),
		0);
	buffer_deinit(&value);
}

static int set_up(void **state)
{
	static char key[] = "edge", columns[] = "town, floor integer, rent money, opened time";
	const struct table_declaration declaration = {"shops", key, columns};
	const struct entries_options options = {.clean_bytes_max = 1 << 20, .load = load_none};
	struct joined *joined = calloc(1, sizeof *joined);
	char error[256] = "";

	assert_non_null(joined);
	joined->world = new_world(SHARDS, true);
	assert_int_equal(
		view_set_add_table(joined->world->views, &declaration, error, sizeof error), 0);
	for (size_t i = 0; i < SHARDS; i++) {
		assert_int_equal(entries_new(&options, &joined->entries[i]), 0);
		joined->world->context.shards[i].entries = joined->entries[i];
	}
	for (size_t i = 0; i < SHOPS; i++) {
		put_shop(joined, view_set_find_table(joined->world->views, slice_of_text("shops")),
			&shops[i]);
	}
	*state = joined;
	return 0;
}

static int tear_down(void **state)
{
	struct joined *joined = *state;

	for (size_t i = 0; i < SHARDS; i++) {
		entries_free(joined->entries[i]);
	}
	free_world(joined->world);
	free(joined);
	return 0;
}

/* The rows of the answer: these columns of each, and what counts its orders. */
static const char *told(struct joined *joined, const char *request, const char *column)
{
	static char text[2000];
	const struct node *rows = rows_of(ask(joined->world, request));
	const struct node *row = node_first(rows);
	size_t size = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		const struct node *value = node_find(row, column);
		const struct node *currency = node_find(row, "currency");
		struct slice shown = value == NULL ? slice_of_text("-") : value->raw;
		size += (size_t)snprintf(text + size, sizeof text - size, "%.*s %.*s %s\n",
			(int)shown.size, (const char *)shown.bytes, (int)currency->raw.size,
			(const char *)currency->raw.bytes,
			integer_at(row, "order_count") == 0 ? "nothing" : "sold");
	}
	return text;
}

#define STORES(rest) "{\"query\":\"scan\",\"view\":\"stores\",\"join\":\"shops\"" rest "}"
#define MISSING ",\"with_missing\":true"
#define GROUPED(column) ",\"group_by\":[\"" column "\"]"
#define WHERE(field, op, value)                                                                    \
	",\"where\":[{\"field\":\"" field "\",\"op\":\"" op "\",\"value\":" value "}]"

static void test_a_shop_without_a_sale_is_a_row_of_zeros(void **state)
{
	assert_string_equal(told(*state, STORES(MISSING WHERE("edge", ">", "\"oslo\"")), "edge"),
		"\"paris\" \"EUR\" sold\n\"paris\" \"GBP\" sold\n\"rom\" \"EUR\" sold\n"
		"\"rom\" \"GBP\" sold\n\"wien\" null nothing\n");
	assert_string_equal(told(*state, STORES(MISSING WHERE("currency", "=", "\"EUR\"")), "edge"),
		"\"berlin\" \"EUR\" sold\n\"oslo\" \"EUR\" sold\n\"paris\" \"EUR\" sold\n"
		"\"rom\" \"EUR\" sold\n\"wien\" \"EUR\" nothing\n");
	assert_string_equal(told(*state, STORES(MISSING WHERE("currency", "=", "\"USD\"")), "edge"),
		"\"berlin\" \"USD\" nothing\n\"oslo\" \"USD\" nothing\n"
		"\"rom\" \"USD\" nothing\n\"wien\" \"USD\" nothing\n");
	assert_string_equal(told(*state, STORES(MISSING WHERE("order_count", "=", "0")), "town"),
		"\"Wien\" null nothing\n");
}

static void test_pages_of_them_have_each_once(void **state)
{
	static const char *const wanted[] = {"berlin", "oslo", "paris", "rom", "wien"};
	char cursor[400] = "", request[800];
	size_t seen = 0;

	do {
		snprintf(request, sizeof request,
			"{\"query\":\"scan\",\"view\":\"stores\",\"join\":\"shops\"" MISSING WHERE(
				"currency", "=", "\"EUR\"") ",\"limit\":1%s}",
			cursor);
		const struct node *answer = ask(((struct joined *)*state)->world, request);
		assert_int_equal(rows_of(answer)->count, 1);
		assert_string_equal(text_at(node_first(rows_of(answer)), "edge"), wanted[seen++]);
		cursor[0] = 0;
		if (node_find(answer, "next") != NULL) {
			snprintf(cursor, sizeof cursor, ",\"cursor\":\"%s\"",
				text_at(answer, "next"));
		}
	} while (cursor[0] != 0);
	assert_int_equal(seen, 5);
}

static void test_rows_are_grouped_by_values_of_each_type(void **state)
{
	assert_string_equal(told(*state, STORES(GROUPED("floor")), "floor"),
		"null \"EUR\" sold\nnull \"GBP\" sold\n2 \"EUR\" sold\n2 \"GBP\" sold\n");
	assert_string_equal(told(*state, STORES(GROUPED("floor") MISSING), "floor"),
		"null \"EUR\" sold\nnull \"GBP\" sold\n-1 null nothing\n2 \"EUR\" sold\n"
		"2 \"GBP\" sold\n");
	assert_string_equal(
		told(*state, STORES(GROUPED("rent") MISSING WHERE("currency", "=", "\"GBP\"")),
			"rent"),
		"null \"GBP\" sold\n\"-2.50\" \"GBP\" sold\n\"0.00\" \"GBP\" nothing\n"
		"\"1.50\" \"GBP\" sold\n");
	assert_string_equal(
		told(*state, STORES(GROUPED("opened") MISSING WHERE("floor", "<", "9")), "opened"),
		"\"2010-12-01T08:00:00.000Z\" \"EUR\" sold\n"
		"\"2010-12-01T08:00:00.000Z\" \"GBP\" sold\n"
		"\"2010-12-01T08:01:00.000Z\" null nothing\n");
	assert_string_equal(
		told(*state, STORES(GROUPED("town") MISSING WHERE("floor", "=", "-1")), "town"),
		"\"Wien\" null nothing\n");
}

static void test_a_get_names_values_of_each_type_and_null(void **state)
{
#define GET(key, groups)                                                                           \
	"{\"query\":\"get\",\"view\":\"stores\",\"join\":\"shops\",\"key\":[" key "]" groups "}"
	assert_string_equal(told(*state, GET("null,\"EUR\"", GROUPED("floor")), "floor"),
		"null \"EUR\" sold\n");
	assert_string_equal(
		told(*state, GET("-1", GROUPED("floor") MISSING), "floor"), "-1 null nothing\n");
	assert_string_equal(told(*state, GET("-1,\"EUR\"", GROUPED("floor") MISSING), "floor"), "");
	assert_string_equal(told(*state, GET("\"1.5\",\"GBP\"", GROUPED("rent")), "rent"),
		"\"1.50\" \"GBP\" sold\n");
	assert_string_equal(
		told(*state, GET("\"2010-12-01T08:01Z\"", GROUPED("opened") MISSING), "opened"),
		"\"2010-12-01T08:01:00.000Z\" null nothing\n");
	assert_string_equal(
		told(*state, GET("\"wien\"", MISSING), "town"), "\"Wien\" null nothing\n");
	assert_string_equal(told(*state, GET("\"wien\",\"EUR\"", MISSING), "town"), "");
	assert_string_equal(
		told(*state, GET("\"wien\",\"EUR\"", MISSING WHERE("currency", "=", "\"EUR\"")),
			"town"),
		"\"Wien\" \"EUR\" nothing\n");
	assert_string_equal(told(*state, GET("\"nowhere\"", MISSING), "town"), "");
}

static void test_who_sees_some_stores_hears_of_no_other(void **state)
{
	static char views[] = "table.shops", stores[] = "oslo, wien";
	const struct key_holder asker = {.views = views, .stores = stores};
	struct joined *joined = *state;

	joined->world->context.asker = &asker;
	assert_string_equal(told(joined, STORES(MISSING WHERE("currency", "=", "\"EUR\"")), "edge"),
		"\"oslo\" \"EUR\" sold\n\"wien\" \"EUR\" nothing\n");
	assert_string_equal(told(joined, STORES(GROUPED("town") MISSING), "town"),
		"null \"EUR\" sold\nnull \"GBP\" sold\n\"Wien\" null nothing\n");
}

static void test_shares_and_bands_know_rows_of_zeros(void **state)
{
	struct joined *joined = *state;
	const struct node *rows = rows_of(ask(joined->world,
		"{\"query\":\"top\",\"view\":\"stores\",\"by\":\"total_revenue\",\"join\":"
		"\"shops\",\"cumulative\":true,\"group_by\":[\"edge\"]" MISSING WHERE(
			"currency", "!=", "\"GBP\"") "}"));
	const struct node *row = node_first(rows);
	assert_int_equal(rows->count, 5);
	for (int i = 0; i < 4; i++) {
		row = node_next(row);
	}
	assert_string_equal(text_at(row, "edge"), "wien");
	assert_string_equal(text_at(row, "share"), "0.00");
	assert_string_equal(text_at(row, "cumulative_share"), "1.00");
	rows = rows_of(ask(joined->world,
		"{\"query\":\"bands\",\"view\":\"stores\",\"by\":\"total_revenue\",\"join\":"
		"\"shops\",\"edges\":[1]" MISSING "}"));
	assert_int_equal(rows->count, 6);
	assert_int_equal(node_find(node_first(rows), "currency")->type, NODE_NIL);
	assert_int_equal(integer_at(node_first(rows), "rows"), 1);
}

static void expect_refusal(struct joined *joined, const char *request, const char *words)
{
	const struct node *error = node_find(ask(joined->world, request), "error");

	assert_non_null(error);
	assert_non_null(strstr(text_at(error, "message"), words));
}

static void test_what_has_no_meaning_is_refused(void **state)
{
	expect_refusal(
		*state, STORES(GROUPED("currency") MISSING), "needs a column of the joined table");
	expect_refusal(
		*state, STORES(",\"group_by\":[]" MISSING), "needs a column of the joined table");
	expect_refusal(*state, GET("null", ""), "edge must be text, not nil");
	expect_refusal(
		*state, GET("\"a\"", GROUPED("floor")), "floor must be a whole number, not text");
	expect_refusal(*state, GET("1", GROUPED("rent")), "decimal number as text");
	expect_refusal(*state, GET("1", GROUPED("opened")), "a time such as");
	expect_refusal(*state, STORES(GROUPED("flor")), "no column \"flor\"");
}

static void test_explain_tells_how_what_is_missing_is_found(void **state)
{
	struct joined *joined = *state;
	const char *request = STORES(MISSING ",\"explain\":true");

	assert_string_equal(
		text_at(node_find(ask(joined->world, request), "explain"), "missing"), "by_key");
	request = STORES(GROUPED("town") MISSING ",\"explain\":true");
	assert_string_equal(
		text_at(node_find(ask(joined->world, request), "explain"), "missing"), "by_group");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_shop_without_a_sale_is_a_row_of_zeros),
		TEST(test_pages_of_them_have_each_once),
		TEST(test_rows_are_grouped_by_values_of_each_type),
		TEST(test_a_get_names_values_of_each_type_and_null),
		TEST(test_who_sees_some_stores_hears_of_no_other),
		TEST(test_shares_and_bands_know_rows_of_zeros),
		TEST(test_what_has_no_meaning_is_refused),
		TEST(test_explain_tells_how_what_is_missing_is_found),
	};

	return cmocka_run_group_tests_name("answer_joined", tests, NULL, NULL);
}
