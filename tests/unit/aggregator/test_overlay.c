/* The overlay against a naive model that keeps every event and counts anew. */
#include "aggregator/overlay/overlay_table.h"
#include "aggregator/view/measure_row.h"
#include "draw.h"
#include "sample_views.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS = 4000, PRODUCTS = 300, USERS = 60, EDGES = 5, ORDERS = 400 };

/* Texts live as long as the events. */
struct sample {
	struct view_set *views;
	struct event events[EVENTS];
	char texts[EVENTS][3][160];
};

static void draw_order(struct draw *draw, struct event *event, char texts[3][160], uint64_t seq)
{
	static const char *const edges[EDGES] = {
		"berlin", "paris", "rom", "United Kingdom", "oslo"};
	static const char *const currencies[] = {"GBP", "EUR"};
	uint32_t product = draw_below(draw, PRODUCTS);

	/* Every tenth product has a name past what keys hold whole. */
	snprintf(texts[0], sizeof texts[0], "%sp%u",
		product % 10 == 0 ? "a-name-that-goes-on-and-on-and-on-until-it-is-longer-than-"
				    "what-a-key-holds-whole-as-few-names-do-"
				  : "",
		product);
	snprintf(texts[1], sizeof texts[1], "u%u", draw_below(draw, USERS));
	snprintf(texts[2], sizeof texts[2], "o%u", draw_below(draw, ORDERS));
	*event = sample_order(seq, draw_below(draw, 600000), texts[0],
		(int64_t)draw_below(draw, 21) - 5, draw_below(draw, 100000000));
	event->certificate.edge = slice_of_text(edges[draw_below(draw, EDGES)]);
	set_text(event, FIELD_USER_ID, texts[1]);
	set_text(event, FIELD_ORDER_ID, texts[2]);
	set_text(event, FIELD_CURRENCY, currencies[draw_below(draw, 2)]);
	if (draw_below(draw, 10) == 0) {
		set_text(event, FIELD_USER_ID, ""); /* a guest */
		event->present &= ~(1u << FIELD_USER_ID);
	}
	if (draw_below(draw, 5) == 0) {
		event->present |= 1u << FIELD_AMOUNT;
		event->amount = (int64_t)draw_below(draw, 1000000);
	}
}

static struct sample *new_sample(void)
{
	struct draw draw = {21};
	struct sample *sample = calloc(1, sizeof *sample);

	assert_non_null(sample);
	sample->views = sample_views();
	for (uint64_t i = 0; i < EVENTS; i++) {
		draw_order(&draw, &sample->events[i], sample->texts[i], i + 1);
	}
	return sample;
}

static void free_sample(struct sample *sample)
{
	view_set_free(sample->views);
	free(sample);
}

/* Is this event in the row with these group values? */
static bool is_in_row(const struct view *view, const struct event *event, const struct delta *delta)
{
	struct group_value values[VIEW_GROUPS_MAX];
	struct row_key key = {0};

	if (!view_group_values(view, event, slice_of(NULL, 0), values)) {
		return false;
	}
	for (size_t i = 0; i < view->group_count; i++) {
		assert_true(row_key_append(&key, &values[i]));
	}
	return slice_equal(row_key_slice(&key), delta_key(delta));
}

struct expected {
	uint64_t count;
	money quantity;
	money revenue;
	int64_t last_ts;
	uint64_t baskets;
};

static bool is_first_of_basket(
	const struct event *const *seen, size_t count, const struct event *event)
{
	for (size_t i = 0; i < count; i++) {
		if (slice_equal(seen[i]->certificate.edge, event->certificate.edge) &&
			slice_equal(seen[i]->text[FIELD_ORDER_ID], event->text[FIELD_ORDER_ID])) {
			return false;
		}
	}
	return true;
}

static struct expected count_row(
	const struct sample *sample, const struct view *view, const struct delta *delta)
{
	struct expected expected = {0};
	const struct event *seen[EVENTS];

	for (size_t i = 0; i < EVENTS; i++) {
		const struct event *event = &sample->events[i];
		if (!is_in_row(view, event, delta)) {
			continue;
		}
		expected.quantity += event->quantity;
		expected.revenue += event_has(event, FIELD_AMOUNT)
					    ? event->amount
					    : (money)event->quantity * event->unit_price;
		expected.last_ts =
			event->ts_ms > expected.last_ts ? event->ts_ms : expected.last_ts;
		expected.baskets += is_first_of_basket(seen, expected.count, event);
		seen[expected.count++] = event;
	}
	return expected;
}

static size_t check_rows(const struct sample *sample, struct overlay *overlay, const char *name,
	void (*check)(const struct delta *delta, const struct expected *expected))
{
	const struct view *view = view_set_find(sample->views, slice_of_text(name));
	size_t count = overlay_row_count(overlay, view_id(view));
	uint64_t events = 0;

	for (size_t i = 0; i < count; i++) {
		const struct delta *delta = overlay_row_at(overlay, view_id(view), i);
		struct expected expected = count_row(sample, view, delta);
		assert_int_equal(delta_event_count(delta), expected.count);
		check(delta, &expected);
		events += expected.count;
		assert_ptr_equal(overlay_find(overlay, view_id(view), delta_key(delta)), delta);
		assert_int_equal(overlay_lower_bound(overlay, view_id(view), delta_key(delta)), i);
		if (i > 0) {
			const struct delta *before = overlay_row_at(overlay, view_id(view), i - 1);
			assert_true(row_key_compare(delta_key(before), delta_key(delta)) < 0);
		}
	}
	assert_int_equal(overlay_matched(overlay, view_id(view)), events);
	assert_int_equal(events + overlay_unmatched(overlay, view_id(view)), EVENTS);
	return count;
}

static void check_sales(const struct delta *delta, const struct expected *expected)
{
	assert_true(delta->cells[1].number == expected->quantity);
	assert_true(delta->cells[2].number == expected->revenue);
}

static void check_user(const struct delta *delta, const struct expected *expected)
{
	assert_int_equal(delta->cells[0].count, expected->baskets);
	assert_int_equal(delta_member_count(delta), expected->baskets);
	assert_true(delta->cells[2].number == expected->quantity);
	assert_true(delta->cells[3].number == expected->revenue);
	assert_int_equal(delta->cells[4].number, expected->last_ts);
}

static void check_store(const struct delta *delta, const struct expected *expected)
{
	assert_true(delta->cells[1].number == expected->revenue);
	assert_int_equal(delta->cells[2].count, expected->baskets);
}

static void test_rows_are_what_counting_by_hand_gives(void **state)
{
	struct sample *sample = new_sample();
	struct overlay *overlay = new_overlay(sample->views);
	(void)state;

	for (size_t i = 0; i < EVENTS; i++) {
		apply(overlay, &sample->events[i]);
		if (i % 700 == 0) { /* what comes later goes between what is sorted already */
			assert_int_equal(overlay_sort(overlay), 0);
		}
	}
	assert_int_equal(overlay_sort(overlay), 0);
	assert_int_equal(overlay_event_count(overlay), EVENTS);
	assert_int_equal(check_rows(sample, overlay, "products", check_sales), PRODUCTS * 2);
	assert_int_equal(check_rows(sample, overlay, "sales_per_minute", check_sales), 20);
	assert_int_equal(check_rows(sample, overlay, "users", check_user), USERS * 2);
	assert_int_equal(check_rows(sample, overlay, "stores", check_store), EDGES * 2);
	overlay_free(overlay);
	free_sample(sample);
}

/* Whatever the loop sorts meanwhile. */
static void test_the_committing_thread_has_rows_in_key_order_of_its_own(void **state)
{
	struct sample *sample = new_sample();
	struct overlay *overlay = new_overlay(sample->views);
	uint32_t id = view_id(view_set_find(sample->views, slice_of_text("users")));
	const struct delta *const *rows = NULL;
	(void)state;

	for (size_t i = 0; i < EVENTS; i++) {
		apply(overlay, &sample->events[i]);
	}
	const struct delta *first = overlay_row_at(overlay, id, 0);
	assert_int_equal(overlay_list_rows(overlay, id, &rows), 0);
	assert_ptr_equal(overlay_row_at(overlay, id, 0), first); /* it moved nothing */
	assert_ptr_not_equal(rows[0], first);
	assert_int_equal(overlay_sort(overlay), 0);
	for (size_t i = 0; i < overlay_row_count(overlay, id); i++) {
		assert_ptr_equal(rows[i], overlay_row_at(overlay, id, i));
	}
	free((void *)rows);
	overlay_free(overlay);
	free_sample(sample);
}

static void test_an_order_without_user_is_unmatched_there_and_counted_elsewhere(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	struct event event = sample_order(1, 1, "p", 1, 1);
	uint32_t users = view_id(view_set_find(views, slice_of_text("users")));
	uint32_t products = view_id(view_set_find(views, slice_of_text("products")));
	(void)state;

	set_text(&event, FIELD_USER_ID, "");
	apply(overlay, &event);
	assert_int_equal(overlay_unmatched(overlay, users), 1);
	assert_int_equal(overlay_matched(overlay, users), 0);
	assert_int_equal(overlay_row_count(overlay, users), 0);
	assert_int_equal(overlay_matched(overlay, products), 1);
	overlay_free(overlay);
	view_set_free(views);
}

static void apply_as(struct overlay *overlay, const struct event *event, struct standing standing)
{
	assert_int_equal(overlay_apply_as(overlay, event, slice_of(NULL, 0), standing), 0);
}

static void test_who_was_forgotten_is_held_where_he_has_rows_and_counts_elsewhere(void **state)
{
	const struct standing hidden = {.is_hidden = true};
	struct view_set *views = sample_views();
	add_view(views, "whos",
		"kind = order\ngroup_by = product_id\nmeasures = who = last(user_id), "
		"people = distinct(user_id)\n");
	struct overlay *overlay = new_overlay(views);
	struct event event = sample_order(1, 1, "p", 1, 1);
	uint32_t users = view_id(view_set_find(views, slice_of_text("users")));
	uint32_t products = view_id(view_set_find(views, slice_of_text("products")));
	uint32_t whos = view_id(view_set_find(views, slice_of_text("whos")));
	(void)state;

	apply_as(overlay, &event, hidden);
	assert_int_equal(overlay_held(overlay, users), 1);
	assert_int_equal(overlay_matched(overlay, users), 0);
	assert_int_equal(overlay_unmatched(overlay, users), 0);
	assert_int_equal(overlay_row_count(overlay, users), 0);
	assert_int_equal(overlay_matched(overlay, products), 1);
	assert_int_equal(overlay_held(overlay, products), 0);
	const struct delta *row = overlay_row_at(overlay, whos, 0);
	assert_true(slice_equals_text(row->cells[0].stamp->text, FORGOTTEN_TEXT));
	assert_int_equal(row->cells[1].count, 1); /* somebody, and once */
	/* Where another group field is missing there was no row to take out. */
	set_text(&event, FIELD_USER_ID, "");
	apply_as(overlay, &event, (struct standing){0});
	assert_int_equal(overlay_held(overlay, users), 1);
	assert_int_equal(overlay_unmatched(overlay, users), 1);
	overlay_free(overlay);
	view_set_free(views);
}

/* The row that he had before left its members behind; those of his new row are others, but a store's baskets are the same. */
static void test_who_counts_again_counts_his_baskets_anew(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *before = new_overlay(views), *after = new_overlay(views);
	struct event event = sample_order(1, 1, "p", 1, 1);
	const char *const names[] = {"users", "stores"};
	(void)state;

	apply(before, &event);
	apply_as(after, &event, (struct standing){.epoch = 1000});
	for (int i = 0; i < 2; i++) {
		uint32_t id = view_id(view_set_find(views, slice_of_text(names[i])));
		const uint8_t *old = delta_member_at(overlay_row_at(before, id, 0), 0);
		const uint8_t *new = delta_member_at(overlay_row_at(after, id, 0), 0);
		assert_memory_equal(old, new, MEMBER_PLACE_SIZE);
		assert_int_equal(memcmp(old, new, MEMBER_KEY_SIZE) == 0, i == 1);
	}
	overlay_free(before);
	overlay_free(after);
	view_set_free(views);
}

static void test_what_where_turns_away_is_not_unmatched(void **state)
{
	struct view_set *views = new_view_set();
	struct event event = sample_order(1, 1, "p", 1, 1);
	(void)state;

	add_view(views, "returns",
		"group_by = product_id\nmeasures = n = count()\nwhere = quantity < 0\n");
	struct overlay *overlay = new_overlay(views);
	apply(overlay, &event);
	event.quantity = -1;
	apply(overlay, &event);
	assert_int_equal(overlay_matched(overlay, 0), 1);
	assert_int_equal(overlay_unmatched(overlay, 0), 0);
	overlay_free(overlay);
	view_set_free(views);
}

static void test_an_order_without_currency_has_none(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	struct event event = sample_order(1, 1, "p", 1, 1);
	struct row_key key = sample_key((const char *const[]){"p", "XXX"}, 2);
	(void)state;

	set_text(&event, FIELD_CURRENCY, "");
	apply(overlay, &event);
	assert_non_null(overlay_find(overlay,
		view_id(view_set_find(views, slice_of_text("products"))), row_key_slice(&key)));
	overlay_free(overlay);
	view_set_free(views);
}

static void test_dead_letters_are_counted_by_kind_code_and_edge(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	uint32_t id = view_id(view_set_find(views, slice_of_text("dead_letters")));
	(void)state;

	for (int kind = KIND_ORDER_DLQ; kind <= KIND_VIEW_DLQ; kind++) {
		struct event event = {.kind = (enum kind)kind,
			.certificate = {slice_of_text("berlin"), 1, (enum kind)kind, 1}};
		assert_int_equal(overlay_apply(overlay, &event, slice_of_text("bad_value")), 0);
		assert_int_equal(overlay_apply(overlay, &event, slice_of(NULL, 0)), 0);
	}
	struct row_key key =
		sample_key((const char *const[]){"cart.dlq", "bad_value", "berlin"}, 3);
	assert_int_equal(overlay_row_count(overlay, id), 3);
	assert_int_equal(overlay_unmatched(overlay, id), 3);
	const struct delta *delta = overlay_find(overlay, id, row_key_slice(&key));
	assert_non_null(delta);
	assert_int_equal(delta_event_count(delta), 1);
	overlay_free(overlay);
	view_set_free(views);
}

/* Members of different measures and rows never meet, even where their texts are the same. */
static void test_members_belong_to_their_row_and_measure(void **state)
{
	struct view_set *views = new_view_set();
	struct event event = sample_order(1, 1, "same", 1, 1);
	(void)state;

	add_view(views, "v",
		"group_by = product_id\nmeasures = a = distinct(user_id), b = distinct(order_id), "
		"q = distinct(quantity), t = distinct(tax)\n");
	set_text(&event, FIELD_USER_ID, "x");
	set_text(&event, FIELD_ORDER_ID, "x");
	struct overlay *overlay = new_overlay(views);
	for (int i = 0; i < 1000; i++) {
		event.quantity = i % 50 + 1;
		apply(overlay, &event);
	}
	set_text(&event, FIELD_PRODUCT_ID, "other");
	apply(overlay, &event);
	assert_int_equal(overlay_sort(overlay), 0);
	const struct delta *same = overlay_row_at(overlay, 0, 1);
	assert_int_equal(same->cells[0].count, 1);
	assert_int_equal(same->cells[1].count, 1);
	assert_int_equal(same->cells[2].count, 50);
	assert_int_equal(same->cells[3].count, 0); /* no order had a tax */
	assert_int_equal(delta_member_count(same), 52);
	const struct delta *other = overlay_row_at(overlay, 0, 0);
	assert_int_equal(delta_member_count(other), 3);
	for (size_t i = 0; i < delta_member_count(other); i++) {
		assert_true(overlay_has_member(overlay, 0, delta_member_at(other, i)));
		for (size_t j = 0; j < delta_member_count(same); j++) {
			assert_memory_not_equal(delta_member_at(other, i), delta_member_at(same, j),
				MEMBER_KEY_SIZE);
		}
	}
	overlay_free(overlay);
	view_set_free(views);
}

static void test_memory_is_accounted_and_grows_with_rows_only(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	struct event event = sample_order(1, 1, "p", 1, 1);
	(void)state;

	apply(overlay, &event);
	size_t bytes = overlay_bytes(overlay);
	for (int i = 0; i < 10000; i++) {
		apply(overlay, &event);
	}
	assert_int_equal(overlay_bytes(overlay), bytes);
	for (int i = 0; i < 10000; i++) {
		char product[16];
		snprintf(product, sizeof product, "p%d", i);
		set_text(&event, FIELD_PRODUCT_ID, product);
		set_text(&event, FIELD_ORDER_ID, product);
		apply(overlay, &event);
	}
	assert_true(overlay_bytes(overlay) > bytes + 10000 * 100);
	overlay_free(overlay);
	view_set_free(views);
}

/* last() of texts that grow: the newest wins and short ones use the memory of long ones again. */
static void test_last_follows_the_newest_event(void **state)
{
	struct view_set *views = new_view_set();
	struct event event = sample_order(1, 0, "p", 1, 1);
	char channel[500];
	(void)state;

	add_view(views, "v",
		"group_by = product_id\nmeasures = l = last(channel), f = first(channel), q = "
		"last(quantity)\n");
	struct overlay *overlay = new_overlay(views);
	for (int i = 1; i < 400; i++) {
		memset(channel, 'a' + i % 20, sizeof channel);
		channel[i % 100 + 1] = 0;
		event.ts_ms = i;
		event.quantity = i;
		event.certificate.seq = (uint64_t)i;
		set_text(&event, FIELD_CHANNEL, channel);
		apply(overlay, &event);
	}
	event.text[FIELD_CHANNEL] = slice_of(NULL, 0);
	event.ts_ms = 1000; /* newer, but says nothing */
	event.quantity = 77;
	apply(overlay, &event);
	const struct delta *delta = overlay_row_at(overlay, 0, 0);
	assert_true(slice_equals_text(delta->cells[0].stamp->text, channel));
	assert_true(slice_equals_text(delta->cells[1].stamp->text, "bb"));
	assert_int_equal(delta->cells[2].number, 77);
	assert_true(overlay_bytes(overlay) < 1 << 20);
	overlay_free(overlay);
	view_set_free(views);
}

static void test_events_of_a_kind_without_views_are_taken(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	struct event event = {
		.kind = KIND_CART, .certificate = {slice_of_text("berlin"), 1, KIND_CART, 1}};
	(void)state;

	apply(overlay, &event);
	assert_int_equal(overlay_event_count(overlay), 1);
	for (uint32_t id = 0; id < view_set_count(views); id++) {
		assert_int_equal(overlay_matched(overlay, id) + overlay_unmatched(overlay, id), 0);
		assert_false(overlay_has_member(overlay, id, (const uint8_t[MEMBER_KEY_SIZE]){1}));
		assert_null(overlay_find(overlay, id, slice_of("x", 1)));
	}
	assert_null(overlay_free(overlay));
	assert_null(overlay_free(NULL));
	view_set_free(views);
}

static void count_changed(void *owner, struct slice key, struct slice longs)
{
	(void)key;
	(void)longs;
	(*(unsigned *)owner)++;
}

static void test_a_watched_row_that_changes_is_noted_once_until_it_is_taken(void **state)
{
	struct view_set *views = sample_views();
	struct overlay *overlay = new_overlay(views);
	uint32_t products = view_id(view_set_find(views, slice_of_text("products")));
	const struct event tea = sample_order(1, 1, "tea", 1, 1);
	const struct event salt = sample_order(2, 1, "salt", 1, 1);
	unsigned count = 0;

	(void)state;
	apply(overlay, &tea);
	assert_int_equal(overlay_changed_count(overlay, products), 0);
	overlay_watch(overlay, UINT64_C(1) << products);
	apply(overlay, &tea);
	apply(overlay, &salt);
	apply(overlay, &tea);
	assert_int_equal(overlay_changed_count(overlay, products), 2);
	overlay_take_changed(overlay, products, count_changed, &count);
	assert_int_equal(count, 2);
	assert_int_equal(overlay_changed_count(overlay, products), 0);
	apply(overlay, &tea);
	assert_int_equal(overlay_changed_count(overlay, products), 1);
	overlay_watch(overlay, 0);
	apply(overlay, &tea);
	assert_int_equal(overlay_changed_count(overlay, products), 0);
	overlay_free(overlay);
	view_set_free(views);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_what_counting_by_hand_gives),
		cmocka_unit_test(test_the_committing_thread_has_rows_in_key_order_of_its_own),
		cmocka_unit_test(
			test_an_order_without_user_is_unmatched_there_and_counted_elsewhere),
		cmocka_unit_test(
			test_who_was_forgotten_is_held_where_he_has_rows_and_counts_elsewhere),
		cmocka_unit_test(test_who_counts_again_counts_his_baskets_anew),
		cmocka_unit_test(test_what_where_turns_away_is_not_unmatched),
		cmocka_unit_test(test_an_order_without_currency_has_none),
		cmocka_unit_test(test_dead_letters_are_counted_by_kind_code_and_edge),
		cmocka_unit_test(test_members_belong_to_their_row_and_measure),
		cmocka_unit_test(test_memory_is_accounted_and_grows_with_rows_only),
		cmocka_unit_test(test_last_follows_the_newest_event),
		cmocka_unit_test(test_events_of_a_kind_without_views_are_taken),
		cmocka_unit_test(test_a_watched_row_that_changes_is_noted_once_until_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
