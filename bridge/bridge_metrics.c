#include "bridge/bridge_metrics.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdio.h>

static struct metric *counter(
	struct bridge_metrics *set, const char *name, const char *labels, const char *help)
{
	return metrics_add(set->metrics, METRIC_COUNTER, name, labels, help);
}

static struct metric *gauge(struct bridge_metrics *set, const char *name, const char *help)
{
	return metrics_add(set->metrics, METRIC_GAUGE, name, "", help);
}

static struct metric *labelled(struct bridge_metrics *set, const char *name, const char *label,
	const char *value, const char *help)
{
	char labels[TOPIC_NAME_SIZE + 32];
	metrics_label(labels, sizeof labels, label, value, strlen(value));
	return counter(set, name, labels, help);
}

static void add_lanes(struct bridge_metrics *set)
{
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		const char *topic = set->topics->names[lane];
		set->events_received[lane] = labelled(set, "till_bridge_events_received_total",
			"lane", kind_name((enum kind)lane), "events in batches that were taken");
		set->records_produced[lane] = labelled(set, "till_bridge_records_produced_total",
			"topic", topic, "records handed to librdkafka, repeats not counted");
		set->records_delivered[lane] = labelled(set, "till_bridge_records_delivered_total",
			"topic", topic, "records that Kafka confirmed");
	}
}

static void add_codes(struct bridge_metrics *set)
{
	for (int code = 1; code < NACK_CODE_COUNT; code++) {
		set->batches_nacked[code] = labelled(set, "till_bridge_batches_nacked_total",
			"code", nack_code_name((enum nack_code)code),
			"batches that the edge must send again");
	}
	for (int reason = REASON_BAD_FRAME; reason <= REASON_REFUSED_BY_KAFKA; reason++) {
		set->events_rejected[reason] = labelled(set, "till_bridge_events_rejected_total",
			"code", reason_code((enum reason)reason),
			"events that became dead letters here");
	}
}

static void add_traffic(struct bridge_metrics *set)
{
	set->sessions = gauge(set, "till_bridge_sessions", "edges with a session");
	set->sessions_total =
		counter(set, "till_bridge_sessions_total", "", "sessions that were opened");
	set->batches_received = counter(
		set, "till_bridge_batches_received_total", "", "batches that came in a session");
	set->batches_compressed = counter(set, "till_bridge_batches_compressed_total", "",
		"of the batches that were taken, the compressed ones");
	set->compressed_bad = counter(set, "till_bridge_compressed_bad_total", "",
		"compressed batches that broke a rule; each ended its session");
	set->event_bytes = counter(set, "till_bridge_received_event_bytes_total", "",
		"bytes of events in batches that were taken, uncompressed");
	set->wire_bytes = counter(set, "till_bridge_received_wire_bytes_total", "",
		"what these bytes were on the link: less, where they were compressed");
	set->batches_acked = counter(set, "till_bridge_batches_acked_total", "",
		"batches whose every record Kafka confirmed");
	set->unacked_batches = gauge(set, "till_bridge_unacked_batches", "batches in flight");
	set->unacked_records =
		gauge(set, "till_bridge_unacked_records", "records waiting for Kafka's report");
	set->queue_bytes =
		gauge(set, "till_bridge_queue_bytes", "bytes of events waiting for Kafka's report");
	set->oldest_unacked = gauge(set, "till_bridge_oldest_unacked_seconds",
		"how long the oldest batch in flight has waited for Kafka's report");
	set->edge_id_conflicts = counter(set, "till_bridge_edge_id_conflicts_total", "",
		"sessions opened while another run of the same edge id was alive");
	set->edge_id_conflict = gauge(set, "till_edge_id_conflict",
		"sessions beside which another run of the same edge id lives now");
	set->sessions_forbidden = counter(set, "till_bridge_sessions_forbidden_total", "",
		"sessions refused or ended because the key may not be that edge");
	set->frames_bad =
		counter(set, "till_bridge_frames_bad_total", "", "frames that broke the protocol");
	set->frames_limited = counter(set, "till_bridge_frames_limited_total", "",
		"frames of edges that sent more in a second than [limits] lets one peer");
	set->sessions_limited = counter(set, "till_bridge_sessions_limited_total", "",
		"sessions refused because one peer holds as many as [limits] lets it");
	set->acks_deferred = counter(set, "till_bridge_acks_deferred_total", "",
		"acknowledgements that could not be sent at once and were merged into a later one");
	set->telemetry_delivered = counter(set, "till_bridge_telemetry_delivered_total", "",
		"what edges and this bridge reported of themselves, as far as Kafka has it");
	set->telemetry_dropped = counter(set, "till_bridge_telemetry_dropped_total", "",
		"such reports that came too often, or that Kafka did not take: the next says "
		"more");
	set->reports_dropped = counter(set, "till_bridge_reports_dropped_total", "",
		"delivery reports that nobody waited for any more");
}

static void add_kafka(struct bridge_metrics *set)
{
	static const double bounds[] = {
		0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
	set->records_retried = counter(set, "till_bridge_records_retried_total", "",
		"records that were sent to Kafka again, alone");
	set->producer_rebuilds = counter(set, "till_bridge_producer_rebuilds_total", "",
		"times that the producer was rebuilt after a fatal error");
	set->kafka_connected =
		gauge(set, "till_bridge_kafka_connected", "1 while Kafka answers, else 0");
	static const double ack_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
		1, 2.5, 5, 10, 30, 60, 300, 3600, 86400};
	set->batches_ageless = counter(set, "till_bridge_batches_ageless_total", "",
		"acknowledged batches of edges that don't say how old what they send is");
	set->ack_seconds = metrics_add_histogram(set->metrics, "till_bridge_ack_seconds", "",
		"from an edge's receipt of an event to Kafka's confirmation", ack_bounds,
		sizeof ack_bounds / sizeof ack_bounds[0]);
	set->delivery_seconds = metrics_add_histogram(set->metrics, "till_bridge_delivery_seconds",
		"", "from a batch's arrival to its end", bounds, sizeof bounds / sizeof bounds[0]);
}

int bridge_metrics_init(
	struct bridge_metrics *set, struct metrics *metrics, const struct topics *topics)
{
	*set = (struct bridge_metrics){.metrics = metrics, .topics = topics};
	add_traffic(set);
	add_lanes(set);
	add_codes(set);
	add_kafka(set);
	return set->delivery_seconds == NULL ? -ENOMEM : 0;
}

static struct metric *new_failure(struct bridge_metrics *set, enum kind lane, const char *error)
{
	char labels[TOPIC_NAME_SIZE + 96];
	int size = metrics_label(labels, sizeof labels, "topic", set->topics->names[lane],
		strlen(set->topics->names[lane]));
	labels[size] = ',';
	metrics_label(
		labels + size + 1, sizeof labels - (size_t)size - 1, "error", error, strlen(error));
	return counter(set, "till_bridge_records_failed_total", labels,
		"records that Kafka did not take, by librdkafka's name of the error");
}

static struct failure_series *find_failure(
	struct bridge_metrics *set, enum kind lane, const char *error)
{
	for (size_t i = 0; i < set->failure_count; i++) {
		struct failure_series *series = &set->failures[i];
		if (series->lane == lane && strcmp(series->error, error) == 0) {
			return series;
		}
	}
	return NULL;
}

void bridge_metrics_count_failure(struct bridge_metrics *set, enum kind lane, const char *error)
{
	struct failure_series *series = find_failure(set, lane, error);
	if (series == NULL && set->failure_count >= FAILURE_SERIES_MAX - LANE_COUNT) {
		error = "other"; /* one series of this name per lane: there is room for them */
		series = find_failure(set, lane, error);
	}
	if (series == NULL) {
		series = &set->failures[set->failure_count++];
		series->lane = lane;
		snprintf(series->error, sizeof series->error, "%s", error);
		series->metric = new_failure(set, lane, error);
	}
	metric_add(series->metric, 1);
}
