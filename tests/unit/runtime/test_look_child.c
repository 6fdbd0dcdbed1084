/* What becomes of a child that looks at something. */
#include "runtime/look_child.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static int look_and_say(void *owner)
{
	return *(const int *)owner;
}

static int look_and_die(void *owner)
{
	raise(*(const int *)owner);
	return 0;
}

static void test_the_child_says_what_it_found(void **state)
{
	(void)state;
	assert_int_equal(look_child_run(look_and_say, &(int){0}), 0);
	assert_int_equal(look_child_run(look_and_say, &(int){233}), 233);
}

static void test_who_dies_of_what_it_saw_found_damage(void **state)
{
	(void)state;
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

	signal(SIGSEGV, SIG_IGN); /* whatever the parent does with it */
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
		assert_int_equal(look_child_run(look_and_die, &(int){deadly[i]}), LOOK_CRASHED);
	}
	signal(SIGSEGV, SIG_DFL);
}

static void test_who_was_killed_found_nothing_either_way(void **state)
{
	(void)state;
	assert_int_equal(look_child_run(look_and_die, &(int){SIGKILL}), -EINTR);
	assert_int_equal(look_child_run(look_and_die, &(int){SIGTERM}), -EINTR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_child_says_what_it_found),
		cmocka_unit_test(test_who_dies_of_what_it_saw_found_damage),
		cmocka_unit_test(test_who_was_killed_found_nothing_either_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
