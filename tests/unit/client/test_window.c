/* The producer's core in virtual time: what is sent, what is sent again, and what never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/window.h"
#include <errno.h>

static struct slice text(const char *bytes)
{
	return slice_of_text(bytes);
}

static struct reply accepted(uint64_t last_n)
{
	return (struct reply){.ok = true, .accepted = 1, .last_n = last_n};
}

static struct reply repeated(uint64_t last_n)
{
	return (struct reply){.ok = true, .repeated = true, .last_n = last_n};
}

static struct reply refused(enum reason reason, uint32_t retry_after_ms)
{
	return (struct reply){.refusal = {.reason = reason}, .retry_after_ms = retry_after_ms};
}

static struct window *window_of(uint32_t lanes)
{
	struct window *window = NULL;

	assert_int_equal(window_new(lanes, &window), 0);
	return window;
}

static struct window_frame send_next(struct window *window, int64_t now_ms)
{
	struct window_frame frame = {0};

	assert_true(window_next(window, now_ms, &frame));
	window_sent(window, frame.lane, now_ms);
	return frame;
}

static void test_a_frame_is_settled_by_its_reply(void **state)
{
	(void)state;
	struct window *window = window_of(1);
	struct window_frame done;
	struct reply reply = accepted(1);

	assert_int_equal(window_put(window, text("{}"), 0, 77), 0);
	assert_int_equal(window_put(window, text("{}"), 0, 78), WINDOW_E_FULL);
	send_next(window, 1000);
	assert_int_equal(window_reply(window, &reply, 1005, &done), 0);
	assert_int_equal(done.tag, 77);
	assert_int_equal(done.attempts, 1);
	assert_int_equal(done.first_sent_ms, 1000);
	assert_int_equal(window_count(window), 0);
	window_free(window);
}

/* The reply is lost with its connection; the edge must see the same n with the same bytes again. */
static void test_a_lost_reply_brings_the_same_frame_again(void **state)
{
	(void)state;
	struct window *window = window_of(1);
	struct window_frame frame;
	struct reply reply = repeated(9);

	assert_int_equal(window_put(window, text("[{}]"), 9, 1), 0);
	send_next(window, 0);
	assert_false(window_next(window, 100000, &frame));
	window_lost(window);
	frame = send_next(window, 5000);
	assert_int_equal(frame.n, 9);
	assert_true(slice_equals_text(frame.events, "[{}]"));
	assert_int_equal(window_reply(window, &reply, 5010, &frame), 0);
	assert_int_equal(frame.attempts, 2);
	assert_int_equal(frame.first_sent_ms, 0);
	window_free(window);
}

static void test_a_full_spool_makes_the_frame_wait_as_long_as_asked(void **state)
{
	(void)state;
	struct window *window = window_of(1);
	struct window_frame frame;
	struct reply full = refused(REASON_SPOOL_FULL, 250);

	assert_int_equal(window_put(window, text("{}"), 0, 1), 0);
	send_next(window, 0);
	assert_int_equal(window_reply(window, &full, 10, &frame), WINDOW_E_WAITING);
	assert_int_equal(window_due_ms(window), 260);
	assert_false(window_next(window, 259, &frame));
	assert_true(window_next(window, 260, &frame));
	assert_int_equal(frame.n, 1);
	assert_true(window_is_full(window));
	window_free(window);
}

static void test_a_refusal_without_a_time_waits_the_default(void **state)
{
	(void)state;
	struct window *window = window_of(1);
	struct window_frame frame;
	struct reply leaving = refused(REASON_SHUTTING_DOWN, 0);

	assert_int_equal(window_put(window, text("{}"), 0, 1), 0);
	send_next(window, 0);
	assert_int_equal(window_reply(window, &leaving, 10, &frame), WINDOW_E_WAITING);
	assert_int_equal(window_due_ms(window), 10 + WINDOW_RETRY_MS_DEFAULT);
	window_free(window);
}

static void test_a_refusal_for_good_settles_the_frame(void **state)
{
	(void)state;
	struct window *window = window_of(1);
	struct window_frame frame;
	struct reply bad = refused(REASON_BAD_FRAME, 0);

	assert_int_equal(window_put(window, text("{}"), 0, 1), 0);
	send_next(window, 0);
	assert_int_equal(window_reply(window, &bad, 10, &frame), 0);
	assert_int_equal(window_count(window), 0);
	window_free(window);
}

static void test_lanes_are_sent_in_the_order_of_their_frames(void **state)
{
	(void)state;
	struct window *window = window_of(3);
	struct window_frame done;

	for (uint64_t tag = 1; tag <= 3; tag++) {
		assert_int_equal(window_put(window, text("{}"), 0, tag), 0);
	}
	for (uint64_t tag = 1; tag <= 3; tag++) {
		assert_int_equal(send_next(window, 0).tag, tag);
	}
	for (uint64_t tag = 1; tag <= 3; tag++) {
		struct reply reply = accepted(tag);
		assert_int_equal(window_reply(window, &reply, 1, &done), 0);
		assert_int_equal(done.tag, tag);
	}
	window_free(window);
}

/* Replies are known by their order alone: one that can't be the answer means that order is broken. */
static void test_a_reply_to_another_frame_is_a_stray(void **state)
{
	(void)state;
	struct window *window = window_of(2);
	struct window_frame done;
	struct reply second = accepted(2);
	struct reply first = accepted(1);

	assert_int_equal(window_reply(window, &first, 0, &done), WINDOW_E_STRAY);
	assert_int_equal(window_put(window, text("{}"), 0, 1), 0);
	assert_int_equal(window_put(window, text("{}"), 0, 2), 0);
	send_next(window, 0);
	send_next(window, 0);
	assert_int_equal(window_reply(window, &second, 1, &done), WINDOW_E_STRAY);
	assert_int_equal(window_count(window), 2);
	window_free(window);
}

/* A refused frame of one lane waits; those of the others go on, under other producers' names. */
static void test_lanes_wait_each_for_itself(void **state)
{
	(void)state;
	struct window *window = window_of(2);
	struct window_frame frame;
	struct reply full = refused(REASON_SPOOL_FULL, 1000);
	struct reply second = accepted(2);

	assert_int_equal(window_put(window, text("{}"), 0, 1), 0);
	assert_int_equal(window_put(window, text("{}"), 0, 2), 0);
	send_next(window, 0);
	send_next(window, 0);
	assert_int_equal(window_reply(window, &full, 1, &frame), WINDOW_E_WAITING);
	assert_int_equal(window_reply(window, &second, 2, &frame), 0);
	assert_int_equal(frame.tag, 2);
	assert_int_equal(window_put(window, text("{}"), 0, 3), 0);
	assert_int_equal(send_next(window, 3).tag, 3);
	assert_int_equal(send_next(window, 1001).tag, 1);
	window_free(window);
}

static void test_silence_counts_from_the_last_reply(void **state)
{
	(void)state;
	struct window *window = window_of(2);
	struct window_frame done;
	struct reply reply = accepted(1);

	assert_int_equal(window_silent_since_ms(window), -1);
	assert_int_equal(window_put(window, text("{}"), 0, 1), 0);
	assert_int_equal(window_put(window, text("{}"), 0, 2), 0);
	send_next(window, 100);
	send_next(window, 200);
	assert_int_equal(window_silent_since_ms(window), 100);
	assert_int_equal(window_reply(window, &reply, 300, &done), 0);
	assert_int_equal(window_silent_since_ms(window), 300);
	window_free(window);
}

static void test_numbers_must_rise(void **state)
{
	(void)state;
	struct window *window = window_of(1);
	struct window_frame done;
	struct reply reply = accepted(500);

	assert_int_equal(window_put(window, text("{}"), 500, 1), 0);
	send_next(window, 0);
	assert_int_equal(window_reply(window, &reply, 1, &done), 0);
	assert_int_equal(window_put(window, text("{}"), 500, 2), -EINVAL);
	assert_int_equal(window_put(window, text(""), 501, 2), -EINVAL);
	assert_int_equal(window_put(window, text("{}"), 501, 2), 0);
	window_free(window);
}

static void test_a_window_has_bounds(void **state)
{
	(void)state;
	struct window *window = NULL;

	assert_int_equal(window_new(0, &window), -EINVAL);
	assert_int_equal(window_new(WINDOW_LANES_MAX + 1, &window), -EINVAL);
	assert_null(window);
	assert_null(window_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frame_is_settled_by_its_reply),
		cmocka_unit_test(test_a_lost_reply_brings_the_same_frame_again),
		cmocka_unit_test(test_a_full_spool_makes_the_frame_wait_as_long_as_asked),
		cmocka_unit_test(test_a_refusal_without_a_time_waits_the_default),
		cmocka_unit_test(test_a_refusal_for_good_settles_the_frame),
		cmocka_unit_test(test_lanes_are_sent_in_the_order_of_their_frames),
		cmocka_unit_test(test_a_reply_to_another_frame_is_a_stray),
		cmocka_unit_test(test_lanes_wait_each_for_itself),
		cmocka_unit_test(test_silence_counts_from_the_last_reply),
		cmocka_unit_test(test_numbers_must_rise),
		cmocka_unit_test(test_a_window_has_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
