#include "aggregator/reporting.h"
#include "aggregator/desk/bridge_answer.h"
#include "aggregator/report_reader.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>

enum { LOOK_MS = 500 };

struct reporting {
	struct reporting_options options;
	struct report_reader *reader; /* NULL: no topic */
	struct reports *reports;
	struct bridges *bridges;
	struct horizon horizon;
	struct document document;
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct metric *kept, *unreadable, *forgotten;
	struct metric *states[BRIDGE_STATE_COUNT], *bridges_forgotten;
	bool has_more;
	char cluster_id[CLUSTER_ID_SIZE]; /* of the store; "": not yet known */
};

/* What is no report, or lies under another's key, is passed over: nothing rests on it. */
static int take_bridge(
	struct reporting *reporting, struct slice key, struct slice value, int64_t appended_ms)
{
	struct bridge_report report;
	struct complaint complaint;
	char own_key[BRIDGE_KEY_SIZE_MAX];

	int r = bridge_report_decode(&reporting->document, value, &report, &complaint);
	if (r < 0) {
		return r;
	}
	if (r > 0 ||
		!slice_equal(key, slice_of(own_key, bridge_report_key(report.bridge, own_key)))) {
		metric_add(reporting->unreadable, 1);
		return 0;
	}
	return bridges_take(
		reporting->bridges, &report, appended_ms, loop_now_ms(reporting->options.loop));
}

static int take(void *owner, struct slice key, struct slice value, int64_t appended_ms)
{
	struct reporting *reporting = owner;
	struct telemetry telemetry;
	struct complaint complaint;
	char own_key[TELEMETRY_KEY_SIZE_MAX];

	int r = telemetry_decode(
		&reporting->document, value, reporting->ranges, &telemetry, &complaint);
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		return take_bridge(reporting, key, value, appended_ms);
	}
	if (!slice_equal(key,
		    slice_of(own_key, telemetry_key(telemetry.edge, telemetry.run, own_key)))) {
		metric_add(reporting->unreadable, 1);
		return 0;
	}
	return reports_take(
		reporting->reports, &telemetry, appended_ms, loop_now_ms(reporting->options.loop));
}

static int readable(void *owner)
{
	struct reporting *reporting = owner;
	return report_reader_poll(reporting->reader, reporting->cluster_id, &reporting->has_more);
}

static int open_reader(struct reporting *reporting, struct config_error *error)
{
	const struct report_reader_options options = {
		.brokers = reporting->options.brokers,
		.properties = reporting->options.kafka,
		.topic = reporting->options.topic,
		.take = take,
		.owner = reporting,
	};
	int r = report_reader_new(&options, &reporting->reader, error);
	if (r == 0) {
		r = reports_new(REPORTS_MAX, &reporting->reports);
	}
	if (r == 0) {
		r = bridges_new(BRIDGES_MAX, &reporting->bridges);
	}
	return r < 0 ? r
		     : loop_add_fd(reporting->options.loop, report_reader_fd(reporting->reader),
			       readable, reporting);
}

int reporting_new(const struct reporting_options *options, struct reporting **ret_reporting,
	struct config_error *error)
{
	struct reporting *reporting = calloc(1, sizeof *reporting);
	if (reporting == NULL) {
		return -ENOMEM;
	}
	reporting->options = *options;
	reporting->kept =
		metrics_add(options->metrics, METRIC_GAUGE, "till_aggregator_edge_reports", "",
			"runs of edges whose last report on themselves is known");
	for (int state = 0; state < BRIDGE_STATE_COUNT; state++) {
		const char *name = bridge_state_name((enum bridge_state)state);
		char labels[64];
		metrics_label(labels, sizeof labels, "state", name, strlen(name));
		reporting->states[state] =
			metrics_add(options->metrics, METRIC_GAUGE, "till_aggregator_bridges",
				labels, "bridges that report on themselves, by how they are");
	}
	reporting->bridges_forgotten = metrics_add(options->metrics, METRIC_COUNTER,
		"till_aggregator_bridge_reports_forgotten_total", "",
		"bridges whose last report was dropped: silent for a day, or too many others");
	reporting->unreadable = metrics_add(options->metrics, METRIC_COUNTER,
		"till_aggregator_edge_reports_unreadable_total", "",
		"records in the topic of telemetry that are no reports");
	reporting->forgotten = metrics_add(options->metrics, METRIC_COUNTER,
		"till_aggregator_edge_reports_forgotten_total", "",
		"runs of edges whose report gave way to a newer one's, as only so many are kept");
	int r = reporting->forgotten == NULL
			? -ENOMEM
			: document_init(&reporting->document, TELEMETRY_NODES_MAX);
	if (r == 0 && options->topic != NULL && options->topic[0] != '\0') {
		r = open_reader(reporting, error);
	}
	if (r < 0) {
		reporting_free(reporting);
		return r;
	}
	*ret_reporting = reporting;
	return 0;
}

struct reporting *reporting_free(struct reporting *reporting)
{
	if (reporting == NULL) {
		return NULL;
	}
	if (reporting->reader != NULL) {
		loop_remove_fd(reporting->options.loop, report_reader_fd(reporting->reader));
		report_reader_free(reporting->reader);
	}
	reports_free(reporting->reports);
	bridges_free(reporting->bridges);
	document_deinit(&reporting->document);
	free(reporting);
	return NULL;
}

static void tell_states(struct reporting *reporting, int64_t now_ms)
{
	const struct bridges *bridges = reporting->bridges;
	size_t counts[BRIDGE_STATE_COUNT] = {0};

	for (size_t i = 0; i < bridges_count(bridges); i++) {
		counts[bridge_state_of(bridges, bridges_at(bridges, i), now_ms)]++;
	}
	for (int state = 0; state < BRIDGE_STATE_COUNT; state++) {
		metric_set(reporting->states[state], (double)counts[state]);
	}
	metric_set(reporting->bridges_forgotten, (double)bridges_forgotten(bridges));
}

int reporting_tick(struct reporting *reporting, struct pipeline *pipeline, int64_t now_ms,
	int64_t *ret_wait_ms)
{
	int64_t until_ms = 0;

	if (reporting == NULL || reporting->reader == NULL) {
		return 0;
	}
	snprintf(reporting->cluster_id, sizeof reporting->cluster_id, "%s",
		pipeline->shards[0]->ledger.cluster_id);
	int r = report_reader_poll(reporting->reader, reporting->cluster_id, &reporting->has_more);
	if (r == 0 && horizon_look(&reporting->horizon, pipeline, now_ms, &until_ms)) {
		r = reports_settle(reporting->reports, until_ms);
	}
	bridges_listen(reporting->bridges, pipeline->is_reachable, now_ms);
	tell_states(reporting, now_ms);
	metric_set(reporting->kept, (double)reports_count(reporting->reports));
	metric_set(reporting->forgotten, (double)reports_forgotten(reporting->reports));
	int64_t wait_ms = reporting->has_more ? 0 : LOOK_MS;
	*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
	return r;
}

const struct reports *reporting_reports(const struct reporting *reporting)
{
	return reporting == NULL ? NULL : reporting->reports;
}

const struct bridges *reporting_bridges(const struct reporting *reporting)
{
	return reporting == NULL ? NULL : reporting->bridges;
}
