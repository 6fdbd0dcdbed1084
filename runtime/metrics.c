#include "runtime/metrics.h"
#include "runtime/text.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COLLECTORS_MAX = 8 };

struct family {
	char *name;
	char *help;
	enum metric_type type;
	const double *bounds; /* of histograms; borrowed */
	unsigned bound_count;
	struct metric **series;
	size_t series_count;
};

struct metric {
	struct family *family;
	char *labels;
	unsigned users; /* how often it was added: the last metrics_remove frees it */
	double value; /* of histograms the sum */
	uint64_t *buckets; /* of histograms: one for each bound and one for the rest */
};

struct collector {
	void (*collect)(void *owner);
	void *owner;
};

struct metrics {
	struct family **families;
	size_t family_count;
	struct collector collectors[COLLECTORS_MAX];
	unsigned collector_count;
};

int metrics_new(struct metrics **ret_metrics)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);
	if (metrics == NULL) {
		return -ENOMEM;
	}
	*ret_metrics = metrics;
	return 0;
}

static void free_metric(struct metric *metric)
{
	if (metric != NULL) {
		free(metric->labels);
		free(metric->buckets);
		free(metric);
	}
}

static void free_family(struct family *family)
{
	if (family == NULL) {
		return;
	}
	for (size_t i = 0; i < family->series_count; i++) {
		free_metric(family->series[i]);
	}
	free(family->series);
	free(family->name);
	free(family->help);
	free(family);
}

struct metrics *metrics_free(struct metrics *metrics)
{
	if (metrics == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < metrics->family_count; i++) {
		free_family(metrics->families[i]);
	}
	free(metrics->families);
	free(metrics);
	return NULL;
}

/* Makes room for one more pointer; count only grows by ones. */
static bool reserve_one(void *array, size_t count)
{
	void **pointers = NULL;
	if ((count & (count - 1)) != 0) {
		return true; /* rooms double: there is space until the next power of two */
	}
	memcpy(&pointers, array, sizeof pointers);
	pointers = realloc(pointers, (count == 0 ? 1 : 2 * count) * sizeof *pointers);
	if (pointers == NULL) {
		return false;
	}
	memcpy(array, &pointers, sizeof pointers);
	return true;
}

static struct family *make_family(enum metric_type type, const char *name, const char *help)
{
	struct family *family = calloc(1, sizeof *family);
	if (family == NULL) {
		return NULL;
	}
	family->type = type;
	family->name = strdup(name);
	family->help = strdup(help);
	if (family->name == NULL || family->help == NULL) {
		free_family(family);
		return NULL;
	}
	return family;
}

static struct family *take_family(
	struct metrics *metrics, enum metric_type type, const char *name, const char *help)
{
	for (size_t i = 0; i < metrics->family_count; i++) {
		if (strcmp(metrics->families[i]->name, name) == 0) {
			assert(metrics->families[i]->type == type);
			return metrics->families[i];
		}
	}
	struct family *family = make_family(type, name, help);
	if (family == NULL || !reserve_one(&metrics->families, metrics->family_count)) {
		free_family(family);
		return NULL;
	}
	metrics->families[metrics->family_count++] = family;
	return family;
}

static struct metric *make_metric(struct family *family, const char *labels)
{
	struct metric *metric = calloc(1, sizeof *metric);
	if (metric == NULL) {
		return NULL;
	}
	metric->family = family;
	metric->labels = strdup(labels);
	if (family->type == METRIC_HISTOGRAM) {
		metric->buckets = calloc(family->bound_count + 1, sizeof *metric->buckets);
	}
	if (metric->labels == NULL ||
		(family->type == METRIC_HISTOGRAM && metric->buckets == NULL)) {
		free_metric(metric);
		return NULL;
	}
	return metric;
}

static struct metric *add_series(struct family *family, const char *labels)
{
	for (size_t i = 0; i < family->series_count; i++) {
		if (strcmp(family->series[i]->labels, labels) == 0) {
			family->series[i]->users++;
			return family->series[i];
		}
	}
	struct metric *metric = make_metric(family, labels);
	if (metric == NULL || !reserve_one(&family->series, family->series_count)) {
		free_metric(metric);
		return NULL;
	}
	metric->users = 1;
	family->series[family->series_count++] = metric;
	return metric;
}

struct metric *metrics_add(struct metrics *metrics, enum metric_type type, const char *name,
	const char *labels, const char *help)
{
	assert(type != METRIC_HISTOGRAM);
	struct family *family = take_family(metrics, type, name, help);
	return family != NULL ? add_series(family, labels) : NULL;
}

struct metric *metrics_add_histogram(struct metrics *metrics, const char *name, const char *labels,
	const char *help, const double *bounds, unsigned bound_count)
{
	struct family *family = take_family(metrics, METRIC_HISTOGRAM, name, help);
	if (family == NULL) {
		return NULL;
	}
	assert(family->series_count == 0 || family->bounds == bounds);
	family->bounds = bounds;
	family->bound_count = bound_count;
	return add_series(family, labels);
}

void metric_add(struct metric *metric, double value)
{
	if (metric != NULL) {
		metric->value += value;
	}
}

void metric_set(struct metric *metric, double value)
{
	if (metric != NULL) {
		metric->value = value;
	}
}

void metric_observe(struct metric *metric, double value)
{
	metric_observe_many(metric, value, 1);
}

void metric_observe_many(struct metric *metric, double value, uint64_t count)
{
	unsigned i = 0;

	if (metric == NULL) {
		return;
	}
	while (i < metric->family->bound_count && value > metric->family->bounds[i]) {
		i++;
	}
	metric->buckets[i] += count;
	metric->value += value * (double)count;
}

double metric_value(const struct metric *metric)
{
	return metric != NULL ? metric->value : 0;
}

void metrics_remove(struct metrics *metrics, struct metric *metric)
{
	(void)metrics;
	if (metric == NULL || --metric->users > 0) {
		return;
	}
	struct family *family = metric->family;
	for (size_t i = 0; i < family->series_count; i++) {
		if (family->series[i] == metric) {
			family->series_count--;
			memmove(&family->series[i], &family->series[i + 1],
				(family->series_count - i) * sizeof family->series[0]);
			break;
		}
	}
	free_metric(metric);
}

void metrics_on_collect(struct metrics *metrics, void (*collect)(void *owner), void *owner)
{
	assert(metrics->collector_count < COLLECTORS_MAX);
	metrics->collectors[metrics->collector_count++] = (struct collector){collect, owner};
}

/* Whole numbers without exponent, others with as few digits as bring the same double back. */
static void write_number(double value, FILE *out)
{
	char text[40];

	if (isnan(value)) {
		fputs("NaN", out);
	} else if (isinf(value)) {
		fputs(value > 0 ? "+Inf" : "-Inf", out);
	} else if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
		fprintf(out, "%.0f", value);
	} else {
		snprintf(text, sizeof text, "%.15g", value);
		if (strtod(text, NULL) != value) {
			snprintf(text, sizeof text, "%.17g", value);
		}
		fputs(text, out);
	}
}

static void write_sample(const struct metric *metric, const char *suffix, const char *labels,
	double value, FILE *out)
{
	bool braces = *metric->labels != '\0' || *labels != '\0';

	fprintf(out, "%s%s", metric->family->name, suffix);
	if (braces) {
		bool comma = *metric->labels != '\0' && *labels != '\0';
		fprintf(out, "{%s%s%s}", metric->labels, comma ? "," : "", labels);
	}
	fputc(' ', out);
	write_number(value, out);
	fputc('\n', out);
}

static void write_histogram(const struct metric *metric, FILE *out)
{
	const struct family *family = metric->family;
	uint64_t count = 0;
	char bound[48];

	for (unsigned i = 0; i < family->bound_count; i++) {
		count += metric->buckets[i];
		snprintf(bound, sizeof bound, "le=\"%g\"", family->bounds[i]);
		write_sample(metric, "_bucket", bound, (double)count, out);
	}
	count += metric->buckets[family->bound_count];
	write_sample(metric, "_bucket", "le=\"+Inf\"", (double)count, out);
	write_sample(metric, "_sum", "", metric->value, out);
	write_sample(metric, "_count", "", (double)count, out);
}

/* HELP text: a backslash and a line end are escaped. */
static void write_help(const struct family *family, FILE *out)
{
	fprintf(out, "# HELP %s ", family->name);
	for (const char *at = family->help; *at != '\0'; at++) {
		if (*at == '\\' || *at == '\n') {
			fputs(*at == '\n' ? "\\n" : "\\\\", out);
		} else {
			fputc(*at, out);
		}
	}
	fputc('\n', out);
}

static void write_family(const struct family *family, FILE *out)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	if (family->series_count == 0) {
		return;
	}
	write_help(family, out);
	fprintf(out, "# TYPE %s %s\n", family->name, types[family->type]);
	for (size_t i = 0; i < family->series_count; i++) {
		if (family->type == METRIC_HISTOGRAM) {
			write_histogram(family->series[i], out);
		} else {
			write_sample(family->series[i], "", "", family->series[i]->value, out);
		}
	}
}

void metrics_render(struct metrics *metrics, FILE *out)
{
	for (unsigned i = 0; i < metrics->collector_count; i++) {
		metrics->collectors[i].collect(metrics->collectors[i].owner);
	}
	for (size_t i = 0; i < metrics->family_count; i++) {
		write_family(metrics->families[i], out);
	}
}

static size_t escape_for_label(const char *text, size_t size, char *out)
{
	if (size == 0 || (size == 1 && (unsigned char)*text < 0x20 && *text != '\n')) {
		out[0] = '?';
		return 1;
	}
	if (*text == '"' || *text == '\\' || *text == '\n') {
		out[0] = '\\';
		out[1] = *text == '\n' ? 'n' : *text;
		return 2;
	}
	memcpy(out, text, size);
	return size;
}

int metrics_label(
	char *out, unsigned long size, const char *key, const void *value, unsigned long value_size)
{
	size_t used = strlen(key) + 1;

	if (used + sizeof "\"\"" > size) {
		if (size > 0) {
			out[0] = '\0';
		}
		return 0;
	}
	snprintf(out, size, "%s=", key);
	return (int)(used +
		     text_quote(out + used, size - used, value, value_size, escape_for_label));
}
