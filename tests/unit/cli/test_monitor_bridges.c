/* The bridges that a monitor shows: read from an answer, those with trouble first. */
#include "cli/monitor_bridges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct document document;
static struct monitor_bridges bridges;

static int set_up(void **state)
{
	(void)state;
	bridges = (struct monitor_bridges){0};
	return document_init(&document, 4096);
}

static int tear_down(void **state)
{
	(void)state;
	monitor_bridges_deinit(&bridges);
	document_deinit(&document);
	return 0;
}

static void take(const char *json)
{
	struct complaint complaint;

	assert_int_equal(
		document_decode(&document, ENCODING_JSON, slice_of_text(json), 8, &complaint), 0);
	assert_int_equal(monitor_bridges_take(&bridges, document.nodes), 0);
}

#define ROW(name, state, problems, events, errors)                                                 \
	"{\"bridge\":\"" name "\",\"state\":\"" state "\",\"problems\":[" problems                 \
	"],\"edges\":3,\"waiting_batches\":1200,\"waiting_ms\":25,\"heard_ms\":4100,\"errors\":"   \
	"[" errors "],\"recent\":{\"over_ms\":4000,\"events\":" events "}}"

static const char four[] = "{\"bridges\":[" ROW("a:1", "ok", "", "10", "") "," ROW(
	"b:1", "stopped", "", "10", "") "," ROW("c:1", "problems", "\"stuck\",\"skewed\"", "0",
	"{\"count\":2},{\"count\":40}") "," ROW("d:1", "silent", "\"silent\"", "10", "") "]}";

static void test_those_with_trouble_come_first(void **state)
{
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	take(four);
	assert_int_equal(bridges.count, 4);
	assert_int_equal(bridges.troubled, 2);
	assert_int_equal(monitor_bridges_print(&bridges, 10, out), 0);
	fclose(out);
	assert_string_equal(text,
		"bridge  state          events/s  edges  waiting  oldest  errors  heard\n"
		"c:1     stuck, skewed       0.0      3    1,200   25 ms      42    4 s\n"
		"d:1     silent                -      3    1,200   25 ms       0    4 s\n"
		"a:1     well                2.5      3    1,200   25 ms       0    4 s\n"
		"b:1     stopped               -      3    1,200   25 ms       0    4 s\n");
}

static void test_what_does_not_fit_is_counted(void **state)
{
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	take(four);
	assert_int_equal(monitor_bridges_print(&bridges, 1, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "\nand 3 more\n"));
	assert_null(strstr(text, "d:1"));
}

/* Of a single report there is no rate; of another aggregator's answer may be anything. */
static void test_what_is_not_there_is_not_shown(void **state)
{
	(void)state;
	take("{\"bridges\":[{\"bridge\":\"a:1\",\"state\":\"ok\",\"recent\":null},7,{\"state\":1,"
	     "\"problems\":[1],\"errors\":[1],\"recent\":{\"over_ms\":0}}]}");
	assert_int_equal(bridges.count, 2);
	assert_true(bridges.items[0].rate < 0 && bridges.items[1].rate < 0);
	take("{\"bridges\":7}");
	assert_int_equal(bridges.count, 0);
	take("{}");
	assert_int_equal(bridges.count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_those_with_trouble_come_first),
		CASE(test_what_does_not_fit_is_counted),
		CASE(test_what_is_not_there_is_not_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
