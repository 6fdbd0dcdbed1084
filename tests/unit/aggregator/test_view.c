#include "aggregator/view/view_suggest.h"
#include "sample_views.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A declaration and the complaint that it deserves; "" for none. */
struct example {
	const char *kind, *group_by, *measures, *where, *retain, *zone;
	const char *complaint;
};

static char *copy(const char *text)
{
	return text == NULL ? NULL : strdup(text);
}

static int add_example(struct view_set *set, const struct example *example, char error[512])
{
	struct view_declaration declaration = {
		.name = "v",
		.kind = copy(example->kind),
		.group_by = copy(example->group_by),
		.measures = copy(example->measures),
		.where = copy(example->where),
		.retain = copy(example->retain),
		.zone = copy(example->zone),
	};
	int r = view_set_add(set, &declaration, error, 512);

	view_declaration_deinit(&declaration);
	return r;
}

#define COUNT "n = count()"

static const struct example bad[] = {
	{"ordr", "product_id", COUNT,
		.complaint = "view v: kind: unknown kind \"ordr\"; did you mean \"order\"?"},
	{"order card", "product_id", COUNT,
		.complaint = "view v: kind: \",\" or the end was expected, not \"card\""},
	{"order, cart, order", "product_id", COUNT,
		.complaint = "view v: kind: \"order\" is there twice"},
	{"order,", "product_id", COUNT, .complaint = "view v: kind: kind is missing at the end"},
	{"order, dead_letter", "product_id", COUNT,
		.complaint = "view v: kind: a view counts several kinds of order, cart and view "
			     "alone; declare one of its own for dead_letter and for basket"},
	{"basket, cart", "product_id", COUNT,
		.complaint = "view v: kind: a view counts several kinds of order, cart and view "
			     "alone; declare one of its own for dead_letter and for basket"},
	{"cart, view", "product_id", "n = sum(revenue)",
		.complaint = "view v: measures: events of kind cart, view have no field "
			     "\"revenue\""},
	{"view, order", "code", COUNT,
		.complaint = "view v: group_by: only dead letters have a \"code\"; this view is of "
			     "kind order, view"},
	{"order, cart", "product_id", "n = count() where kind = view",
		.complaint = "view v: measures: unknown kind in this view \"view\"; known are "
			     "order, cart"},
	{"order, cart", "product_id", "n = count() where kind = cat",
		.complaint = "view v: measures: unknown kind in this view \"cat\"; did you mean "
			     "\"cart\"?"},
	{"order, cart", "product_id", "n = count() where kind < order",
		.complaint = "view v: measures: kind is compared by = and != alone"},
	{"order, cart", "product_id", "n = distinct(kind)",
		.complaint = "view v: measures: kind can only be in conditions, such as count() "
			     "where kind = order, and in group_by"},
	{"cart", "product_id", "n = count() where kind = cart",
		.complaint = "view v: measures: all events of this view are of kind cart; a "
			     "condition on kind needs several, such as kind = order, cart"},
	{NULL, "edge", "r = ratio(a, b)",
		.complaint = "view v: measures: ratio() is of two measures that are declared "
			     "before it, such as sold = count(), pieces = sum(quantity), each = "
			     "ratio(pieces, sold)"},
	{NULL, "edge", "sold = count(), r = ratio(sold, pieces), pieces = sum(quantity)",
		.complaint = "view v: measures: unknown measure before ratio() \"pieces\"; known "
			     "are sold"},
	{NULL, "edge", "sold = count(), pieces = sum(quantity), r = ratio(piece, sold)",
		.complaint = "view v: measures: unknown measure before ratio() \"piece\"; did you "
			     "mean \"pieces\"?"},
	{NULL, "edge", "sold = count(), r = ratio(sold)",
		.complaint = "view v: measures: \",\" and the measure to divide by was expected, "
			     "not \")\""},
	{NULL, "edge", "sold = count(), r = ratio(sold, sold)",
		.complaint = "view v: measures: the ratio of \"sold\" to itself is always 1"},
	{NULL, "edge", "sold = count(), high = max(quantity), r = ratio(high, sold)",
		.complaint = "view v: measures: ratio() is of counts and sums, and \"high\" is "
			     "max()"},
	{NULL, "edge", "a = count(), b = sum(tax), r = ratio(a, b), s = ratio(r, a)",
		.complaint = "view v: measures: ratio() is of counts and sums, and \"r\" is "
			     "ratio()"},
	{NULL, "edge", "a = count(), b = sum(tax), r = ratio(a, b) where tax > 1",
		.complaint = "view v: measures: a ratio() has no conditions: give them to the "
			     "measures that it is of"},
	{"", "product_id", COUNT, .complaint = "view v: kind: kind is missing at the end"},
	{NULL, NULL, COUNT,
		.complaint = "view v: group_by is missing: what a row is of, such as group_by = "
			     "product_id"},
	{NULL, "product_id", NULL,
		.complaint = "view v: measures is missing: what a row tells, such as measures = "
			     "order_count = count()"},
	{NULL, "", COUNT, .complaint = "view v: group_by: group field is missing at the end"},
	{NULL, "prodct_id", COUNT,
		.complaint = "view v: group_by: unknown group field \"prodct_id\"; did you mean "
			     "\"product_id\"?"},
	{NULL, "ts", COUNT,
		.complaint = "view v: group_by: a row for each millisecond? use minute(ts), "
			     "hour(ts), day(ts) …"},
	{NULL, "minute(tz)", COUNT,
		.complaint =
			"view v: group_by: ts, the time of the event, was expected, not \"tz\""},
	{NULL, "minute(ts", COUNT, .complaint = "view v: group_by: \")\" is missing at the end"},
	{NULL, "edge edge", COUNT,
		.complaint = "view v: group_by: \",\" or the end was expected, not \"edge\""},
	{NULL, "edge, edge", COUNT, .complaint = "view v: group_by: \"edge\" is there twice"},
	{NULL, "edge, channel, payment, user_id, page", COUNT,
		.complaint = "view v: group_by: at most 4 group fields"},
	{NULL, "code", COUNT,
		.complaint = "view v: group_by: only dead letters have a \"code\"; this view is of "
			     "kind order"},
	{"dead_letter", "product_id", COUNT,
		.complaint = "view v: group_by: events of kind dead_letter have no field "
			     "\"product_id\""},
	{"view", "quantity", COUNT,
		.complaint = "view v: group_by: events of kind view have no field \"quantity\""},
	{NULL, "edge", "",
		.complaint = "view v: measures: a measure's name (letters, digits and _; at most "
			     "40), is missing at the end"},
	{NULL, "edge", "9n = count()",
		.complaint = "view v: measures: a measure's name (letters, digits and _; at most "
			     "40), was expected, not \"9n\""},
	{NULL, "edge", "edge = count()",
		.complaint = "view v: measures: \"edge\" is a group field already"},
	{NULL, "edge", "n = count(), n = count()",
		.complaint = "view v: measures: \"n\" is there twice"},
	{NULL, "edge", "n count()",
		.complaint = "view v: measures: \"=\" after the measure's name was expected, not "
			     "\"count\""},
	{NULL, "edge", "n = cuont()",
		.complaint =
			"view v: measures: unknown measure \"cuont\"; did you mean \"count\"?"},
	{NULL, "edge", "n = median(tax)",
		.complaint = "view v: measures: unknown measure \"median\"; known are count, sum, "
			     "min, max, first, last, average, distinct, quantile, ratio"},
	{NULL, "edge", "n = quantile(revenue)",
		.complaint = "view v: measures: \",\" and a quantile such as 0.95 was expected, "
			     "not \")\""},
	{NULL, "edge", "n = quantile(revenue, )",
		.complaint = "view v: measures: a quantile such as 0.95 was expected, not \")\""},
	{NULL, "edge", "n = quantile(revenue, 95)",
		.complaint = "view v: measures: \"95\" is no quantile: it lies between 0 and 1, "
			     "as 0.95 does, and has at most six digits; for the ends use min() and "
			     "max()"},
	{NULL, "edge", "n = quantile(revenue, 0)",
		.complaint = "view v: measures: \"0\" is no quantile: it lies between 0 and 1, as "
			     "0.95 does, and has at most six digits; for the ends use min() and "
			     "max()"},
	{NULL, "edge", "n = quantile(ts, 0.5)",
		.complaint = "view v: measures: quantile() needs a quantity or an amount of money, "
			     "not \"ts\""},
	{NULL, "edge",
		"a = quantile(tax, 0.5), b = quantile(tax, 0.6), c = quantile(revenue, 0.5), d = "
		"quantile(quantity, 0.5), e = quantile(discount, 0.5), f = quantile(tax, 0.5) "
		"where tax > 1",
		.complaint = "view v: measures: quantiles of at most 4 fields; those of one field "
			     "under the same conditions cost no more than one"},
	{NULL, "edge", "n = count", .complaint = "view v: measures: \"(\" is missing at the end"},
	{NULL, "edge", "n = count(", .complaint = "view v: measures: \")\" is missing at the end"},
	{NULL, "edge", "n = sum()", .complaint = "view v: measures: field was expected, not \")\""},
	{NULL, "edge", "n = sum(revenu)",
		.complaint =
			"view v: measures: unknown field \"revenu\"; did you mean \"revenue\"?"},
	{NULL, "edge", "n = sum(user_id)",
		.complaint = "view v: measures: sum() needs a quantity or an amount of money, not "
			     "\"user_id\""},
	{NULL, "edge", "n = average(ts)",
		.complaint = "view v: measures: average() needs a quantity or an amount of money, "
			     "not \"ts\""},
	{NULL, "edge", "n = min(page)",
		.complaint = "view v: measures: min() needs a number or ts, not \"page\""},
	{NULL, "edge", "n = last(basket)",
		.complaint = "view v: measures: basket can only be counted, by distinct(basket)"},
	{NULL, "edge", "n = sum(quantity * tax)",
		.complaint = "view v: measures: only quantity * unit_price can be multiplied"},
	{NULL, "edge", "n = sum(tax * tax)",
		.complaint = "view v: measures: \")\" was expected, not \"*\""},
	{"cart", "edge", "n = sum(amount)",
		.complaint = "view v: measures: events of kind cart have no field \"amount\""},
	{NULL, "edge", "n = sum(amount)!",
		.complaint = "view v: measures: \"!\" is too long, not closed, or no part of a "
			     "declaration"},
	{NULL, "edge", "currency = sum(amount)",
		.complaint = "view v: measures: \"currency\" can't be a measure's name: it is the "
			     "column of the currency"},
	{NULL, "edge", COUNT, "quantity",
		.complaint = "view v: where: one of = != < <= > >= is missing at the end"},
	{NULL, "edge", COUNT, "quantity ( 3",
		.complaint = "view v: where: one of = != < <= > >= was expected, not \"(\""},
	{NULL, "edge", COUNT, "page == open",
		.complaint = "view v: where: one = compares; \"==\" is none of = != < <= > >="},
	{NULL, "edge", COUNT, "quantity < ",
		.complaint = "view v: where: a whole number is missing at the end"},
	{NULL, "edge", COUNT, "quantity < 1.5",
		.complaint = "view v: where: quantity is compared with a whole number, and \"1.5\" "
			     "is none"},
	{NULL, "edge", COUNT, "tax < 1,5",
		.complaint = "view v: where: \"and\" was expected, not \",\""},
	{NULL, "edge", COUNT, "tax < x",
		.complaint =
			"view v: where: tax is compared with a decimal number, and \"x\" is none"},
	{NULL, "edge", COUNT, "ts > soon",
		.complaint = "view v: where: ts is compared with a time such as "
			     "\"2010-12-01T08:26Z\", and \"soon\" is none"},
	{NULL, "edge", COUNT, "page = \"\"",
		.complaint = "view v: where: page is compared with a text that is not empty, and "
			     "\"\" is none"},
	{NULL, "edge", COUNT, "page = \"open",
		.complaint = "view v: where: \"open\" is too long, not closed, or no part of a "
			     "declaration"},
	{NULL, "edge", COUNT, "basket = 1",
		.complaint = "view v: where: basket can only be counted, by distinct(basket)"},
	{NULL, "edge", COUNT, "quantity < 0 or tax > 1",
		.complaint = "view v: where: \"and\" was expected, not \"or\""},
	{"baskets", "edge", COUNT,
		.complaint = "view v: kind: unknown kind \"baskets\"; did you mean \"basket\"?"},
	{"basket", "product_id", COUNT,
		.complaint = "view v: group_by: events of kind basket have no field "
			     "\"product_id\""},
	{"basket", "edge", "n = sum(unit_price)",
		.complaint = "view v: measures: events of kind basket have no field "
			     "\"unit_price\""},
	{NULL, "edge", "n = sum(lines)",
		.complaint = "view v: measures: events of kind order have no field \"lines\""},
	{"basket", "edge", "n = distinct(user_id)",
		.complaint = "view v: measures: distinct(user_id) needs a view of kind order"},
	{"cart", "edge", "n = count() where",
		.complaint = "view v: measures: field is missing at the end"},
	{"cart", "edge", "n = count() where acton = add",
		.complaint = "view v: measures: unknown field \"acton\"; did you mean \"action\"?"},
	{"cart", "edge", "n = count() where action = add or page = x",
		.complaint = "view v: measures: \"and\" was expected, not \"or\""},
	{"cart", "edge", "n = count() were action = add",
		.complaint = "view v: measures: \",\" or the end was expected, not \"were\""},
	{NULL, "edge", COUNT, .retain = "7d",
		.complaint = "view v: retain: a row ends with its time bucket, and there is none: "
			     "add day(ts) to group_by, or minute, hour, week or month"},
	{NULL, "weekday(ts), hour_of_day(ts)", COUNT, .retain = "7d",
		.complaint = "view v: retain: a row ends with its time bucket, and there is none: "
			     "add day(ts) to group_by, or minute, hour, week or month"},
	{NULL, "day(ts)", COUNT, .retain = "a week",
		.complaint = "view v: retain: \"a week\" is no time span such as 36h or 7d"},
	{NULL, "day(ts)", COUNT, .retain = "30s",
		.complaint = "view v: retain: \"30s\" is not a number of whole minutes, such as "
			     "90m or 7d"},
	{NULL, "day(ts)", COUNT, .retain = "0d",
		.complaint = "view v: retain: \"0d\" is not a number of whole minutes, such as 90m "
			     "or 7d"},
	{NULL, "edge", COUNT, .zone = "Europe/Berln",
		.complaint = "view v: zone: unknown time zone \"Europe/Berln\"; names are like "
			     "\"Europe/Berlin\" and \"UTC\""},
};

static void test_every_mistake_is_named_with_what_was_meant(void **state)
{
	struct view_set *set = new_view_set();
	(void)state;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char error[512] = "";
		assert_int_equal(add_example(set, &bad[i], error), -EINVAL);
		assert_string_equal(error, bad[i].complaint);
	}
	assert_int_equal(view_set_count(set), 0);
	view_set_free(set);
}

static const struct example senseless[] = {
	{NULL, "edge", COUNT, "currency = eur",
		.complaint = "view v: where: currency is three capital letters, such as EUR, and "
			     "\"eur\" is not; did you mean \"EUR\"?"},
	{NULL, "edge", "n = count() where currency != EURO",
		.complaint = "view v: measures: currency is three capital letters, such as EUR, "
			     "and \"EURO\" is not"},
	{"cart", "edge", COUNT, "quantity > 1 and action = ad",
		.complaint = "view v: where: action of a cart event is add or remove, and \"ad\" "
			     "is not; did you mean \"add\"?"},
	{"cart", "edge", "n = count() where action = remove_from_cart",
		.complaint = "view v: measures: action of a cart event is add or remove, and "
			     "\"remove_from_cart\" is not; did you mean \"remove\"?"},
	{"cart", "edge", "n = sum(quantity * unit_price)",
		.complaint = "view v: measures: events of kind cart have no field \"unit_price\""},
	{"cart", "edge", COUNT, "quantity * unit_price > 1",
		.complaint = "view v: where: events of kind cart have no field \"unit_price\""},
	{NULL, "edge", COUNT, "currency = EUR and action = ad", .complaint = ""},
	{"cart, order", "edge", "n = count() where action = ad", .complaint = ""},
	{"order, cart", "edge", "n = sum(quantity * unit_price)", .complaint = ""},
	{NULL, "edge", COUNT, "currency < eur", .complaint = ""},
	{"cart", "edge", "n = count() where action != remove", .complaint = ""},
};

static void test_what_no_event_has_can_be_read_but_makes_no_sense(void **state)
{
	(void)state;

	for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++) {
		struct view_set *set = new_view_set();
		char error[512] = "";
		assert_int_equal(add_example(set, &senseless[i], error), 0);
		int r = view_check_sense(view_set_at(set, 0), error, sizeof error);
		assert_string_equal(error, senseless[i].complaint);
		assert_int_equal(r, error[0] != '\0' ? -EINVAL : 0);
		view_set_free(set);
	}
}

static void test_a_literal_of_endless_length_is_refused(void **state)
{
	char where[2000] = "page = ";
	char error[512] = "";
	struct example example = {.group_by = "edge", .measures = COUNT, .where = where};
	struct view_set *set = new_view_set();
	(void)state;

	memset(where + 7, 'x', sizeof where - 8);
	assert_int_equal(add_example(set, &example, error), -EINVAL);
	where[7] = '"';
	assert_int_equal(add_example(set, &example, error), -EINVAL);
	where[7] = '\n';
	where[8] = '"';
	where[9] = '\n';
	assert_int_equal(add_example(set, &example, error), -EINVAL);
	view_set_free(set);
}

static void test_too_many_measures_and_conditions_are_refused(void **state)
{
	char list[2048] = "m0 = count()";
	char where[2048] = "quantity > 1";
	char error[512] = "";
	struct view_set *set = new_view_set();
	(void)state;

	for (int i = 1; i <= VIEW_MEASURES_MAX; i++) {
		snprintf(list + strlen(list), 32, ", m%d = count()", i);
	}
	for (int i = 1; i <= WHERE_CONDITIONS_MAX; i++) {
		strcat(where, " and quantity > 1");
	}
	assert_int_equal(
		add_example(set, &(struct example){.group_by = "edge", .measures = list}, error),
		-EINVAL);
	assert_string_equal(error, "view v: measures: at most 16 measures");
	assert_int_equal(
		add_example(set,
			&(struct example){.group_by = "edge", .measures = COUNT, .where = where},
			error),
		-EINVAL);
	assert_string_equal(error, "view v: where: at most 8 conditions");
	strcpy(list, "m0 = count()");
	for (int i = 1; i < VIEW_MEASURES_MAX; i++) {
		snprintf(list + strlen(list), 128,
			", m%d = count() where quantity > 1 and quantity > 2 and quantity > 3", i);
	}
	assert_int_equal(
		add_example(set, &(struct example){.group_by = "edge", .measures = list}, error),
		-EINVAL);
	assert_string_equal(error, "view v: measures: at most 32 conditions in a view, with those "
				   "of its measures");
	view_set_free(set);
}

static void test_names_are_checked_and_declared_once(void **state)
{
	struct view_set *set = new_view_set();
	struct view_declaration declaration = {
		.name = "1st", .group_by = "edge", .measures = COUNT};
	char error[512] = "";
	(void)state;

	assert_int_equal(view_set_add(set, &declaration, error, sizeof error), -EINVAL);
	assert_string_equal(error, "view 1st: a view's name begins with a letter, has letters, "
				   "digits and _, and at most 40 of them");
	strcpy(declaration.name, "first");
	assert_int_equal(view_set_add(set, &declaration, error, sizeof error), 0);
	assert_int_equal(view_set_add(set, &declaration, error, sizeof error), -EINVAL);
	assert_string_equal(error, "view first is declared twice");
	view_set_free(set);
}

static void test_no_more_views_than_the_limit(void **state)
{
	struct view_set *set = new_view_set();
	struct view_declaration declaration = {.group_by = "edge", .measures = COUNT};
	char error[512] = "";
	(void)state;

	for (int i = 0; i < VIEWS_MAX; i++) {
		snprintf(declaration.name, sizeof declaration.name, "v%d", i);
		assert_int_equal(view_set_add(set, &declaration, error, sizeof error), 0);
	}
	strcpy(declaration.name, "more");
	assert_int_equal(view_set_add(set, &declaration, error, sizeof error), -EINVAL);
	assert_string_equal(error, "view more: at most 64 views");
	view_set_free(set);
}

/* Any spelling gives one canonical text, and that text gives itself. */
static void test_the_canonical_text_reads_back_as_itself(void **state)
{
	static const struct example spelled = {"order", " day ,hour_of_day(ts),  edge",
		"a=count( ),b = sum(unit_price*quantity), c = last(ts), d=first(channel), e = "
		"distinct(basket), f = average(amount), g = min(quantity), h=count( )where  "
		"quantity<0 and channel=web, i = last(ts) where tax>1,j=quantile( revenue , 0.9500 "
		")",
		"channel = \"a \"\"b\"\"\" and quantity<=-1 and unit_price >= 2.5 and ts != "
		"2010-12-01T08:26Z and category = tea",
		"36h", "UTC", ""};
	static const char canonical[] =
		"kind = order\n"
		"group_by = day(ts), hour_of_day(ts), edge\n"
		"measures = a = count(), b = sum(quantity * unit_price), c = max(ts), d = "
		"first(channel), e = distinct(basket), f = average(amount), g = min(quantity), h = "
		"count() where quantity < 0 and channel = \"web\", i = max(ts) where tax > 1.00, j "
		"= "
		"quantile(revenue, 0.95)\n"
		"where = channel = \"a \"\"b\"\"\" and quantity <= -1 and unit_price >= 2.50 and "
		"ts != 2010-12-01T08:26:00.000Z and category = \"tea\"\n"
		"retain = 2160m\n";
	struct view_set *set = new_view_set();
	struct view_set *again = new_view_set();
	char error[512] = "";
	(void)state;

	assert_int_equal(add_example(set, &spelled, error), 0);
	assert_string_equal(view_text(view_set_at(set, 0)), canonical);
	add_view(again, "v", canonical);
	assert_string_equal(view_text(view_set_at(again, 0)), canonical);
	view_set_free(set);
	view_set_free(again);
}

/* In one order whatever the declaration's: what means the same is no other view. */
static void test_several_kinds_have_one_canonical_text(void **state)
{
	static const char canonical[] =
		"kind = order, cart, view\ngroup_by = product_id, kind\nmeasures = sold = count() "
		"where kind = \"order\" and quantity > 0, seen = count() where kind != \"order\" "
		"and "
		"kind != \"cart\", rate = ratio(sold, seen)\n";
	struct view_set *set = new_view_set();
	(void)state;

	add_view(set, "a", canonical);
	add_view(set, "b",
		"kind = view,order , cart\ngroup_by = product_id,kind\nmeasures = sold=count() "
		"where kind=order and quantity>0, seen = count() where kind!=order and kind != "
		"cart, rate=ratio( sold ,seen )\n");
	add_view(set, "c", "kind = view\ngroup_by = page\nmeasures = n = count()\n");
	assert_string_equal(view_text(view_set_at(set, 0)), canonical);
	assert_string_equal(view_text(view_set_at(set, 1)), canonical);
	assert_string_equal(view_text(view_set_at(set, 2)),
		"kind = view\ngroup_by = page\nmeasures = n = count()\n");
	view_set_free(set);
}

/* When baskets close is part of what a view of them says. */
static void test_a_view_of_baskets_says_when_they_close(void **state)
{
	static const char *const texts[] = {
		"kind = basket\ngroup_by = channel\nmeasures = n = count(), a = sum(amount), l = "
		"sum(lines)\nbaskets = 1800000ms 86400000ms\n",
		"kind = basket\ngroup_by = channel\nmeasures = n = count(), a = sum(amount), l = "
		"sum(lines)\nbaskets = 1000ms 1000ms\n",
	};
	struct view_set *set = new_view_set();
	(void)state;

	assert_int_equal(view_set_baskets(set).horizon_ms, 0);
	add_view(set, "a",
		"kind = basket\ngroup_by = channel\nmeasures = n = count(), a = sum(revenue), l = "
		"sum(lines)\n");
	add_view(set, "b", texts[1]);
	assert_string_equal(view_text(view_set_at(set, 0)), texts[0]);
	assert_string_equal(view_text(view_set_at(set, 1)), texts[1]);
	assert_int_equal(view_set_baskets(set).horizon_ms, BASKET_HORIZON_MS_DEFAULT);
	assert_int_equal(view_set_baskets(set).memory_ms, BASKET_MEMORY_MS_DEFAULT);
	view_set_free(set);
}

static void test_a_damaged_canonical_text_is_refused(void **state)
{
	static const char *const texts[] = {"kind = order", "kind order\n", "colour = red\n",
		"kind = order\nkind = order\n", "\n", "kind = order\n",
		"kind = basket\ngroup_by = edge\nmeasures = n = count()\nbaskets = 1000ms\n",
		"kind = basket\ngroup_by = edge\nmeasures = n = count()\nbaskets = 1s soon\n",
		"kind = basket\ngroup_by = edge\nmeasures = n = count()\nbaskets = 0ms 5ms\n",
		"kind = basket\ngroup_by = edge\nmeasures = n = count()\nbaskets = 6ms 5ms\n"};
	struct view_set *set = new_view_set();
	(void)state;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char error[512] = "";
		assert_int_equal(view_set_add_text(set, slice_of_text("v"), slice_of_text(texts[i]),
					 error, sizeof error),
			-EINVAL);
		assert_string_not_equal(error, "");
	}
	assert_int_equal(view_set_add_text(set, slice_of(NULL, 0), slice_of_text("kind = order\n"),
				 (char[8]){0}, 8),
		-EINVAL);
	view_set_free(set);
}

static void test_views_are_numbered_in_the_order_of_their_names(void **state)
{
	struct view_set *set = sample_views();
	static const char *const names[] = {
		"dead_letters", "products", "sales_per_minute", "stores", "users"};
	(void)state;

	assert_int_equal(view_set_count(set), 5);
	for (uint32_t i = 0; i < 5; i++) {
		const struct view *view = view_set_find(set, slice_of_text(names[i]));
		assert_non_null(view);
		assert_int_equal(view_id(view), i);
		assert_string_equal(view_name(view_set_at(set, i)), names[i]);
	}
	assert_null(view_set_find(set, slice_of_text("prod")));
	view_set_free(set);
}

static void test_money_brings_the_currency(void **state)
{
	struct view_set *set = sample_views();
	const struct view *products = view_set_find(set, slice_of_text("products"));
	const struct view *letters = view_set_find(set, slice_of_text("dead_letters"));
	(void)state;

	assert_int_equal(products->group_count, 2);
	assert_string_equal(products->groups[1].name, "currency");
	assert_int_equal(letters->group_count, 3);
	add_view(set, "own", "group_by = currency, edge\nmeasures = m = sum(tax)\n");
	assert_int_equal(view_set_find(set, slice_of_text("own"))->group_count, 2);
	view_set_free(set);
}

static void test_views_count_the_kinds_that_they_declare(void **state)
{
	struct view_set *set = sample_views();
	(void)state;

	add_view(set, "carts",
		"kind = cart\ngroup_by = product_id\nmeasures = n = sum(quantity)\nwhere = action "
		"= \"add\"\n");
	add_view(set, "pages", "kind = view\ngroup_by = page\nmeasures = n = count()\n");
	add_view(set, "interest",
		"kind = view, cart\ngroup_by = product_id\nmeasures = n = count()\n");
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		enum kind k = (enum kind)kind;
		assert_int_equal(view_counts_kind(view_set_find(set, slice_of_text("products")), k),
			k == KIND_ORDER);
		assert_int_equal(view_counts_kind(view_set_find(set, slice_of_text("carts")), k),
			k == KIND_CART);
		assert_int_equal(view_counts_kind(view_set_find(set, slice_of_text("pages")), k),
			k == KIND_VIEW);
		assert_int_equal(view_counts_kind(view_set_find(set, slice_of_text("interest")), k),
			k == KIND_CART || k == KIND_VIEW);
		assert_int_equal(
			view_counts_kind(view_set_find(set, slice_of_text("dead_letters")), k),
			kind_is_dead_letter(k));
	}
	assert_true(view_is_conserved(view_set_find(set, slice_of_text("products"))));
	assert_false(view_is_conserved(view_set_find(set, slice_of_text("carts"))));
	view_set_free(set);
}

static void test_what_edges_may_share_can_not_be_added_up_over_shards(void **state)
{
	struct view_set *set = sample_views();
	(void)state;

	add_view(set, "buyers", "group_by = product_id\nmeasures = n = distinct(user_id)\n");
	add_view(set, "buyers_per_store", "group_by = edge\nmeasures = n = distinct(user_id)\n");
	assert_true(view_is_shardable(view_set_find(set, slice_of_text("users"))));
	assert_false(view_is_shardable(view_set_find(set, slice_of_text("buyers"))));
	assert_true(view_is_shardable(view_set_find(set, slice_of_text("buyers_per_store"))));
	view_set_free(set);
}

/* where: an absent field passes no condition, not even !=. */
static void test_conditions_admit_what_they_say(void **state)
{
	static const struct {
		const char *where;
		bool admits;
	} cases[] = {
		{"quantity = 3", true},
		{"quantity != 3", false},
		{"quantity < 3", false},
		{"quantity <= 3", true},
		{"quantity > 2", true},
		{"quantity >= 4", false},
		{"unit_price = 2.5", true},
		{"revenue > 7.49 and revenue < 7.51", true},
		{"quantity * unit_price = 7.5", true},
		{"ts >= 2010-12-01T08:26Z", true},
		{"ts < 2010-12-01T08:26Z", false},
		{"edge = berlin", true},
		{"product_id > \"p\"", true},
		{"product_id > \"p1\"", false},
		{"channel = web", false},
		{"channel != web", false},
		{"tax < 1", false},
		{"quantity = 3 and edge = paris", false},
	};
	struct event event = sample_order(1, INT64_C(1291191960000), "p1", 3, 2500000);
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct view_set *set = new_view_set();
		char error[512] = "";
		assert_int_equal(add_example(set,
					 &(struct example){.group_by = "edge",
						 .measures = COUNT,
						 .where = cases[i].where},
					 error),
			0);
		assert_int_equal(view_admits(view_set_at(set, 0), &event), cases[i].admits);
		view_set_free(set);
	}
}

static int any_zone(void *owner, const char *name, const struct zone **ret_zone)
{
	(void)name;
	*ret_zone = owner;
	return owner == NULL ? -ENOMEM : 0;
}

static void test_a_zone_belongs_to_the_canonical_text(void **state)
{
	static const struct example example = {NULL, "day", COUNT, .zone = "Europe/Berlin"};
	struct view_set *set = NULL;
	int zone; /* only its address matters */
	char error[512] = "";
	(void)state;

	assert_int_equal(view_set_new(any_zone, &zone, &set), 0);
	assert_int_equal(add_example(set, &example, error), 0);
	assert_ptr_equal(view_set_at(set, 0)->zone, &zone);
	assert_string_equal(view_text(view_set_at(set, 0)),
		"kind = order\ngroup_by = day(ts)\nmeasures = n = count()\nzone = Europe/Berlin\n");
	view_set_free(set);

	assert_int_equal(view_set_new(any_zone, NULL, &set), 0);
	assert_int_equal(add_example(set, &example, error), -ENOMEM);
	view_set_free(set);
}

static void test_the_shipped_views_are_sections_of_the_built_in_text(void **state)
{
	const char *text = view_shipped_text();
	(void)state;

	assert_non_null(strstr(text, "\n[view.products]\nkind = order\ngroup_by = product_id\n"));
	assert_non_null(strstr(text, "last_order = last(ts)\n"));
	assert_non_null(strstr(text, "[view.dead_letters]\nkind = dead_letter\ngroup_by = kind, "
				     "code, edge\nmeasures = count = count()\n"));
}

static void test_suggestions_are_near_or_none(void **state)
{
	static const char *const words[] = {"products", "stores", "users"};
	(void)state;

	assert_string_equal(suggest_word(slice_of_text("prodcts"), words, 3), "products");
	assert_string_equal(suggest_word(slice_of_text("user"), words, 3), "users");
	assert_string_equal(suggest_word(slice_of_text("stores"), words, 3), "stores");
	assert_null(suggest_word(slice_of_text("zebra"), words, 3));
	assert_null(suggest_word(slice_of_text(""), words, 3));
	assert_null(suggest_word(
		slice_of_text("a word that is far longer than any name could ever be"), words, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_mistake_is_named_with_what_was_meant),
		cmocka_unit_test(test_what_no_event_has_can_be_read_but_makes_no_sense),
		cmocka_unit_test(test_a_literal_of_endless_length_is_refused),
		cmocka_unit_test(test_too_many_measures_and_conditions_are_refused),
		cmocka_unit_test(test_names_are_checked_and_declared_once),
		cmocka_unit_test(test_no_more_views_than_the_limit),
		cmocka_unit_test(test_the_canonical_text_reads_back_as_itself),
		cmocka_unit_test(test_several_kinds_have_one_canonical_text),
		cmocka_unit_test(test_a_view_of_baskets_says_when_they_close),
		cmocka_unit_test(test_a_damaged_canonical_text_is_refused),
		cmocka_unit_test(test_views_are_numbered_in_the_order_of_their_names),
		cmocka_unit_test(test_money_brings_the_currency),
		cmocka_unit_test(test_views_count_the_kinds_that_they_declare),
		cmocka_unit_test(test_what_edges_may_share_can_not_be_added_up_over_shards),
		cmocka_unit_test(test_conditions_admit_what_they_say),
		cmocka_unit_test(test_a_zone_belongs_to_the_canonical_text),
		cmocka_unit_test(test_the_shipped_views_are_sections_of_the_built_in_text),
		cmocka_unit_test(test_suggestions_are_near_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
