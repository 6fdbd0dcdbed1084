/* Three names become six topics, or it is said why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/topic.h"

static char names[KIND_COUNT][TOPIC_NAME_SIZE];
static struct complaint complaint;

static int fill(const char *order, const char *cart, const char *view)
{
	const char *const given[] = {order, cart, view};

	return topic_names_fill(given, names, &complaint);
}

static void test_dead_letters_lie_beside_their_kind(void **state)
{
	(void)state;
	assert_int_equal(fill("orders", "carts", "views"), 0);
	assert_string_equal(names[KIND_ORDER], "orders");
	assert_string_equal(names[KIND_VIEW], "views");
	assert_string_equal(names[KIND_ORDER_DLQ], "orders.dlq");
	assert_string_equal(names[KIND_CART_DLQ], "carts.dlq");
}

static void refuse(const char *cart, const char *words)
{
	assert_int_equal(fill("orders", "carts", "views"), 0);
	assert_int_equal(fill("orders", cart, "x"), REASON_BAD_VALUE);
	assert_non_null(strstr(complaint.message, words));
	assert_string_equal(names[KIND_VIEW], "views"); /* untouched */
}

static void test_a_topic_has_one_kind(void **state)
{
	(void)state;
	refuse("orders", "\"orders\" is the topic of two kinds");
	refuse("orders.dlq", "\"orders.dlq\" is the topic of two kinds");
}

static void test_a_name_is_there_and_leaves_room_for_its_suffix(void **state)
{
	char text[TOPIC_NAME_SIZE];

	(void)state;
	memset(text, 'x', sizeof text);
	text[246] = '\0';
	refuse(text, "topic.cart: a topic's name has 1 to 245 bytes");
	text[245] = '\0';
	assert_int_equal(fill("orders", text, "x"), 0);
	assert_int_equal(strlen(names[KIND_CART_DLQ]), 249);
	refuse("", "topic.cart");
	refuse(NULL, "topic.cart");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_letters_lie_beside_their_kind),
		cmocka_unit_test(test_a_topic_has_one_kind),
		cmocka_unit_test(test_a_name_is_there_and_leaves_room_for_its_suffix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
