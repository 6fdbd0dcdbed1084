#include "aggregator/web/web_metrics.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS_SIZE = 96 };

/* What is ever answered; others are counted as the last. */
static const unsigned statuses[] = {
	200, 304, 400, 401, 403, 404, 405, 408, 413, 415, 429, 503, 504, 500};
/* The console's files are one, and what has no route is the last. */
static const char *const routes[] = {
	"/query", "/views", "/events", "/metrics", "/livez", "/readyz", "console", "none"};

enum {
	STATUS_COUNT = sizeof statuses / sizeof statuses[0],
	ROUTE_COUNT = sizeof routes / sizeof routes[0],
	ROUTE_CONSOLE = ROUTE_COUNT - 2,
	ROUTE_NONE = ROUTE_COUNT - 1,
};

struct web_metrics {
	struct metrics *metrics;
	struct metric *requests[ROUTE_COUNT][STATUS_COUNT]; /* NULL: never yet */
	struct metric *clients, *queries, *asked, *seconds, *postponed, *sent, *conflated, *refused;
};

static struct metric *add(
	struct metrics *metrics, enum metric_type type, const char *name, const char *help)
{
	return metrics_add(metrics, type, name, "", help);
}

static void add_events(struct web_metrics *set, struct metrics *metrics)
{
	set->clients = add(metrics, METRIC_GAUGE, "till_aggregator_sse_clients",
		"who look at live answers over HTTP now");
	set->queries = add(metrics, METRIC_GAUGE, "till_aggregator_sse_queries",
		"different queries that they look at now");
	set->asked = add(metrics, METRIC_COUNTER, "till_aggregator_sse_evaluations_total",
		"answers that were made for them, each for all who look at it");
	set->seconds = add(metrics, METRIC_COUNTER, "till_aggregator_sse_evaluation_seconds_total",
		"processor time that making them took");
	set->postponed = add(metrics, METRIC_COUNTER, "till_aggregator_sse_postponed_total",
		"answers that were due and were made later, so that live answers take no more than "
		"their share of the time");
	set->sent = add(metrics, METRIC_COUNTER, "till_aggregator_sse_answers_total",
		"answers that were sent to them");
	set->conflated = add(metrics, METRIC_COUNTER, "till_aggregator_sse_conflated_total",
		"answers that a slow one was not sent, for a newer one had come");
	set->refused = add(metrics, METRIC_COUNTER, "till_aggregator_sse_refused_total",
		"who wanted to look and was turned away, for too many do");
}

static size_t route_of(const char *path, bool is_asset)
{
	for (size_t i = 0; i < ROUTE_CONSOLE; i++) {
		if (strcmp(routes[i], path) == 0) {
			return i;
		}
	}
	return is_asset ? ROUTE_CONSOLE : ROUTE_NONE;
}

/* A table of all of them would be mostly of what never happens. */
static struct metric *find_request(struct web_metrics *set, size_t route, size_t status)
{
	struct metric **metric = &set->requests[route][status];
	char labels[LABELS_SIZE];

	if (*metric == NULL) {
		snprintf(labels, sizeof labels, "route=\"%s\",status=\"%u\"", routes[route],
			statuses[status]);
		*metric = metrics_add(set->metrics, METRIC_COUNTER,
			"till_aggregator_http_requests_total", labels,
			"requests over HTTP by what they were answered");
	}
	return *metric;
}

int web_metrics_new(struct metrics *metrics, void (*collect)(void *owner), void *owner,
	struct web_metrics **ret_set)
{
	struct web_metrics *set = calloc(1, sizeof *set);
	if (set == NULL) {
		return -ENOMEM;
	}
	set->metrics = metrics;
	add_events(set, metrics);
	(void)find_request(set, 0, 0); /* so that the family is there before anybody asks */
	metrics_on_collect(metrics, collect, owner);
	*ret_set = set;
	return 0;
}

struct web_metrics *web_metrics_free(struct web_metrics *set)
{
	free(set);
	return NULL;
}

void web_metrics_add(struct web_metrics *set, const char *path, bool is_asset, unsigned status)
{
	size_t i = 0;

	while (i < STATUS_COUNT - 1 && statuses[i] != status) {
		i++;
	}
	metric_add(find_request(set, route_of(path, is_asset), i), 1);
}

void web_metrics_add_refused_watch(struct web_metrics *set)
{
	metric_add(set->refused, 1);
}

void web_metrics_set(struct web_metrics *set, const struct standing_counts *standing,
	const struct watchers_counts *watchers)
{
	metric_set(set->clients, (double)watchers->watchers);
	metric_set(set->queries, (double)standing->queries);
	metric_set(set->asked, (double)standing->asked);
	metric_set(set->seconds, (double)standing->took_us / 1e6);
	metric_set(set->postponed, (double)standing->postponed);
	metric_set(set->sent, (double)watchers->sent);
	metric_set(set->conflated, (double)watchers->conflated);
}
