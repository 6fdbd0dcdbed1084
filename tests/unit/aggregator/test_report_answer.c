/* What edges report of themselves, as the answers about streams show it. */
#include "aggregator/desk/report_answer.h"
#include "draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1000 * 1000 };

static const struct telemetry_range ranges[] = {{4711, KIND_ORDER, false, 5, 7},
	{4710, KIND_CART, false, 1, 10}, {4710, KIND_CART, true, 11, 12}};

/* Of an edge with which nothing is wrong. */
static struct report well(void)
{
	return (struct report){.telemetry = {.edge = slice_of_text("uk"),
				       .run = 4711,
				       .number = 3,
				       .program = slice_of_text("till-edge 0.1.0"),
				       .started_ms = 1,
				       .now_ms = NOW,
				       .interval_ms = 30000,
				       .oldest_ms = NOW - REPORT_BUFFERING_MS,
				       .spool_bytes = 89,
				       .spool_max = 100,
				       .disk_room = 1,
				       .ranges = ranges,
				       .range_count = 2},
		.arrived_ms = NOW,
		.appended_ms = NOW + 20};
}

/* "silent, full" */
static const char *problems_of(const struct report *report, int64_t now_ms)
{
	static const char names[REPORT_PROBLEM_COUNT] = {'s', 'b', 'k', 'f', 'd'};
	static char text[REPORT_PROBLEM_COUNT + 1];
	size_t size = 0;

	for (int problem = 0; problem < REPORT_PROBLEM_COUNT; problem++) {
		if (report_has_problem(report, (enum report_problem)problem, now_ms)) {
			text[size++] = names[problem];
		}
	}
	text[size] = 0;
	return text;
}

static void test_an_edge_that_is_well_has_no_problem(void **state)
{
	struct report report = well();
	(void)state;

	assert_string_equal(problems_of(&report, NOW), "");
	assert_string_equal(problems_of(&report, NOW + 90 * 1000), "");
	report.telemetry.oldest_ms = 0;
	assert_string_equal(problems_of(&report, NOW), "");
}

static void test_who_says_nothing_for_three_intervals_is_silent(void **state)
{
	struct report report = well();
	(void)state;

	assert_string_equal(problems_of(&report, NOW + 90 * 1000 + 3), "s");
	report.telemetry.is_stopping = true;
	assert_string_equal(problems_of(&report, NOW + 90 * 1000 + 3), "");
	report.telemetry.is_stopping = false;
	report.telemetry.interval_ms = 100;
	assert_string_equal(problems_of(&report, NOW + REPORT_SILENT_MS), "");
	assert_string_equal(problems_of(&report, NOW + REPORT_SILENT_MS + 1), "s");
	report.telemetry.interval_ms = INT64_MAX;
	assert_string_equal(problems_of(&report, NOW + 90 * 1000 + 3), "");
}

static void test_what_needs_a_look_is_named(void **state)
{
	struct report report = well();
	(void)state;

	report.telemetry.oldest_ms--;
	assert_string_equal(problems_of(&report, NOW), "b");
	report = well();
	report.appended_ms = NOW + REPORT_SKEWED_MS + 1;
	assert_string_equal(problems_of(&report, NOW), "k");
	report.appended_ms = NOW - REPORT_SKEWED_MS - 1;
	assert_string_equal(problems_of(&report, NOW), "k");
	report = well();
	report.telemetry.spool_bytes = 90;
	assert_string_equal(problems_of(&report, NOW), "f");
	report = well();
	report.telemetry.disk_room = 0;
	assert_string_equal(problems_of(&report, NOW), "f");
	report = well();
	report.telemetry.range_count = 3;
	assert_string_equal(problems_of(&report, NOW), "d");
	report = well();
	report.telemetry.aside_unknown = 1;
	assert_string_equal(problems_of(&report, NOW), "d");
}

/* The answer's rows, one after the other. */
static const char *list(
	const struct reports *reports, const struct query *query, const char *stores)
{
	static char text[4000];
	const struct report_sight sight = {reports, query, stores, NOW + 5};
	struct row_list rows = {.count = 0};
	bool is_cut = false;

	buffer_init(&rows.bytes, 4000);
	buffer_init(&rows.ends, 400);
	assert_int_equal(report_answer_list(&sight, 1000, &rows, &is_cut), 0);
	snprintf(text, sizeof text, "%zu%s %.*s", rows.count, is_cut ? " cut" : "",
		(int)rows.bytes.size, (const char *)rows.bytes.bytes);
	buffer_deinit(&rows.bytes);
	buffer_deinit(&rows.ends);
	return text;
}

static void take(struct reports *reports, const char *edge, uint64_t run)
{
	struct telemetry telemetry = well().telemetry;

	telemetry.edge = slice_of_text(edge);
	telemetry.run = run;
	assert_int_equal(reports_take(reports, &telemetry, NOW + 20, NOW), 0);
}

static void test_the_newest_of_each_edge_is_listed(void **state)
{
	struct query query = {.type = QUERY_EDGES, .encoding = ENCODING_JSON};
	struct reports *reports = NULL;
	(void)state;

	assert_int_equal(reports_new(10, &reports), 0);
	take(reports, "uk", 9);
	take(reports, "uk", 4711);
	assert_string_equal(list(reports, &query, NULL),
		"1 {\"edge\":\"uk\",\"run\":4711,\"number\":3,\"program\":\"till-edge 0.1.0\","
		"\"problems\":[],\"reported_ms\":1000020,\"heard_ms\":5,\"clock_skew_ms\":-20,"
		"\"started_ms\":1,\"interval_ms\":30000,\"oldest_ms\":940000,\"received\":0,"
		"\"accepted\":0,\"invalid\":0,\"refused\":0,\"repeated\":0,\"spool_bytes\":89,"
		"\"spool_max\":100,\"disk_room\":1,\"waiting\":13,\"damaged\":0,"
		"\"damaged_blocks_unread\":0,\"cut\":false,\"stopping\":false}");
	query.about.run = 9;
	assert_non_null(strstr(list(reports, &query, NULL), "\"run\":9"));
	query.about.run = 10;
	assert_string_equal(list(reports, &query, NULL), "0 ");
	query.about.run = 0;
	assert_string_equal(list(reports, &query, "no, nobody"), "0 ");
	assert_int_equal(list(reports, &query, "uk, no")[0], '1');
	query.about.edge = slice_of_text("no");
	assert_string_equal(list(reports, &query, NULL), "0 ");
	assert_string_equal(list(NULL, &query, NULL), "0 ");
	reports_free(reports);
}

static void test_a_list_that_is_too_long_says_so(void **state)
{
	const struct query query = {.type = QUERY_LEDGER, .encoding = ENCODING_JSON};
	struct reports *reports = NULL;
	(void)state;

	assert_int_equal(reports_new(10, &reports), 0);
	take(reports, "a", 1);
	take(reports, "b", 1);
	take(reports, "c", 1);
	assert_int_equal(strncmp(list(reports, &query, NULL), "3 {", 3), 0);
	take(reports, "d", 1);
	take(reports, "e", 1);
	assert_int_equal(strncmp(list(reports, &query, NULL), "3 cut", 5), 0);
	reports_free(reports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_edge_that_is_well_has_no_problem),
		cmocka_unit_test(test_who_says_nothing_for_three_intervals_is_silent),
		cmocka_unit_test(test_what_needs_a_look_is_named),
		cmocka_unit_test(test_the_newest_of_each_edge_is_listed),
		cmocka_unit_test(test_a_list_that_is_too_long_says_so),
	};

	return cmocka_run_group_tests_name("report_answer", tests, NULL, NULL);
}
