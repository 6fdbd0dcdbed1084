/* Who must go: of those that hoard, those that are heavy, and those that are too many. */
#include "runtime/peers.h"
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <errno.h>

enum { MESSAGE_MAX = 1000, MIB = 1024 * 1024, VERDICTS_MAX = 8 };

struct bench {
	struct peers *peers;
	struct peer_verdict verdicts[VERDICTS_MAX];
	size_t count;
};

static int set_up(void **state)
{
	static struct bench bench;
	bench = (struct bench){0};
	*state = &bench;
	return peers_new(&bench.peers);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	bench->peers = peers_free(bench->peers);
	return 0;
}

static void see(struct bench *bench, int fd, uint64_t cookie, uint64_t received, bool is_read_out)
{
	const struct peer_sight sight = {.fd = fd,
		.cookie = cookie,
		.received_bytes = received,
		.message_bytes_max = MESSAGE_MAX};
	assert_int_equal(peers_saw(bench->peers, &sight, is_read_out), 0);
}

static void judge(struct bench *bench, bool is_memory_short, unsigned surplus)
{
	const struct peers_need need = {is_memory_short, surplus};
	bench->count = peers_judge(bench->peers, &need, bench->verdicts, VERDICTS_MAX);
}

/* One look at one connection. */
static void look(struct bench *bench, uint64_t received, bool is_read_out)
{
	peers_begin(bench->peers);
	see(bench, 7, 70, received, is_read_out);
	judge(bench, false, 0);
}

static void test_bytes_without_a_message_are_a_hoard(void **state)
{
	struct bench *bench = *state;

	look(bench, 100, true);
	look(bench, 100 + MESSAGE_MAX + 1, true);
	assert_int_equal(
		bench->count, 0); /* what came since the last look may be read in a moment */
	look(bench, 100 + MESSAGE_MAX + 1, true);
	assert_int_equal(bench->count, 1);
	assert_int_equal(bench->verdicts[0].fd, 7);
	assert_int_equal(bench->verdicts[0].cookie, 70);
	assert_int_equal(bench->verdicts[0].fault, PEER_HOARDS);
	assert_int_equal(bench->verdicts[0].held_bytes, MESSAGE_MAX + 1);
	look(bench, 200 + MESSAGE_MAX, true);
	assert_int_equal(bench->count, 0); /* told once */
}

static void test_the_largest_message_is_none(void **state)
{
	struct bench *bench = *state;

	look(bench, 100, true);
	look(bench, 100 + MESSAGE_MAX, true);
	look(bench, 100 + MESSAGE_MAX, true);
	assert_int_equal(bench->count, 0);
}

static void test_whole_messages_are_credited_and_credit_is_not_saved_up(void **state)
{
	struct bench *bench = *state;

	look(bench, 0, true);
	for (uint64_t i = 1; i <= 100; i++) {
		peers_heard(bench->peers, 7, 900);
		look(bench, i * 800, true);
		assert_int_equal(bench->count, 0);
	}
	look(bench, 80000 + MESSAGE_MAX + 1, true);
	look(bench, 80000 + MESSAGE_MAX + 1, true);
	assert_int_equal(bench->count, 1);
}

/* Then whole messages may lie there in any number: they are bounded by libzmq. */
static void test_nobody_hoards_while_messages_wait_to_be_read(void **state)
{
	struct bench *bench = *state;

	look(bench, 0, true);
	for (uint64_t i = 1; i <= 10; i++) {
		look(bench, i * MIB, false);
		assert_int_equal(bench->count, 0);
	}
	look(bench, 10 * MIB, true);
	assert_int_equal(bench->count, 1);
}

static void test_a_descriptor_with_another_cookie_is_somebody_else(void **state)
{
	struct bench *bench = *state;

	look(bench, 0, true);
	look(bench, MIB, true);
	peers_begin(bench->peers);
	see(bench, 7, 71, MIB, true);
	judge(bench, true, 0);
	assert_int_equal(bench->count, 0);
	assert_int_equal(peers_count(bench->peers), 1);
}

static void test_when_memory_is_short_the_heaviest_go(void **state)
{
	struct bench *bench = *state;
	const uint64_t held[] = {9 * MIB, 5 * MIB, 4 * MIB, 100};

	for (int round = 0; round < 2; round++) {
		peers_begin(bench->peers);
		for (int i = 0; i < 4; i++) {
			see(bench, 10 + i, 100 + (uint64_t)i, round == 0 ? 0 : held[i], false);
		}
	}
	judge(bench, true, 0);
	assert_int_equal(bench->count, 2);
	assert_int_equal(bench->verdicts[0].fd, 10);
	assert_int_equal(bench->verdicts[1].fd, 11);
	assert_int_equal(bench->verdicts[1].fault, PEER_HEAVY);
}

static void test_who_holds_little_is_not_why_memory_is_short(void **state)
{
	struct bench *bench = *state;

	look(bench, 0, false);
	peers_begin(bench->peers);
	see(bench, 7, 70, MIB - 1, false);
	judge(bench, true, 0);
	assert_int_equal(bench->count, 0);
}

static void test_newcomers_that_said_nothing_are_the_first_surplus(void **state)
{
	struct bench *bench = *state;

	peers_begin(bench->peers);
	see(bench, 3, 30, 0, true); /* will speak */
	see(bench, 4, 40, 0, true); /* silent, and here before */
	peers_heard(bench->peers, 3, 10);
	peers_begin(bench->peers);
	for (int fd = 3; fd <= 6; fd++) {
		see(bench, fd, (uint64_t)fd * 10, 10, true);
	}
	judge(bench, false, 1);
	assert_int_equal(bench->count, 1);
	assert_int_equal(bench->verdicts[0].fd, 6);
	assert_int_equal(bench->verdicts[0].fault, PEER_SURPLUS);
	judge(bench, false, 2);
	assert_int_equal(bench->count, 2);
	assert_int_equal(bench->verdicts[0].fd, 5);
	assert_int_equal(bench->verdicts[1].fd, 4);
	judge(bench, false, 9);
	assert_int_equal(bench->count, 1);
	assert_int_equal(bench->verdicts[0].fd, 3);
}

static void see_from(struct bench *bench, int fd, uint64_t address)
{
	const struct peer_sight sight = {.fd = fd,
		.cookie = (uint64_t)fd * 10,
		.received_bytes = 10,
		.message_bytes_max = MESSAGE_MAX,
		.address = address};
	assert_int_equal(peers_saw(bench->peers, &sight, true), 0);
}

/* 1 has been here with seven that all speak; then 2 and 3 come with one each, and have said nothing yet. */
static void test_whoever_has_most_connections_is_the_first_surplus_whatever_he_says(void **state)
{
	struct bench *bench = *state;

	peers_begin(bench->peers);
	for (int fd = 3; fd <= 9; fd++) {
		see_from(bench, fd, 1);
		peers_heard(bench->peers, fd, 10);
	}
	peers_begin(bench->peers);
	for (int fd = 3; fd <= 11; fd++) {
		see_from(bench, fd, fd <= 9 ? 1 : (uint64_t)fd);
	}
	judge(bench, false, 3);
	assert_int_equal(bench->count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(bench->verdicts[i].fd, 9 - (int)i);
	}
	/* It has four of six now: two go, and then it is as any other. */
	judge(bench, false, 4);
	assert_int_equal(bench->count, 4);
	assert_int_equal(bench->verdicts[0].fd, 6);
	assert_int_equal(bench->verdicts[1].fd, 5);
	assert_int_equal(bench->verdicts[2].fd, 11);
	assert_int_equal(bench->verdicts[3].fd, 10);
}

static void test_who_is_gone_is_not_judged(void **state)
{
	struct bench *bench = *state;

	look(bench, 0, true);
	look(bench, MIB, true);
	peers_begin(bench->peers);
	judge(bench, true, 5);
	assert_int_equal(bench->count, 0);
	assert_int_equal(peers_count(bench->peers), 0);
}

static void test_a_descriptor_that_can_not_be_is_refused(void **state)
{
	struct bench *bench = *state;
	const struct peer_sight sight = {.fd = -1, .cookie = 1};

	assert_int_equal(peers_saw(bench->peers, &sight, true), -EBADF);
	peers_heard(bench->peers, -1, 10);
	peers_heard(bench->peers, 100000, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_bytes_without_a_message_are_a_hoard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_largest_message_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_whole_messages_are_credited_and_credit_is_not_saved_up, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_nobody_hoards_while_messages_wait_to_be_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_descriptor_with_another_cookie_is_somebody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_when_memory_is_short_the_heaviest_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_who_holds_little_is_not_why_memory_is_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_newcomers_that_said_nothing_are_the_first_surplus, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_whoever_has_most_connections_is_the_first_surplus_whatever_he_says,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_is_gone_is_not_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_descriptor_that_can_not_be_is_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
