/* Threads: room for them where pthread_create fails (linked with --wrap), ends that are not waited for, timed waits. */
#include "runtime/clock.h"
#include "runtime/thread.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int calls_left = -1; /* until one fails; -1: none does */

int __real_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *owner);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *owner);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *owner)
{
	return calls_left >= 0 && calls_left-- == 0
		       ? EAGAIN
		       : __real_pthread_create(thread, attributes, run, owner);
}

static void test_there_is_room_for_those_that_can_be_started(void **state)
{
	(void)state;
	assert_int_equal(thread_room_check(0), 0);
	assert_int_equal(thread_room_check(THREADS_ASKED_MAX), 0);
}

static void test_one_that_can_not_be_started_is_told_and_the_others_end(void **state)
{
	(void)state;
	for (int first = 0; first < 3; first++) {
		calls_left = first;
		assert_int_equal(thread_room_check(3), -EAGAIN);
	}
	calls_left = 3;
	assert_int_equal(thread_room_check(3), 0);
	calls_left = -1;
}

/* ---- ends and waits */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told;
static bool may_end, has_ended;

static void *end_when_told(void *owner)
{
	(void)owner;
	pthread_mutex_lock(&lock);
	while (!may_end) {
		pthread_cond_wait(&told, &lock);
	}
	has_ended = true;
	pthread_cond_broadcast(&told);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static pthread_t start(bool may_end_at_once)
{
	pthread_t thread;

	may_end = may_end_at_once;
	has_ended = false;
	assert_int_equal(pthread_create(&thread, NULL, end_when_told, NULL), 0);
	return thread;
}

static void test_a_thread_that_ends_in_time_is_waited_for(void **state)
{
	(void)state;
	thread_leave(start(true), 60 * 1000);
	assert_true(has_ended);
}

static void test_a_thread_that_does_not_end_is_left_alone(void **state)
{
	static const int64_t waits_ms[] = {0, 3};
	(void)state;
	for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
		thread_leave(start(false), waits_ms[i]);
		pthread_mutex_lock(&lock);
		assert_false(has_ended);
		may_end = true;
		pthread_cond_broadcast(&told);
		while (!has_ended) { /* it goes on by itself, and cleans up after itself */
			pthread_cond_wait(&told, &lock);
		}
		pthread_mutex_unlock(&lock);
	}
}

static void test_a_wait_ends_at_its_time(void **state)
{
	int64_t until_ms = clock_monotonic_ms() + 20;
	int r = 0;
	(void)state;
	pthread_mutex_lock(&lock);
	while (r == 0) { /* it may be woken by nobody */
		r = condition_wait(&told, &lock, until_ms);
	}
	pthread_mutex_unlock(&lock);
	assert_int_equal(r, ETIMEDOUT);
	assert_true(clock_monotonic_ms() >= until_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_is_room_for_those_that_can_be_started),
		cmocka_unit_test(test_one_that_can_not_be_started_is_told_and_the_others_end),
		cmocka_unit_test(test_a_thread_that_ends_in_time_is_waited_for),
		cmocka_unit_test(test_a_thread_that_does_not_end_is_left_alone),
		cmocka_unit_test(test_a_wait_ends_at_its_time),
	};

	condition_init(&told);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
