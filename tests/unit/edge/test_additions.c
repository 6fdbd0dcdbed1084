#include "edge/additions.h"
#include "fixture.h"
#include <errno.h>

static void assert_addition(
	const struct additions *additions, size_t at, const char *name, const char *value)
{
	assert_true(slice_equals_text(additions->of[at].name, name));
	assert_true(slice_equals_text(additions->of[at].value, value));
}

static void test_kind_and_set_become_fields(void **state)
{
	struct additions additions;
	struct config_error error;
	(void)state;

	assert_int_equal(additions_read(&additions, "cart", "channel=web,note=a=b", &error), 0);
	assert_int_equal(additions.count, 3);
	assert_addition(&additions, 0, "kind", "cart");
	assert_addition(&additions, 1, "channel", "web");
	assert_addition(&additions, 2, "note", "a=b");
	assert_true(additions_find(&additions, "channel") == &additions.of[1]);
	assert_null(additions_find(&additions, "currency"));
}

static void test_nothing_set_is_nothing_added(void **state)
{
	struct additions additions;
	struct config_error error;
	(void)state;

	assert_int_equal(additions_read(&additions, NULL, NULL, &error), 0);
	assert_int_equal(additions.count, 0);
	assert_int_equal(additions_read(&additions, "", "", &error), 0);
	assert_int_equal(additions.count, 0);
}

static void assert_refused(const char *kind, const char *set, const char *words)
{
	struct additions additions;
	struct config_error error;

	assert_int_equal(additions_read(&additions, kind, set, &error), -EINVAL);
	assert_non_null(strstr(error.text, words));
}

static void test_what_can_not_be_added_is_refused(void **state)
{
	char many[ADDITIONS_MAX * 16] = "a0=1";
	(void)state;

	assert_refused("page_view", "", "kind: \"page_view\" is none of order, cart, view");
	assert_refused("order.dlq", "", "none of order, cart, view");
	assert_refused("", "seq=1", "set: seq is for the edge alone to set");
	assert_refused("cart", "kind=view", "set: kind is given twice");
	assert_refused("", "a=1,a=2", "set: a is given twice");
	assert_refused("", "a=", "set: a has no value");
	assert_refused("", "a=\xff", "none that is UTF-8");
	assert_refused("", "channel", "set");
	for (int i = 1; i <= ADDITIONS_MAX; i++) {
		snprintf(many + strlen(many), sizeof many - strlen(many), ",a%d=1", i);
	}
	assert_refused("", many, "set: at most 15 fields");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kind_and_set_become_fields),
		cmocka_unit_test(test_nothing_set_is_nothing_added),
		cmocka_unit_test(test_what_can_not_be_added_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
