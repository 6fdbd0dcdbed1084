/* What a pattern subscribes, and which topics it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/mqtt_topic.h"

static struct mqtt_pattern parsed(const char *text)
{
	struct mqtt_pattern pattern;
	char error[MQTT_TOPIC_ERROR_SIZE] = "";

	if (mqtt_pattern_parse(slice_of_text(text), &pattern, error) != 0) {
		fail_msg("%s", error);
	}
	return pattern;
}

static bool matches(const char *pattern_text, const char *topic)
{
	struct mqtt_pattern pattern = parsed(pattern_text);
	struct mqtt_capture captures[MQTT_NAMES_MAX];

	return mqtt_pattern_match(&pattern, slice_of_text(topic), captures);
}

static void check_filter(const char *pattern_text, const char *wanted)
{
	struct mqtt_pattern pattern = parsed(pattern_text);
	char filter[MQTT_FILTER_SIZE_MAX + 1];

	assert_int_equal(mqtt_pattern_filter(&pattern, filter), strlen(wanted));
	assert_string_equal(filter, wanted);
}

static void check_refused(const char *pattern_text, const char *wanted)
{
	struct mqtt_pattern pattern;
	char error[MQTT_TOPIC_ERROR_SIZE] = "";

	assert_true(mqtt_pattern_parse(slice_of_text(pattern_text), &pattern, error) < 0);
	assert_string_equal(error, wanted);
}

static void test_names_are_subscribed_as_plus(void **state)
{
	(void)state;
	check_filter("stores/{store}/orders", "stores/+/orders");
	check_filter("carts/{store}/{event_id}", "carts/+/+");
	check_filter("a/+/b/#", "a/+/b/#");
	check_filter("#", "#");
	check_filter("/", "/");
	check_filter("$share/edges/stores/{store}/#", "$share/edges/stores/+/#");
	check_filter("$SYS/#", "$SYS/#");
}

static void test_named_levels_are_given_out_in_order(void **state)
{
	struct mqtt_pattern pattern = parsed("$share/edges/stores/{store}/till/{event_id}/#");
	struct mqtt_capture captures[MQTT_NAMES_MAX];

	(void)state;
	assert_int_equal(pattern.name_count, 2);
	assert_true(mqtt_pattern_match(
		&pattern, slice_of_text("stores/Berlin Mitte/till/4-17/x/y"), captures));
	assert_true(slice_equals_text(captures[0].name, "store"));
	assert_true(slice_equals_text(captures[0].value, "Berlin Mitte"));
	assert_true(slice_equals_text(captures[1].name, "event_id"));
	assert_true(slice_equals_text(captures[1].value, "4-17"));
}

static void test_an_empty_level_is_a_level(void **state)
{
	struct mqtt_pattern pattern = parsed("stores/{store}/orders");
	struct mqtt_capture captures[MQTT_NAMES_MAX];

	(void)state;
	assert_true(mqtt_pattern_match(&pattern, slice_of_text("stores//orders"), captures));
	assert_int_equal(captures[0].value.size, 0);
	assert_true(matches("+/+", "/"));
	assert_true(matches("stores/+", "stores/"));
	assert_false(matches("stores/+", "stores"));
}

static void test_the_rest_is_any_number_of_levels_and_none(void **state)
{
	(void)state;
	assert_true(matches("stores/#", "stores"));
	assert_true(matches("stores/#", "stores/"));
	assert_true(matches("stores/#", "stores/a/b/c"));
	assert_true(matches("stores/{store}/#", "stores/a"));
	assert_false(matches("stores/{store}/#", "stores"));
	assert_false(matches("stores/#", "storeys/a"));
	assert_true(matches("#", "/a"));
	assert_true(matches("/#", "/a"));
	assert_false(matches("/#", "a/b"));
}

static void test_levels_are_compared_whole(void **state)
{
	(void)state;
	assert_true(matches("a/b", "a/b"));
	assert_false(matches("a/b", "a"));
	assert_false(matches("a/b", "a/b/c"));
	assert_false(matches("a/b", "a/bb"));
	assert_false(matches("a/b", "A/b"));
	assert_false(matches("a/+", "a/b/c"));
	assert_false(matches("a", "/a"));
}

static void test_wildcards_at_the_start_do_not_see_the_brokers_own_topics(void **state)
{
	(void)state;
	assert_false(matches("#", "$SYS/uptime"));
	assert_false(matches("+/uptime", "$SYS/uptime"));
	assert_false(matches("{store}/uptime", "$SYS/uptime"));
	assert_false(matches("$share/g/#", "$SYS/uptime"));
	assert_true(matches("$SYS/#", "$SYS/uptime"));
	assert_true(matches("a/+", "a/$b"));
}

static void test_a_shared_pattern_matches_without_its_group(void **state)
{
	(void)state;
	assert_true(matches("$share/edges/a/+", "a/b"));
	assert_false(matches("$share/edges/a/+", "$share/edges/a/b"));
}

static void test_the_sentence_says_what_to_write(void **state)
{
	(void)state;
	check_refused("", "pattern \"\": is empty: write # for all topics");
	check_refused("a/#/b", "pattern \"a/#/b\": # stands for all that follows: it must be last");
	check_refused("a+/b", "pattern \"a+/b\": + and # must be alone between two slashes");
	check_refused("a/b#", "pattern \"a/b#\": + and # must be alone between two slashes");
	check_refused(
		"a/{b", "pattern \"a/{b\": a {name} must be a whole level, between two slashes");
	check_refused("a/x{b}",
		"pattern \"a/x{b}\": a {name} must be a whole level, between two slashes");
	check_refused("{a}/{a}", "pattern \"{a}/{a}\": {a} is there twice");
	check_refused("{}", "pattern \"{}\": the name \"\" is none: small letters, digits and _, "
			    "beginning with a letter");
	check_refused("{a}b}", "pattern \"{a}b}\": the name \"a}b\" is none: small letters, digits "
			       "and _, beginning with a letter");
	check_refused("{Store}", "pattern \"{Store}\": the name \"Store\" is none: small letters, "
				 "digits and _, beginning with a letter");
	check_refused("$share/g", "pattern \"$share/g\": write $share/GROUP/ and a pattern");
	check_refused("$share//a", "pattern \"$share//a\": write $share/GROUP/ and a pattern");
	check_refused("$share", "pattern \"$share\": write $share/GROUP/ and a pattern");
	check_refused(
		"$share/+/a", "pattern \"$share/+/a\": the group of $share/GROUP/ is plain text");
	check_refused("a\xff", "a pattern that is not UTF-8, or has a NUL");
	check_refused("{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
		"pattern \"{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}\": more than 8 names");
}

static void test_what_is_too_long_is_refused(void **state)
{
	char text[MQTT_FILTER_SIZE_MAX + 2];
	char error[MQTT_TOPIC_ERROR_SIZE];
	struct mqtt_pattern pattern;

	(void)state;
	memset(text, 'a', sizeof text);
	assert_int_equal(
		mqtt_pattern_parse(slice_of(text, MQTT_FILTER_SIZE_MAX), &pattern, error), 0);
	assert_true(
		mqtt_pattern_parse(slice_of(text, MQTT_FILTER_SIZE_MAX + 1), &pattern, error) < 0);
	assert_non_null(strstr(error, "is longer than 1024 bytes"));
	memset(text, '/', sizeof text);
	assert_int_equal(
		mqtt_pattern_parse(slice_of(text, MQTT_LEVELS_MAX - 1), &pattern, error), 0);
	assert_true(mqtt_pattern_parse(slice_of(text, MQTT_LEVELS_MAX), &pattern, error) < 0);
	assert_non_null(strstr(error, "more than 32 levels"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_subscribed_as_plus),
		cmocka_unit_test(test_named_levels_are_given_out_in_order),
		cmocka_unit_test(test_an_empty_level_is_a_level),
		cmocka_unit_test(test_the_rest_is_any_number_of_levels_and_none),
		cmocka_unit_test(test_levels_are_compared_whole),
		cmocka_unit_test(test_wildcards_at_the_start_do_not_see_the_brokers_own_topics),
		cmocka_unit_test(test_a_shared_pattern_matches_without_its_group),
		cmocka_unit_test(test_the_sentence_says_what_to_write),
		cmocka_unit_test(test_what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
