#include "runtime/metrics.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct metrics *metrics;

static int open_metrics(void **state)
{
	(void)state;
	return metrics_new(&metrics);
}

static int close_metrics(void **state)
{
	(void)state;
	metrics = metrics_free(metrics);
	return 0;
}

static void assert_text(const char *expected)
{
	char *text = NULL;
	size_t size = 0;

	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	metrics_render(metrics, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void test_series_of_a_family_stand_together_under_one_head(void **state)
{
	(void)state;
	struct metric *orders = metrics_add(metrics, METRIC_COUNTER, "till_edge_accepted_total",
		"kind=\"order\"", "events accepted\nfrom \\ producers");
	struct metric *depth =
		metrics_add(metrics, METRIC_GAUGE, "till_spool_bytes", "", "bytes in the spool");
	struct metric *carts = metrics_add(metrics, METRIC_COUNTER, "till_edge_accepted_total",
		"kind=\"cart\"", "events accepted\nfrom \\ producers");

	metric_add(orders, 2);
	metric_add(orders, 1);
	metric_add(carts, 1234567890123);
	metric_set(depth, -0.5);
	assert_text("# HELP till_edge_accepted_total events accepted\\nfrom \\\\ producers\n"
		    "# TYPE till_edge_accepted_total counter\n"
		    "till_edge_accepted_total{kind=\"order\"} 3\n"
		    "till_edge_accepted_total{kind=\"cart\"} 1234567890123\n"
		    "# HELP till_spool_bytes bytes in the spool\n"
		    "# TYPE till_spool_bytes gauge\n"
		    "till_spool_bytes -0.5\n");
}

static void test_numbers_are_as_short_as_they_can_be_and_exact(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0.1, "0.1"},
		{1.0 / 3, "0.33333333333333331"},
		{1e300, "1e+300"},
		{1e15, "1e+15"},
		{999999999999999, "999999999999999"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
		{NAN, "NaN"},
	};
	(void)state;

	struct metric *gauge = metrics_add(metrics, METRIC_GAUGE, "g", "", "a gauge");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char expected[128];
		metric_set(gauge, cases[i].value);
		snprintf(expected, sizeof expected, "# HELP g a gauge\n# TYPE g gauge\ng %s\n",
			cases[i].text);
		assert_text(expected);
	}
}

static void test_histogram_buckets_are_cumulative(void **state)
{
	static const double bounds[] = {0.001, 0.01, 0.1};
	(void)state;

	struct metric *fsync = metrics_add_histogram(
		metrics, "till_fsync_seconds", "disk=\"a\"", "time of one fsync", bounds, 3);
	metric_observe(fsync, 0.001); /* a bound belongs to its bucket */
	metric_observe(fsync, 0.002);
	metric_observe(fsync, 0.25);
	assert_text("# HELP till_fsync_seconds time of one fsync\n"
		    "# TYPE till_fsync_seconds histogram\n"
		    "till_fsync_seconds_bucket{disk=\"a\",le=\"0.001\"} 1\n"
		    "till_fsync_seconds_bucket{disk=\"a\",le=\"0.01\"} 2\n"
		    "till_fsync_seconds_bucket{disk=\"a\",le=\"0.1\"} 2\n"
		    "till_fsync_seconds_bucket{disk=\"a\",le=\"+Inf\"} 3\n"
		    "till_fsync_seconds_sum{disk=\"a\"} 0.253\n"
		    "till_fsync_seconds_count{disk=\"a\"} 3\n");
}

static void test_a_series_that_is_removed_is_gone_and_its_family_with_the_last(void **state)
{
	(void)state;
	struct metric *berlin =
		metrics_add(metrics, METRIC_GAUGE, "edges", "edge=\"berlin\"", "edges");
	struct metric *paris =
		metrics_add(metrics, METRIC_GAUGE, "edges", "edge=\"paris\"", "edges");
	/* Two sessions of one edge share the series; it goes with the second. */
	assert_ptr_equal(
		metrics_add(metrics, METRIC_GAUGE, "edges", "edge=\"paris\"", "edges"), paris);

	metrics_remove(metrics, berlin);
	metrics_remove(metrics, paris);
	assert_text("# HELP edges edges\n# TYPE edges gauge\nedges{edge=\"paris\"} 0\n");
	metrics_remove(metrics, paris);
	assert_text("");
	for (int i = 0; i < 100; i++) {
		char labels[32];
		snprintf(labels, sizeof labels, "edge=\"%d\"", i);
		assert_non_null(metrics_add(metrics, METRIC_GAUGE, "edges", labels, "edges"));
	}
}

static void set_gauge(void *owner)
{
	metric_add(owner, 7);
}

static void test_collectors_run_before_each_rendering(void **state)
{
	(void)state;
	struct metric *gauge = metrics_add(metrics, METRIC_GAUGE, "g", "", "a gauge");
	metrics_on_collect(metrics, set_gauge, gauge);
	assert_text("# HELP g a gauge\n# TYPE g gauge\ng 7\n");
	assert_text("# HELP g a gauge\n# TYPE g gauge\ng 14\n");
	assert_true(metric_value(gauge) == 14);
}

static void test_no_metric_at_all_is_ignored(void **state)
{
	(void)state;
	metric_add(NULL, 1);
	metric_set(NULL, 1);
	metric_observe(NULL, 1);
	metrics_remove(metrics, NULL);
	assert_true(metric_value(NULL) == 0);
	assert_text("");
}

static void test_foreign_text_becomes_a_harmless_label(void **state)
{
	char out[32];
	(void)state;

	assert_int_equal(metrics_label(out, sizeof out, "edge", "a\"b\\c\nd", 7), 17);
	assert_string_equal(out, "edge=\"a\\\"b\\\\c\\nd\"");
	assert_int_equal(metrics_label(out, sizeof out, "e", "M\xc3\xbc\xff\x01", 5), 9);
	assert_string_equal(out, "e=\"M\xc3\xbc??\"");
	/* What does not fit is cut between characters, and the quote is closed. */
	assert_int_equal(metrics_label(out, 8, "e", "abc\"", 4), 7);
	assert_string_equal(out, "e=\"abc\"");
	assert_int_equal(metrics_label(out, 9, "e", "abc\"", 4), 7);
	assert_int_equal(metrics_label(out, 4, "edge", "x", 1), 0);
	assert_string_equal(out, "");
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, open_metrics, close_metrics)

int main(void)
{
	const struct CMUnitTest tests[] = {
		METRICS_TEST(test_series_of_a_family_stand_together_under_one_head),
		METRICS_TEST(test_numbers_are_as_short_as_they_can_be_and_exact),
		METRICS_TEST(test_histogram_buckets_are_cumulative),
		METRICS_TEST(test_a_series_that_is_removed_is_gone_and_its_family_with_the_last),
		METRICS_TEST(test_collectors_run_before_each_rendering),
		METRICS_TEST(test_no_metric_at_all_is_ignored),
		METRICS_TEST(test_foreign_text_becomes_a_harmless_label),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
