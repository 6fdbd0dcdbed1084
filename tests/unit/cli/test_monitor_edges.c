/* The edges that a monitor shows: read from answers, in an order, with what they sell between two reports. And the numbers above. */
#include "cli/monitor_edges.h"
#include "cli/vital_signs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct document document;

static int set_up(void **state)
{
	(void)state;
	return document_init(&document, 4096);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	return 0;
}

static const struct node *read_json(const char *json)
{
	struct complaint complaint;

	assert_int_equal(
		document_decode(&document, ENCODING_JSON, slice_of_text(json), 8, &complaint), 0);
	return document.nodes;
}

#define REPORT(edge, run, problems, reported, accepted, waiting, heard, spool)                     \
	"{\"edge\":\"" edge "\",\"run\":" run ",\"problems\":[" problems                           \
	"],\"reported_ms\":" reported ",\"accepted\":" accepted ",\"waiting\":" waiting            \
	",\"heard_ms\":" heard ",\"spool_bytes\":" spool                                           \
	",\"spool_max\":100000,\"clock_skew_ms\":-7}"

static void take(struct monitor_edges *edges, const char *json)
{
	assert_int_equal(monitor_edges_take(edges, read_json(json)), 0);
}

static void assert_order(
	struct monitor_edges *edges, enum monitor_sort by, bool is_reversed, const char *names)
{
	char text[256] = "";

	monitor_edges_sort(edges, by, is_reversed);
	for (size_t i = 0; i < edges->count; i++) {
		strcat(strcat(text, edges->items[i].name), " ");
	}
	assert_string_equal(text, names);
}

static const char three[] = "{\"reports\":[" REPORT("oslo", "1", "", "1000", "100", "5", "9000",
	"100") "," REPORT("berlin", "2", "\"full\",\"skewed\"", "1000", "100", "7", "2000",
	"99000") "," REPORT("paris", "3", "", "1000", "100", "0", "3000", "50000") "]}";

static void test_edges_are_sorted_as_a_person_chose(void **state)
{
	struct monitor_edges edges = {0};
	enum monitor_sort by = MONITOR_BY_SPOOL;

	(void)state;
	take(&edges, three);
	assert_int_equal(edges.count, 3);
	assert_int_equal(edges.troubled, 1);
	assert_order(&edges, MONITOR_BY_STATE, false, "berlin oslo paris ");
	assert_order(&edges, MONITOR_BY_EDGE, true, "paris oslo berlin ");
	assert_order(&edges, MONITOR_BY_WAITING, false, "berlin oslo paris ");
	assert_order(&edges, MONITOR_BY_HEARD, false, "oslo paris berlin ");
	assert_order(&edges, MONITOR_BY_SPOOL, false, "berlin paris oslo ");
	assert_order(
		&edges, MONITOR_BY_RATE, false, "berlin oslo paris "); /* none is known: by name */
	assert_true(monitor_sort_find("heard", &by));
	assert_int_equal(by, MONITOR_BY_HEARD);
	assert_false(monitor_sort_find("colour", &by));
	assert_string_equal(monitor_sort_name(by), "heard");
	monitor_edges_deinit(&edges);
}

/* 40 events in two seconds; the same report again changes nothing; another run begins anew. */
static void test_rates_are_of_two_reports_of_one_run(void **state)
{
	struct monitor_edges edges = {0};

	(void)state;
	take(&edges, "{\"reports\":[" REPORT("uk", "1", "", "1000", "100", "0", "0", "0") "]}");
	assert_true(edges.items[0].rate < 0);
	take(&edges, "{\"reports\":[" REPORT("uk", "1", "", "3000", "140", "0", "0", "0") "]}");
	assert_true(edges.items[0].rate == 20);
	take(&edges, "{\"reports\":[" REPORT("uk", "1", "", "3000", "140", "0", "5", "0") "]}");
	assert_true(edges.items[0].rate == 20);
	take(&edges, "{\"reports\":[" REPORT("uk", "2", "", "5000", "180", "0", "0", "0") "]}");
	assert_true(edges.items[0].rate < 0);
	take(&edges, "{\"reports\":7}");
	assert_int_equal(edges.count, 0);
	monitor_edges_deinit(&edges);
}

static void test_the_table_has_as_many_rows_as_fit(void **state)
{
	struct monitor_edges edges = {0};
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	take(&edges, three);
	monitor_edges_sort(&edges, MONITOR_BY_STATE, false);
	assert_int_equal(monitor_edges_print(&edges, 2, out), 0);
	fclose(out);
	assert_string_equal(text, "edge    state         events/s  waiting  heard   spool  clock\n"
				  "berlin  full, skewed         -        7    2 s  99.0 %  -7 ms\n"
				  "oslo    well                 -        5    9 s   0.1 %  -7 ms\n"
				  "and 1 more\n");
	monitor_edges_deinit(&edges);
}

static void test_a_window_is_asked_for_in_the_finest_samples_that_reach_so_far(void **state)
{
	static const struct {
		int64_t window_ms;
		const char *request;
	} rows[] = {
		{1, "{\"query\":\"vitals\",\"period\":\"5s\",\"limit\":1}"},
		{60000, "{\"query\":\"vitals\",\"period\":\"5s\",\"limit\":12}"},
		{60001, "{\"query\":\"vitals\",\"period\":\"5s\",\"limit\":13}"},
		{3600000, "{\"query\":\"vitals\",\"period\":\"5s\",\"limit\":720}"},
		{3600001, "{\"query\":\"vitals\",\"period\":\"1m\",\"limit\":61}"},
		{86400000, "{\"query\":\"vitals\",\"period\":\"1m\",\"limit\":1440}"},
	};
	char request[VITAL_SIGNS_REQUEST_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		vital_signs_request(rows[i].window_ms, request);
		assert_string_equal(request, rows[i].request);
	}
}

static void test_numbers_are_read_from_both_answers(void **state)
{
	struct vital_signs signs = {0};

	(void)state;
	assert_true(vital_signs_read_vitals(&signs,
		read_json("{\"vitals\":{\"now_ms\":99,\"summary\":{\"span_ms\":4000,\"counted\":10,"
			  "\"lag\":null,\"store_bytes\":5,\"latency_count\":10,\"latency_avg_ms\":"
			  "21.5,"
			  "\"latency_p50_ms\":18,\"latency_p99_ms\":61}}}")));
	assert_true(vital_signs_throughput(&signs) == 2.5);
	assert_true(signs.latency_avg_ms == 21.5 && signs.latency_p99_ms == 61);
	assert_true(signs.lag == -1 && signs.now_ms == 99);
	assert_true(vital_signs_read_status(&signs,
		read_json("{\"partitions\":[{\"counted\":5,\"rejected\":1,\"unreadable\":2,"
			  "\"duplicates\":3},{\"counted\":7,\"rejected\":0,\"unreadable\":0,"
			  "\"duplicates\":1}]}")));
	assert_true(signs.processed == 12 && signs.errors == 3 && signs.duplicates == 4);
	assert_false(vital_signs_read_vitals(&signs, read_json("{\"vitals\":[]}")));
	assert_false(vital_signs_read_vitals(&signs, read_json("{\"vitals\":{\"summary\":1}}")));
	assert_false(vital_signs_read_status(&signs, read_json("{\"partitions\":1}")));
	assert_true(vital_signs_throughput(&(struct vital_signs){.counted = 5}) == 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_edges_are_sorted_as_a_person_chose),
		CASE(test_rates_are_of_two_reports_of_one_run),
		CASE(test_the_table_has_as_many_rows_as_fit),
		CASE(test_a_window_is_asked_for_in_the_finest_samples_that_reach_so_far),
		CASE(test_numbers_are_read_from_both_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
