/* Keys that changed, against a plain list of them. */
#include "aggregator/overlay/changed_keys.h"
#include "draw.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t hash_key[CHANGED_KEYS_HASH_KEY_SIZE] = "0123456789abcde";

static struct changed_keys *new_keys(void)
{
	struct changed_keys *keys = NULL;

	assert_int_equal(changed_keys_new(hash_key, &keys), 0);
	return keys;
}

static bool add(struct changed_keys *keys, const char *key, const char *longs)
{
	const struct changed_key changed = {slice_of_text(key), slice_of_text(longs)};

	return changed_keys_add(keys, &changed);
}

static void expect_at(const struct changed_keys *keys, size_t index, const char *key)
{
	assert_true(slice_equals_text(changed_keys_at(keys, index).key, key));
}

static void test_a_key_is_kept_once_in_the_order_of_its_first_change(void **state)
{
	struct changed_keys *keys = new_keys();

	(void)state;
	assert_true(add(keys, "tea", ""));
	assert_true(add(keys, "salt", "a long name"));
	assert_false(add(keys, "tea", ""));
	assert_int_equal(changed_keys_count(keys), 2);
	expect_at(keys, 0, "tea");
	expect_at(keys, 1, "salt");
	assert_true(slice_equals_text(changed_keys_at(keys, 1).longs, "a long name"));
	changed_keys_free(keys);
}

static void test_a_key_that_was_told_is_taken_again(void **state)
{
	struct changed_keys *keys = new_keys();

	(void)state;
	add(keys, "tea", "");
	add(keys, "salt", "");
	changed_keys_drop(keys, 1);
	assert_true(add(keys, "tea", ""));
	assert_false(add(keys, "salt", ""));
	expect_at(keys, 0, "salt");
	expect_at(keys, 1, "tea");
	changed_keys_drop(keys, 2);
	assert_int_equal(changed_keys_count(keys), 0);
	assert_true(add(keys, "salt", ""));
	changed_keys_free(keys);
}

static void test_past_the_bound_all_is_let_go_until_it_is_cleared(void **state)
{
	struct changed_keys *keys = new_keys();
	char text[16];

	(void)state;
	for (int i = 0; i < LIVE_KEYS_MAX; i++) {
		snprintf(text, sizeof text, "p%d", i);
		assert_true(add(keys, text, ""));
	}
	assert_false(changed_keys_are_over(keys));
	add(keys, "one more", "");
	assert_true(changed_keys_are_over(keys));
	assert_int_equal(changed_keys_count(keys), 0);
	assert_false(add(keys, "tea", ""));
	changed_keys_clear(keys);
	assert_true(add(keys, "tea", ""));
	assert_false(changed_keys_are_over(keys));
	changed_keys_free(keys);
}

static void test_large_keys_are_bounded_in_bytes(void **state)
{
	struct changed_keys *keys = new_keys();
	char text[4000];

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < LIVE_KEYS_MAX && !changed_keys_are_over(keys); i++) {
		snprintf(text, 16, "%015d", i);
		text[15] = 'x';
		add(keys, text, "");
	}
	assert_true(changed_keys_are_over(keys));
	changed_keys_free(keys);
}

enum { NAMES = 3000 };

/* What a plain list would hold: names in order, and whether each is in it. */
struct model {
	int order[NAMES];
	size_t count;
	bool is_in[NAMES];
};

static void compare(const struct changed_keys *keys, const struct model *model)
{
	char text[16];

	assert_int_equal(changed_keys_count(keys), model->count);
	for (size_t i = 0; i < model->count; i++) {
		snprintf(text, sizeof text, "k%d", model->order[i]);
		expect_at(keys, i, text);
	}
}

static void drop(struct changed_keys *keys, struct model *model, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		model->is_in[model->order[i]] = false;
	}
	memmove(model->order, model->order + count, (model->count - count) * sizeof(int));
	model->count -= count;
	changed_keys_drop(keys, count);
}

static void test_any_order_of_changes_and_tellings_is_as_a_list_says(void **state)
{
	struct changed_keys *keys = new_keys();
	struct model *model = calloc(1, sizeof *model);
	struct draw draw = {7};
	char text[16];

	(void)state;
	for (int round = 0; round < 60000; round++) {
		int name = (int)draw_below(&draw, NAMES);
		snprintf(text, sizeof text, "k%d", name);
		assert_int_equal(add(keys, text, ""), !model->is_in[name]);
		if (!model->is_in[name]) {
			model->is_in[name] = true;
			model->order[model->count++] = name;
		}
		if (draw_below(&draw, 500) == 0) {
			compare(keys, model);
			drop(keys, model, draw_below(&draw, (uint32_t)model->count + 1));
		}
	}
	compare(keys, model);
	free(model);
	changed_keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_is_kept_once_in_the_order_of_its_first_change),
		cmocka_unit_test(test_a_key_that_was_told_is_taken_again),
		cmocka_unit_test(test_past_the_bound_all_is_let_go_until_it_is_cleared),
		cmocka_unit_test(test_large_keys_are_bounded_in_bytes),
		cmocka_unit_test(test_any_order_of_changes_and_tellings_is_as_a_list_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
