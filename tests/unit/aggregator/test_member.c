#include "aggregator/view/member.h"
#include "proto/checksum.h"
#include "sample_views.h"
#include <stdio.h>

static const struct measure basket = {
	.op = MEASURE_DISTINCT, .operand = {.source = OPERAND_BASKET}};
static const struct measure user = {
	.op = MEASURE_DISTINCT, .operand = {.source = OPERAND_TEXT, .field = FIELD_USER_ID}};
static const struct measure quantity = {
	.op = MEASURE_DISTINCT, .operand = {.source = OPERAND_QUANTITY}};

struct key {
	uint8_t bytes[MEMBER_KEY_SIZE];
};

static struct key key_in(
	const struct measure *measure, size_t index, const char *row, const struct event *event)
{
	struct key key;

	assert_true(member_key(measure, index, slice_of_text(row), event, key.bytes));
	return key;
}

static struct key key_of_basket(const char *edge, const char *order_id)
{
	struct event event = sample_order(1, 1, "p", 1, 1);

	event.certificate.edge = slice_of_text(edge);
	set_text(&event, FIELD_ORDER_ID, order_id);
	return key_in(&basket, 0, "row", &event);
}

static void assert_place(struct key key, const char *place)
{
	assert_memory_equal(key.bytes, place, MEMBER_PLACE_SIZE);
}

/* Stores keep them for ever. */
static void test_a_members_bytes_stay_what_they_are(void **state)
{
	static const char content[] = "\2\3\0row\6berlino1";
	struct event event = sample_order(1, 1, "p", 1, 1);
	uint8_t hash[MEMBER_HASH_SIZE];
	(void)state;

	struct key key = key_in(&basket, 2, "row", &event);
	checksum_hash128(slice_of(content, sizeof content - 1), hash);
	assert_place(key, "\0\0\0\0\0\0o1");
	assert_memory_equal(key.bytes + MEMBER_PLACE_SIZE, hash, sizeof hash);
}

static void test_rising_ids_lie_in_their_order(void **state)
{
	char text[32];
	struct key last = {0};
	(void)state;

	for (unsigned number = 1; number < 3000; number++) {
		snprintf(text, sizeof text, "o%u", number);
		struct key next = key_of_basket("berlin", text);
		assert_true(memcmp(last.bytes, next.bytes, MEMBER_PLACE_SIZE) < 0);
		last = next;
	}
	assert_place(key_of_basket("berlin", "12345678"), "12345678");
	assert_place(key_of_basket("berlin", "berlin-100234567"), "00234567");
}

static void test_ids_that_begin_with_the_time_lie_in_its_order(void **state)
{
	(void)state;
	assert_place(key_of_basket("berlin", "12345678901234567"), "12345678");
	assert_place(key_of_basket("berlin", "0190163d-8694-739b-aea5-966c26f8ad91"), "0190163d");
}

static void test_numbers_lie_in_their_order(void **state)
{
	struct event event = sample_order(1, 1, "p", 258, 1);
	(void)state;
	assert_place(key_in(&quantity, 0, "row", &event), "\0\0\0\0\0\0\1\2");
}

/* The place is no part of who it is. */
static void test_members_of_one_place_are_told_apart(void **state)
{
	struct event event = sample_order(1, 1, "p", 1, 1);
	(void)state;

	set_text(&event, FIELD_USER_ID, "o1");
	const struct key keys[] = {
		key_in(&basket, 0, "row", &event),
		key_in(&basket, 1, "row", &event),
		key_in(&basket, 0, "wor", &event),
		key_in(&user, 0, "row", &event),
		key_of_basket("paris", "o1"),
		key_of_basket("berlin", "o2"),
		key_of_basket("berlin", "a-100000001"),
		key_of_basket("berlin", "b-100000001"),
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(keys[i].bytes + MEMBER_PLACE_SIZE,
				keys[j].bytes + MEMBER_PLACE_SIZE, MEMBER_HASH_SIZE);
		}
	}
	struct key again = key_of_basket("berlin", "o1");
	assert_memory_equal(again.bytes, keys[0].bytes, MEMBER_KEY_SIZE);
}

static void test_what_an_event_lacks_is_no_member(void **state)
{
	static char long_edge[EDGE_ID_SIZE_MAX + 2];
	static char long_text[TEXT_SIZE_MAX + 2];
	struct event event = sample_order(1, 1, "p", 1, 1);
	struct event bare = {.kind = KIND_ORDER, .certificate = event.certificate};
	struct key key;
	(void)state;

	assert_false(member_key(&basket, 0, slice_of_text("row"), &bare, key.bytes));
	assert_false(member_key(&user, 0, slice_of_text("row"), &bare, key.bytes));
	assert_false(member_key(&quantity, 0, slice_of_text("row"), &bare, key.bytes));
	memset(long_text, 'x', sizeof long_text - 1);
	set_text(&event, FIELD_USER_ID, long_text);
	assert_false(member_key(&user, 0, slice_of_text("row"), &event, key.bytes));
	memset(long_edge, 'x', sizeof long_edge - 1);
	event.certificate.edge = slice_of_text(long_edge);
	assert_false(member_key(&basket, 0, slice_of_text("row"), &event, key.bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_members_bytes_stay_what_they_are),
		cmocka_unit_test(test_rising_ids_lie_in_their_order),
		cmocka_unit_test(test_ids_that_begin_with_the_time_lie_in_its_order),
		cmocka_unit_test(test_numbers_lie_in_their_order),
		cmocka_unit_test(test_members_of_one_place_are_told_apart),
		cmocka_unit_test(test_what_an_event_lacks_is_no_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
