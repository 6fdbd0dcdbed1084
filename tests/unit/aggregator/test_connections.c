/* Of which cluster are the records that came over a client's connections? */
#include "aggregator/log/connections.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FIRST = 11, SECOND = 12, LOOKS_MANY = 200 };

static struct connections connections;

static int set_up(void **state)
{
	(void)state;
	connections = (struct connections){0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	connections_deinit(&connections);
	return 0;
}

static void connect(uint64_t thread)
{
	connections_sent(&connections, thread, CONNECTION_VERSIONS);
	connections_received(&connections, thread, CONNECTION_VERSIONS, false);
}

static void fetch(uint64_t thread)
{
	connections_sent(&connections, thread, CONNECTION_FETCH);
	connections_received(&connections, thread, CONNECTION_FETCH, false);
}

static void ask(uint64_t thread)
{
	connections_sent(&connections, thread, CONNECTION_METADATA);
	connections_received(&connections, thread, CONNECTION_METADATA, false);
}

static void look_over(uint64_t thread)
{
	connections_look(&connections);
	ask(thread);
	connections_saw(&connections);
}

static void test_what_comes_over_a_new_connection_is_in_doubt_until_a_look_over_it(void **state)
{
	(void)state;
	connect(FIRST);
	assert_false(connections_want_look(&connections));
	connections_sent(&connections, FIRST, CONNECTION_FETCH);
	assert_true(connections_want_look(&connections));
	assert_false(connections_are_in_doubt(&connections)); /* there is nothing yet */
	connections_received(&connections, FIRST, CONNECTION_FETCH, false);
	assert_true(connections_are_in_doubt(&connections));
	look_over(FIRST);
	assert_false(connections_are_in_doubt(&connections));
	assert_false(connections_want_look(&connections));
	fetch(FIRST);
	assert_false(connections_are_in_doubt(&connections));
}

static void test_where_a_log_ends_is_in_doubt_like_what_it_holds(void **state)
{
	(void)state;
	connect(FIRST);
	connections_sent(&connections, FIRST, CONNECTION_OFFSETS);
	connections_received(&connections, FIRST, CONNECTION_OFFSETS, false);
	assert_true(connections_are_in_doubt(&connections));
	look_over(FIRST);
	assert_false(connections_are_in_doubt(&connections));
}

static void test_a_look_over_one_connection_says_nothing_of_another(void **state)
{
	(void)state;
	connect(FIRST);
	connect(SECOND);
	fetch(FIRST);
	fetch(SECOND);
	look_over(FIRST);
	assert_true(connections_are_in_doubt(&connections));
	look_over(SECOND);
	assert_false(connections_are_in_doubt(&connections));
}

static void test_a_look_that_may_have_gone_over_either_says_nothing(void **state)
{
	(void)state;
	connect(FIRST);
	connect(SECOND);
	fetch(FIRST);
	connections_look(&connections);
	ask(SECOND);
	ask(FIRST);
	connections_saw(&connections);
	assert_true(connections_are_in_doubt(&connections));
}

static void test_a_question_from_before_the_look_says_nothing(void **state)
{
	(void)state;
	connect(FIRST);
	fetch(FIRST);
	ask(FIRST);
	connections_look(&connections);
	connections_saw(&connections);
	assert_true(connections_are_in_doubt(&connections));
}

static void test_a_connection_that_took_the_place_of_the_one_that_was_asked_is_not_known(
	void **state)
{
	(void)state;
	connect(FIRST);
	connections_look(&connections);
	ask(FIRST);
	connect(FIRST);
	fetch(FIRST);
	connections_saw(&connections);
	assert_true(connections_are_in_doubt(&connections));
}

static void test_a_known_connection_that_ends_leaves_no_doubt_and_the_next_one_begins_unknown(
	void **state)
{
	(void)state;
	connect(FIRST);
	fetch(FIRST);
	look_over(FIRST);
	connections_received(&connections, FIRST, CONNECTION_FETCH, true);
	assert_false(connections_are_in_doubt(&connections));
	connect(FIRST);
	assert_false(connections_are_in_doubt(&connections));
	fetch(FIRST);
	assert_true(connections_are_in_doubt(&connections));
	assert_false(connections.is_spent);
}

static void test_a_connection_that_ends_before_it_was_known_leaves_the_client_spent(void **state)
{
	(void)state;
	connect(FIRST);
	fetch(FIRST);
	connections_received(&connections, FIRST, CONNECTION_FETCH, true);
	assert_true(connections.is_spent);
	look_over(FIRST);
	assert_true(connections_are_in_doubt(&connections));
	assert_false(connections_want_look(&connections));
}

static void test_one_that_is_replaced_before_it_was_known_leaves_the_client_spent(void **state)
{
	(void)state;
	connect(FIRST);
	fetch(FIRST);
	connect(FIRST);
	look_over(FIRST);
	assert_true(connections.is_spent && connections_are_in_doubt(&connections));
}

static void test_a_connection_that_ends_without_records_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		connect(FIRST);
		connections_sent(&connections, FIRST, CONNECTION_FETCH);
		connections_received(&connections, FIRST, CONNECTION_FETCH, true);
		assert_false(connections_want_look(&connections));
		assert_false(connections_are_in_doubt(&connections));
	}
}

static void test_a_client_that_heard_of_another_cluster_is_spent(void **state)
{
	(void)state;
	connect(FIRST);
	fetch(FIRST);
	look_over(FIRST);
	connections_spend(&connections);
	assert_true(connections_are_in_doubt(&connections));
}

static void test_looks_that_never_go_over_it_come_to_an_end(void **state)
{
	(void)state;
	connect(FIRST);
	connect(SECOND);
	fetch(FIRST);
	for (int i = 0; i < LOOKS_MANY && connections_want_look(&connections); i++) {
		assert_in_range(i, 0, LOOKS_MANY - 2);
		look_over(SECOND);
	}
	assert_true(connections.is_spent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_comes_over_a_new_connection_is_in_doubt_until_a_look_over_it,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_where_a_log_ends_is_in_doubt_like_what_it_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_look_over_one_connection_says_nothing_of_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_look_that_may_have_gone_over_either_says_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_question_from_before_the_look_says_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_connection_that_took_the_place_of_the_one_that_was_asked_is_not_known,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_known_connection_that_ends_leaves_no_doubt_and_the_next_one_begins_unknown,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_connection_that_ends_before_it_was_known_leaves_the_client_spent,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_is_replaced_before_it_was_known_leaves_the_client_spent,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_connection_that_ends_without_records_leaves_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_client_that_heard_of_another_cluster_is_spent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_looks_that_never_go_over_it_come_to_an_end, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
