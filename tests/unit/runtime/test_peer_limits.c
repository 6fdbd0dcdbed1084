#include "runtime/peer_limits.h"
#include "runtime/socket.h"
#include "runtime/token_bucket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const int64_t one[PEER_RATES_MAX] = {1, 0, 0};

static struct peer_name named(const char *text)
{
	struct peer_name name = {.size = strlen(text)};

	memcpy(name.bytes, text, name.size);
	return name;
}

static struct peer_limits *limits_of(int64_t rate, int64_t held)
{
	const struct peer_allowance allowance = {.rates = {rate, 0, 0}, .held = held};
	struct peer_limits *limits = NULL;

	assert_int_equal(peer_limits_new(&allowance, &limits), 0);
	return limits;
}

/* How many of `tries` get through at one moment. */
static int count_taken(
	struct peer_limits *limits, const struct peer_name *name, int tries, int64_t now_ms)
{
	int taken = 0;

	for (int i = 0; i < tries; i++) {
		taken += peer_limits_take(limits, name, one, now_ms) == 0;
	}
	return taken;
}

static void test_a_bucket_lets_its_burst_through_and_then_its_rate(void **state)
{
	struct token_bucket bucket;
	int taken = 0;
	(void)state;

	token_bucket_init(&bucket, 10, 20, 1000);
	for (int64_t now_ms = 1000; now_ms < 11000; now_ms++) {
		while (token_bucket_wait_ms(&bucket, now_ms) == 0) {
			token_bucket_spend(&bucket, 1);
			taken++;
		}
	}
	assert_in_range(taken, 119, 121); /* 20 at once, 10 in each of ten seconds */
	token_bucket_spend(&bucket, 1000); /* a clock of days, and a debt, overflow nothing */
	assert_in_range(token_bucket_wait_ms(&bucket, 11000), 59000, 60001);
	assert_int_equal(token_bucket_wait_ms(&bucket, INT64_MAX / 2), 0);
	token_bucket_spend(&bucket, 20);
	assert_int_equal(token_bucket_wait_ms(&bucket, INT64_MAX / 2), 1);
}

static void test_what_is_dear_is_paid_off_before_the_next(void **state)
{
	struct token_bucket bucket;
	(void)state;

	token_bucket_init(&bucket, 1000, 2000, 0);
	assert_int_equal(token_bucket_wait_ms(&bucket, 0), 0);
	token_bucket_spend(&bucket, 5000);
	assert_int_equal(token_bucket_wait_ms(&bucket, 0), 3001);
	assert_int_equal(token_bucket_wait_ms(&bucket, 3000), 1);
	assert_int_equal(token_bucket_wait_ms(&bucket, 3001), 0);
}

static void test_no_limit_is_no_limit(void **state)
{
	struct peer_limits *limits = limits_of(0, 0);
	struct peer_name name = named("a");
	(void)state;

	assert_int_equal(count_taken(limits, &name, 100000, 5), 100000);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(peer_limits_hold(limits, &name, 5), 0);
	}
	peer_limits_free(limits);
}

static void test_one_that_floods_takes_nothing_from_another(void **state)
{
	struct peer_limits *limits = limits_of(100, 0);
	struct peer_name bad = named("bad"), good = named("good");
	(void)state;

	assert_int_equal(count_taken(limits, &bad, 100000, 0), 200);
	assert_int_equal(count_taken(limits, &good, 150, 0), 150);
	assert_int_equal(count_taken(limits, &bad, 100000, 1000), 100);
	peer_limits_free(limits);
}

static void test_what_is_held_is_bounded_until_it_is_released(void **state)
{
	struct peer_limits *limits = limits_of(0, 2);
	struct peer_name name = named("a");
	(void)state;

	assert_int_equal(peer_limits_hold(limits, &name, 0), 0);
	assert_int_equal(peer_limits_hold(limits, &name, 0), 0);
	assert_int_equal(peer_limits_hold(limits, &name, 0), PEER_LIMITS_E_TOO_MANY);
	peer_limits_release(limits, &name);
	assert_int_equal(peer_limits_hold(limits, &name, 0), 0);
	peer_limits_free(limits);
}

/* Whoever comes under a hundred thousand names gets no hundred thousand rows, and does not push out who holds something. */
static void test_the_table_of_peers_does_not_grow_without_bound(void **state)
{
	struct peer_limits *limits = limits_of(1, 1);
	struct peer_name holder = named("holder");
	(void)state;

	assert_int_equal(peer_limits_hold(limits, &holder, 0), 0);
	for (int i = 0; i < 100000; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i);
		struct peer_name name = named(text);
		assert_int_equal(peer_limits_take(limits, &name, one, i / 1000), 0);
	}
	assert_int_equal(peer_limits_count(limits), PEERS_MAX);
	assert_int_equal(peer_limits_hold(limits, &holder, 0), PEER_LIMITS_E_TOO_MANY);
	peer_limits_free(limits);
}

static struct peer_name numbered(int number)
{
	char text[16];

	snprintf(text, sizeof text, "%d", number);
	return named(text);
}

/* Each connection of this machine is a peer: what was known of those that ended must not add up. */
static void test_who_is_as_good_as_new_is_not_remembered(void **state)
{
	struct peer_limits *limits = limits_of(1, 1);
	struct peer_name holder = named("holder"), debtor = named("debtor");
	(void)state;

	assert_int_equal(peer_limits_hold(limits, &holder, 0), 0);
	for (int i = 0; i < 10000; i++) {
		struct peer_name name = numbered(i);
		assert_int_equal(peer_limits_take(limits, &name, one, 500 * i), 0);
		assert_in_range(
			peer_limits_count(limits), 1, 4); /* a token comes back in a second */
	}
	int64_t now_ms = 500 * 10000;
	assert_int_equal(peer_limits_hold(limits, &holder, now_ms), PEER_LIMITS_E_TOO_MANY);
	peer_limits_spend(limits, &debtor, 0, 30, now_ms);
	for (int i = 0; i < 20; i++) {
		struct peer_name name = numbered(i);
		assert_int_equal(peer_limits_take(limits, &name, one, now_ms + 1000 * i), 0);
	}
	assert_int_equal(count_taken(limits, &debtor, 1, now_ms + 20000), 0);
	peer_limits_free(limits);
}

static void test_where_all_hold_something_newcomers_share_one_row(void **state)
{
	struct peer_limits *limits = limits_of(0, 1);
	struct peer_name late = named("late"), later = named("later");
	(void)state;

	for (int i = 0; i < PEERS_MAX; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i);
		struct peer_name name = named(text);
		assert_int_equal(peer_limits_hold(limits, &name, 0), 0);
	}
	assert_int_equal(peer_limits_hold(limits, &late, 0), 0);
	assert_int_equal(peer_limits_hold(limits, &later, 0), PEER_LIMITS_E_TOO_MANY);
	peer_limits_release(limits, &late);
	assert_int_equal(peer_limits_hold(limits, &later, 0), 0);
	assert_int_equal(peer_limits_count(limits), PEERS_MAX);
	peer_limits_free(limits);
}

static void test_a_peer_is_its_key_else_its_machine_else_its_connection(void **state)
{
	struct message message = {
		.frame_count = 1, .frames = {{.iov_base = "\0abcd", .iov_len = 5}}};
	(void)state;

	struct peer_name name = peer_name_of(&message);
	assert_int_equal(name.size, 6);
	assert_memory_equal(name.bytes, "c\0abcd", 6);
	strcpy(message.peer_address, "127.0.0.1");
	name = peer_name_of(&message);
	assert_memory_equal(name.bytes, "c\0abcd", 6);
	strcpy(message.peer_address, "192.0.2.7");
	name = peer_name_of(&message);
	assert_int_equal(name.size, 10);
	assert_memory_equal(name.bytes, "a192.0.2.7", 10);
	strcpy(message.user_id, "berlin");
	name = peer_name_of(&message);
	assert_memory_equal(name.bytes, "kberlin", 7);
	assert_string_equal(peer_name_key(&name), "berlin");
	name = peer_name_of_pulled(&message);
	assert_string_equal(peer_name_key(&name), "berlin");
}

/* A flood under ever new names, were it the frame's bytes. */
static void test_what_was_pulled_is_not_named_by_its_content(void **state)
{
	struct message message = {
		.frame_count = 1, .frames = {{.iov_base = "event", .iov_len = 5}}};
	(void)state;

	struct peer_name name = peer_name_of_pulled(&message);
	assert_int_equal(name.size, 1);
	assert_string_equal(peer_name_key(&name), "");
	strcpy(message.peer_address, "192.0.2.7");
	name = peer_name_of_pulled(&message);
	assert_int_equal(name.size, 10);
	assert_string_equal(peer_name_key(&name), "");
}

static void assert_address_name(const char *address, const char *expected)
{
	struct peer_name name = peer_name_of_address(address);
	assert_int_equal(name.size, strlen(expected));
	assert_memory_equal(name.bytes, expected, name.size);
	assert_string_equal(peer_name_key(&name), "");
}

/* As messages are named: by machine, and on this one by connection. */
static void test_a_connection_s_other_end_is_a_peer_too(void **state)
{
	(void)state;
	assert_address_name("192.0.2.1:40002", "a192.0.2.1");
	assert_address_name("[2001:db8::1]:40002", "a2001:db8::1");
	assert_address_name("127.0.0.1:40002", "c127.0.0.1:40002");
	assert_address_name("[::1]:40002", "c[::1]:40002");
	assert_address_name("", "c");
	assert_address_name("]", "a]");
	assert_address_name("[", "c[");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_pulled_is_not_named_by_its_content),
		cmocka_unit_test(test_a_bucket_lets_its_burst_through_and_then_its_rate),
		cmocka_unit_test(test_what_is_dear_is_paid_off_before_the_next),
		cmocka_unit_test(test_no_limit_is_no_limit),
		cmocka_unit_test(test_one_that_floods_takes_nothing_from_another),
		cmocka_unit_test(test_what_is_held_is_bounded_until_it_is_released),
		cmocka_unit_test(test_the_table_of_peers_does_not_grow_without_bound),
		cmocka_unit_test(test_who_is_as_good_as_new_is_not_remembered),
		cmocka_unit_test(test_where_all_hold_something_newcomers_share_one_row),
		cmocka_unit_test(test_a_connection_s_other_end_is_a_peer_too),
		cmocka_unit_test(test_a_peer_is_its_key_else_its_machine_else_its_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
