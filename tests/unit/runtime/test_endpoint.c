#include "runtime/endpoint.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_only_this_machine_reaches_local_endpoints(void **state)
{
	static const char *const local[] = {
		"tcp://127.0.0.1:7170",
		"tcp://127.255.0.9:*",
		"tcp://[::1]:0",
		"tcp://[::ffff:127.0.0.1]:1",
		"tcp://localhost:7170",
		"127.0.0.1:9170",
		"[::1]:9170",
		"localhost:1",
		"ipc:///run/till/edge",
		"inproc://x",
	};
	(void)state;

	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
		assert_true(endpoint_is_local(local[i]));
	}
}

static void test_everything_else_is_foreign(void **state)
{
	static const char *const foreign[] = {
		"tcp://*:7170",
		"tcp://0.0.0.0:7170",
		"tcp://[::]:7170",
		"tcp://[::ffff:10.0.0.1]:1",
		"tcp://10.0.0.1:7170",
		"tcp://128.0.0.1:1",
		"tcp://lo:7170", /* an interface may have any address */
		"tcp://localhost.example.com:1",
		"tcp://127.0.0.1.example.com:1",
		"tcp://127.1:1", /* some resolvers read 127.0.0.1, inet_pton does not */
		"tcp://[::1",
		"tcp://[::1]x:1",
		"tcp://",
		"*:9170",
		":9170",
		"",
		"pgm://127.0.0.1:1",
		"TCP://127.0.0.1:1",
		"tcp://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
	};
	(void)state;

	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		assert_false(endpoint_is_local(foreign[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_this_machine_reaches_local_endpoints),
		cmocka_unit_test(test_everything_else_is_foreign),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
