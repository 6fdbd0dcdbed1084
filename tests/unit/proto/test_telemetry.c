/* Reports: what is written is read, and nothing else is. */
#include "proto/telemetry.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct document document;
static struct buffer buffer;
static struct telemetry_range read_ranges[TELEMETRY_RANGES_MAX];

static const struct telemetry_range ranges[] = {
	{.run = 4711, .kind = KIND_ORDER, .first = 3, .last = 9},
	{.run = 4710, .kind = KIND_VIEW_DLQ, .first = 1, .last = 1, .is_aside = true},
	{.run = RUN_MAX, .kind = KIND_CART, .first = 7, .last = INT64_MAX},
};

static const struct telemetry sample = {
	.edge = {(const uint8_t *)"New York", 8},
	.run = 4711,
	.number = 12,
	.program = {(const uint8_t *)"till-edge 0.1.0", 15},
	.started_ms = 1795300000000,
	.now_ms = 1795300012345,
	.interval_ms = 30000,
	.received = 10,
	.accepted = 6,
	.invalid = 2,
	.refused = 1,
	.repeated = 1,
	.spool_bytes = 4096,
	.spool_max = 1 << 30,
	.disk_room = UINT64_C(1) << 40,
	.oldest_ms = 1795300000001,
	.numbered = {9, 0, 3, 2, 0, 0},
	.aside_unknown = 1,
	.is_stopping = true,
	.is_cut = true,
	.ranges = ranges,
	.range_count = 3,
};

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

static int decode(struct telemetry *telemetry)
{
	struct complaint complaint;
	return telemetry_decode(
		&document, buffer_slice(&buffer), read_ranges, telemetry, &complaint);
}

static void test_a_report_comes_back_as_it_was(void **state)
{
	struct telemetry telemetry;
	struct buffer again;

	(void)state;
	telemetry_encode(&sample, &buffer);
	assert_int_equal(buffer.error, 0);
	assert_int_equal(decode(&telemetry), 0);
	assert_true(slice_equals_text(telemetry.edge, "New York"));
	assert_int_equal(telemetry.numbered[KIND_VIEW], 3);
	assert_true(telemetry.is_stopping && telemetry.is_cut);
	assert_int_equal(telemetry.range_count, 3);
	buffer_init(&again, TELEMETRY_SIZE_MAX);
	telemetry_encode(&telemetry, &again);
	assert_true(slice_equal(buffer_slice(&buffer), buffer_slice(&again)));
	buffer_deinit(&again);
}

static void test_the_largest_report_fits(void **state)
{
	static struct telemetry_range many[TELEMETRY_RANGES_MAX];
	struct telemetry telemetry = sample;

	(void)state;
	for (int i = 0; i < TELEMETRY_RANGES_MAX; i++) {
		many[i] = (struct telemetry_range){
			.run = RUN_MAX, .kind = KIND_VIEW_DLQ, .first = 1, .last = INT64_MAX};
	}
	telemetry.ranges = many;
	telemetry.range_count = TELEMETRY_RANGES_MAX;
	telemetry_encode(&telemetry, &buffer);
	assert_int_equal(buffer.error, 0);
	assert_int_equal(decode(&telemetry), 0);
}

/* Each byte of a good one changed in every way: it is read or refused, and what is read keeps its rules. */
static void test_what_is_damaged_is_refused_or_keeps_the_rules(void **state)
{
	struct telemetry telemetry;

	(void)state;
	telemetry_encode(&sample, &buffer);
	for (size_t at = 0; at < buffer.size; at++) {
		uint8_t was = buffer.bytes[at];
		for (int value = 0; value < 256; value++) {
			buffer.bytes[at] = (uint8_t)value;
			if (decode(&telemetry) == 0) {
				assert_true(telemetry.run >= 1 && telemetry.run <= RUN_MAX);
				assert_true(telemetry.range_count <= TELEMETRY_RANGES_MAX);
				assert_true(telemetry.ranges == read_ranges);
			}
		}
		buffer.bytes[at] = was;
	}
	for (size_t size = buffer.size; size > 0; size--) {
		buffer.size = size - 1;
		assert_true(decode(&telemetry) > 0);
	}
}

static void test_a_key_names_edge_and_run(void **state)
{
	char key[TELEMETRY_KEY_SIZE_MAX];

	(void)state;
	size_t size = telemetry_key(sample.edge, RUN_MAX, key);
	assert_true(slice_equals_text(slice_of(key, size), "New York/9007199254740991"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_report_comes_back_as_it_was),
		TEST(test_the_largest_report_fits),
		TEST(test_what_is_damaged_is_refused_or_keeps_the_rules),
		TEST(test_a_key_names_edge_and_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
