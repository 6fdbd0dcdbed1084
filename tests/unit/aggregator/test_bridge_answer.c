/* What bridges report of themselves: which is kept, how each is, and what an answer shows. */
#include "aggregator/desk/bridge_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1000 * 1000, LOG_NOW = 5000 * 1000, DAY_MS = 24 * 3600 * 1000 };

static struct bridges *bridges;

static int set_up(void **state)
{
	(void)state;
	int r = bridges_new(3, &bridges);
	bridges_listen(bridges, true, 1);
	return r;
}

static int tear_down(void **state)
{
	(void)state;
	bridges_free(bridges);
	return 0;
}

/* Of a bridge with which nothing is wrong. */
static struct bridge_report well(const char *name, uint64_t run, uint64_t number)
{
	return (struct bridge_report){.bridge = slice_of_text(name),
		.run = run,
		.number = number,
		.program = slice_of_text("till-bridge 0.1.0"),
		.started_ms = 1,
		.now_ms = LOG_NOW,
		.uptime_ms = (int64_t)number * 10000,
		.interval_ms = 10000,
		.edges = 2,
		.counts = {[BRIDGE_EVENTS] = 100 * number, [BRIDGE_DELIVERED] = 90 * number},
		.is_connected = true};
}

static void take(const struct bridge_report *report, int64_t appended_ms, int64_t arrived_ms)
{
	assert_int_equal(bridges_take(bridges, report, appended_ms, arrived_ms), 0);
}

static const struct bridge *take_one(const struct bridge_report *report)
{
	take(report, LOG_NOW, NOW);
	assert_int_equal(bridges_count(bridges), 1);
	return bridges_at(bridges, 0);
}

/* "silent, stuck" as "su". */
static const char *problems_of(const struct bridge *bridge, int64_t now_ms)
{
	static const char names[BRIDGE_PROBLEM_COUNT] = {'s', 'k', 'u', 'l', 'c', 'n'};
	static char text[BRIDGE_PROBLEM_COUNT + 1];
	size_t size = 0;

	for (int problem = 0; problem < BRIDGE_PROBLEM_COUNT; problem++) {
		if (bridge_has_problem(bridges, bridge, (enum bridge_problem)problem, now_ms)) {
			text[size++] = names[problem];
		}
	}
	text[size] = 0;
	return text;
}

static void test_who_says_nothing_for_three_intervals_is_silent(void **state)
{
	struct bridge_report report = well("a", 1, 1);
	const struct bridge *bridge = take_one(&report);

	(void)state;
	assert_string_equal(problems_of(bridge, NOW + 30000), "");
	assert_int_equal(bridge_state_of(bridges, bridge, NOW + 30000), BRIDGE_OK);
	assert_string_equal(problems_of(bridge, NOW + 30003), "s");
	assert_int_equal(bridge_state_of(bridges, bridge, NOW + 30003), BRIDGE_IS_SILENT);
	report.interval_ms = 100;
	bridge = take_one(&report);
	assert_string_equal(problems_of(bridge, NOW + BRIDGE_SILENT_MS), "");
	assert_string_equal(problems_of(bridge, NOW + BRIDGE_SILENT_MS + 1), "s");
	report.is_stopping = true;
	bridge = take_one(&report);
	assert_string_equal(problems_of(bridge, NOW + DAY_MS), "");
	assert_int_equal(bridge_state_of(bridges, bridge, NOW), BRIDGE_STOPPED);
}

/* Without Kafka no report can come, whatever the bridges do. */
static void test_nobody_is_silent_while_nothing_can_be_heard(void **state)
{
	const struct bridge_report report = well("a", 1, 1);
	const struct bridge *bridge = take_one(&report);

	(void)state;
	bridges_listen(bridges, false, NOW + 60000);
	assert_string_equal(problems_of(bridge, NOW + 60000), "");
	bridges_listen(bridges, true, NOW + 61000);
	assert_string_equal(problems_of(bridge, NOW + 60000 + 30000), "");
	assert_string_equal(problems_of(bridge, NOW + 60000 + 30003), "s");
}

static void test_what_needs_a_look_is_named(void **state)
{
	struct bridge_report report = well("a", 1, 1);

	(void)state;
	report.is_connected = false;
	assert_string_equal(problems_of(take_one(&report), NOW), "k");
	report.is_connected = true;
	report.waiting_ms = BRIDGE_STUCK_MS;
	assert_string_equal(problems_of(take_one(&report), NOW), "");
	report.waiting_ms++;
	report.lanes_ms[KIND_VIEW] = 1;
	report.now_ms = LOG_NOW - BRIDGE_SKEWED_MS - 1;
	const struct bridge *bridge = take_one(&report);
	assert_string_equal(problems_of(bridge, NOW), "ulc");
	assert_int_equal(bridge_state_of(bridges, bridge, NOW), BRIDGE_TROUBLED);
}

static void test_two_reports_of_a_run_say_what_it_did_between_them(void **state)
{
	struct bridge_report report = well("a", 1, 3);

	(void)state;
	assert_int_equal(take_one(&report)->recent.over_ms, 0);
	report.uptime_ms += 8000;
	report.counts[BRIDGE_EVENTS] += 72;
	report.counts[BRIDGE_WIRE_BYTES] = 4096;
	const struct bridge *bridge = take_one(&report);
	assert_int_equal(bridge->recent.over_ms, 8000);
	assert_int_equal(bridge->recent.counts[BRIDGE_EVENTS], 72);
	assert_int_equal(bridge->recent.counts[BRIDGE_DELIVERED], 0);
	assert_int_equal(bridge->recent.counts[BRIDGE_WIRE_BYTES], 4096);
	report.uptime_ms += 8000;
	report.counts[BRIDGE_EVENTS]--; /* no run counts backwards */
	assert_int_equal(take_one(&report)->recent.over_ms, 0);
	report = well("a", 2, 1); /* it was started anew */
	assert_int_equal(take_one(&report)->recent.over_ms, 0);
	assert_string_equal(problems_of(take_one(&report), NOW), "");
}

static void test_two_processes_of_one_name_are_told_from_a_restart(void **state)
{
	const struct bridge_report first = well("a", 1, 1), second = well("a", 2, 1);

	(void)state;
	take_one(&first);
	assert_string_equal(problems_of(take_one(&second), NOW), "");
	assert_string_equal(problems_of(take_one(&first), NOW), "n");
	assert_string_equal(problems_of(take_one(&second), NOW), "n");
	for (int i = 1; i < BRIDGE_ALONE_REPORTS; i++) {
		assert_string_equal(problems_of(bridges_at(bridges, 0), NOW), "n");
		take_one(&second);
	}
	assert_string_equal(problems_of(bridges_at(bridges, 0), NOW), "");
}

static void assert_names(const char *wanted)
{
	char names[64] = "";

	for (size_t i = 0; i < bridges_count(bridges); i++) {
		struct slice name = bridges_at(bridges, i)->report.bridge;
		strncat(names, (const char *)name.bytes, name.size);
	}
	assert_string_equal(names, wanted);
}

static void test_who_was_silent_longest_gives_way(void **state)
{
	static const char *const names[] = {"c", "a", "b"};
	struct bridge_report report;

	(void)state;
	for (int i = 0; i < 3; i++) {
		report = well(names[i], 1, 1);
		take(&report, LOG_NOW, NOW);
	}
	assert_names("abc");
	report = well("c", 1, 2);
	take(&report, LOG_NOW, NOW);
	report = well("d", 1, 1);
	take(&report, LOG_NOW, NOW);
	assert_names("bcd");
	assert_int_equal(bridges_forgotten(bridges), 1);
}

static void test_a_bridge_of_yesterday_is_forgotten(void **state)
{
	struct bridge_report report = well("a", 1, 1);

	(void)state;
	take(&report, LOG_NOW, NOW);
	report = well("b", 1, 1);
	take(&report, LOG_NOW + BRIDGE_FORGET_MS, NOW);
	assert_names("ab");
	report.number++;
	take(&report, LOG_NOW + BRIDGE_FORGET_MS + 1, NOW);
	assert_names("b");
	assert_int_equal(bridges_forgotten(bridges), 1);
}

/* Sentences of `status`, with "; " between them. */
static const char *sentences(int64_t now_ms)
{
	static char text[512];
	struct text_set set = {0};

	text[0] = 0;
	bridge_problems(bridges, now_ms, &set);
	for (size_t i = 0; i < set.count; i++) {
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? "; " : "",
			set.texts[i]);
	}
	text_set_deinit(&set);
	return text;
}

static void test_status_names_who_is_missed_and_who_is_stuck(void **state)
{
	static const char silent[] =
		"bridge a is silent; edges were connected to it when it last reported";
	struct bridge_report report = well("a", 1, 1), other = well("b", 1, 1);

	(void)state;
	take(&report, LOG_NOW, NOW);
	assert_string_equal(sentences(NOW), "");
	assert_string_equal(sentences(NOW + 30003), silent);
	take(&other, LOG_NOW + BRIDGE_MISSED_MS - 1, NOW + 30003);
	assert_string_equal(sentences(NOW + 30003), silent);
	take(&other, LOG_NOW + BRIDGE_MISSED_MS, NOW + 30003); /* by now it is one that was */
	assert_string_equal(sentences(NOW + 30003), "");
	other.waiting_ms = BRIDGE_STUCK_MS + 1;
	take(&other, LOG_NOW + BRIDGE_MISSED_MS, NOW + 30003);
	assert_string_equal(
		sentences(NOW + 30003), "bridge b waits for Kafka to confirm what it was given");
	other.edges = other.waiting_ms = 0; /* nobody needs it */
	take(&other, LOG_NOW + BRIDGE_MISSED_MS, NOW);
	assert_string_equal(sentences(NOW + 30003), "");
	bridge_problems(NULL, NOW, NULL);
}

static const char *answer(const struct bridges *of)
{
	static char text[4096];
	const struct freshness freshness = {.store_id = "5f", .commit = 8, .lag = -1};
	struct buffer reply;

	buffer_init(&reply, sizeof text - 1);
	assert_int_equal(bridge_answer_write(of, NOW + 5, &freshness, ENCODING_JSON, &reply), 0);
	memcpy(text, reply.bytes, reply.size);
	text[reply.size] = 0;
	buffer_deinit(&reply);
	return text;
}

static void test_the_answer_shows_each_bridge(void **state)
{
	struct bridge_report report = well("k:7171", 4711, 1);

	(void)state;
	assert_int_equal(strncmp(answer(NULL), "{\"ok\":true,\"bridges\":[],\"as_of\":{", 33), 0);
	take_one(&report);
	report = well("k:7171", 4711, 2);
	report.counts[BRIDGE_LETTERS] = 1;
	report.waiting_batches = 1;
	report.waiting_records = 7;
	report.waiting_bytes = 700;
	report.waiting_ms = 20;
	report.lanes_ms[KIND_ORDER_DLQ] = 300;
	report.errors[0] = (struct bridge_error){BRIDGE_ERROR_NACK, slice_of_text("busy"), 3};
	report.error_count = 1;
	take(&report, LOG_NOW - 15, NOW);
	static const char wanted[] =
		"{\"ok\":true,\"bridges\":[{\"bridge\":\"k:7171\",\"run\":4711,\"number\":2,"
		"\"program\":\"till-bridge 0.1.0\",\"state\":\"problems\","
		"\"problems\":[\"lane_waits\"],\"reported_ms\":4999985,\"heard_ms\":5,"
		"\"clock_skew_ms\":15,\"started_ms\":1,\"uptime_ms\":20000,\"interval_ms\":10000,"
		"\"edges\":2,\"events\":200,\"letters\":1,\"delivered\":180,\"rejected\":0,"
		"\"retried\":0,\"batches\":0,\"acked\":0,\"nacked\":0,\"event_bytes\":0,"
		"\"wire_bytes\":0,\"waiting_batches\":1,\"waiting_records\":7,"
		"\"waiting_bytes\":700,\"waiting_ms\":20,\"lanes_waiting\":{\"order.dlq\":300},"
		"\"errors\":[{\"class\":\"nack\",\"name\":\"busy\",\"count\":3}],\"cut\":false,"
		"\"recent\":{\"over_ms\":10000,\"events\":100,\"letters\":1,\"delivered\":90,"
		"\"rejected\":0,\"retried\":0,\"batches\":0,\"acked\":0,\"nacked\":0,"
		"\"event_bytes\":0,\"wire_bytes\":0},\"kafka_connected\":true,"
		"\"stopping\":false}],\"as_of\":{";
	assert_int_equal(strncmp(answer(bridges), wanted, sizeof wanted - 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_says_nothing_for_three_intervals_is_silent),
		TEST(test_nobody_is_silent_while_nothing_can_be_heard),
		TEST(test_what_needs_a_look_is_named),
		TEST(test_two_reports_of_a_run_say_what_it_did_between_them),
		TEST(test_two_processes_of_one_name_are_told_from_a_restart),
		TEST(test_who_was_silent_longest_gives_way),
		TEST(test_a_bridge_of_yesterday_is_forgotten),
		TEST(test_status_names_who_is_missed_and_who_is_stuck),
		TEST(test_the_answer_shows_each_bridge),
	};

	return cmocka_run_group_tests_name("bridge_answer", tests, NULL, NULL);
}
