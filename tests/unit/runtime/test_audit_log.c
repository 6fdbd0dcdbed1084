#include "runtime/audit_log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct audit_entry entry = {.program = "till-aggregator",
	.action = "accept-gap",
	.arguments = "orders/3:1200-1499 \"x\"",
	.result = "begun"};

static void test_each_action_is_a_line_that_nobody_else_may_read(void **state)
{
	char folder[] = "/tmp/till-audit-XXXXXX", path[64], text[1024] = "";
	struct config_error error = {.text = ""};
	struct stat status;
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/audit.ndjson", folder);
	struct audit_entry other = entry;
	other.who = "ops";
	assert_int_equal(audit_write(path, &entry, &error), 0);
	assert_int_equal(audit_write(path, &other, &error), 0);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	size_t size = fread(text, 1, sizeof text - 1, in);
	assert_int_equal(fclose(in), 0);
	assert_true(size > 0 && text[size - 1] == '\n');
	char *second = strchr(text, '\n') + 1;
	assert_non_null(
		strstr(second, "\"program\":\"till-aggregator\",\"who\":\"ops\","
			       "\"action\":\"accept-gap\",\"arguments\":\"orders/3:1200-1499 "
			       "\\\"x\\\"\",\"result\":\"begun\"}\n"));
	*second = '\0';
	assert_non_null(strstr(text, "\"who\":\"uid:"));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void test_an_action_that_can_not_be_written_down_is_refused(void **state)
{
	struct config_error error = {.text = ""};
	(void)state;

	assert_true(audit_write("/nonexistent/audit", &entry, &error) < 0);
	assert_non_null(strstr(error.text, "accept-gap is not done"));
	assert_true(audit_write("/dev/full", &entry, &error) < 0);
	assert_non_null(strstr(error.text, "/dev/full can't be written"));
}

static void test_without_a_file_the_log_has_it(void **state)
{
	struct config_error error = {.text = ""};
	(void)state;

	assert_int_equal(audit_write("", &entry, &error), 0);
	assert_int_equal(audit_write(NULL, &entry, &error), 0);
}

static void test_an_action_is_written_down_twice_before_it_and_after_it(void **state)
{
	char folder[] = "/tmp/till-audit-XXXXXX", path[64], text[1024] = "";
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/audit.ndjson", folder);
	assert_int_equal(audit_begin(path, &entry), 0);
	audit_end(path, &entry, "failed: no \"room\"");
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	assert_true(fread(text, 1, sizeof text - 1, in) > 0);
	assert_int_equal(fclose(in), 0);
	char *second = strchr(text, '\n') + 1;
	assert_non_null(strstr(second, "\"action\":\"accept-gap\""));
	assert_non_null(strstr(second, "\"result\":\"failed: no \\\"room\\\"\"}\n"));
	*second = '\0';
	assert_non_null(strstr(text, "\"result\":\"begun\"}"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	/* What can't be written down must not be done; what was done can't be undone. */
	assert_true(audit_begin("/nonexistent/audit", &entry) < 0);
	audit_end("/nonexistent/audit", &entry, "done");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_action_is_a_line_that_nobody_else_may_read),
		cmocka_unit_test(test_an_action_that_can_not_be_written_down_is_refused),
		cmocka_unit_test(test_without_a_file_the_log_has_it),
		cmocka_unit_test(test_an_action_is_written_down_twice_before_it_and_after_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
