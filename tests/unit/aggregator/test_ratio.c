/* Views of several kinds of events, and ratios: worked out of a row's counts and sums, and of those of merged rows. */
#include "aggregator/overlay/overlay_plan.h"
#include "aggregator/view/measure_row.h"
#include "sample_views.h"

static const char declaration[] =
	"kind = order, cart\ngroup_by = product_id\nmeasures = n = count(), added = count() where "
	"action = \"add\", ordered = count() where kind = \"order\", pieces = sum(quantity), cost "
	"= sum(unit_price), rate = ratio(ordered, added), dearness = ratio(cost, pieces), "
	"per_cost = ratio(pieces, cost), of_all = ratio(cost, n)\n";
enum { ADDED = 1, ORDERED, PIECES, COST, RATE, DEARNESS, PER_COST, OF_ALL };

static struct event cart(uint64_t seq, const char *product_id, const char *action)
{
	struct event event = sample_order(seq, 1, product_id, 0, 0);

	event.kind = event.certificate.kind = KIND_CART;
	event.present = 1u << FIELD_TS;
	set_text(&event, FIELD_ORDER_ID, "");
	set_text(&event, FIELD_CURRENCY, "");
	set_text(&event, FIELD_PRODUCT_ID, product_id);
	set_text(&event, FIELD_ACTION, action);
	return event;
}

static struct view_set *new_views(void)
{
	struct view_set *views = new_view_set();

	add_view(views, "demand", declaration);
	add_view(views, "mixed",
		"kind = order, cart\ngroup_by = product_id\nmeasures = added = count() where "
		"action = \"add\", carts = count() where kind != \"order\"\n");
	return views;
}

static void test_each_kind_is_counted_and_told_apart(void **state)
{
	struct view_set *views = new_views();
	struct overlay *overlay = new_overlay(views);
	struct event order = sample_order(1, 1, "p", 2, 1500000);
	struct event page = cart(2, "p", "");
	struct event put[] = {cart(3, "p", "add"), cart(4, "p", "remove"), cart(5, "", "add")};
	(void)state;

	page.kind = KIND_VIEW;
	apply(overlay, &order);
	apply(overlay, &page);
	for (size_t i = 0; i < 3; i++) {
		apply(overlay, &put[i]);
	}
	assert_int_equal(overlay_matched(overlay, 1), 3);
	assert_int_equal(overlay_unmatched(overlay, 1), 1);
	assert_int_equal(overlay_row_count(overlay, 0), 2); /* GBP, and carts in no currency */
	assert_int_equal(overlay_row_count(overlay, 1), 1);
	assert_int_equal(overlay_sort(overlay), 0);
	const struct delta *delta = overlay_row_at(overlay, 1, 0);
	assert_int_equal(delta_event_count(delta), 3);
	assert_int_equal(delta->cells[0].count, 1);
	assert_int_equal(delta->cells[1].count, 2);
	overlay_free(overlay);
	view_set_free(views);
}

/* A row of so many adds, orders, pieces and micros. */
static void make_row(const struct view *view, struct row *row, const int64_t numbers[4])
{
	row_init(view, row);
	row->event_count = (uint64_t)(numbers[0] + numbers[1]);
	row->cells[ADDED].count = (uint64_t)numbers[0];
	row->cells[ORDERED].count = (uint64_t)numbers[1];
	row->cells[PIECES].number = numbers[2];
	row->cells[COST].number = numbers[3];
	row_settle(view, row);
}

static void expect_ratio(const struct row *row, size_t measure, bool is_there, int64_t millionths)
{
	assert_int_equal(row->cells[measure].count, is_there);
	if (is_there) {
		assert_int_equal(row->cells[measure].number, millionths);
	}
}

static void test_ratios_are_of_the_units_that_their_measures_have(void **state)
{
	struct view_set *views = new_views();
	const struct view *view = view_set_at(views, 0);
	struct row row;
	(void)state;

	make_row(view, &row, (const int64_t[4]){3, 2, 4, 10000000});
	expect_ratio(&row, RATE, true, 666667);
	expect_ratio(&row, DEARNESS, true, 2500000);
	expect_ratio(&row, PER_COST, true, 400000);
	expect_ratio(&row, OF_ALL, true, 2000000);
	make_row(view, &row, (const int64_t[4]){0, 2, 0, 0});
	expect_ratio(&row, RATE, false, 0);
	expect_ratio(&row, DEARNESS, false, 0);
	expect_ratio(&row, PER_COST, false, 0);
	expect_ratio(&row, OF_ALL, true, 0);
	make_row(view, &row, (const int64_t[4]){1, 0, -8, 1000000}); /* returns */
	expect_ratio(&row, RATE, true, 0);
	expect_ratio(&row, DEARNESS, true, -125000);
	expect_ratio(&row, PER_COST, true, -8000000);
	make_row(view, &row, (const int64_t[4]){1, 0, -2, -5}); /* halves, to even */
	expect_ratio(&row, DEARNESS, true, 2);
	make_row(view, &row, (const int64_t[4]){1, 0, 2, -7});
	expect_ratio(&row, DEARNESS, true, -4);
	view_set_free(views);
}

static void test_what_leaves_128_bits_is_no_ratio(void **state)
{
	struct view_set *views = new_views();
	const struct view *view = view_set_at(views, 0);
	struct row row;
	(void)state;

	make_row(view, &row, (const int64_t[4]){1, 1, 1, 1});
	row.cells[PIECES].number = (money)1 << 126;
	row_settle(view, &row);
	expect_ratio(&row, DEARNESS, false, 0);
	expect_ratio(&row, PER_COST, false, 0);
	row.cells[PIECES].number = -1;
	row.cells[COST].number = -((money)1 << 126) * 2; /* can't be turned round */
	row_settle(view, &row);
	expect_ratio(&row, PER_COST, false, 0);
	view_set_free(views);
}

/* The ratio of the sums, not a sum of ratios; and the store keeps none. */
static void test_a_merged_row_has_the_ratio_of_its_sums(void **state)
{
	struct view_set *views = new_views();
	const struct view *view = view_set_at(views, 0);
	struct buffer value, again;
	struct row row, other;
	(void)state;

	make_row(view, &row, (const int64_t[4]){3, 1, 4, 10000000});
	make_row(view, &other, (const int64_t[4]){1, 1, 1, 1000000});
	assert_int_equal(row_merge_row(view, &row, &other), 0);
	row_settle(view, &row);
	expect_ratio(&row, RATE, true, 500000);
	expect_ratio(&row, DEARNESS, true, 2200000);
	buffer_init(&value, 1 << 20);
	buffer_init(&again, 1 << 20);
	row_write(view, &row, &value);
	row.cells[RATE] = (struct cell){0};
	row_write(view, &row, &again);
	assert_true(slice_equal(buffer_slice(&value), buffer_slice(&again)));
	assert_int_equal(row_read(view, buffer_slice(&value), &other), 0);
	row_settle(view, &other);
	expect_ratio(&other, RATE, true, 500000);
	buffer_deinit(&value);
	buffer_deinit(&again);
	view_set_free(views);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_is_counted_and_told_apart),
		cmocka_unit_test(test_ratios_are_of_the_units_that_their_measures_have),
		cmocka_unit_test(test_what_leaves_128_bits_is_no_ratio),
		cmocka_unit_test(test_a_merged_row_has_the_ratio_of_its_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
