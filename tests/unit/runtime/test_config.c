#include "runtime/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
	char *id;
	char *bridges;
	char *password;
	char *zone;
	bool insecure;
	int64_t partitions;
	int64_t spool_max;
	int64_t interval;
	int64_t share;
	char passed[256]; /* what the pass-through sections were given */
};

#define AT(field) offsetof(struct settings, field)

static const struct config_option options[] = {
	{"edge", "id", CONFIG_TEXT, AT(id), NULL, 0, 0, "name of this edge"},
	{"edge", "bridges", CONFIG_LIST, AT(bridges), "", 0, 0, "endpoints of bridges"},
	{"edge", "spool_max", CONFIG_SIZE, AT(spool_max), "1GiB", 1 << 20, INT64_C(1) << 40,
		"bytes on disk"},
	{"edge", "interval", CONFIG_DURATION, AT(interval), "100ms", 0, 0, "time between syncs"},
	{"edge", "share.cart", CONFIG_PERCENT, AT(share), "10%", 0, 100, "share of the spool"},
	{"edge", "zone", CONFIG_TEXT, AT(zone), "UTC", 0, 0, "of times without one"},
	{"bridge", "partitions", CONFIG_INTEGER, AT(partitions), "4", 1, 1000, "partitions"},
	{"security", "insecure", CONFIG_BOOL, AT(insecure), "no", 0, 0, "allow others in"},
	{"security", "password", CONFIG_SECRET, AT(password), "", 0, 0, "password"},
	{NULL, NULL, CONFIG_TEXT, 0, NULL, 0, 0, NULL},
};

static int pass_through(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct settings *settings = target;

	if (strcmp(key, "acks") == 0) {
		return config_fail(error, "can not be set");
	}
	size_t used = strlen(settings->passed);
	snprintf(settings->passed + used, sizeof settings->passed - used, "%s|%s|%s;", section, key,
		value);
	return 0;
}

static void print_passed(const void *target, FILE *out)
{
	fprintf(out, "# passed %s\n", ((const struct settings *)target)->passed);
}

static const struct config_section sections[] = {
	{.prefix = "kafka",
		.set = pass_through,
		.print = print_passed,
		.help = "properties of librdkafka"},
	{.prefix = "view.", .set = pass_through},
	{0},
};

static const struct config_schema schema = {options, sections, sizeof(struct settings)};

static int read_text(struct settings *settings, const char *text, struct config_error *error)
{
	return config_read_text(&schema, settings, "till.conf", text, strlen(text), error);
}

static void test_defaults_hold_until_a_file_says_otherwise(void **state)
{
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_null(settings.id);
	assert_null(settings.bridges);
	assert_int_equal(settings.spool_max, 1 << 30);
	assert_int_equal(settings.interval, 100);
	assert_int_equal(settings.share, 10);
	assert_false(settings.insecure);

	assert_int_equal(read_text(&settings,
				 "\xef\xbb\xbf# comment\n; another\n\n[edge]\r\n"
				 "  id = United Kingdom  \r\n"
				 "bridges=tcp://a:1, tcp://b:2 # not a comment\n"
				 "spool_max = 256 MiB\ninterval = 5\nshare.cart = 20%\n"
				 "[security]\ninsecure = YES\n[bridge]\npartitions = 12",
				 &error),
		0);
	assert_string_equal(settings.id, "United Kingdom");
	assert_string_equal(settings.bridges, "tcp://a:1, tcp://b:2 # not a comment");
	assert_int_equal(settings.spool_max, 256 << 20);
	assert_int_equal(settings.interval, 5000);
	assert_int_equal(settings.share, 20);
	assert_int_equal(settings.partitions, 12);
	assert_true(settings.insecure);
	assert_int_equal(config_finish(&schema, &settings, &error), 0);
	config_deinit(&schema, &settings);
	assert_null(settings.id);
}

static void test_what_is_wrong_is_named_with_file_and_line(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"[edge]\nspool_mx = 1GiB\n",
			"till.conf:2: [edge] spool_mx: unknown key; did you mean \"spool_max\"?"},
		{"[edge]\nwholly_different = 1\n",
			"till.conf:2: [edge] wholly_different: unknown key; --help lists them"},
		{"[egde]\n", "till.conf:1: [egde]: no such section; did you mean [edge]?"},
		{"[veiw.mine]\n",
			"till.conf:1: [veiw.mine]: no such section; did you mean [view.mine]?"},
		{"[elsewhere.mine]\n",
			"till.conf:1: [elsewhere.mine]: no such section; --help lists them"},
		{"[something]\n", "till.conf:1: [something]: no such section; --help lists them"},
		{"[edge]\nid = a\n\nid = b\n", "till.conf:4: [edge] id: is already set in line 2"},
		{"[edge]\nid = a\n[bridge]\n[edge]\nid = b\n",
			"till.conf:5: [edge] id: is already set in line 2"},
		{"[kafka]\na = 1\na = 2\n", "till.conf:3: [kafka] a: is already set in line 2"},
		{"id = a\n", "till.conf:1: id: stands before the first [section]"},
		{"[edge\n", "till.conf:1: a section is written [name] on a line of its own"},
		{"[edge] # x\n", "till.conf:1: a section is written [name] on a line of its own"},
		{"[]\n", "till.conf:1: [] is not a section's name"},
		{"[edge]\nid\n",
			"till.conf:2: \"id\": neither [section], key = value nor # comment"},
		{"[edge]\n= 1\n", "till.conf:2: [edge] \"\" is not a key: 1-40 letters, digits, "
				  "\".\", \"_\" or \"-\""},
		{"[edge]\na b = 1\n", "till.conf:2: [edge] \"a b\" is not a key: 1-40 letters, "
				      "digits, \".\", \"_\" or \"-\""},
		{"[kafka]\nacks = 1\n", "till.conf:2: [kafka] acks: can not be set"},
		{"[edge]\nspool_max = 1 GB\n",
			"till.conf:2: [edge] spool_max: \"1 GB\" is not a size such as 65536, 256 "
			"MiB or 1 GiB"},
		{"[edge]\nspool_max = 12 KiB\n",
			"till.conf:2: [edge] spool_max: \"12 KiB\" is too small; the least is 1 "
			"MiB"},
		{"[edge]\nspool_max = 9999999 TiB\n",
			"till.conf:2: [edge] spool_max: \"9999999 TiB\" is not a size such as "
			"65536, 256 MiB or 1 GiB"},
		{"[edge]\ninterval = -1s\n",
			"till.conf:2: [edge] interval: \"-1s\" is not a duration such as 100ms, "
			"5s, 10m, 2h or 30d"},
		{"[edge]\nshare.cart = 101\n",
			"till.conf:2: [edge] share.cart: \"101\" is too large; the most is 100%"},
		{"[bridge]\npartitions = four\n",
			"till.conf:2: [bridge] partitions: \"four\" is not a whole number"},
		{"[bridge]\npartitions = 99999999999999999999\n",
			"till.conf:2: [bridge] partitions: \"99999999999999999999\" is not a whole "
			"number"},
		{"[security]\ninsecure = maybe\n",
			"till.conf:2: [security] insecure: \"maybe\" is not yes or no"},
		{"[security]\npassword_file = /nonexistent/secret\n",
			"till.conf:2: [security] password_file: /nonexistent/secret: No such file "
			"or directory"},
	};
	struct config_error error;
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct settings settings;
		assert_int_equal(config_init(&schema, &settings, &error), 0);
		assert_int_equal(read_text(&settings, cases[i].text, &error), -EINVAL);
		assert_string_equal(error.text, cases[i].words);
		config_deinit(&schema, &settings);
	}
}

static void test_long_lines_and_names_are_refused_and_not_cut(void **state)
{
	struct settings settings;
	struct config_error error;
	size_t size = 70 * 1024;
	char *text = malloc(size);
	(void)state;

	assert_non_null(text);
	assert_int_equal(config_init(&schema, &settings, &error), 0);
	memset(text, 'x', size);
	memcpy(text, "[edge]\nid = ", 12);
	text[7 + 64 * 1024] = '\n'; /* exactly 64 KiB still fit */
	assert_int_equal(config_read_text(&schema, &settings, "f", text, 8 + 64 * 1024, &error), 0);
	assert_int_equal(strlen(settings.id), 64 * 1024 - 5);

	assert_int_equal(config_read_text(&schema, &settings, "f", text, 7, &error), 0);
	text[7 + 64 * 1024] = 'x';
	assert_int_equal(config_read_text(&schema, &settings, "f", text, size, &error), -EINVAL);
	assert_string_equal(error.text, "f:2: the line is longer than 64 KiB");
	free(text);

	assert_int_equal(
		config_read_text(&schema, &settings, "f", "[edge]\nid = a\0b\n", 16, &error),
		-EINVAL);
	assert_string_equal(error.text, "f:2: there is a NUL byte in the line");
	assert_int_equal(
		read_text(&settings, "[view.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", &error),
		-EINVAL);
	assert_non_null(strstr(error.text, "names have at most 40 characters"));
	config_deinit(&schema, &settings);
}

static void test_assignments_find_section_and_key_though_both_have_dots(void **state)
{
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_int_equal(config_set(&schema, &settings, "edge.share.cart=7", &error), 0);
	assert_int_equal(settings.share, 7);
	assert_int_equal(config_set(&schema, &settings, "edge.id=a=b", &error), 0);
	assert_string_equal(settings.id, "a=b");
	assert_int_equal(config_set(&schema, &settings, "kafka.producer.linger.ms=5", &error), 0);
	assert_int_equal(config_set(&schema, &settings, "view.sales.group_by=day(ts)", &error), 0);
	assert_string_equal(
		settings.passed, "kafka|producer.linger.ms|5;view.sales|group_by|day(ts);");
	config_deinit(&schema, &settings);
}

static void test_wrong_assignments_are_refused_with_their_name(void **state)
{
	static const char *const cases[][2] = {
		{"edge.spool_mx=1", "-o edge.spool_mx: unknown key; did you mean \"spool_max\"?"},
		{"edgy.id=1", "-o edgy.id: no such section; did you mean [edge]?"},
		{"edge.id", "-o edge.id: is not section.key=value"},
		{"edge=1", "-o edge: is not section.key=value"},
		{"=1", "-o : is not section.key=value"},
		{".id=1", "-o .id: is not section.key=value"},
		{"edge.=1", "-o edge.: is not section.key=value"},
		{"bridge.partitions=0", "-o bridge.partitions: \"0\" is too small; the least is 1"},
	};
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(config_set(&schema, &settings, cases[i][0], &error), -EINVAL);
		assert_string_equal(error.text, cases[i][1]);
	}
	config_deinit(&schema, &settings);
}

/* Checks compare texts that have a default without asking whether there is one. */
static void test_an_emptied_text_is_none_only_where_none_is_the_default(void **state)
{
	struct settings settings;
	struct config_error error = {.text = ""};

	(void)state;
	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_int_equal(read_text(&settings, "[edge]\nid = a\nzone =\nbridges =\n", &error), 0);
	assert_string_equal(settings.zone, "");
	assert_null(settings.bridges);
	assert_int_equal(config_set(&schema, &settings, "edge.id=", &error), 0);
	assert_true(config_finish(&schema, &settings, &error) < 0); /* required */
	config_deinit(&schema, &settings);
}

static void test_what_is_required_must_be_given(void **state)
{
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_int_equal(config_finish(&schema, &settings, &error), -EINVAL);
	assert_string_equal(error.text, "[edge] id is required: name of this edge");
	assert_int_equal(config_set(&schema, &settings, "edge.id=", &error), 0);
	assert_int_equal(config_finish(&schema, &settings, &error), -EINVAL);
	assert_int_equal(config_set(&schema, &settings, "edge.id=a", &error), 0);
	assert_int_equal(config_finish(&schema, &settings, &error), 0);
	config_deinit(&schema, &settings);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fputs(text, out) < 0, 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_secrets_come_from_files_that_others_can_not_read(void **state)
{
	char path[] = "/tmp/till-secret-XXXXXX";
	char assignment[64];
	struct settings settings;
	struct config_error error;
	(void)state;

	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(assignment, sizeof assignment, "security.password_file=%s", path);
	assert_int_equal(config_init(&schema, &settings, &error), 0);

	write_file(path, "open sesame\r\n\n", 0644);
	assert_int_equal(config_set(&schema, &settings, assignment, &error), -EINVAL);
	assert_non_null(strstr(error.text, "is open to others: chmod 600"));
	assert_null(settings.password);
	write_file(path, "open sesame\r\n\n", 0640); /* a group is others too */
	assert_int_equal(config_set(&schema, &settings, assignment, &error), -EINVAL);
	write_file(path, "open sesame\r\n\n", 0600);
	assert_int_equal(config_set(&schema, &settings, assignment, &error), 0);
	assert_string_equal(settings.password, "open sesame");
	write_file(path, "\n", 0600);
	assert_int_equal(config_set(&schema, &settings, assignment, &error), -EINVAL);
	assert_non_null(strstr(error.text, "is empty or not text"));
	assert_int_equal(unlink(path), 0);

	assert_int_equal(
		config_set(&schema, &settings, "security.password_file=/tmp", &error), -EINVAL);
	assert_non_null(strstr(error.text, "/tmp is not a file"));
	config_deinit(&schema, &settings);
}

/* DynamicUser has no other way to give one service a file. */
static void test_a_credential_of_systemd_may_look_as_if_a_group_could_read_it(void **state)
{
	char folder[] = "/tmp/till-credentials-XXXXXX", path[64], assignment[128];
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/password", folder);
	snprintf(assignment, sizeof assignment, "security.password_file=%s", path);
	write_file(path, "open sesame", 0440);
	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_int_equal(config_set(&schema, &settings, assignment, &error), -EINVAL);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	assert_int_equal(config_set(&schema, &settings, assignment, &error), 0);
	write_file(path, "open sesame", 0444);
	assert_int_equal(config_set(&schema, &settings, assignment, &error), -EINVAL);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	config_deinit(&schema, &settings);
}

static void test_a_file_with_a_secret_in_it_must_be_closed_to_others(void **state)
{
	char path[] = "/tmp/till-config-XXXXXX";
	struct settings settings;
	struct config_error error;
	(void)state;

	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(config_init(&schema, &settings, &error), 0);
	write_file(path, "[edge]\nid = a\n", 0644);
	assert_int_equal(config_read_file(&schema, &settings, path, &error), 0);
	write_file(path, "[security]\npassword = open sesame\n", 0640);
	assert_int_equal(config_read_file(&schema, &settings, path, &error), -EINVAL);
	assert_non_null(strstr(error.text, "[security] password: "));
	assert_non_null(strstr(error.text, "chmod 600"));
	assert_null(strstr(error.text, "sesame"));
	write_file(path, "[security]\npassword = open sesame\n", 0600);
	assert_int_equal(config_read_file(&schema, &settings, path, &error), 0);
	assert_string_equal(settings.password, "open sesame");
	assert_int_equal(unlink(path), 0);
	config_deinit(&schema, &settings);
}

static void test_a_secret_on_a_command_line_is_refused_and_not_repeated(void **state)
{
	static const char *const assignments[] = {
		"security.password=sesame", "securitypassword=sesame", "kafka.sasl=sesame"};
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(config_set(&schema, &settings, assignments[i], &error), -EINVAL);
		assert_null(strstr(error.text, "sesame"));
	}
	assert_int_equal(config_set(&schema, &settings, assignments[0], &error), -EINVAL);
	assert_non_null(strstr(error.text, "security.password_file=PATH"));
	assert_int_equal(config_set(&schema, &settings, assignments[2], &error), 0);
	assert_int_equal(read_text(&settings, "[security]\npassword sesame\n", &error), -EINVAL);
	assert_null(strstr(error.text, "sesame"));
	config_deinit(&schema, &settings);
}

static char *print(const struct settings *settings, bool help)
{
	char *text = NULL;
	size_t size = 0;

	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	if (help) {
		config_print_help(&schema, out);
	} else {
		config_print(&schema, settings, out);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_what_is_printed_can_be_read_again_and_shows_no_secret(void **state)
{
	struct settings settings, again;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_int_equal(config_init(&schema, &again, &error), 0);
	assert_int_equal(config_set(&schema, &settings, "edge.id=berlin-1", &error), 0);
	assert_int_equal(config_set(&schema, &settings, "edge.interval=90s", &error), 0);
	assert_int_equal(read_text(&settings, "[security]\npassword = sesame\n", &error), 0);
	char *text = print(&settings, false);
	assert_null(strstr(text, "sesame"));
	assert_non_null(strstr(text, "# password = (hidden)\n"));
	assert_non_null(strstr(text, "# bytes on disk\nspool_max = 1 GiB\n"));
	assert_non_null(strstr(text, "\n[security]\n"));
	assert_int_equal(read_text(&again, text, &error), 0);
	assert_string_equal(again.id, "berlin-1");
	assert_int_equal(again.interval, 90000);
	assert_int_equal(again.spool_max, settings.spool_max);
	free(text);
	config_deinit(&schema, &settings);
	config_deinit(&schema, &again);
}

static void test_help_names_every_option_with_default_and_meaning(void **state)
{
	(void)state;
	char *text = print(NULL, true);
	assert_non_null(strstr(text, "[edge]\n  id = (required)\n        name of this edge\n"));
	assert_non_null(strstr(text, "  spool_max = 1GiB\n"));
	assert_non_null(strstr(text, "  password_file = (empty)\n"));
	assert_non_null(strstr(text, "\n[kafka]\n        properties of librdkafka\n"));
	assert_non_null(strstr(text, "\n[view.NAME]\n"));
	free(text);
}

static void test_a_file_that_is_not_there_is_named(void **state)
{
	struct settings settings;
	struct config_error error;
	(void)state;

	assert_int_equal(config_init(&schema, &settings, &error), 0);
	assert_int_equal(
		config_read_file(&schema, &settings, "/nonexistent/till.conf", &error), -ENOENT);
	assert_string_equal(error.text, "/nonexistent/till.conf: No such file or directory");
	config_deinit(&schema, &settings);
}

static void test_lists_are_walked_item_by_item(void **state)
{
	const char *cursor = " a ,b,, tcp://[::1]:1 ,";
	char item[16];
	(void)state;

	assert_true(config_list_next(&cursor, item, sizeof item));
	assert_string_equal(item, "a");
	assert_true(config_list_next(&cursor, item, sizeof item));
	assert_string_equal(item, "b");
	assert_true(config_list_next(&cursor, item, sizeof item));
	assert_string_equal(item, "tcp://[::1]:1");
	assert_false(config_list_next(&cursor, item, sizeof item));
	cursor = NULL;
	assert_false(config_list_next(&cursor, item, sizeof item));
}

static void test_values_have_units(void **state)
{
	int64_t value = -1;
	bool yes = false;
	(void)state;

	assert_true(config_parse_size("3 kib", &value));
	assert_int_equal(value, 3072);
	assert_true(config_parse_duration("2h", &value));
	assert_int_equal(value, 7200000);
	assert_true(config_parse_duration("30d", &value));
	assert_int_equal(value, INT64_C(2592000000));
	assert_true(config_parse_bool("Off", &yes));
	assert_false(yes);
	value = -1;
	assert_false(config_parse_size("", &value));
	assert_false(config_parse_size("1.5GiB", &value));
	assert_false(config_parse_size("+1", &value));
	assert_false(config_parse_duration("5 weeks", &value));
	assert_int_equal(value, -1); /* a call that fails leaves its result alone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_hold_until_a_file_says_otherwise),
		cmocka_unit_test(test_what_is_wrong_is_named_with_file_and_line),
		cmocka_unit_test(test_long_lines_and_names_are_refused_and_not_cut),
		cmocka_unit_test(test_assignments_find_section_and_key_though_both_have_dots),
		cmocka_unit_test(test_wrong_assignments_are_refused_with_their_name),
		cmocka_unit_test(test_an_emptied_text_is_none_only_where_none_is_the_default),
		cmocka_unit_test(test_what_is_required_must_be_given),
		cmocka_unit_test(test_secrets_come_from_files_that_others_can_not_read),
		cmocka_unit_test(test_a_credential_of_systemd_may_look_as_if_a_group_could_read_it),
		cmocka_unit_test(test_a_file_with_a_secret_in_it_must_be_closed_to_others),
		cmocka_unit_test(test_a_secret_on_a_command_line_is_refused_and_not_repeated),
		cmocka_unit_test(test_what_is_printed_can_be_read_again_and_shows_no_secret),
		cmocka_unit_test(test_help_names_every_option_with_default_and_meaning),
		cmocka_unit_test(test_a_file_that_is_not_there_is_named),
		cmocka_unit_test(test_lists_are_walked_item_by_item),
		cmocka_unit_test(test_values_have_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
