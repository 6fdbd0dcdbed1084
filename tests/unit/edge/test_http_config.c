#include "edge/http_config.h"
#include "fixture.h"
#include <errno.h>

static int check(struct http_config *config, bool insecure, struct config_error *error)
{
	static char listen[] = "127.0.0.1:7180", path[] = "/events";

	config->listen = config->listen == NULL ? listen : config->listen;
	config->path = config->path == NULL ? path : config->path;
	return http_config_check(config, insecure, error);
}

static void assert_refused(struct http_config config, const char *words)
{
	struct config_error error = {.text = ""};

	assert_int_equal(check(&config, false, &error), -EINVAL);
	if (strstr(error.text, words) == NULL) {
		fail_msg("no \"%s\" in \"%s\"", words, error.text);
	}
}

static void assert_taken(struct http_config config)
{
	struct config_error error = {.text = ""};

	assert_int_equal(check(&config, false, &error), 0);
}

#define TEXT(text) ((char[]){text})

static void test_the_defaults_are_safe(void **state)
{
	struct http_config config = {0};
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&http_config_schema, &config, &error), 0);
	assert_int_equal(config_finish(&http_config_schema, &config, &error), 0);
	assert_int_equal(http_config_check(&config, false, &error), 0);
	assert_string_equal(config.listen, "127.0.0.1:7180");
	assert_int_equal(config.body_max, FRAME_SIZE_MAX);
	config_deinit(&http_config_schema, &config);
}

static void test_an_address_that_others_reach_needs_tls_and_known_clients(void **state)
{
	struct config_error error;
	(void)state;

	assert_refused((struct http_config){.listen = TEXT("0.0.0.0:7180")},
		"listen: 0.0.0.0:7180 is reached by other machines: set tls_cert and tls_key, and "
		"token_file or tls_client_ca; or [security] insecure = yes");
	assert_refused((struct http_config){.listen = TEXT(":7180")}, "other machines");
	assert_refused((struct http_config){.listen = TEXT("*:7180"), .token = TEXT("t")},
		"other machines");
	assert_refused((struct http_config){.listen = TEXT("10.0.0.1:7180"),
			       .tls_cert = TEXT("c"),
			       .tls_key = TEXT("k")},
		"token_file or tls_client_ca");
	assert_taken((struct http_config){.listen = TEXT("10.0.0.1:7180"),
		.tls_cert = TEXT("c"),
		.tls_key = TEXT("k"),
		.token = TEXT("t")});
	assert_taken((struct http_config){.listen = TEXT("10.0.0.1:7180"),
		.tls_cert = TEXT("c"),
		.tls_key = TEXT("k"),
		.tls_client_ca = TEXT("a")});
	assert_taken((struct http_config){.listen = TEXT("[::1]:7180")});
	struct http_config open = {.listen = TEXT("0.0.0.0:7180")};
	assert_int_equal(check(&open, true, &error), 0);
}

static void test_half_of_tls_is_refused(void **state)
{
	(void)state;
	assert_refused((struct http_config){.tls_cert = TEXT("c")}, "tls_cert: TLS needs");
	assert_refused((struct http_config){.tls_key = TEXT("k")}, "tls_key: TLS needs");
	assert_refused(
		(struct http_config){.tls_client_ca = TEXT("a")}, "tls_client_ca: TLS needs");
}

static void test_what_makes_no_sense_is_named(void **state)
{
	(void)state;
	assert_refused((struct http_config){.path = TEXT("events")}, "path: \"events\" is no path");
	assert_refused((struct http_config){.path = TEXT("/a?b")}, "is no path");
	assert_refused((struct http_config){.kind = TEXT("carts")}, "kind: \"carts\"");
	assert_refused((struct http_config){.set = TEXT("run=1")}, "set: run");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_defaults_are_safe),
		cmocka_unit_test(test_an_address_that_others_reach_needs_tls_and_known_clients),
		cmocka_unit_test(test_half_of_tls_is_refused),
		cmocka_unit_test(test_what_makes_no_sense_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
