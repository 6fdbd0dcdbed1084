/* Room for threads, where pthread_create fails (linked with --wrap). */
#include "runtime/thread_room.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_is_room_for_those_that_can_be_started),
		cmocka_unit_test(test_one_that_can_not_be_started_is_told_and_the_others_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
