/* Reports of edges: who may send them, how often, and what a bad one costs. */
#include "bridge/telemetry_sink.h"
#include "reception_bench.h"

static struct reports reports;
static struct telemetry_sink *const some_sink = (struct telemetry_sink *)&reports;
static int put_count;
static uint64_t put_number;

bool telemetry_sink_put(struct telemetry_sink *sink, struct slice key, struct slice report)
{
	static struct telemetry_range told_ranges[TELEMETRY_RANGES_MAX];
	struct document document;
	struct telemetry telemetry;
	struct complaint complaint;

	assert_ptr_equal(sink, some_sink);
	assert_true(slice_equals_text(key, "uk/7"));
	assert_int_equal(document_init(&document, TELEMETRY_NODES_MAX), 0);
	assert_int_equal(
		telemetry_decode(&document, report, told_ranges, &telemetry, &complaint), 0);
	put_count++;
	put_number = telemetry.number;
	document_deinit(&document);
	return true;
}

static int set_up_reports(void **state)
{
	int r = set_up(state);
	put_count = 0;
	reception.reports = &reports;
	return r | reports_init(&reports, some_sink);
}

static int tear_down_reports(void **state)
{
	reports_deinit(&reports);
	return tear_down(state);
}

static void greet(const char *peer, uint64_t run, uint64_t session)
{
	const struct wire_message hello = {
		.type = WIRE_HELLO,
		.session = session,
		.hello = {WIRE_VERSION, slice_of_text("uk"), run, slice_of_text("test"),
			WIRE_REPORTS},
	};
	say(peer, &hello);
}

static void report_as(const char *peer, uint64_t session, const char *edge, uint64_t number)
{
	const struct telemetry telemetry = {.edge = slice_of_text(edge),
		.run = 7,
		.number = number,
		.program = slice_of_text("e")};
	struct wire_message message = {.type = WIRE_REPORT, .session = session};
	struct buffer buffer;

	buffer_init(&buffer, TELEMETRY_SIZE_MAX);
	telemetry_encode(&telemetry, &buffer);
	assert_int_equal(buffer.error, 0);
	message.report.bytes = buffer_slice(&buffer);
	say(peer, &message);
	buffer_deinit(&buffer);
}

static void test_an_edge_that_offers_reports_is_told_how_often(void **state)
{
	(void)state;
	say_hello("p1", 6, 99);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.report_ms, 0);
	greet("p1", 7, 100);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.report_ms, REPORTS_MS);
	report_as("p1", 100, "uk", 12);
	assert_int_equal(put_count, 1);
	assert_int_equal(put_number, 12);
}

static void test_without_a_topic_no_reports_are_asked_for(void **state)
{
	(void)state;
	reports.sink = NULL;
	greet("p1", 7, 100);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.report_ms, 0);
	report_as("p1", 100, "uk", 1);
	hear_bye("p1", 100, BYE_BAD_FRAME);
	assert_int_equal(put_count, 0);
}

static void test_a_report_of_somebody_else_ends_the_session(void **state)
{
	(void)state;
	greet("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	report_as("p1", 100, "fr", 1);
	hear_bye("p1", 100, BYE_BAD_FRAME);
	greet("p1", 8, 101);
	hear("p1", WIRE_WELCOME);
	report_as("p1", 101, "uk", 1); /* of run 7 */
	hear_bye("p1", 101, BYE_BAD_FRAME);
	assert_int_equal(put_count, 0);
}

static void test_what_is_no_report_ends_the_session(void **state)
{
	const struct wire_message message = {
		.type = WIRE_REPORT, .session = 100, .report = {slice_of_text("\x80")}};

	(void)state;
	greet("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	say("p1", &message);
	hear_bye("p1", 100, BYE_BAD_FRAME);
}

/* A burst, then one a second; the session lives on. */
static void test_who_reports_too_often_is_not_heard(void **state)
{
	(void)state;
	greet("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	for (uint64_t number = 1; number <= 20; number++) {
		report_as("p1", 100, "uk", number);
	}
	assert_int_equal(put_count, REPORTS_BURST);
	assert_int_equal(reports.dropped, 20 - REPORTS_BURST);
	pipeline.now_ms += REPORTS_MS;
	report_as("p1", 100, "uk", 21);
	assert_int_equal(put_number, 21);
	assert_int_equal(sessions_count(sessions), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_reports, tear_down_reports)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_edge_that_offers_reports_is_told_how_often),
		TEST(test_without_a_topic_no_reports_are_asked_for),
		TEST(test_a_report_of_somebody_else_ends_the_session),
		TEST(test_what_is_no_report_ends_the_session),
		TEST(test_who_reports_too_often_is_not_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
