#include "bridge/reports.h"

int reports_init(struct reports *reports, struct telemetry_sink *sink)
{
	*reports = (struct reports){.sink = sink};
	return document_init(&reports->document, TELEMETRY_NODES_MAX);
}

void reports_deinit(struct reports *reports)
{
	document_deinit(&reports->document);
}

static int refuse(struct reports *reports, const char *words)
{
	complaint_set(&reports->complaint, REASON_BAD_FRAME, "", "%s", words);
	return REPORTS_E_BAD;
}

int reports_take(
	struct reports *reports, struct session *session, struct slice bytes, int64_t now_ms)
{
	struct telemetry telemetry;
	char key[TELEMETRY_KEY_SIZE_MAX];

	if (!session->may_report) {
		return refuse(reports, "it reports, and nobody asked for reports");
	}
	int r = telemetry_decode(
		&reports->document, bytes, reports->ranges, &telemetry, &reports->complaint);
	if (r != 0) {
		return r < 0 ? r : REPORTS_E_BAD;
	}
	if (!slice_equal(telemetry.edge, session_edge(session)) || telemetry.run != session->run) {
		return refuse(reports, "a report of another edge or run");
	}
	if (token_bucket_wait_ms(&session->reports, now_ms) > 0) {
		reports->dropped++;
		return 0;
	}
	token_bucket_spend(&session->reports, 1);
	size_t key_size = telemetry_key(telemetry.edge, telemetry.run, key);
	telemetry_sink_put(reports->sink, slice_of(key, key_size), bytes); /* which counts */
	return 0;
}
