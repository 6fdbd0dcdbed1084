#include "aggregator/web/watchers.h"
#include "proto/buffer.h"
#include "runtime/key_holder.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests are places in a table, and nothing is sent: tests pull. */
enum { LOOKERS = 3, ROOM = 64 * 1024 };

static struct {
	struct standing *standing;
	struct watchers *watchers;
	struct http_stream streams[LOOKERS];
	unsigned woken[LOOKERS];
	int64_t now_ms;
	unsigned total, alive;
	int alive_error;
} world;

static struct http_request *request_at(size_t number)
{
	return (struct http_request *)(world.woken + number);
}

void http_request_stream(struct http_request *request, const struct http_stream *stream)
{
	world.streams[(unsigned *)request - world.woken] = *stream;
}

void http_request_wake(struct http_request *request)
{
	(*(unsigned *)request)++;
}

static int ask(void *owner, const struct key_holder *holder, struct slice query,
	struct query_reply *ret_reply)
{
	static char answer[256];
	(void)owner, (void)holder;
	int length = snprintf(answer, sizeof answer, "{\"%.*s\":%u}", (int)query.size,
		(const char *)query.bytes, world.total);
	*ret_reply = (struct query_reply){.bytes = slice_of(answer, (size_t)length)};
	return 0;
}

static int64_t now_us(void *owner)
{
	(void)owner;
	return world.now_ms * 1000;
}

static int write_alive(void *owner, struct buffer *out)
{
	char text[32];
	(void)owner;
	snprintf(text, sizeof text, "{\"alive\":%u}", world.alive++);
	buffer_append_text(out, text);
	return world.alive_error;
}

static int set_up(void **state)
{
	const struct standing_options standing = {
		.ask = ask, .now_us = now_us, .spent_us = now_us, .queries_max = 3};
	(void)state;
	memset(&world, 0, sizeof world);
	world.now_ms = 5000;
	assert_int_equal(standing_new(&standing, &world.standing), 0);
	const struct watchers_options options = {
		.standing = world.standing, .watchers_max = 2, .write_alive = write_alive};
	return watchers_new(&options, &world.watchers);
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < LOOKERS; i++) {
		if (world.streams[i].ended != NULL) {
			world.streams[i].ended(world.streams[i].owner);
		}
	}
	assert_int_equal(standing_counts(world.standing).queries, 0);
	assert_int_equal(watchers_counts(world.watchers).watchers, 0);
	watchers_free(world.watchers);
	standing_free(world.standing);
	return 0;
}

static int add(size_t number, const char *const *queries, size_t count)
{
	static const struct key_holder reader = {.name = "reader"};
	return watchers_add(world.watchers, request_at(number),
		&(struct watch){.holder = &reader, .queries = queries, .count = count},
		world.now_ms);
}

static void leave(size_t number)
{
	world.streams[number].ended(world.streams[number].owner);
	world.streams[number].ended = NULL;
}

static void turn(void)
{
	int64_t wait_ms = INT64_MAX;
	bool has_changed = false;
	assert_int_equal(standing_turn(world.standing, &has_changed, &wait_ms), 0);
	assert_int_equal(watchers_turn(world.watchers, has_changed, world.now_ms, &wait_ms), 0);
	assert_in_range(wait_ms, 0, WATCHERS_ALIVE_MS);
}

static void pass(int64_t ms)
{
	world.now_ms += ms;
}

static void move(void)
{
	world.total++;
	standing_moved(world.standing);
	pass(STANDING_INTERVAL_MS);
	turn();
}

/* All that there is, in pieces of `size`. */
static const char *pull_in(size_t number, size_t size)
{
	static char text[ROOM];
	const struct http_stream *stream = &world.streams[number];
	size_t given = 0, more = 0;
	do {
		assert_true(given + size < ROOM);
		more = stream->pull(stream->owner, text + given, size);
		assert_true(more <= size);
		given += more;
	} while (more > 0);
	text[given] = '\0';
	return text;
}

static const char *pull(size_t number)
{
	return pull_in(number, 1000);
}

static void test_answers_come_at_once_and_then_when_they_change(void **state)
{
	const char *const queries[] = {"a", "b"};
	(void)state;
	assert_int_equal(add(0, queries, 2), 0);
	assert_string_equal(pull(0), "retry: 1000\n\n");
	turn();
	assert_true(world.woken[0] > 0);
	assert_string_equal(pull(0), "event: answer\ndata: {\"q\":0,\"answer\":{\"a\":0}}\n\n"
				     "event: answer\ndata: {\"q\":1,\"answer\":{\"b\":0}}\n\n");
	assert_string_equal(pull(0), "");
	unsigned woken = world.woken[0];
	turn();
	assert_int_equal(world.woken[0], woken);
	move();
	assert_string_equal(pull(0), "event: answer\ndata: {\"q\":0,\"answer\":{\"a\":1}}\n\n"
				     "event: answer\ndata: {\"q\":1,\"answer\":{\"b\":1}}\n\n");
	assert_int_equal(watchers_counts(world.watchers).sent, 4);
	assert_int_equal(watchers_counts(world.watchers).conflated, 0);
}

/* However small the pieces are that are taken. */
static void test_pieces_make_the_same(void **state)
{
	const char *const queries[] = {"a"};
	char whole[ROOM];
	(void)state;
	assert_int_equal(add(0, queries, 1), 0);
	assert_int_equal(add(1, queries, 1), 0);
	turn();
	snprintf(whole, sizeof whole, "%s", pull(0));
	assert_string_equal(pull_in(1, 1), whole);
	move();
	snprintf(whole, sizeof whole, "%s", pull(0));
	assert_string_equal(pull_in(1, 7), whole);
}

static void test_a_slow_one_gets_the_newest(void **state)
{
	const char *const queries[] = {"a"};
	char begun[16] = "";
	(void)state;
	assert_int_equal(add(0, queries, 1), 0);
	pull(0);
	turn();
	assert_int_equal(world.streams[0].pull(world.streams[0].owner, begun, 5), 5);
	assert_string_equal(begun, "event");
	for (int i = 0; i < 5; i++) {
		move();
	}
	/* What was begun is ended as it was; then the state, which it has not heard for so long, and the newest. */
	assert_string_equal(pull(0), ": answer\ndata: {\"q\":0,\"answer\":{\"a\":0}}\n\n"
				     "event: alive\ndata: {\"alive\":3}\n\n"
				     "event: answer\ndata: {\"q\":0,\"answer\":{\"a\":5}}\n\n");
	assert_int_equal(watchers_counts(world.watchers).conflated, 4);
	assert_int_equal(watchers_counts(world.watchers).sent, 2);
}

static void test_who_comes_late_missed_nothing(void **state)
{
	const char *const queries[] = {"a"};
	(void)state;
	assert_int_equal(add(0, queries, 1), 0);
	turn();
	move();
	move();
	assert_int_equal(add(1, queries, 1), 0);
	assert_string_equal(
		pull(1), "retry: 1000\n\nevent: answer\ndata: {\"q\":0,\"answer\":{\"a\":2}}\n\n");
	assert_int_equal(watchers_counts(world.watchers).conflated, 0);
}

static void test_a_sign_of_life_comes_where_nothing_else_does(void **state)
{
	const char *const queries[] = {"a"};
	(void)state;
	assert_int_equal(add(0, queries, 1), 0);
	turn();
	pull(0);
	pass(WATCHERS_ALIVE_MS - 1);
	turn();
	assert_string_equal(pull(0), "");
	pass(1);
	turn();
	assert_string_equal(pull(0), "event: alive\ndata: {\"alive\":0}\n\n");
	assert_string_equal(pull(0), "");
	pass(WATCHERS_ALIVE_MS);
	turn();
	assert_string_equal(pull(0), "event: alive\ndata: {\"alive\":1}\n\n");
	move();
	pass(WATCHERS_ALIVE_MS / 2);
	turn();
	assert_string_equal(pull(0), "event: answer\ndata: {\"q\":0,\"answer\":{\"a\":1}}\n\n");
}

/* Answers all the time must not keep from anybody that something is wrong. */
static void test_the_state_is_told_where_answers_never_rest(void **state)
{
	const char *const queries[] = {"a"};
	char told[ROOM] = "";
	int64_t begin_ms = world.now_ms;
	(void)state;
	assert_int_equal(add(0, queries, 1), 0);
	turn();
	while (strstr(told, "event: alive") == NULL) {
		assert_in_range(world.now_ms, begin_ms,
			begin_ms + WATCHERS_STATE_MS + STANDING_INTERVAL_MS);
		move();
		snprintf(told, sizeof told, "%s", pull(0));
		assert_non_null(strstr(told, "event: answer"));
	}
	assert_true(world.now_ms >= begin_ms + WATCHERS_STATE_MS);
	move();
	assert_null(strstr(pull(0), "event: alive"));
}

/* It is made once for all who are told it. */
static void test_without_a_query_there_are_signs_of_life_alone(void **state)
{
	(void)state;
	assert_int_equal(add(0, NULL, 0), 0);
	assert_int_equal(add(1, NULL, 0), 0);
	turn();
	assert_string_equal(pull(0), "retry: 1000\n\nevent: alive\ndata: {\"alive\":0}\n\n");
	assert_string_equal(pull(1), "retry: 1000\n\nevent: alive\ndata: {\"alive\":0}\n\n");
	assert_int_equal(world.alive, 1);
}

static void test_no_more_look_than_may(void **state)
{
	const char *const queries[] = {"a", "b"}, *const others[] = {"c", "d"},
			  *const same[] = {"a", "a"};
	(void)state;
	assert_int_equal(add(0, queries, 2), 0);
	assert_int_equal(add(1, others, 2), WATCHERS_E_QUERIES);
	assert_int_equal(standing_counts(world.standing).queries, 2); /* "c" is gone again */
	assert_int_equal(add(1, same, 2), 0);
	assert_int_equal(add(2, queries, 1), WATCHERS_E_FULL);
	assert_int_equal(watchers_counts(world.watchers).watchers, 2);
	leave(1);
	assert_int_equal(add(2, queries, 1), 0);
}

static void test_a_failure_is_passed_up(void **state)
{
	int64_t wait_ms = INT64_MAX;
	(void)state;
	assert_int_equal(add(0, NULL, 0), 0);
	world.alive_error = -EBADMSG;
	assert_int_equal(watchers_turn(world.watchers, false, world.now_ms, &wait_ms), -EBADMSG);
}

#define WATCHERS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHERS_TEST(test_answers_come_at_once_and_then_when_they_change),
		WATCHERS_TEST(test_pieces_make_the_same),
		WATCHERS_TEST(test_a_slow_one_gets_the_newest),
		WATCHERS_TEST(test_who_comes_late_missed_nothing),
		WATCHERS_TEST(test_a_sign_of_life_comes_where_nothing_else_does),
		WATCHERS_TEST(test_the_state_is_told_where_answers_never_rest),
		WATCHERS_TEST(test_without_a_query_there_are_signs_of_life_alone),
		WATCHERS_TEST(test_no_more_look_than_may),
		WATCHERS_TEST(test_a_failure_is_passed_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
