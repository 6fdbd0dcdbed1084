/* Fields from around the event: from a topic, from a source's settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/event.h"
#include <stdio.h>

enum { ADDITIONS_MAX = 4 };

static struct document document;
static struct buffer buffer;

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return document_init(&document, EVENT_NODES_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	buffer_deinit(&buffer);
	return 0;
}

/* `pairs` is name, value, name, value … NULL. Gives what event_normalise does; the normal form lies in `buffer`. */
static int normalise(struct slice bytes, const char *const *pairs, struct complaint *complaint)
{
	struct event_addition additions[ADDITIONS_MAX];
	struct event_rules rules = {
		.default_currency = "XXX", .received_ms = 1000, .additions = additions};
	struct event event;
	enum kind kind;

	for (; *pairs != NULL; pairs += 2) {
		additions[rules.addition_count++] =
			(struct event_addition){slice_of_text(pairs[0]), slice_of_text(pairs[1])};
	}
	int r = event_normalise(
		&document, encoding_of(bytes), bytes, &rules, &event, &kind, complaint);
	if (r == 0) {
		event.certificate = (struct certificate){slice_of_text("e"), 1, event.kind, 1};
		buffer_clear(&buffer);
		event_encode(&event, ENCODING_JSON, &buffer);
		buffer_append_byte(&buffer, 0);
		assert_int_equal(buffer.error, 0);
	}
	return r;
}

static void assert_gives(const char *json, const char *const *pairs, const char *expected)
{
	struct complaint complaint = {0};

	assert_int_equal(normalise(slice_of_text(json), pairs, &complaint), 0);
	if (strstr((const char *)buffer.bytes, expected) == NULL) {
		fail_msg("%s is not in %s", expected, (const char *)buffer.bytes);
	}
}

static void assert_refuses(const char *json, const char *const *pairs, enum reason reason)
{
	struct complaint complaint = {0};

	assert_int_equal(normalise(slice_of_text(json), pairs, &complaint), reason);
	assert_int_equal(complaint.reason, reason);
}

#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ORDER "\"order_id\":\"1\",\"product_id\":\"tea\",\"unit_price\":\"2.50\""

static void test_an_absent_field_is_added(void **state)
{
	(void)state;
	assert_gives("{" ORDER "}", PAIRS("store", "17"), "\"store\":\"17\"");
	assert_gives("{" ORDER "}", PAIRS("user_id", "u1"), "\"user_id\":\"u1\"");
	assert_gives("{" ORDER "}", PAIRS("event_id", "abc"), "\"event_id\":\"abc\"");
	assert_gives("{" ORDER "}", PAIRS("qty", "3"), "\"quantity\":3");
	assert_gives("{\"product_id\":\"tea\",\"action\":\"add\"}", PAIRS("kind", "cart_event"),
		"\"kind\":\"cart\"");
}

static void test_an_empty_field_counts_as_absent(void **state)
{
	(void)state;
	assert_gives("{" ORDER ",\"store\":\"\"}", PAIRS("store", "17"), "\"store\":\"17\"");
	assert_gives("{" ORDER ",\"user_id\":null}", PAIRS("user_id", "7"), "\"user_id\":\"7\"");
	assert_gives("{" ORDER ",\"store\":\"x\"}", PAIRS("store", ""), "\"store\":\"x\"");
}

static void test_the_same_value_in_any_spelling_is_no_conflict(void **state)
{
	(void)state;
	assert_gives("{" ORDER ",\"store\":\"17\"}", PAIRS("store", "17"), "\"store\":\"17\"");
	assert_gives("{" ORDER ",\"store\":17}", PAIRS("store", "17"), "\"store\":17");
	assert_gives("{" ORDER ",\"user_id\":7}", PAIRS("user_id", "7"), "\"user_id\":\"7\"");
	assert_gives("{" ORDER ",\"customer_id\":7}", PAIRS("user_id", "7"), "\"user_id\":\"7\"");
	assert_gives("{" ORDER ",\"qty\":2.0}", PAIRS("quantity", "2"), "\"quantity\":2");
	assert_gives("{\"type\":\"page_view\",\"page\":\"/\"}", PAIRS("kind", "view"),
		"\"kind\":\"view\"");
}

static void test_another_value_is_refused(void **state)
{
	(void)state;
	assert_refuses("{" ORDER ",\"store\":\"18\"}", PAIRS("store", "17"), REASON_BAD_VALUE);
	assert_refuses("{" ORDER ",\"store\":[17]}", PAIRS("store", "17"), REASON_BAD_VALUE);
	assert_refuses("{" ORDER ",\"user_id\":8}", PAIRS("user_id", "7"), REASON_BAD_VALUE);
	assert_refuses("{" ORDER ",\"customer_id\":8}", PAIRS("user_id", "7"), REASON_BAD_VALUE);
	assert_refuses("{" ORDER ",\"kind\":\"order\"}", PAIRS("kind", "view"), REASON_BAD_VALUE);
}

static void test_a_bad_value_is_refused_as_if_the_event_had_it(void **state)
{
	(void)state;
	assert_refuses("{" ORDER "}", PAIRS("kind", "refund"), REASON_UNKNOWN_KIND);
	assert_refuses("{" ORDER "}", PAIRS("quantity", "two"), REASON_BAD_VALUE);
}

static void test_msgpack_takes_additions_too(void **state)
{
	static const uint8_t order[] = "\x83\xa8order_id\xa1"
				       "1\xaaproduct_id\xa3tea\xaaunit_price\xa4"
				       "2.50";
	struct complaint complaint;
	struct slice bytes = slice_of(order, sizeof order - 1);
	(void)state;

	assert_int_equal(normalise(bytes, PAIRS("store", "17", "channel", "web"), &complaint), 0);
	assert_non_null(strstr((const char *)buffer.bytes, "\"channel\":\"web\""));
	assert_non_null(strstr((const char *)buffer.bytes, "\"store\":\"17\""));
}

static void test_a_size_past_the_limit_counts_what_was_added(void **state)
{
	static char json[EVENT_SIZE_MAX + 1024];
	struct complaint complaint;
	(void)state;

	int size = snprintf(
		json, sizeof json, "{" ORDER ",\"note\":\"%0*d\"}", EVENT_SIZE_MAX - 400, 0);
	struct slice bytes = slice_of((const uint8_t *)json, (size_t)size);
	assert_int_equal(normalise(bytes, PAIRS("a", "b"), &complaint), 0);
	static char value[TEXT_SIZE_MAX];
	memset(value, 'x', sizeof value - 1);
	assert_int_equal(normalise(bytes, PAIRS("a", value), &complaint), REASON_TOO_LARGE);
}

static void test_what_the_edge_sets_can_not_be_added(void **state)
{
	(void)state;
	assert_false(event_addition_is_allowed(slice_of_text("edge")));
	assert_false(event_addition_is_allowed(slice_of_text("seq")));
	assert_false(event_addition_is_allowed(slice_of_text("run")));
	assert_false(event_addition_is_allowed(slice_of_text("rejected")));
	assert_false(event_addition_is_allowed(slice_of_text("")));
	assert_true(event_addition_is_allowed(slice_of_text("kind")));
	assert_true(event_addition_is_allowed(slice_of_text("event_id")));
	assert_true(event_addition_is_allowed(slice_of_text("store")));
	assert_refuses("{" ORDER "}", PAIRS("edge", "x"), REASON_RESERVED_FIELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_absent_field_is_added),
		cmocka_unit_test(test_an_empty_field_counts_as_absent),
		cmocka_unit_test(test_the_same_value_in_any_spelling_is_no_conflict),
		cmocka_unit_test(test_another_value_is_refused),
		cmocka_unit_test(test_a_bad_value_is_refused_as_if_the_event_had_it),
		cmocka_unit_test(test_msgpack_takes_additions_too),
		cmocka_unit_test(test_a_size_past_the_limit_counts_what_was_added),
		cmocka_unit_test(test_what_the_edge_sets_can_not_be_added),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
