/* What people type: options in every spelling, and what is said of a typing error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/options.h"
#include <errno.h>
#include <string.h>

struct values {
	bool json;
	const char *to;
	int64_t limit, wait_ms;
	double share;
	struct text_list map;
	struct positionals positionals;
	struct options_error error;
};

static int parse(struct values *values, int argc, const char *const *argv)
{
	const struct option options[] = {
		{"--json", 0, OPTION_FLAG, &values->json, NULL, "", 0, 0},
		{"--to", 0, OPTION_TEXT, &values->to, "ENDPOINT", "", 0, 0},
		{"--limit", 'n', OPTION_INTEGER, &values->limit, "N", "", 1, 100},
		{"--timeout", 0, OPTION_DURATION, &values->wait_ms, "TIME", "", 0, 0},
		{"--invalid", 0, OPTION_DECIMAL, &values->share, "SHARE", "", 0, 1},
		{"--map", 0, OPTION_LIST, &values->map, "PAIR", "", 0, 0},
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till test", "[FILE]", "about", options, 0, 2};

	return options_parse(
		&spec, argc, (char **)(uintptr_t)argv, &values->positionals, &values->error);
}

#define PARSE(values, ...)                                                                         \
	parse(values, (int)(sizeof((const char *[]){"test", __VA_ARGS__}) / sizeof(char *)),       \
		(const char *[]){"test", __VA_ARGS__, NULL})

static void test_options_come_in_every_spelling(void **state)
{
	(void)state;
	struct values values = {.limit = 10};

	assert_int_equal(PARSE(&values, "--json", "--to", "a", "-n", "5", "x"), 0);
	assert_true(values.json);
	assert_string_equal(values.to, "a");
	assert_int_equal(values.limit, 5);
	assert_int_equal(PARSE(&values, "--to=b=c", "-n7", "--timeout=2s"), 0);
	assert_string_equal(values.to, "b=c");
	assert_int_equal(values.limit, 7);
	assert_int_equal(values.wait_ms, 2000);
	assert_int_equal(PARSE(&values, "--timeout", "forever", "--invalid", "0.25"), 0);
	assert_int_equal(values.wait_ms, 0);
	assert_true(values.share == 0.25);
}

static void test_lists_and_positionals_gather(void **state)
{
	(void)state;
	struct values values = {.limit = 10};

	assert_int_equal(PARSE(&values, "--map", "a=b", "-", "--map", "c=d", "--", "--json"), 0);
	assert_int_equal(values.map.count, 2);
	assert_string_equal(values.map.items[1], "c=d");
	assert_null(values.map.items[2]);
	assert_int_equal(values.positionals.count, 2);
	assert_string_equal(values.positionals.items[0], "-");
	assert_string_equal(values.positionals.items[1], "--json");
	assert_false(values.json);
}

static void test_mistakes_are_named(void **state)
{
	(void)state;
	struct values values = {.limit = 10};

	assert_int_equal(PARSE(&values, "--jsn"), -EINVAL);
	assert_string_equal(values.error.text, "unknown option --jsn; did you mean --json?");
	assert_int_equal(PARSE(&values, "-x"), -EINVAL);
	assert_string_equal(values.error.text, "unknown option -x");
	assert_int_equal(PARSE(&values, "--to"), -EINVAL);
	assert_string_equal(values.error.text, "--to wants ENDPOINT");
	assert_int_equal(PARSE(&values, "--limit", "ten"), -EINVAL);
	assert_string_equal(values.error.text, "--limit wants a whole number, not \"ten\"");
	assert_int_equal(PARSE(&values, "--limit", "101"), -EINVAL);
	assert_string_equal(values.error.text, "--limit must be between 1 and 100");
	assert_int_equal(PARSE(&values, "--limit", "99999999999999999999"), -EINVAL);
	assert_int_equal(PARSE(&values, "--invalid", "1.5"), -EINVAL);
	assert_int_equal(PARSE(&values, "--invalid", "nan"), -EINVAL);
	assert_int_equal(PARSE(&values, "--timeout", "soon"), -EINVAL);
	assert_int_equal(PARSE(&values, "--json=yes"), -EINVAL);
	assert_int_equal(PARSE(&values, "a", "b", "c"), -EINVAL);
	assert_string_equal(values.error.text, "one argument too many: \"c\"");
	assert_int_equal(values.limit, 10);
}

static void test_help_is_no_mistake(void **state)
{
	(void)state;
	struct values values = {.limit = 10};

	assert_int_equal(PARSE(&values, "--to", "a", "--help", "--nonsense"), OPTIONS_E_HELP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_come_in_every_spelling),
		cmocka_unit_test(test_lists_and_positionals_gather),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_help_is_no_mistake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
