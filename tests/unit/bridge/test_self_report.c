/* When a bridge reports on itself, and that the report says what its counters and its tracker do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/self_report.h"
#include "runtime/metrics.h"
#include <cmocka.h>

enum { BEGAN_MS = 1000, INTERVAL_MS = 10000 };

static struct topics topics;
static struct metrics *metrics;
static struct bridge_metrics numbers;
static struct tracker tracker;
static struct outbox outbox;
static struct sessions *sessions;
static struct lane lanes[LANE_COUNT];
static struct self_report self;
static struct self_report_sight sight;
static struct bridge_report report;

static void begin(int64_t interval_ms)
{
	const struct self_report_options options = {.metrics = &numbers,
		.tracker = &tracker,
		.sessions = sessions,
		.lanes = lanes,
		.name = "kafka1:7171",
		.program = "till-bridge 9",
		.run = 4711,
		.interval_ms = interval_ms,
		.started_ms = 1291191960000,
		.began_ms = BEGAN_MS};

	self_report_init(&self, &options);
	sight = (struct self_report_sight){.may_report = true, .is_connected = true};
}

static int set_up(void **state)
{
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;

	(void)state;
	topics = (struct topics){.partitions = 4};
	assert_int_equal(topic_names_fill(names, topics.names, &complaint), 0);
	tracker_init(&tracker);
	outbox_init(&outbox);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_init(&lanes[lane], BEGAN_MS);
		lane_open(&lanes[lane], BEGAN_MS);
	}
	int r = metrics_new(&metrics) | bridge_metrics_init(&numbers, metrics, &topics) |
		sessions_new(&sessions);
	begin(INTERVAL_MS);
	return r;
}

static int tear_down(void **state)
{
	(void)state;
	tracker_abandon(&tracker, &outbox);
	outbox_deinit(&outbox);
	tracker_deinit(&tracker);
	sessions_free(sessions);
	metrics_free(metrics);
	return 0;
}

static void make(int64_t now_ms)
{
	const struct self_report_now now = {now_ms, now_ms * 1000, 1291191960000 + now_ms};

	self_report_make(&self, &sight, &now, &report);
}

static void test_the_first_is_due_when_the_topic_is_there_and_then_one_each_interval(void **state)
{
	(void)state;
	sight.may_report = false;
	assert_false(self_report_is_due(&self, &sight, 50000));
	sight.may_report = true;
	assert_true(self_report_is_due(&self, &sight, 50000));
	make(50000);
	assert_int_equal(report.number, 1);
	assert_false(self_report_is_due(&self, &sight, 50000 + INTERVAL_MS - 1));
	assert_true(self_report_is_due(&self, &sight, 50000 + INTERVAL_MS));
	make(50000 + INTERVAL_MS);
	assert_int_equal(report.number, 2);
	begin(0);
	assert_false(self_report_is_due(&self, &sight, 50000));
}

/* A connection that comes and goes must not fill the topic; a stop has no later. */
static void test_a_lost_connection_is_told_within_a_second_and_a_stop_at_once(void **state)
{
	(void)state;
	make(50000);
	sight.is_connected = false;
	assert_false(self_report_is_due(&self, &sight, 50000 + SELF_REPORT_PACE_MS - 1));
	assert_true(self_report_is_due(&self, &sight, 50000 + SELF_REPORT_PACE_MS));
	make(50000 + SELF_REPORT_PACE_MS);
	assert_false(report.is_connected);
	sight.is_stopping = true;
	assert_true(self_report_is_due(&self, &sight, 50000 + SELF_REPORT_PACE_MS));
	make(50000 + SELF_REPORT_PACE_MS);
	assert_true(report.is_stopping);
	assert_false(self_report_is_due(&self, &sight, 50000 + 2 * SELF_REPORT_PACE_MS));
}

static void test_counters_are_told_as_they_are(void **state)
{
	(void)state;
	metric_add(numbers.events_received[KIND_ORDER], 100);
	metric_add(numbers.events_received[KIND_VIEW], 20);
	metric_add(numbers.events_received[KIND_CART_DLQ], 3);
	metric_add(numbers.records_delivered[KIND_ORDER], 90);
	metric_add(numbers.records_delivered[KIND_CART_DLQ], 2);
	metric_add(numbers.records_retried, 4);
	metric_add(numbers.batches_received, 12);
	metric_add(numbers.batches_acked, 9);
	metric_add(numbers.event_bytes, 12345);
	metric_add(numbers.wire_bytes, 6789);
	metric_add(numbers.batches_nacked[NACK_BUSY], 2);
	metric_add(numbers.batches_nacked[NACK_PRODUCER_REBUILT], 5);
	metric_add(numbers.events_rejected[REASON_BAD_VALUE], 1);
	make(61000);
	const uint64_t counts[BRIDGE_COUNT_COUNT] = {
		[BRIDGE_EVENTS] = 120,
		[BRIDGE_LETTERS] = 3,
		[BRIDGE_DELIVERED] = 92,
		[BRIDGE_REJECTED] = 1,
		[BRIDGE_RETRIED] = 4,
		[BRIDGE_BATCHES] = 12,
		[BRIDGE_ACKED] = 9,
		[BRIDGE_NACKED] = 7,
		[BRIDGE_EVENT_BYTES] = 12345,
		[BRIDGE_WIRE_BYTES] = 6789,
	};
	assert_memory_equal(report.counts, counts, sizeof counts);
	assert_int_equal(report.uptime_ms, 60000);
	assert_int_equal(report.error_count, 3);
	assert_int_equal(report.errors[0].class, BRIDGE_ERROR_NACK);
	assert_true(
		slice_equals_text(report.errors[0].name, nack_code_name(NACK_PRODUCER_REBUILT)));
	assert_int_equal(report.errors[0].count, 5);
	assert_int_equal(report.errors[2].class, BRIDGE_ERROR_REJECTED);
}

static void test_an_error_of_kafka_counts_over_all_lanes(void **state)
{
	(void)state;
	bridge_metrics_count_failure(&numbers, KIND_ORDER, "_MSG_TIMED_OUT");
	bridge_metrics_count_failure(&numbers, KIND_VIEW, "TOPIC_AUTHORIZATION_FAILED");
	bridge_metrics_count_failure(&numbers, KIND_VIEW, "_MSG_TIMED_OUT");
	make(61000);
	assert_int_equal(report.error_count, 2);
	assert_true(slice_equals_text(report.errors[0].name, "_MSG_TIMED_OUT"));
	assert_int_equal(report.errors[0].count, 2);
	assert_int_equal(report.errors[1].count, 1);
}

static void test_what_waits_is_as_old_as_its_oldest(void **state)
{
	struct sending_start start = {
		.number = 1, .lane = KIND_ORDER, .bytes = 100, .received_us = 51000 * 1000};
	struct sending *first = NULL, *second = NULL;
	struct sending_end end;

	(void)state;
	assert_int_equal(tracker_open(&tracker, &outbox, &start, &first), 0);
	start.number = 2;
	start.lane = KIND_VIEW;
	start.received_us += 4 * 1000 * 1000;
	assert_int_equal(tracker_open(&tracker, &outbox, &start, &second), 0);
	tracker_expect(&tracker, second);
	make(61000);
	assert_int_equal(report.waiting_batches, 2);
	assert_int_equal(report.waiting_records, 1);
	assert_int_equal(report.waiting_bytes, 200);
	assert_int_equal(report.waiting_ms, 10000);
	assert_true(tracker_release(&tracker, first, &end));
	tracker_abandon(&tracker, &outbox); /* nobody will be told, and it waits all the same */
	make(62000);
	assert_int_equal(report.waiting_ms, 7000);
	assert_false(tracker_release(&tracker, second, &end));
	assert_true(tracker_report(&tracker, second, &end));
	make(63000);
	assert_int_equal(report.waiting_ms, 0);
	assert_int_equal(report.waiting_batches, 0);
}

static void test_a_lane_that_stands_is_told_from_its_first_moment_on(void **state)
{
	const struct lane_sight look = {.now_ms = 61000, .wall_ms = 1, .is_connected = true};

	(void)state;
	lane_close(&lanes[KIND_CART], "no such topic");
	lane_look(&lanes[KIND_CART], &look);
	make(61000);
	assert_int_equal(report.lanes_ms[KIND_CART], 1);
	assert_int_equal(report.lanes_ms[KIND_ORDER], 0);
	make(61500);
	assert_int_equal(report.lanes_ms[KIND_CART], 500);
}

static void test_a_name_is_host_and_port(void **state)
{
	static const char long_host[] =
		"a23456789b23456789c23456789d23456789e23456789f23456789g23456789h23456789";
	char name[BRIDGE_NAME_SIZE_MAX + 1];

	(void)state;
	self_report_name("kafka1", "tcp://0.0.0.0:7171", name);
	assert_string_equal(name, "kafka1:7171");
	self_report_name("kafka1", "tcp://[::1]:65535", name);
	assert_string_equal(name, "kafka1:65535");
	self_report_name("kafka1", "ipc:///run/till/bridge", name);
	assert_string_equal(name, "kafka1");
	self_report_name(long_host, "tcp://127.0.0.1:65535", name);
	assert_int_equal(strlen(name), BRIDGE_NAME_SIZE_MAX);
	assert_string_equal(name + BRIDGE_NAME_SIZE_MAX - 6, ":65535");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_is_due_when_the_topic_is_there_and_then_one_each_interval),
		TEST(test_a_lost_connection_is_told_within_a_second_and_a_stop_at_once),
		TEST(test_counters_are_told_as_they_are),
		TEST(test_an_error_of_kafka_counts_over_all_lanes),
		TEST(test_what_waits_is_as_old_as_its_oldest),
		TEST(test_a_lane_that_stands_is_told_from_its_first_moment_on),
		TEST(test_a_name_is_host_and_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
