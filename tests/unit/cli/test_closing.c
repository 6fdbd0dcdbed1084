/* A closing report against what was counted, order by order. */
#include "cli/closing.h"
#include "cli/report_file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct receipts report, counted;
static char shown[4096];

static int set_up(void **state)
{
	(void)state;
	receipts_init(&report);
	receipts_init(&counted);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	receipts_deinit(&report);
	receipts_deinit(&counted);
	return 0;
}

static void enter(struct receipts *receipts, const char *id, money micros)
{
	assert_int_equal(receipts_add(receipts, slice_of_text(id), micros), 0);
}

static const char *show(const struct closing *closing, int (*print)(const struct closing *, FILE *))
{
	FILE *out = fmemopen(shown, sizeof shown, "w");
	assert_non_null(out);
	assert_int_equal(print(closing, out), 0);
	fclose(out);
	return shown;
}

static struct closing closing_of(money expected, money sum)
{
	assert_int_equal(receipts_settle(&report), 0);
	assert_int_equal(receipts_settle(&counted), 0);
	return (struct closing){.edge = "uk",
		.day = "2010-12-01",
		.currency = "GBP",
		.expected = expected,
		.counted = sum,
		.lines_expected = -1,
		.lines_counted = 3,
		.expected_orders = &report,
		.counted_orders = &counted};
}

static void test_lines_of_one_order_are_one_amount(void **state)
{
	(void)state;
	enter(&report, "b", 1000000);
	enter(&report, "a", 5);
	enter(&report, "b", -250000);
	enter(&counted, "a", 5);
	enter(&counted, "b", 750000);
	struct closing closing = closing_of(750005, 750005);
	assert_int_equal(report.count, 2);
	assert_true(closing_is_equal(&closing));
	assert_string_equal(show(&closing, closing_print),
		"uk 2010-12-01: expected 0.750005, counted 0.750005 GBP in 3 lines: equal\n");
	closing.lines_expected = 4;
	assert_false(closing_is_equal(&closing));
	assert_string_equal(show(&closing, closing_print),
		"uk 2010-12-01: expected 0.750005, counted 0.750005 GBP in 3 lines (expected 4): "
		"the sum is equal, the number of lines is not\n");
}

/* Two errors that make up for each other are still two errors. */
static void test_each_order_that_differs_is_named(void **state)
{
	(void)state;
	enter(&report, "a", 1000000);
	enter(&report, "b", 2000000);
	enter(&report, "ab", 1);
	enter(&counted, "b", 2000001);
	enter(&counted, "a", 1000000);
	enter(&counted, "c", 0);
	struct closing closing = closing_of(3000001, 3000001);
	assert_false(closing_is_equal(&closing));
	assert_string_equal(show(&closing, closing_print),
		"uk 2010-12-01: expected 3.000001, counted 3.000001 GBP in 3 lines: the sum is "
		"equal, its orders are not\n"
		"order ab: 0.000001 in the report, nothing counted\n"
		"order b: 2.00 in the report, 2.000001 counted\n"
		"order c: nothing in the report, 0.00 counted\n");
	assert_non_null(strstr(show(&closing, closing_print_json),
		"{\"order_id\":\"ab\",\"expected\":\"0.000001\",\"counted\":null}"));
}

/* What a file with these bytes reads as. */
static int read_text(const char *text)
{
	char path[] = "/tmp/till-report-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	int code = report_file_read("test", path, &report);
	unlink(path);
	return code;
}

static void test_a_report_is_read_by_its_first_line(void **state)
{
	(void)state;
	assert_int_equal(
		read_text("when,amount,order_id\r\n1,12.50,r-1\r\n2,-2.5,\"r\"\"2\"\r\n"), -1);
	assert_int_equal(report.count, 2);
	assert_true(report.items[1].amount == 12500000);
}

static void test_a_report_that_can_not_be_read_is_no_report(void **state)
{
	static const char *const broken[] = {"", "order_id,sum\nr,1\n", "order_id,amount\nr,1,2\n",
		"order_id,amount\nr,\"1,50\"\n", "order_id,amount\n,1\n",
		"order_id,amount\n\"r,1\n"};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		assert_int_equal(read_text(broken[i]), 2);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines_of_one_order_are_one_amount),
		TEST(test_each_order_that_differs_is_named),
		TEST(test_a_report_is_read_by_its_first_line),
		TEST(test_a_report_that_can_not_be_read_is_no_report),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
