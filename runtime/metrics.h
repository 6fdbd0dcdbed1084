/* metrics.h - counters, gauges and histograms, rendered as Prometheus text. Registered at start, bumped without look-up.
 * Names carry base units and counters end in _total. One thread; a gauge may have a function that reads it on demand. */
#pragma once
#include <stdint.h>
#include <stdio.h>

struct metrics;
struct metric; /* one time series */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

int metrics_new(struct metrics **ret_metrics);
struct metrics *metrics_free(struct metrics *metrics);

/* One series of the family `name`; families are made at their first series. labels: "lane=\"order\"" or "" (values
 * escaped by the caller through metrics_label). NULL when out of memory. */
struct metric *metrics_add(struct metrics *metrics, enum metric_type type, const char *name,
	const char *labels, const char *help);
/* Histograms: upper bounds in the base unit, ascending, +Inf implied; borrowed, static. */
struct metric *metrics_add_histogram(struct metrics *metrics, const char *name, const char *labels,
	const char *help, const double *bounds, unsigned bound_count);
void metric_add(struct metric *metric, double value); /* NULL is ignored */
void metric_set(struct metric *metric, double value);
void metric_observe(struct metric *metric, double value);
void metric_observe_many(struct metric *metric, double value, uint64_t count); /* each of them */
double metric_value(const struct metric *metric);
/* Series that come and go (per edge): removes one. */
void metrics_remove(struct metrics *metrics, struct metric *metric);
/* Called before each rendering, to set gauges from the program's state. */
void metrics_on_collect(struct metrics *metrics, void (*collect)(void *owner), void *owner);
void metrics_render(struct metrics *metrics, FILE *out);
/* Writes key="escaped value" to out, returns its length. */
int metrics_label(char *out, unsigned long size, const char *key, const void *value,
	unsigned long value_size);
