#include "edge/sources.h"
#include "edge/desk.h"
#include "edge/source_table.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ZeroMQ's two, which are not declared, and the declared ones. */
enum { SOURCES_MAX = SOURCES_DECLARED_MAX + 2, LABELS_SIZE = 160 };

/* The edge's own: signals, links to bridges and their monitors, /metrics. */
enum { LOOP_SOURCES_OTHERS = 16 };

_Static_assert((int)SOURCES_MAX <= (int)DESK_PORTS_MAX, "each source has a port");
_Static_assert((int)LOOP_SOURCES_OTHERS + 2 * SOURCES_MAX <= (int)LOOP_SOURCES_MAX,
	"each source may have a connection that begins and one that ends");

struct source_series {
	struct metric *frames, *received, *accepted, *invalid, *refused, *repeated;
};

struct running {
	const struct source_type *type;
	char name[SOURCE_NAME_SIZE];
	struct port *port;
	void *source;
	struct source_series series;
};

struct sources {
	struct sources_options options;
	struct running of[SOURCES_MAX];
	size_t count;
};

int sources_new(const struct sources_options *options, struct sources **ret_sources)
{
	struct sources *sources = calloc(1, sizeof *sources);
	if (sources == NULL) {
		return -ENOMEM;
	}
	sources->options = *options;
	*ret_sources = sources;
	return 0;
}

struct sources *sources_free(struct sources *sources)
{
	if (sources == NULL) {
		return NULL;
	}
	for (size_t i = sources->count; i > 0; i--) {
		struct running *running = &sources->of[i - 1];
		running->source = running->type->close(running->source);
	}
	free(sources);
	return NULL;
}

/* ---- opening */

static struct metric *add_outcome(
	struct sources *sources, const struct running *running, const char *outcome)
{
	char labels[LABELS_SIZE];

	snprintf(labels, sizeof labels, "source=\"%s\",type=\"%s\",outcome=\"%s\"", running->name,
		running->type->name, outcome);
	return metrics_add(sources->options.metrics, METRIC_COUNTER,
		"till_edge_source_events_total", labels,
		"events of a source by what became of them; they add up to what it received");
}

static int add_series(struct sources *sources, struct running *running)
{
	struct metrics *metrics = sources->options.metrics;
	struct source_series *series = &running->series;
	char labels[LABELS_SIZE];

	snprintf(labels, sizeof labels, "source=\"%s\",type=\"%s\"", running->name,
		running->type->name);
	series->frames = metrics_add(metrics, METRIC_COUNTER, "till_edge_source_frames_total",
		labels, "frames, requests, messages or reads that a source handed in");
	series->received = metrics_add(metrics, METRIC_COUNTER, "till_edge_source_received_total",
		labels, "events that a source handed in");
	series->accepted = add_outcome(sources, running, "accepted");
	series->invalid = add_outcome(sources, running, "invalid");
	series->refused = add_outcome(sources, running, "refused");
	series->repeated = add_outcome(sources, running, "repeated");
	return series->repeated == NULL ? -ENOMEM : 0;
}

/* ZeroMQ's are the only ones of their type: their name is enough. */
static void label_of(const struct running *running, char label[SOURCE_LABEL_SIZE])
{
	if (running->type->schema == NULL) {
		snprintf(label, SOURCE_LABEL_SIZE, "%s", running->name);
	} else {
		snprintf(label, SOURCE_LABEL_SIZE, "%s:%s", running->type->name, running->name);
	}
}

static int open_port(struct sources *sources, struct running *running)
{
	char label[SOURCE_LABEL_SIZE];
	const struct port_options options = {
		.label = label, .acknowledge = running->type->acknowledge};

	label_of(running, label);
	return desk_open_port(sources->options.desk, &options, &running->port);
}

int sources_open(struct sources *sources, const struct source_type *type, const char *name,
	const void *config, struct source_error *error)
{
	assert(sources->count < SOURCES_MAX);
	struct running *running = &sources->of[sources->count];

	*running = (struct running){.type = type};
	snprintf(running->name, sizeof running->name, "%s", name);
	int r = open_port(sources, running);
	if (r == 0) {
		r = add_series(sources, running);
	}
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%s", strerror(-r));
		return r;
	}
	const struct source_options options = {
		.name = running->name,
		.config = config,
		.edge = sources->options.edge,
		.port = running->port,
		.loop = sources->options.loop,
		.context = sources->options.context,
		.metrics = sources->options.metrics,
		.security = sources->options.security,
	};
	r = type->open(&options, &running->source, error);
	if (r < 0 && error->text[0] == '\0') {
		snprintf(error->text, sizeof error->text, "%s", strerror(-r));
	}
	if (r < 0) {
		return r;
	}
	port_set_owner(running->port, running->source);
	sources->count++;
	return 0;
}

int sources_open_declared(struct sources *sources, const struct source_declarations *declarations,
	struct source_error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < declarations->count; i++) {
		const struct source_declaration *declaration = &declarations->of[i];
		struct source_error why = {0};
		r = sources_open(
			sources, declaration->type, declaration->name, declaration->config, &why);
		if (r < 0) {
			snprintf(error->text, sizeof error->text, "[source.%s] %.200s",
				declaration->name, why.text);
		}
	}
	return r;
}

/* ---- running */

int sources_poll(struct sources *sources, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct running *running = &sources->of[i];
		int64_t wait_ms = *ret_wait_ms;
		if (running->type->poll == NULL) {
			continue;
		}
		int r = running->type->poll(running->source, now_ms, wall_ms, &wait_ms);
		if (r < 0) {
			return r;
		}
		*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
	}
	return 0;
}

void sources_stop(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct running *running = &sources->of[i];
		if (running->type->stop != NULL) {
			running->type->stop(running->source);
		}
	}
}

bool sources_are_stopped(const struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct running *running = &sources->of[i];
		if (running->type->is_stopped != NULL &&
			!running->type->is_stopped(running->source)) {
			return false;
		}
	}
	return true;
}

const char *const *sources_endpoints(const struct sources *sources, const struct source_type *type)
{
	static const char *const none[] = {NULL};

	for (size_t i = 0; i < sources->count; i++) {
		if (sources->of[i].type == type && type->endpoints != NULL) {
			return type->endpoints(sources->of[i].source);
		}
	}
	return none;
}

void sources_list(
	const struct sources *sources, struct program_source list[SOURCES_DECLARED_MAX + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < sources->count; i++) {
		const struct running *running = &sources->of[i];
		bool is_declared = running->type->schema != NULL;
		if (is_declared && running->type->endpoints != NULL) {
			list[count++] = (struct program_source){
				running->name, running->type->endpoints(running->source)};
		}
	}
	list[count] = (struct program_source){NULL, NULL};
}

void sources_describe(const struct sources *sources, FILE *out)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct running *running = &sources->of[i];
		if (running->type->describe != NULL) {
			running->type->describe(running->source, out);
		}
	}
}

static uint64_t sum(const uint64_t *values, int count)
{
	uint64_t total = 0;

	for (int i = 0; i < count; i++) {
		total += values[i];
	}
	return total;
}

void sources_collect(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct source_series *series = &sources->of[i].series;
		struct intake_counts counts;
		port_count(sources->of[i].port, &counts);
		metric_set(series->frames, (double)counts.frames);
		metric_set(series->received, (double)counts.received);
		metric_set(series->accepted, (double)sum(counts.accepted, KIND_EVENT_COUNT));
		metric_set(series->invalid, (double)sum(counts.invalid, REASON_COUNT));
		metric_set(series->refused, (double)sum(counts.refused, REASON_COUNT));
		metric_set(series->repeated, (double)counts.repeated);
	}
}
