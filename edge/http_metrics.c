#include "edge/http_metrics.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_SIZE = 160 };

/* What is ever answered; others are counted as the last. */
static const unsigned statuses[] = {200, 400, 401, 404, 405, 408, 413, 415, 422, 429, 503, 500};

enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };

static const double bounds[] = {
	0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10};

struct http_metrics {
	struct metric *requests[STATUS_COUNT];
	struct metric *body_bytes, *seconds;
	struct metric *connections, *accepted, *refused, *displaced, *gone, *broken;
};

/* Where series of one source go. */
struct place {
	struct metrics *metrics;
	const char *source; /* its label, ready made */
};

static struct metric *counter(const struct place *place, const char *name, const char *help)
{
	return metrics_add(place->metrics, METRIC_COUNTER, name, place->source, help);
}

static void add_requests(struct http_metrics *set, const struct place *place)
{
	char labels[LABELS_SIZE];

	for (size_t i = 0; i < STATUS_COUNT; i++) {
		snprintf(labels, sizeof labels, "%s,status=\"%u\"", place->source, statuses[i]);
		set->requests[i] =
			metrics_add(place->metrics, METRIC_COUNTER, "till_edge_http_requests_total",
				labels, "requests by what they were answered");
	}
	set->body_bytes = counter(place, "till_edge_http_body_bytes_total",
		"bodies of the requests that were answered");
	set->seconds = metrics_add_histogram(place->metrics, "till_edge_http_request_seconds",
		place->source, "from a request's head to its answer", bounds,
		sizeof bounds / sizeof bounds[0]);
}

static void add_connections(struct http_metrics *set, const struct place *place)
{
	set->connections = metrics_add(place->metrics, METRIC_GAUGE, "till_edge_http_connections",
		place->source, "open now");
	set->accepted = counter(
		place, "till_edge_http_connections_accepted_total", "connections that were opened");
	set->refused = counter(place, "till_edge_http_connections_refused_total",
		"connections past the share of one address, closed at once");
	set->displaced = counter(place, "till_edge_http_connections_displaced_total",
		"silent connections that made room for others");
	set->broken = counter(place, "till_edge_http_connections_broken_total",
		"connections that ended within a request: malformed, cut off, too slow");
	set->gone = counter(place, "till_edge_http_clients_gone_total",
		"clients that had hung up before their answer: it was given all the same");
}

int http_metrics_new(struct metrics *metrics, const char *name, struct http_metrics **ret_set)
{
	char source[LABELS_SIZE - 32];
	const struct place place = {metrics, source};
	struct http_metrics *set = calloc(1, sizeof *set);
	if (set == NULL) {
		return -ENOMEM;
	}
	metrics_label(source, sizeof source, "source", name, strlen(name));
	add_requests(set, &place);
	add_connections(set, &place);
	if (set->gone == NULL) { /* the last one: when memory runs out, it stays out */
		http_metrics_free(set);
		return -ENOMEM;
	}
	*ret_set = set;
	return 0;
}

struct http_metrics *http_metrics_free(struct http_metrics *set)
{
	free(set);
	return NULL;
}

void http_metrics_add(struct http_metrics *set, const struct http_exchange *exchange)
{
	size_t i = 0;

	while (i < STATUS_COUNT - 1 && statuses[i] != exchange->status) {
		i++;
	}
	metric_add(set->requests[i], 1);
	metric_add(set->body_bytes, (double)exchange->body_size);
	metric_observe(set->seconds, (double)exchange->duration_us / 1e6);
}

void http_metrics_set(struct http_metrics *set, const struct http_server_counts *counts)
{
	metric_set(set->connections, counts->connections);
	metric_set(set->accepted, (double)counts->accepted);
	metric_set(set->refused, (double)counts->refused);
	metric_set(set->displaced, (double)counts->displaced);
	metric_set(set->broken, (double)counts->broken);
	metric_set(set->gone, (double)counts->gone);
}
