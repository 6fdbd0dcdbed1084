/* Passwords on a command line: what `ps` shows, and what the command reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/hidden_password.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One argument: as it is given, and as others see it afterwards. */
static void assert_shown(const char *given, const char *shown)
{
	char seen[200];
	char *argv[] = {seen, NULL};

	snprintf(seen, sizeof seen, "%s", given);
	assert_int_equal(hidden_password_move(1, argv), 0);
	assert_string_equal(argv[0], given);
	assert_string_equal(seen, shown);
	if (argv[0] != seen) {
		free(argv[0]);
	}
}

static void test_a_password_in_an_address_is_not_shown(void **state)
{
	(void)state;
	assert_shown("postgresql://me:open@db:5432/shop", "postgresql://me:****@db:5432/shop");
	assert_shown("--to=postgres://me:a%40b@db/shop", "--to=postgres://me:*****@db/shop");
	assert_shown("mysql://me:a/b@c:d@db/shop", "mysql://me:*******@db/shop");
	assert_shown("postgresql://db/shop?user=me&password=open&x=1",
		"postgresql://db/shop?user=me&password=****&x=1");
}

static void test_what_has_no_password_stays(void **state)
{
	static const char *const arguments[] = {"send", "--to", "tcp://127.0.0.1:7170",
		"postgresql://me@db:5432/shop", "postgresql://db:5432/shop?user=me", "me:open@db",
		"postgresql://", ""};

	(void)state;
	for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
		char *argv[] = {(char *)arguments[i], NULL};
		assert_int_equal(hidden_password_move(1, argv), 0);
		assert_ptr_equal(argv[0], arguments[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_password_in_an_address_is_not_shown),
		cmocka_unit_test(test_what_has_no_password_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
