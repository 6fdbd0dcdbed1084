/* From configuration to an open store: which declarations hold, when a shadow is filled, and what a dump says. */
#include "aggregator/aggregator.h"
#include "aggregator/dump.h"
#include "aggregator/opening.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
	char dir[SCRATCH_PATH_SIZE];
	struct aggregator_config config;
	struct opening opening;
	struct config_error problem;
	char error[512];
};

static const char one_view[] = "[view.products]\n"
			       "kind = order\n"
			       "group_by = product_id\n"
			       "measures = order_count = count()\n";
static const char other_view[] = "[view.products]\n"
				 "kind = order\n"
				 "group_by = product_id\n"
				 "measures = order_count = count(), pieces = sum(quantity)\n";
static const char two_views[] = "[view.products]\n"
				"kind = order\n"
				"group_by = product_id\n"
				"measures = order_count = count()\n"
				"[view.edges]\n"
				"kind = order\n"
				"group_by = edge\n"
				"measures = order_count = count()\n";
static const char distinct_view[] = "[view.users]\n"
				    "kind = order\n"
				    "group_by = user_id\n"
				    "measures = products = distinct(product_id)\n";

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	scratch_make(fixture->dir);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	opening_deinit(&fixture->opening);
	aggregator_config_deinit(&fixture->config);
	scratch_remove(fixture->dir);
	free(fixture);
	return 0;
}

/* Reads a configuration: `text`, then `key = value` of [aggregator] unless NULL. 0 or -EINVAL with the problem. */
static int configure(struct fixture *fixture, const char *text, const char *assignment)
{
	const struct config_schema *schema = &aggregator_config_schema;
	struct aggregator_config *config = &fixture->config;
	char data[SCRATCH_PATH_SIZE + 32];

	aggregator_config_deinit(config);
	memset(config, 0, sizeof *config);
	snprintf(data, sizeof data, "aggregator.data=%s/store", fixture->dir);
	int r = config_init(schema, config, &fixture->problem);
	if (r == 0) {
		r = config_read_text(
			schema, config, "test.conf", text, strlen(text), &fixture->problem);
	}
	if (r == 0) {
		r = config_set(schema, config, data, &fixture->problem);
	}
	if (r == 0) {
		r = config_set(schema, config, "aggregator.brokers=127.0.0.1:1", &fixture->problem);
	}
	if (r == 0) {
		r = config_set(schema, config, "aggregator.map_size=16MiB", &fixture->problem);
	}
	if (r == 0 && assignment != NULL) {
		r = config_set(schema, config, assignment, &fixture->problem);
	}
	if (r == 0) {
		r = config_finish(schema, config, &fixture->problem);
	}
	return r == 0 ? aggregator_config_check(config, &fixture->problem) : r;
}

static int open_with(struct fixture *fixture, const char *text, bool wants_rebuild)
{
	struct opening_options options = {
		.config = &fixture->config,
		.wants_rebuild = wants_rebuild,
		.may_create = true,
		.may_rebuild = true,
	};
	opening_deinit(&fixture->opening);
	assert_int_equal(configure(fixture, text, NULL), 0);
	return opening_init(&options, &fixture->opening, fixture->error, sizeof fixture->error);
}

/* Opens with views of a file beside those of `text`. */
static int open_staged(
	struct fixture *fixture, const char *text, const char *staged, bool wants_rebuild)
{
	struct opening_options options = {
		.config = &fixture->config,
		.wants_rebuild = wants_rebuild,
		.may_create = true,
		.may_rebuild = true,
	};
	char path[SCRATCH_PATH_SIZE + 16], assignment[SCRATCH_PATH_SIZE + 64];

	snprintf(path, sizeof path, "%s/staged.conf", fixture->dir);
	snprintf(assignment, sizeof assignment, "aggregator.stage=%s", path);
	FILE *out = fopen(path, "w");
	fputs(staged, out);
	fclose(out);
	opening_deinit(&fixture->opening);
	assert_int_equal(configure(fixture, text, assignment), 0);
	return opening_init(&options, &fixture->opening, fixture->error, sizeof fixture->error);
}

/* It would be taken in silence, and printed as a section that the aggregator does not know. */
static void test_the_producers_properties_are_refused_under_any_name(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(configure(fixture, "[kafka]\nproducer.linger.ms = 5\n", NULL), -EINVAL);
	assert_non_null(strstr(fixture->problem.text, "has no producer"));
	assert_int_equal(configure(fixture, "[kafka.producer]\nlinger.ms = 5\n", NULL), -EINVAL);
	assert_int_equal(configure(fixture, "", "kafka.producer.linger.ms=5"), -EINVAL);
}

static void test_without_declarations_the_shipped_views_hold(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_with(fixture, "", false), 0);
	const struct view_set *views = fixture->opening.live_views;
	static const char *const shipped[] = {
		"products", "users", "sales_per_minute", "stores", "dead_letters"};
	for (size_t i = 0; i < 5; i++) {
		assert_non_null(view_set_find(views, slice_of_text(shipped[i])));
	}
	assert_null(fixture->opening.shadow_views);
}

static void test_own_declarations_replace_the_shipped_ones(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_int_equal(view_set_count(fixture->opening.live_views), 1);
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_null(fixture->opening.shadow_views);
	assert_null(fixture->opening.rebuild_why);
}

static void test_changed_declarations_fill_a_shadow_and_a_restart_goes_on(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_int_equal(open_with(fixture, other_view, false), 0);
	assert_non_null(fixture->opening.shadow_views);
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 2);
	const char *text = view_text(view_set_at(fixture->opening.live_views, 0));
	assert_null(strstr(text, "pieces")); /* the live one answers as before */

	assert_int_equal(open_with(fixture, other_view, false), 0); /* killed meanwhile */
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 2);
	assert_string_equal(fixture->opening.rebuild_why, "a rebuild goes on");
}

static void test_declarations_changed_back_give_the_shadow_up(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_int_equal(open_with(fixture, other_view, false), 0);
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_null(fixture->opening.shadow_views);
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 0);
	/* And once more forth: another shadow, not the old one's remains. */
	assert_int_equal(open_with(fixture, other_view, false), 0);
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 3);
}

static void test_a_rebuild_that_is_asked_for_keeps_the_declarations(void **state)
{
	struct fixture *fixture = *state;
	char live_id[STORE_ID_SIZE];
	assert_int_equal(open_with(fixture, one_view, false), 0);
	memcpy(live_id, stores_root(fixture->opening.stores)->live_id, sizeof live_id);
	assert_int_equal(open_with(fixture, one_view, true), 0);
	assert_string_equal(fixture->opening.rebuild_why, "asked for");
	assert_string_equal(stores_root(fixture->opening.stores)->live_id, live_id);
	assert_string_not_equal(stores_root(fixture->opening.stores)->shadow_id, live_id);
}

static void test_staged_views_fill_a_shadow_beside_all_that_is_declared(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_staged(fixture, two_views, other_view, false), 0);
	assert_true(fixture->opening.is_staged);
	assert_int_equal(view_set_count(fixture->opening.shadow_views), 2);
	const struct view *staged =
		view_set_find(fixture->opening.shadow_views, slice_of_text("products"));
	assert_non_null(strstr(view_text(staged), "pieces"));
	const struct view *live =
		view_set_find(fixture->opening.live_views, slice_of_text("products"));
	assert_null(strstr(view_text(live), "pieces"));

	assert_int_equal(open_staged(fixture, two_views, other_view, false), 0); /* killed */
	assert_true(fixture->opening.is_staged);
	assert_string_equal(fixture->opening.rebuild_why, "staging goes on");
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 2);
}

static void test_nothing_is_staged_any_more_when_the_file_is_no_longer_named(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_staged(fixture, one_view, other_view, false), 0);
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_null(fixture->opening.shadow_views);
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 0);
}

/* What was read into the shadow is not thrown away when the operator declares for good what was staged. */
static void test_what_is_declared_for_good_goes_on_as_a_rebuild(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_staged(fixture, one_view, other_view, false), 0);
	assert_int_equal(open_with(fixture, other_view, false), 0);
	assert_false(fixture->opening.is_staged);
	assert_string_equal(fixture->opening.rebuild_why, "a rebuild goes on");
	assert_int_equal(stores_root(fixture->opening.stores)->shadow, 2);
}

static void test_accepted_views_stay_live_while_only_the_file_has_them(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_staged(fixture, one_view, other_view, false), 0);
	assert_int_equal(stores_switch(fixture->opening.stores), 0);
	assert_int_equal(open_staged(fixture, one_view, other_view, false), 0);
	assert_null(fixture->opening.shadow_views);
	assert_non_null(strstr(fixture->opening.stage_note, "are live"));
	/* The configuration rules: without the file it is what it says. */
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_string_equal(fixture->opening.rebuild_why, "the declarations of views changed");
}

static void test_a_rebuild_comes_before_what_is_staged(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_with(fixture, one_view, false), 0);
	assert_int_equal(open_staged(fixture, two_views, other_view, false), 0);
	assert_false(fixture->opening.is_staged);
	assert_string_equal(fixture->opening.rebuild_why, "the declarations of views changed");
	assert_non_null(strstr(fixture->opening.stage_note, "a rebuild comes first"));
	assert_int_equal(open_staged(fixture, one_view, other_view, true), 0);
	assert_string_equal(fixture->opening.rebuild_why, "asked for");
}

static void test_a_wrong_staged_declaration_is_told_with_its_file_and_line(void **state)
{
	struct fixture *fixture = *state;
	char path[SCRATCH_PATH_SIZE + 16], assignment[SCRATCH_PATH_SIZE + 64];
	static const struct {
		const char *text, *problem;
	} wrong[] = {
		{"[view.products]\nkind = order\ngroup_by = products\nmeasures = n = count()\n",
			"staged.conf:3: view products: group_by: "},
		{"[aggregator]\ndata = elsewhere\n", "staged.conf:"},
		{"", "declares no [view.NAME]"},
	};

	snprintf(path, sizeof path, "%s/staged.conf", fixture->dir);
	snprintf(assignment, sizeof assignment, "aggregator.stage=%s", path);
	assert_int_equal(configure(fixture, one_view, assignment), -EINVAL);
	assert_non_null(strstr(fixture->problem.text, "staged.conf: No such file"));
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		FILE *out = fopen(path, "w");
		fputs(wrong[i].text, out);
		fclose(out);
		assert_int_equal(configure(fixture, one_view, assignment), -EINVAL);
		assert_non_null(strstr(fixture->problem.text, wrong[i].problem));
	}
}

static void test_a_wrong_declaration_is_told_with_its_line(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text, *problem;
	} wrong[] = {
		{"[view.products]\nkind = order\ngroup_by = nothing\nmeasures = n = count()\n",
			"test.conf:3: view products: group_by: unknown group field \"nothing\""},
		{"[view.products]\nkind = order\ngroup_by = edge\n",
			"test.conf:2: view products: measures is missing"},
		{"[view.day]\nkind = order\ngroup_by = day(ts)\nzone = Mars/Base\n"
		 "measures = n = count()\n",
			"test.conf:4: view day: zone: unknown time zone \"Mars/Base\""},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(configure(fixture, wrong[i].text, NULL), -EINVAL);
		assert_memory_equal(
			fixture->problem.text, wrong[i].problem, strlen(wrong[i].problem));
	}
	assert_int_equal(
		configure(fixture, one_view, "view.products.where=quantity << 1"), -EINVAL);
	assert_non_null(
		strstr(fixture->problem.text, "-o view.products.where: view products: where: "));
}

/* Of every mistake that the grammar knows: where it stands, and what would be right. `line` is of the key that is wrong. */
static void test_every_mistake_is_told_with_its_line_and_what_would_be_right(void **state)
{
	static const struct {
		const char *line, *problem;
	} wrong[] = {
		{"kind = oder", "did you mean \"order\""},
		{"kind = order cart", "the end was expected"},
		{"group_by = ts", "use minute(ts), hour(ts), day(ts)"},
		{"group_by = prodct_id", "did you mean \"product_id\""},
		{"group_by = edge, edge", "\"edge\" is there twice"},
		{"group_by = edge product_id", "\",\" or the end was expected"},
		{"group_by = day(hour)", "ts, the time of the event, was expected"},
		{"group_by = day(ts", "\")\" is missing at the end"},
		{"group_by = edge, day, user_id, channel, kind", "at most 4 group fields"},
		{"group_by = code", "only dead letters have a \"code\""},
		{"group_by =", "group field is missing at the end"},
		{"measures = count()", "\"=\" after the measure's name was expected"},
		{"measures = 5 = count()", "a measure's name (letters, digits and _; at most 40)"},
		{"measures = edge = count()", "\"edge\" is a group field already"},
		{"measures = n = count(), n = count()", "\"n\" is there twice"},
		{"measures = n = cont()", "did you mean \"count\""},
		{"measures = n = count", "\"(\" is missing at the end"},
		{"measures = n = sum(quantity", "\")\" is missing at the end"},
		{"measures = n = sum(revenu)", "did you mean \"revenue\""},
		{"measures = n = sum(channel)", "needs a quantity or an amount of money"},
		{"measures = n = max(channel)", "needs a number or ts"},
		{"measures = n = sum(basket)", "distinct(basket)"},
		{"measures = n = sum(quantity * quantity)",
			"only quantity * unit_price can be multiplied"},
		{"measures = n = quantile(revenue)", "a quantile such as 0.95"},
		{"measures = n = quantile(revenue, 2)", "between 0 and 1, as 0.95 does"},
		{"measures = currency = sum(revenue)", "it is the column of the currency"},
		{"measures = n = count() where chanel = web", "did you mean \"channel\""},
		{"where = channel", "one of = != < <= > >="},
		{"where = quantity > many", "is compared with"},
		{"where = basket = 5", "distinct(basket)"},
		{"where = channel = web or channel = app", "\"and\" was expected"},
		{"retain = week", "no time span such as 36h or 7d"},
		{"retain = 90s", "such as 90m or 7d"},
		{"retain = 7d", "add day(ts) to group_by"},
		{"zone = Berlin", "did you mean \"Europe/Berlin\""},
		{"zone = Mars/Base", "names are like \"Europe/Berlin\""},
		{"where = currency = eur", "did you mean \"EUR\""},
		{"mesures = n = count()", "did you mean \"measures\""},
	};
	static const char *const whole[] = {
		"group_by = edge\n", "measures = order_count = count()\n"};
	struct fixture *fixture = *state;
	char text[512];
	int wrong_count = 0;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		size_t key_size = strcspn(wrong[i].line, " ");
		snprintf(text, sizeof text, "[view.mine]\n%s\n", wrong[i].line);
		for (size_t j = 0; j < 2; j++) {
			if (strncmp(whole[j], wrong[i].line, key_size) != 0) {
				strncat(text, whole[j], sizeof text - strlen(text) - 1);
			}
		}
		bool is_refused = configure(fixture, text, NULL) == -EINVAL;
		bool has_line = strstr(fixture->problem.text, "test.conf:2") != NULL;
		if (!is_refused || !has_line ||
			strstr(fixture->problem.text, wrong[i].problem) == NULL) {
			print_message("%s: %s\n", wrong[i].line,
				is_refused ? fixture->problem.text : "is taken");
			wrong_count++;
		}
	}
	assert_int_equal(wrong_count, 0);
}

static void test_a_zone_is_read_from_the_system(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(
		open_with(fixture,
			"[view.day]\nkind = order\ngroup_by = day(ts)\nzone = Europe/Berlin\n"
			"measures = n = count()\n[view.hour]\nkind = order\ngroup_by = hour(ts)\n"
			"zone = Europe/Berlin\nmeasures = n = count()\n",
			false),
		0);
	assert_int_equal(view_set_count(fixture->opening.live_views), 2);
}

static void test_what_shards_can_not_add_up_is_refused_with_shards(void **state)
{
	struct fixture *fixture = *state;
	const struct opening_options options = {
		.config = &fixture->config, .may_create = true, .may_rebuild = true};
	assert_int_equal(configure(fixture, distinct_view, "aggregator.shards=2"), 0);
	assert_int_equal(
		opening_init(&options, &fixture->opening, fixture->error, sizeof fixture->error),
		-EINVAL);
	assert_non_null(strstr(fixture->error, "users"));
	assert_int_equal(open_with(fixture, distinct_view, false), 0);
}

static void test_own_names_partitions_and_ranges(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(configure(fixture, "", NULL), 0);
	assert_true(fixture->config.owns_all);
	assert_int_equal(configure(fixture, "", "aggregator.own=0-2, 7"), 0);
	assert_false(fixture->config.owns_all);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(fixture->config.owned[i], i <= 2 || i == 7);
	}
	static const char *const wrong[] = {"3-1", "x", "-1", "1-", "4096", "1-2-3"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char assignment[64];
		snprintf(assignment, sizeof assignment, "aggregator.own=%s", wrong[i]);
		assert_int_equal(configure(fixture, "", assignment), -EINVAL);
		assert_non_null(strstr(fixture->problem.text, wrong[i]));
	}
}

static void test_topics_have_names_of_their_own(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(configure(fixture, "", "aggregator.topic.cart=carts"), 0);
	assert_string_equal(fixture->config.topics[KIND_CART], "carts");
	assert_string_equal(fixture->config.topics[KIND_CART_DLQ], "carts.dlq");
	assert_string_equal(fixture->config.topics[KIND_ORDER_DLQ], "orders.dlq");
	assert_int_equal(configure(fixture, "", "aggregator.topic.cart=orders"), -EINVAL);
	assert_int_equal(configure(fixture, "", "aggregator.topic.cart=orders.dlq"), -EINVAL);
}

static void test_unknown_keys_of_a_view_are_told(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(configure(fixture, "[view.a]\nkinds = order\n", NULL), -EINVAL);
	assert_non_null(strstr(fixture->problem.text, "kinds"));
	assert_int_equal(configure(fixture, "[view.]\nkind = order\n", NULL), -EINVAL);
}

static void test_the_configuration_in_effect_can_be_read_back(void **state)
{
	struct fixture *fixture = *state;
	char text[8192] = "";
	assert_int_equal(configure(fixture, one_view, NULL), 0);
	FILE *out = fmemopen(text, sizeof text, "w");
	config_print(&aggregator_config_schema, &fixture->config, out);
	fclose(out);
	assert_non_null(strstr(text, "[view.products]"));
	assert_non_null(strstr(text, "group_by = product_id"));
}

static void test_a_dump_ends_each_view_with_its_sums(void **state)
{
	struct fixture *fixture = *state;
	char text[4096] = "";
	assert_int_equal(open_with(fixture, one_view, false), 0);
	opening_deinit(&fixture->opening); /* it takes a stopped store */
	FILE *out = fmemopen(text, sizeof text, "w");
	assert_int_equal(
		dump_write(&fixture->config, out, fixture->error, sizeof fixture->error), 0);
	fclose(out);
	assert_string_equal(text,
		"{\"view\":\"products\",\"rows\":0,\"matched\":0,"
		"\"unmatched\":0,\"held\":0,\"expired\":0,\"hashes\":\"0000000000000000\"}\n");
}

static void test_a_dump_of_nothing_is_refused(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(configure(fixture, one_view, NULL), 0);
	assert_int_equal(
		dump_write(&fixture->config, stdout, fixture->error, sizeof fixture->error),
		-ENOENT);
	assert_non_null(strstr(fixture->error, "no store"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_producers_properties_are_refused_under_any_name),
		TEST(test_without_declarations_the_shipped_views_hold),
		TEST(test_own_declarations_replace_the_shipped_ones),
		TEST(test_changed_declarations_fill_a_shadow_and_a_restart_goes_on),
		TEST(test_declarations_changed_back_give_the_shadow_up),
		TEST(test_a_rebuild_that_is_asked_for_keeps_the_declarations),
		TEST(test_staged_views_fill_a_shadow_beside_all_that_is_declared),
		TEST(test_nothing_is_staged_any_more_when_the_file_is_no_longer_named),
		TEST(test_what_is_declared_for_good_goes_on_as_a_rebuild),
		TEST(test_accepted_views_stay_live_while_only_the_file_has_them),
		TEST(test_a_rebuild_comes_before_what_is_staged),
		TEST(test_a_wrong_staged_declaration_is_told_with_its_file_and_line),
		TEST(test_a_wrong_declaration_is_told_with_its_line),
		TEST(test_every_mistake_is_told_with_its_line_and_what_would_be_right),
		TEST(test_a_zone_is_read_from_the_system),
		TEST(test_what_shards_can_not_add_up_is_refused_with_shards),
		TEST(test_own_names_partitions_and_ranges),
		TEST(test_topics_have_names_of_their_own),
		TEST(test_unknown_keys_of_a_view_are_told),
		TEST(test_the_configuration_in_effect_can_be_read_back),
		TEST(test_a_dump_ends_each_view_with_its_sums),
		TEST(test_a_dump_of_nothing_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
