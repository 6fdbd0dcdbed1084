/* What a bridge reports of itself, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bridge_report.h"
#include "proto/telemetry.h"
#include <cmocka.h>
#include <stdio.h>

static const struct bridge_report sample = {
	.bridge = {(const uint8_t *)"kafka1:7171", 11},
	.run = 4711,
	.number = 3,
	.program = {(const uint8_t *)"till-bridge 0.1.0", 17},
	.started_ms = 1291190000000,
	.now_ms = 1291193160000,
	.uptime_ms = 3160000,
	.interval_ms = 10000,
	.edges = 12,
	.counts = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	.waiting_batches = 2,
	.waiting_records = 40,
	.waiting_bytes = 8000,
	.waiting_ms = 35,
	.lanes_ms = {0, 0, 5000, 0, 0, 1},
	.is_connected = true,
	.is_cut = true,
	.errors = {{BRIDGE_ERROR_KAFKA, {(const uint8_t *)"_MSG_TIMED_OUT", 14}, 9},
		{BRIDGE_ERROR_NACK, {(const uint8_t *)"busy", 4}, 8}},
	.error_count = 2,
};

static struct document document;
static struct buffer buffer;

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, TELEMETRY_SIZE_MAX);
	return document_init(&document, TELEMETRY_NODES_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	buffer_deinit(&buffer);
	document_deinit(&document);
	return 0;
}

static int decode(struct bridge_report *report, struct complaint *complaint)
{
	return bridge_report_decode(&document, buffer_slice(&buffer), report, complaint);
}

static void test_a_report_comes_back_as_it_was(void **state)
{
	struct bridge_report report;
	struct complaint complaint;
	struct buffer again;

	(void)state;
	bridge_report_encode(&sample, &buffer);
	assert_int_equal(buffer.error, 0);
	assert_int_equal(decode(&report, &complaint), 0);
	assert_true(slice_equals_text(report.bridge, "kafka1:7171"));
	assert_int_equal(report.edges, 12);
	assert_int_equal(report.counts[BRIDGE_LETTERS], 2);
	assert_int_equal(report.counts[BRIDGE_WIRE_BYTES], 10);
	assert_int_equal(report.lanes_ms[KIND_VIEW], 5000);
	assert_int_equal(report.lanes_ms[KIND_VIEW_DLQ], 1);
	assert_int_equal(report.waiting_ms, 35);
	assert_true(report.is_connected && report.is_cut && !report.is_stopping);
	assert_int_equal(report.error_count, 2);
	assert_true(slice_equals_text(report.errors[1].name, "busy"));
	buffer_init(&again, TELEMETRY_SIZE_MAX);
	bridge_report_encode(&report, &again);
	assert_true(slice_equal(buffer_slice(&buffer), buffer_slice(&again)));
	buffer_deinit(&again);
}

/* An aggregator that knows nothing of bridges passes it over, as it does whatever is no edge's report. */
static void test_nobody_takes_it_for_an_edges_report(void **state)
{
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct telemetry telemetry;
	struct complaint complaint;

	(void)state;
	bridge_report_encode(&sample, &buffer);
	assert_int_equal(
		telemetry_decode(&document, buffer_slice(&buffer), ranges, &telemetry, &complaint),
		REASON_BAD_VALUE);
	buffer_clear(&buffer);
	telemetry_encode(&(struct telemetry){.edge = {(const uint8_t *)"uk", 2},
				 .run = 1,
				 .number = 1,
				 .program = {(const uint8_t *)"p", 1}},
		&buffer);
	struct bridge_report report;
	assert_int_equal(decode(&report, &complaint), REASON_BAD_VALUE);
	assert_string_equal(complaint.field, "kind");
}

static void test_the_largest_report_fits(void **state)
{
	static uint8_t name[BRIDGE_ERROR_SIZE_MAX];
	struct bridge_report report = sample;
	struct complaint complaint;

	(void)state;
	memset(name, 'x', sizeof name);
	report.run = RUN_MAX;
	report.bridge = report.program = slice_of(name, BRIDGE_NAME_SIZE_MAX);
	for (int i = 0; i < BRIDGE_ERRORS_MAX; i++) {
		report.errors[i] = (struct bridge_error){
			BRIDGE_ERROR_REJECTED, slice_of(name, sizeof name), INT64_MAX};
	}
	report.error_count = BRIDGE_ERRORS_MAX;
	for (int i = 0; i < BRIDGE_COUNT_COUNT; i++) {
		report.counts[i] = INT64_MAX;
	}
	bridge_report_encode(&report, &buffer);
	assert_int_equal(buffer.error, 0);
	assert_int_equal(decode(&report, &complaint), 0);
}

static void test_the_commonest_errors_are_kept(void **state)
{
	static char names[BRIDGE_ERRORS_MAX + 2][8];
	struct bridge_report report = {.error_count = 0};

	(void)state;
	for (int i = 0; i < BRIDGE_ERRORS_MAX + 2; i++) {
		snprintf(names[i], sizeof names[i], "e%d", i);
		const struct bridge_error error = {BRIDGE_ERROR_KAFKA, slice_of_text(names[i]),
			(uint64_t)(i % 2 == 0 ? i : 100 + i)};
		bridge_report_add_error(&report, &error); /* e0 never happened */
	}
	assert_int_equal(report.error_count, BRIDGE_ERRORS_MAX);
	assert_true(report.is_cut); /* e2 has no place */
	assert_true(slice_equals_text(report.errors[0].name, "e17"));
	assert_int_equal(report.errors[0].count, 117);
	assert_true(slice_equals_text(report.errors[BRIDGE_ERRORS_MAX - 1].name, "e4"));
	for (uint32_t i = 1; i < report.error_count; i++) {
		assert_true(report.errors[i - 1].count >= report.errors[i].count);
	}
}

/* Each byte of a good one changed in every way, and each shorter one: it is read or refused, and what is read keeps its
 * rules. */
static void test_what_is_damaged_is_refused_or_keeps_the_rules(void **state)
{
	struct bridge_report report;
	struct complaint complaint;

	(void)state;
	bridge_report_encode(&sample, &buffer);
	for (size_t at = 0; at < buffer.size; at++) {
		uint8_t was = buffer.bytes[at];
		for (int value = 0; value < 256; value++) {
			buffer.bytes[at] = (uint8_t)value;
			if (decode(&report, &complaint) == 0) {
				assert_true(report.run >= 1 && report.run <= RUN_MAX);
				assert_true(report.number >= 1);
				assert_true(report.error_count <= BRIDGE_ERRORS_MAX);
				assert_true(report.uptime_ms >= 0 && report.waiting_ms >= 0);
			}
		}
		buffer.bytes[at] = was;
	}
	for (size_t size = buffer.size; size > 0; size--) {
		buffer.size = size - 1;
		assert_true(decode(&report, &complaint) > 0);
	}
}

/* No edge's key ends like that, whatever the edge is called. */
static void test_a_key_names_the_bridge(void **state)
{
	char key[BRIDGE_KEY_SIZE_MAX], edge[TELEMETRY_KEY_SIZE_MAX];

	(void)state;
	size_t size = bridge_report_key(sample.bridge, key);
	assert_true(slice_equals_text(slice_of(key, size), "kafka1:7171/bridge"));
	size = telemetry_key(slice_of_text("kafka1:7171/bridge"), 1, edge);
	assert_int_equal(edge[size - 1], '1');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_report_comes_back_as_it_was),
		TEST(test_nobody_takes_it_for_an_edges_report),
		TEST(test_the_largest_report_fits),
		TEST(test_the_commonest_errors_are_kept),
		TEST(test_what_is_damaged_is_refused_or_keeps_the_rules),
		TEST(test_a_key_names_the_bridge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
