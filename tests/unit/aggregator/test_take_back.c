/* What is taken back leaves nothing behind: rows are, to the byte, as if it had never been counted. */
#include "aggregator/view/measure_row.h"
#include "draw.h"
#include "sample_views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 2000 };

struct sample {
	struct view_set *views;
	struct event events[EVENTS];
	char texts[EVENTS][2][120];
};

static struct sample *new_sample(void)
{
	struct draw draw = {7};
	struct sample *sample = calloc(1, sizeof *sample);

	assert_non_null(sample);
	sample->views = new_view_set();
	add_view(sample->views, "products",
		"kind = order\ngroup_by = product_id\nmeasures = order_count = count(), big = "
		"count() where quantity > 5, total_quantity = sum(quantity), total_revenue = "
		"sum(revenue), mean = average(unit_price), q25 = quantile(revenue, 0.25), q75 = "
		"quantile(revenue, 0.75)\n");
	add_view(sample->views, "demand",
		"kind = order, cart\ngroup_by = product_id\nmeasures = sold = count() where kind = "
		"order, put = count() where kind = cart, revenue = sum(revenue), rate = "
		"ratio(sold, put)\n");
	add_view(sample->views, "users",
		"kind = order\ngroup_by = user_id\nmeasures = order_count = count()\nwhere = "
		"quantity > 0\n");
	for (uint64_t i = 0; i < EVENTS; i++) {
		snprintf(sample->texts[i][0], sizeof sample->texts[i][0], "%sp%u",
			i % 7 == 0 ? "a-name-that-goes-on-and-on-and-on-until-it-is-longer-than-"
				     "what-a-key-holds-whole-as-few-names-do-"
				   : "",
			draw_below(&draw, 40));
		snprintf(sample->texts[i][1], sizeof sample->texts[i][1], "u%u",
			draw_below(&draw, 20));
		sample->events[i] =
			sample_order(i + 1, draw_below(&draw, 600000), sample->texts[i][0],
				(int64_t)draw_below(&draw, 20) - 5, draw_below(&draw, 100000000));
		set_text(&sample->events[i], FIELD_USER_ID, sample->texts[i][1]);
		if (i % 5 == 0) {
			sample->events[i].kind = KIND_CART;
		}
		if (i % 9 == 0) {
			sample->events[i].present &= ~(1u << FIELD_USER_ID);
			sample->events[i].text[FIELD_USER_ID] = slice_of(NULL, 0);
		}
	}
	return sample;
}

static void free_sample(struct sample *sample)
{
	view_set_free(sample->views);
	free(sample);
}

static void take_back(struct overlay *overlay, const struct event *event, struct standing standing)
{
	assert_int_equal(overlay_take_back(overlay, event, standing), 0);
}

/* `base` + the row of `overlay`, as the store would write it. */
static void merge(const struct view *view, struct slice base, const struct overlay *overlay,
	struct slice key, struct buffer *ret_value)
{
	static const uint64_t no_members[VIEW_MEASURES_MAX];
	const struct delta *delta = overlay_find(overlay, view_id(view), key);

	buffer_init(ret_value, 1024 * 1024);
	if (delta == NULL) {
		buffer_append(ret_value, base.bytes, base.size);
		return;
	}
	assert_int_equal(delta_merge(view, base, delta, no_members, ret_value), 0);
}

static uint64_t count_of(const struct view *view, const struct buffer *value)
{
	uint64_t count = 0;

	if (value->size > 0) {
		assert_int_equal(row_event_count(view, buffer_slice(value), &count), 0);
	}
	return count;
}

static void assert_rows_equal(const struct view *view, const struct overlay *all,
	const struct overlay *changes, const struct overlay *wanted)
{
	for (size_t i = 0; i < overlay_row_count(all, view_id(view)); i++) {
		struct slice key = delta_key(overlay_row_at(all, view_id(view), i));
		struct buffer base, got, expected;
		merge(view, slice_of(NULL, 0), all, key, &base);
		merge(view, buffer_slice(&base), changes, key, &got);
		merge(view, slice_of(NULL, 0), wanted, key, &expected);
		uint64_t count = count_of(view, &expected);
		assert_int_equal(count_of(view, &got), count);
		if (count > 0) {
			assert_true(slice_equal(buffer_slice(&got), buffer_slice(&expected)));
		}
		buffer_deinit(&base);
		buffer_deinit(&got);
		buffer_deinit(&expected);
	}
	assert_true(overlay_matched(all, view_id(view)) + overlay_matched(changes, view_id(view)) ==
		    overlay_matched(wanted, view_id(view)));
	assert_true(
		overlay_unmatched(all, view_id(view)) + overlay_unmatched(changes, view_id(view)) ==
		overlay_unmatched(wanted, view_id(view)));
}

static void what_was_stored_can_be_taken_back(void **state)
{
	struct sample *sample = new_sample();
	struct overlay *all = new_overlay(sample->views);
	struct overlay *changes = new_overlay(sample->views);
	struct overlay *wanted = new_overlay(sample->views);

	(void)state;
	for (size_t i = 0; i < EVENTS; i++) {
		apply(all, &sample->events[i]);
		if (i % 3 == 0 ||
			slice_equals_text(sample->events[i].text[FIELD_PRODUCT_ID], "p7")) {
			take_back(changes, &sample->events[i], (struct standing){0});
		} else {
			apply(wanted, &sample->events[i]);
		}
	}
	assert_int_equal(overlay_sort(all), 0);
	for (size_t i = 0; i < view_set_count(sample->views); i++) {
		assert_rows_equal(view_set_at(sample->views, i), all, changes, wanted);
	}
	overlay_free(all);
	overlay_free(changes);
	overlay_free(wanted);
	free_sample(sample);
}

static void what_came_and_went_before_it_was_stored_is_no_row(void **state)
{
	struct sample *sample = new_sample();
	struct overlay *overlay = new_overlay(sample->views);
	const struct view *view = view_set_find(sample->views, slice_of_text("products"));

	(void)state;
	for (size_t i = 0; i < EVENTS; i++) {
		apply(overlay, &sample->events[i]);
	}
	for (size_t i = 0; i < EVENTS; i++) {
		take_back(overlay, &sample->events[i], (struct standing){0});
	}
	assert_int_equal(overlay_sort(overlay), 0);
	for (size_t i = 0; i < overlay_row_count(overlay, view_id(view)); i++) {
		const struct delta *delta = overlay_row_at(overlay, view_id(view), i);
		assert_int_equal(delta_event_count(delta), 0);
	}
	assert_int_equal(overlay_matched(overlay, view_id(view)), 0);
	assert_int_equal(overlay_event_count(overlay), 2 * EVENTS);
	overlay_free(overlay);
	free_sample(sample);
}

/* His row is gone already, and what was in it counts as held: from there it is taken, and not from the row again. */
static void what_a_forgotten_user_had_is_taken_from_what_is_held(void **state)
{
	struct sample *sample = new_sample();
	struct overlay *overlay = new_overlay(sample->views);
	const struct view *users = view_set_find(sample->views, slice_of_text("users"));
	const struct view *products = view_set_find(sample->views, slice_of_text("products"));
	struct event event = sample_order(1, 0, "tea", 1, 1000000);

	(void)state;
	take_back(overlay, &event, (struct standing){.is_hidden = true});
	assert_true(overlay_held(overlay, view_id(users)) == UINT64_MAX);
	assert_true(overlay_matched(overlay, view_id(users)) == 0);
	assert_int_equal(overlay_row_count(overlay, view_id(users)), 0);
	assert_true(overlay_matched(overlay, view_id(products)) == UINT64_MAX);
	overlay_free(overlay);
	free_sample(sample);
}

static void assert_keeps(const char *measures, const char *retain, const char *what)
{
	struct view_set *views = new_view_set();
	char text[256];
	const char *named = NULL;

	snprintf(text, sizeof text, "kind = order\ngroup_by = day(ts)\nmeasures = %s\n%s", measures,
		retain);
	add_view(views, "v", text);
	assert_int_equal(view_takes_back(view_set_at(views, 0), &named), what == NULL);
	if (what != NULL) {
		assert_string_equal(named, what);
	}
	view_set_free(views);
}

static void what_remembers_only_an_end_can_not_be_taken_back(void **state)
{
	(void)state;
	assert_keeps("n = count(), s = sum(quantity), a = average(revenue), q = "
		     "quantile(revenue, 0.5), w = count() where quantity > 1, r = ratio(w, n)",
		"", NULL);
	assert_keeps("n = count(), low = min(quantity)", "", "low");
	assert_keeps("n = count(), high = max(quantity)", "", "high");
	assert_keeps("n = count(), was = first(quantity)", "", "was");
	assert_keeps("n = count(), is = last(quantity)", "", "is");
	assert_keeps("n = count(), d = distinct(user_id)", "", "d");
	assert_keeps("n = count()", "retain = 7d\n", "retain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_stored_can_be_taken_back),
		cmocka_unit_test(what_came_and_went_before_it_was_stored_is_no_row),
		cmocka_unit_test(what_a_forgotten_user_had_is_taken_from_what_is_held),
		cmocka_unit_test(what_remembers_only_an_end_can_not_be_taken_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
