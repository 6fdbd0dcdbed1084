#include "aggregator/answer/gate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static struct view_set *views;

static int set_up(void **state)
{
	static const struct {
		const char *name, *text;
	} declared[] = {
		{"products", "kind = order\ngroup_by = product_id\nmeasures = n = count()\n"},
		{"stores", "kind = order\ngroup_by = edge\nmeasures = n = count()\n"},
		{"days", "kind = order\ngroup_by = day(ts), edge\nmeasures = n = count()\n"},
	};
	char error[256] = "";

	(void)state;
	assert_int_equal(view_set_new(NULL, NULL, &views), 0);
	for (size_t i = 0; i < sizeof declared / sizeof declared[0]; i++) {
		struct view_declaration declaration = {.kind = strdup("order"),
			.group_by = strdup(strstr(declared[i].text, "group_by = ") + 11),
			.measures = strdup("n = count()")};
		*strchr(declaration.group_by, '\n') = '\0';
		snprintf(declaration.name, sizeof declaration.name, "%s", declared[i].name);
		assert_int_equal(view_set_add(views, &declaration, error, sizeof error), 0);
		view_declaration_deinit(&declaration);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	views = view_set_free(views);
	return 0;
}

/* "" when it may, else the sentence. */
static const char *check(const struct key_holder *asker, const char *request)
{
	static struct complaint complaint;
	struct document document;
	struct query query;

	assert_int_equal(document_init(&document, QUERY_NODES_MAX), 0);
	assert_int_equal(query_decode(&document, slice_of_text(request), &query, &complaint), 0);
	int r = gate_check(asker, &query, views, &complaint);
	document_deinit(&document);
	assert_true(r == 0 || r == REASON_FORBIDDEN);
	return r == 0 ? "" : complaint.message;
}

#define TOP(view) "{\"query\":\"top\",\"view\":\"" view "\",\"by\":\"n\"}"
#define GET(key) "{\"query\":\"get\",\"view\":\"stores\",\"key\":[\"" key "\"]}"

static char products[] = "products, users";
static char two[] = "berlin, paris";
static char all[] = "*";

static void test_a_key_asks_for_the_views_it_has(void **state)
{
	const struct key_holder asker = {.views = products};

	(void)state;
	assert_string_equal(check(&asker, TOP("products")), "");
	assert_string_equal(check(&asker, TOP("users")), ""); /* that there is none is said later */
	assert_string_equal(
		check(&asker, TOP("stores")), "this key may not ask for view \"stores\"");
	assert_string_equal(
		check(&asker, TOP("nonesuch")), "this key may not ask for view \"nonesuch\"");
	assert_string_equal(check(&asker, "{\"query\":\"status\"}"), "");
	assert_non_null(strstr(check(&asker, "{\"query\":\"edges\"}"), "may not ask about edges"));
	assert_non_null(strstr(check(&asker, "{\"query\":\"ledger\"}"), "may not ask about"));
	assert_true(gate_shows_view(&asker, view_set_find(views, slice_of_text("products"))));
	assert_false(gate_shows_view(&asker, view_set_find(views, slice_of_text("stores"))));
}

static void test_a_key_without_rights_asks_nothing(void **state)
{
	const struct key_holder asker = {.sends = true, .edges = all};
	const struct view *stores = view_set_find(views, slice_of_text("stores"));

	(void)state;
	assert_non_null(strstr(check(&asker, "{\"query\":\"status\"}"), "no right to ask"));
	assert_non_null(strstr(check(&asker, "{\"query\":\"views\"}"), "no right to ask"));
	assert_non_null(strstr(check(&asker, "{\"query\":\"edges\"}"), "may not ask"));
	assert_non_null(strstr(check(&asker, TOP("products")), "may not ask"));
	/* and if it were asked all the same, nothing would be seen */
	assert_false(gate_shows_row(gate_stores_of(&asker, stores), slice_of("berlin", 7)));
	assert_false(key_list_has(gate_stores_of_streams(&asker), "berlin", 6));
}

static void test_a_store_sees_its_own_rows(void **state)
{
	const struct key_holder asker = {.stores = two};
	const struct view *stores = view_set_find(views, slice_of_text("stores"));
	const char *seen = gate_stores_of(&asker, stores);

	(void)state;
	assert_string_equal(check(&asker, TOP("stores")), "");
	assert_string_equal(check(&asker, GET("paris")), "");
	assert_non_null(strstr(check(&asker, GET("london")), "rows of that store"));
	assert_non_null(strstr(
		check(&asker,
			"{\"query\":\"get\",\"view\":\"stores\",\"keys\":[[\"paris\"],[\"x\"]]}"),
		"rows of that store"));
	/* grouped by edge, but not first; and not at all */
	assert_non_null(strstr(check(&asker, TOP("days")), "may not ask"));
	assert_non_null(strstr(check(&asker, TOP("products")), "may not ask"));
	assert_string_equal(check(&asker, "{\"query\":\"edges\"}"), "");
	assert_true(gate_shows_row(seen, slice_of("berlin\0GBP", 11)));
	assert_false(gate_shows_row(seen, slice_of("berlin2\0GBP", 12)));
	assert_false(gate_shows_row(seen, slice_of("berlin", 6))); /* no whole value */
	assert_string_equal(gate_stores_of_streams(&asker), two);
}

static void test_an_admin_and_views_of_all_ask_everything(void **state)
{
	const struct key_holder askers[] = {{.is_admin = true}, {.views = all}};
	const struct view *stores = view_set_find(views, slice_of_text("stores"));

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_string_equal(check(&askers[i], TOP("days")), "");
		assert_string_equal(check(&askers[i], "{\"query\":\"ledger\"}"), "");
		assert_null(gate_stores_of(&askers[i], stores));
		assert_null(gate_stores_of_streams(&askers[i]));
	}
	assert_null(gate_stores_of(NULL, stores));
	assert_true(gate_shows_row(NULL, slice_of("anything", 8)));
}

static void test_only_an_admin_forgets_and_looks_into_records(void **state)
{
	static const char *const requests[] = {"{\"query\":\"forget\",\"user\":\"anna\"}",
		"{\"query\":\"forgotten\"}", "{\"query\":\"quarantine\"}",
		"{\"query\":\"records\",\"topic\":\"orders\",\"partition\":0}",
		"{\"query\":\"letters\"}"};
	const struct key_holder admin = {.is_admin = true};
	const struct key_holder analyst = {.views = all, .stores = all, .sends = true};

	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		assert_string_equal(check(&admin, requests[i]), "");
		assert_non_null(strstr(check(&analyst, requests[i]), "right admin"));
	}
}

static void test_topics_are_for_who_sees_all_views(void **state)
{
	const struct key_holder reader = {.views = "products"};
	const struct key_holder analyst = {.views = all};

	(void)state;
	assert_string_equal(check(&analyst, "{\"query\":\"topics\"}"), "");
	assert_non_null(strstr(check(&reader, "{\"query\":\"topics\"}"), "views = *"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_asks_for_the_views_it_has),
		cmocka_unit_test(test_a_key_without_rights_asks_nothing),
		cmocka_unit_test(test_a_store_sees_its_own_rows),
		cmocka_unit_test(test_an_admin_and_views_of_all_ask_everything),
		cmocka_unit_test(test_topics_are_for_who_sees_all_views),
		cmocka_unit_test(test_only_an_admin_forgets_and_looks_into_records),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
