/* Any bytes as what an edge or a bridge reports of itself: refused naming what does not fit, or within every limit, and written again
 * the same. What is taken is kept as the newest of its run, or of the bridge, and shown. */
#include "aggregator/desk/bridge_answer.h"
#include "aggregator/desk/report_answer.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

enum { APPENDED_MS = 1291191960, NOW_MS = 1000000 };

static void check_ranges(const struct telemetry *telemetry)
{
	fuzz_require(telemetry->range_count <= TELEMETRY_RANGES_MAX);
	for (uint32_t i = 0; i < telemetry->range_count; i++) {
		const struct telemetry_range *range = &telemetry->ranges[i];
		fuzz_require(range->run >= 1 && range->run <= RUN_MAX);
		fuzz_require((int)range->kind < KIND_COUNT);
		fuzz_require(range->first >= 1 && range->first <= range->last);
	}
}

/* Equal when both are written the same. */
static void check_again(const struct telemetry *telemetry)
{
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct telemetry again;
	struct complaint complaint;
	struct document document;
	struct buffer first, second;

	buffer_init(&first, 2 * TELEMETRY_SIZE_MAX);
	buffer_init(&second, 2 * TELEMETRY_SIZE_MAX);
	fuzz_require(document_init(&document, TELEMETRY_NODES_MAX) == 0);
	telemetry_encode(telemetry, &first);
	fuzz_require(first.error == 0);
	if (first.size <= TELEMETRY_SIZE_MAX) {
		fuzz_require(telemetry_decode(&document, buffer_slice(&first), ranges, &again,
				     &complaint) == 0);
		telemetry_encode(&again, &second);
		fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	}
	document_deinit(&document);
	buffer_deinit(&first);
	buffer_deinit(&second);
}

/* The answer's row is a map of JSON. */
static void check_answer(const struct reports *reports)
{
	const struct query query = {.type = QUERY_EDGES, .encoding = ENCODING_JSON};
	const struct report_sight sight = {reports, &query, NULL, NOW_MS};
	struct row_list rows = {.count = 0};
	struct complaint complaint;
	struct document document;
	bool is_cut = false;

	buffer_init(&rows.bytes, 16 * TELEMETRY_SIZE_MAX);
	buffer_init(&rows.ends, 4096);
	fuzz_require(document_init(&document, TELEMETRY_NODES_MAX) == 0);
	fuzz_require(report_answer_list(&sight, TELEMETRY_SIZE_MAX, &rows, &is_cut) == 0);
	fuzz_require(rows.count == 1 && !is_cut);
	fuzz_require(document_decode(&document, ENCODING_JSON, buffer_slice(&rows.bytes), 4,
			     &complaint) == 0);
	fuzz_require(document.nodes->type == NODE_MAP && document.nodes->count == 24);
	document_deinit(&document);
	buffer_deinit(&rows.bytes);
	buffer_deinit(&rows.ends);
}

static void check_kept(const struct telemetry *telemetry)
{
	struct reports *reports = NULL;
	char key[TELEMETRY_KEY_SIZE_MAX];

	fuzz_require(telemetry_key(telemetry->edge, telemetry->run, key) <= sizeof key);
	fuzz_require(reports_new(2, &reports) == 0);
	fuzz_require(reports_take(reports, telemetry, APPENDED_MS, NOW_MS) == 0);
	fuzz_require(reports_settle(reports, NOW_MS) == 0);
	const struct report *kept = reports_of_run(reports, telemetry->edge, telemetry->run);
	fuzz_require(kept != NULL && kept->telemetry.number == telemetry->number);
	fuzz_require(reports_judged_up_to(reports, telemetry->edge, telemetry->run, KIND_ORDER) ==
		     telemetry->numbered[KIND_ORDER]);
	check_answer(reports);
	reports_free(reports);
}

/* Equal when both are written the same. */
static void check_bridge_again(struct document *document, const struct bridge_report *report)
{
	struct bridge_report again;
	struct complaint complaint;
	struct buffer first, second;

	buffer_init(&first, 2 * TELEMETRY_SIZE_MAX);
	buffer_init(&second, 2 * TELEMETRY_SIZE_MAX);
	bridge_report_encode(report, &first);
	fuzz_require(first.error == 0);
	fuzz_require(bridge_report_decode(document, buffer_slice(&first), &again, &complaint) == 0);
	bridge_report_encode(&again, &second);
	fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	buffer_deinit(&first);
	buffer_deinit(&second);
}

/* Twice, as if nothing had happened in between; the answer is JSON. */
static void check_bridge_kept(struct document *document, const struct bridge_report *report)
{
	const struct freshness freshness = {.store_id = "5f", .lag = -1};
	struct bridges *bridges = NULL;
	struct text_set problems = {0};
	struct complaint complaint;
	struct buffer reply;

	buffer_init(&reply, 16 * TELEMETRY_SIZE_MAX);
	fuzz_require(bridges_new(2, &bridges) == 0);
	fuzz_require(bridges_take(bridges, report, APPENDED_MS, NOW_MS) == 0);
	fuzz_require(bridges_take(bridges, report, APPENDED_MS, NOW_MS) == 0);
	fuzz_require(bridges_count(bridges) == 1 && bridges_at(bridges, 0)->recent.over_ms == 0);
	fuzz_require(bridge_answer_write(bridges, NOW_MS, &freshness, ENCODING_JSON, &reply) == 0);
	fuzz_require(
		document_decode(document, ENCODING_JSON, buffer_slice(&reply), 6, &complaint) == 0);
	bridge_problems(bridges, NOW_MS, &problems);
	fuzz_require(problems.count <= 1);
	text_set_deinit(&problems);
	buffer_deinit(&reply);
	bridges_free(bridges);
}

static void check_as_bridge(struct slice bytes)
{
	char key[BRIDGE_KEY_SIZE_MAX];
	struct bridge_report report;
	struct complaint complaint;
	struct document document, other;

	fuzz_require(document_init(&document, TELEMETRY_NODES_MAX) == 0);
	fuzz_require(document_init(&other, TELEMETRY_NODES_MAX) == 0);
	int r = bridge_report_decode(&document, bytes, &report, &complaint);
	fuzz_require(r >= 0 && (r == 0 || r == (int)complaint.reason));
	if (r == 0) {
		fuzz_require(edge_id_is_valid(report.bridge) && report.number >= 1);
		fuzz_require(report.run >= 1 && report.run <= RUN_MAX);
		fuzz_require(report.error_count <= BRIDGE_ERRORS_MAX);
		fuzz_require(bridge_report_key(report.bridge, key) <= sizeof key);
		check_bridge_again(&other, &report);
		check_bridge_kept(&other, &report);
	}
	document_deinit(&document);
	document_deinit(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct slice bytes = fuzz_copy(data, size);
	struct telemetry telemetry;
	struct complaint complaint;
	struct document document;

	fuzz_require(document_init(&document, TELEMETRY_NODES_MAX) == 0);
	int r = telemetry_decode(&document, bytes, ranges, &telemetry, &complaint);
	fuzz_require(r >= 0 && (r == 0 || r == (int)complaint.reason));
	if (r == 0) {
		fuzz_require(edge_id_is_valid(telemetry.edge) && telemetry.number >= 1);
		fuzz_require(telemetry.run >= 1 && telemetry.run <= RUN_MAX);
		fuzz_require(telemetry.program.size <= TELEMETRY_PROGRAM_SIZE_MAX);
		check_ranges(&telemetry);
		check_again(&telemetry);
		check_kept(&telemetry);
	}
	document_deinit(&document);
	check_as_bridge(bytes);
	fuzz_free(bytes);
	return 0;
}
