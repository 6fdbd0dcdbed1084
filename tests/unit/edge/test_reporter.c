/* When an edge reports on itself, and that the report says what is there. */
#include "desk_bench.h"
#include "edge/reporter.h"

static struct reporter reporter;
static struct reporter_sight sight;
static int64_t wait_ms;

static void begin(struct bench *bench)
{
	const struct reporter_options options = {.desk = bench->desk,
		.spool = bench->spool,
		.edge = "berlin-1",
		.program = "till-edge 9",
		.interval_ms = 30000,
		.started_ms = WALL_MS};

	reporter_init(&reporter, &options);
	sight = (struct reporter_sight){.session = 1, .pace_ms = 1000};
}

static bool is_due(int64_t now_ms)
{
	return reporter_is_due(&reporter, &sight, now_ms, &wait_ms);
}

static void tell(int64_t now_ms)
{
	assert_true(is_due(now_ms));
	reporter_told(&reporter, &sight, now_ms);
	assert_false(is_due(now_ms));
}

static void test_a_session_begins_with_a_report_and_each_interval_has_one(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	begin(bench);
	tell(5000);
	assert_int_equal(wait_ms, 30000);
	assert_false(is_due(34999));
	tell(35000);
	sight.session = 2; /* whatever the pace: this bridge has heard nothing */
	tell(35001);
}

static void test_a_change_is_told_at_the_bridges_pace(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	begin(bench);
	tell(5000);
	sight.is_stuck = true;
	assert_false(is_due(5999));
	assert_int_equal(wait_ms, 1);
	tell(6000);
	sight.is_stuck = false;
	tell(7000);
	sight.is_stopping = true;
	tell(7001); /* the last chance */
	assert_false(is_due(7002));
}

static void test_nobody_asks_nobody_is_told(void **state)
{
	struct bench *bench = *state;

	open_desk(bench, 0);
	begin(bench);
	sight.pace_ms = 0;
	assert_false(is_due(1 << 30));
	sight.pace_ms = 1000;
	reporter.options.interval_ms = 0;
	assert_false(is_due(1 << 30));
	reporter.options.interval_ms = 10; /* faster than the bridge hears */
	tell(5000);
	assert_false(is_due(5999));
	tell(6000);
}

static struct telemetry read_report(
	struct buffer *buffer, struct document *document, struct telemetry_range *ranges)
{
	struct telemetry telemetry;
	struct complaint complaint;

	assert_int_equal(reporter_write(&reporter, &sight, WALL_MS, buffer), 0);
	assert_int_equal(
		telemetry_decode(document, buffer_slice(buffer), ranges, &telemetry, &complaint),
		0);
	return telemetry;
}

/* Numbers that a draft has given are not on disk yet, and may be taken back. */
static void test_a_report_says_what_is_on_disk_and_no_more(void **state)
{
	struct bench *bench = *state;
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct document document;
	struct buffer buffer;

	open_desk(bench, 60000);
	begin(bench);
	assert_int_equal(document_init(&document, TELEMETRY_NODES_MAX), 0);
	buffer_init(&buffer, TELEMETRY_SIZE_MAX);
	assert_int_equal(submit(bench, 1,
				 "[{\"order_id\":\"a\",\"product_id\":\"p\",\"unit_price\":1},"
				 "{\"order_id\":\"b\",\"product_id\":\"p\",\"unit_price\":\"x\"}]",
				 false),
		0);
	struct telemetry telemetry = read_report(&buffer, &document, ranges);
	assert_int_equal(telemetry.numbered[KIND_ORDER], 0);
	assert_int_equal(telemetry.range_count, 0);
	assert_int_equal(telemetry.number, 1);
	assert_int_equal(desk_flush(bench->desk, bench->now_ms, WALL_MS), 0);
	reporter_told(&reporter, &sight, 5000);
	telemetry = read_report(&buffer, &document, ranges);
	assert_int_equal(telemetry.number, 2);
	assert_int_equal(telemetry.run, 4711);
	assert_int_equal(telemetry.numbered[KIND_ORDER], 1);
	assert_int_equal(telemetry.numbered[KIND_ORDER_DLQ], 1);
	assert_int_equal(telemetry.received, 2);
	assert_int_equal(telemetry.accepted + telemetry.invalid, 2);
	assert_int_equal(telemetry.range_count, 2);
	assert_int_equal(ranges[0].run, 4711);
	assert_int_equal(ranges[0].kind, KIND_ORDER);
	assert_int_equal(ranges[0].first, 1);
	assert_int_equal(ranges[0].last, 1);
	assert_int_equal(ranges[1].kind, KIND_ORDER_DLQ);
	assert_false(telemetry.is_cut);
	document_deinit(&document);
	buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_a_session_begins_with_a_report_and_each_interval_has_one),
		BENCH_TEST(test_a_change_is_told_at_the_bridges_pace),
		BENCH_TEST(test_nobody_asks_nobody_is_told),
		BENCH_TEST(test_a_report_says_what_is_on_disk_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
