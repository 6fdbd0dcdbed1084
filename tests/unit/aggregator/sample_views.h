/* sample_views.h - views, orders and dead letters for tests. */
#pragma once
#include "aggregator/overlay/overlay.h"
#include "aggregator/view/view_plan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t sample_hash_key[OVERLAY_HASH_KEY_SIZE] = "0123456789abcde";

static inline void add_view(struct view_set *set, const char *name, const char *text)
{
	char error[512] = "";
	int r = view_set_add_text(
		set, slice_of_text(name), slice_of_text(text), error, sizeof error);

	assert_string_equal(error, "");
	assert_int_equal(r, 0);
}

static inline struct view_set *new_view_set(void)
{
	struct view_set *set = NULL;

	assert_int_equal(view_set_new(NULL, NULL, &set), 0);
	return set;
}

/* The shipped views. */
static inline struct view_set *sample_views(void)
{
	struct view_set *set = new_view_set();

	add_view(set, "products",
		"kind = order\ngroup_by = product_id\nmeasures = order_count = count(), "
		"total_quantity = sum(quantity), total_revenue = sum(revenue)\n");
	add_view(set, "users",
		"kind = order\ngroup_by = user_id\nmeasures = basket_count = distinct(basket), "
		"order_count = count(), total_quantity = sum(quantity), total_revenue = "
		"sum(revenue), last_order = max(ts)\n");
	add_view(set, "sales_per_minute",
		"kind = order\ngroup_by = minute(ts)\nmeasures = order_count = count(), "
		"total_quantity = sum(quantity), total_revenue = sum(revenue)\n");
	add_view(set, "stores",
		"kind = order\ngroup_by = edge\nmeasures = order_count = count(), total_revenue = "
		"sum(revenue), basket_count = distinct(basket)\n");
	add_view(set, "dead_letters",
		"kind = dead_letter\ngroup_by = kind, code, edge\nmeasures = count = count()\n");
	return set;
}

static inline void set_text(struct event *event, enum field field, const char *text)
{
	event->text[field] = slice_of_text(text);
	if (text != NULL && text[0] != 0) {
		event->present |= 1u << field;
	}
}

/* One order of edge "berlin": product, quantity, unit price in micros. */
static inline struct event sample_order(
	uint64_t seq, int64_t ts_ms, const char *product_id, int64_t quantity, int64_t unit_price)
{
	struct event event = {
		.kind = KIND_ORDER,
		.certificate = {slice_of_text("berlin"), 4711, KIND_ORDER, seq},
		.present = 1u << FIELD_TS | 1u << FIELD_QUANTITY | 1u << FIELD_UNIT_PRICE,
		.ts_ms = ts_ms,
		.quantity = quantity,
		.unit_price = unit_price,
	};

	set_text(&event, FIELD_ORDER_ID, "o1");
	set_text(&event, FIELD_PRODUCT_ID, product_id);
	set_text(&event, FIELD_USER_ID, "u1");
	set_text(&event, FIELD_CURRENCY, "GBP");
	return event;
}

static inline void apply(struct overlay *overlay, const struct event *event)
{
	assert_int_equal(overlay_apply(overlay, event, slice_of(NULL, 0)), 0);
}

static inline struct overlay *new_overlay(const struct view_set *views)
{
	struct overlay *overlay = NULL;

	assert_int_equal(overlay_new(views, sample_hash_key, &overlay), 0);
	return overlay;
}

/* The key of these group values, in the order of the view's fields. */
static inline struct row_key sample_key(const char *const *texts, size_t count)
{
	struct row_key key = {0};

	for (size_t i = 0; i < count; i++) {
		struct group_value value = {.type = GROUP_TEXT, .text = slice_of_text(texts[i])};
		assert_true(row_key_append(&key, &value));
	}
	return key;
}
