#include "edge/mqtt_metrics.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>

enum { LABELS_SIZE = 256 };

struct mqtt_metrics {
	struct metric *connected, *reading, *pending, *pending_bytes, *remembered;
	struct metric *publishes[3];
	struct metric *ends[MQTT_END_STOPPED + 1];
	struct metric *sessions, *sessions_lost, *repeats, *resent, *retained_skipped;
	struct metric *too_large, *malformed, *unmatched, *refused_filters, *lowered_filters;
	struct metric *dropped_filters;
	struct metric *ids_reused, *unknown_releases, *not_kept;
};

/* Where series of one source go. */
struct place {
	struct metrics *metrics;
	const char *source; /* its label, ready made */
};

static struct metric *gauge(const struct place *place, const char *name, const char *help)
{
	return metrics_add(place->metrics, METRIC_GAUGE, name, place->source, help);
}

static struct metric *counter(const struct place *place, const char *name, const char *help)
{
	return metrics_add(place->metrics, METRIC_COUNTER, name, place->source, help);
}

static void add_gauges(struct mqtt_metrics *set, const struct place *place)
{
	set->connected = gauge(place, "till_edge_mqtt_connected",
		"1 while messages flow: connected and subscribed");
	set->reading = gauge(place, "till_edge_mqtt_reading",
		"0 while the broker is made to wait: the spool has no room");
	set->pending = gauge(place, "till_edge_mqtt_pending_messages",
		"messages on their way to the disk, not acknowledged to the broker");
	set->pending_bytes = gauge(place, "till_edge_mqtt_pending_bytes", "their payloads");
	set->remembered = gauge(place, "till_edge_mqtt_remembered_ids",
		"packet ids of QoS 2 that the broker has not released");
}

static void add_messages(struct mqtt_metrics *set, const struct place *place)
{
	static const char *const names[] = {"0", "1", "2"};
	char labels[LABELS_SIZE];

	for (int i = 0; i < 3; i++) {
		snprintf(labels, sizeof labels, "%s,qos=\"%s\"", place->source, names[i]);
		set->publishes[i] =
			metrics_add(place->metrics, METRIC_COUNTER, "till_edge_mqtt_messages_total",
				labels, "messages that the broker sent, repeats included");
	}
	set->repeats = counter(place, "till_edge_mqtt_repeats_total",
		"messages of QoS 2 that had been taken before: acknowledged again, not taken");
	set->resent = counter(
		place, "till_edge_mqtt_dup_total", "messages that the broker marked as sent again");
	set->retained_skipped = counter(place, "till_edge_mqtt_retained_skipped_total",
		"retained messages that were acknowledged and not taken");
	set->too_large = counter(place, "till_edge_mqtt_too_large_total",
		"messages over the limit of size: dead letters, cut");
	set->malformed = counter(place, "till_edge_mqtt_malformed_total",
		"messages that break the rules of MQTT: dead letters");
	set->unmatched = counter(place, "till_edge_mqtt_unmatched_total",
		"messages whose topic fits no pattern: dead letters");
	set->not_kept = counter(place, "till_edge_mqtt_not_kept_total",
		"messages that a commit found no room for: the broker sends them again");
}

static void add_sessions(struct mqtt_metrics *set, const struct place *place)
{
	char labels[LABELS_SIZE];

	set->sessions = counter(
		place, "till_edge_mqtt_sessions_total", "connections that a broker accepted");
	set->sessions_lost = counter(place, "till_edge_mqtt_sessions_lost_total",
		"times that a broker had forgotten this edge: what it held for it is gone");
	set->refused_filters = counter(place, "till_edge_mqtt_filters_refused_total",
		"subscriptions that a broker refused");
	set->lowered_filters = counter(place, "till_edge_mqtt_filters_lowered_total",
		"subscriptions that a broker granted with a lower QoS");
	set->dropped_filters = counter(place, "till_edge_mqtt_filters_dropped_total",
		"subscriptions of earlier configurations that were ended");
	set->ids_reused = counter(place, "till_edge_mqtt_ids_reused_total",
		"remembered packet ids that came with another message: the broker went back in "
		"time");
	set->unknown_releases = counter(place, "till_edge_mqtt_unknown_releases_total",
		"releases of packet ids that were not remembered");
	for (int i = MQTT_END_NONE + 1; i <= MQTT_END_STOPPED; i++) {
		snprintf(labels, sizeof labels, "%s,cause=\"%s\"", place->source,
			mqtt_end_name((enum mqtt_end)i));
		set->ends[i] =
			metrics_add(place->metrics, METRIC_COUNTER, "till_edge_mqtt_ends_total",
				labels, "connections, and attempts at one, that ended");
	}
}

int mqtt_metrics_new(struct metrics *metrics, const char *name, struct mqtt_metrics **ret_set)
{
	char source[LABELS_SIZE - 32];
	struct place place = {metrics, source};
	struct mqtt_metrics *set = calloc(1, sizeof *set);
	if (set == NULL) {
		return -ENOMEM;
	}
	metrics_label(source, sizeof source, "source", name, strlen(name));
	add_gauges(set, &place);
	add_messages(set, &place);
	add_sessions(set, &place);
	if (set->ends[MQTT_END_STOPPED] ==
		NULL) { /* the last one: when memory runs out, it stays out */
		mqtt_metrics_free(set);
		return -ENOMEM;
	}
	*ret_set = set;
	return 0;
}

struct mqtt_metrics *mqtt_metrics_free(struct mqtt_metrics *set)
{
	free(set);
	return NULL;
}

void mqtt_metrics_set(struct mqtt_metrics *set, const struct mqtt_session_view *view,
	const struct mqtt_delivery *delivery)
{
	const struct mqtt_session_counts *counts = view->counts;

	metric_set(set->connected, view->state == MQTT_UP ? 1 : 0);
	metric_set(set->reading, delivery->full ? 0 : 1);
	metric_set(set->pending, view->pending);
	metric_set(set->pending_bytes, (double)view->pending_size);
	metric_set(set->remembered, view->ids);
	for (int i = 0; i < 3; i++) {
		metric_set(set->publishes[i], (double)counts->publishes[i]);
	}
	for (int i = MQTT_END_NONE + 1; i <= MQTT_END_STOPPED; i++) {
		metric_set(set->ends[i], (double)counts->ends[i]);
	}
	metric_set(set->sessions, (double)counts->sessions);
	metric_set(set->sessions_lost, (double)counts->sessions_lost);
	metric_set(set->repeats, (double)counts->repeats);
	metric_set(set->resent, (double)counts->dups);
	metric_set(set->retained_skipped, (double)counts->retained_skipped);
	metric_set(set->too_large, (double)counts->too_large);
	metric_set(set->malformed, (double)counts->malformed);
	metric_set(set->unmatched, (double)delivery->unmatched);
	metric_set(set->refused_filters, (double)counts->filters_refused);
	metric_set(set->dropped_filters, (double)counts->filters_dropped);
	metric_set(set->lowered_filters, (double)counts->filters_lowered);
	metric_set(set->ids_reused, (double)counts->ids_reused);
	metric_set(set->unknown_releases, (double)counts->releases_unknown);
	metric_set(set->not_kept, (double)counts->not_kept);
}
