#include "aggregator/view_gauges.h"
#include "runtime/metrics.h"
#include <stdio.h>
#include <stdlib.h>

enum { LABELS_SIZE = 256 };

/* What becomes of an event of the view's kind. */
enum state { STATE_IN_ROWS, STATE_UNMATCHED, STATE_HELD, STATE_EXPIRED, STATES };

struct series {
	struct metric *rows, *events[STATES];
};

struct view_gauges {
	struct metrics *metrics;
	const struct view_set *views; /* whose series there are; NULL: none */
	uint32_t generation;
	size_t count;
	struct series series[VIEWS_MAX];
};

struct view_gauges *view_gauges_new(struct metrics *metrics)
{
	struct view_gauges *gauges = calloc(1, sizeof *gauges);

	if (gauges != NULL) {
		gauges->metrics = metrics;
	}
	return gauges;
}

struct view_gauges *view_gauges_free(struct view_gauges *gauges)
{
	free(gauges);
	return NULL;
}

/* ---- series */

static void drop_series(struct view_gauges *gauges)
{
	for (size_t i = 0; i < gauges->count; i++) {
		struct series *series = &gauges->series[i];
		metrics_remove(gauges->metrics, series->rows);
		for (int state = 0; state < STATES; state++) {
			metrics_remove(gauges->metrics, series->events[state]);
		}
		*series = (struct series){0};
	}
	gauges->count = 0;
}

static struct metric *add_events(
	struct view_gauges *gauges, const char *view_label, enum state state)
{
	static const char *const names[STATES] = {"in_rows", "unmatched", "held", "expired"};
	char labels[LABELS_SIZE];

	snprintf(labels, sizeof labels, "%s,state=\"%s\"", view_label, names[state]);
	return metrics_add(gauges->metrics, METRIC_GAUGE, "till_aggregator_view_events", labels,
		"Events of a view's kind, by what became of them, as of the last commit.");
}

static void add_series(struct view_gauges *gauges, const struct view *view)
{
	struct series *series = &gauges->series[gauges->count++];
	char label[LABELS_SIZE / 2];

	if (view_is_table(view)) {
		return; /* of rows that others write there are no events */
	}
	metrics_label(label, sizeof label, "view", view_name(view), strlen(view_name(view)));
	series->rows = metrics_add(gauges->metrics, METRIC_GAUGE, "till_aggregator_view_rows",
		label, "Rows of a view, as of the last commit.");
	for (int state = 0; state < STATES; state++) {
		series->events[state] = add_events(gauges, label, (enum state)state);
	}
}

static void follow_views(struct view_gauges *gauges, const struct pipeline *pipeline)
{
	const struct view_set *views = pipeline->options.views;

	if (gauges->views == views && gauges->generation == pipeline->options.generation) {
		return;
	}
	drop_series(gauges);
	for (size_t i = 0; i < view_set_count(views); i++) {
		add_series(gauges, view_set_at(views, i));
	}
	gauges->views = views;
	gauges->generation = pipeline->options.generation;
}

/* ---- values */

static int add_sums(
	const struct pipeline *pipeline, size_t shard, struct view_summary sums[VIEWS_MAX])
{
	struct snapshot *snapshot = NULL;
	int r = snapshot_begin(
		pipeline->options.stores->items[shard], pipeline->options.generation, &snapshot);

	for (uint32_t id = 0; r == 0 && id < view_set_count(pipeline->options.views); id++) {
		struct view_summary part;
		r = snapshot_summary(snapshot, id, &part);
		if (r == 0) {
			sums[id].row_count += part.row_count;
			sums[id].matched += part.matched;
			sums[id].unmatched += part.unmatched;
			sums[id].held += part.held;
			sums[id].expired += part.expired;
		}
	}
	snapshot_end(snapshot);
	return r;
}

static void set(const struct series *series, const struct view_summary *sums)
{
	metric_set(series->rows, (double)sums->row_count);
	metric_set(series->events[STATE_IN_ROWS], (double)sums->matched);
	metric_set(series->events[STATE_UNMATCHED], (double)sums->unmatched);
	metric_set(series->events[STATE_HELD], (double)sums->held);
	metric_set(series->events[STATE_EXPIRED], (double)sums->expired);
}

void view_gauges_set(struct view_gauges *gauges, const struct pipeline *pipeline)
{
	struct view_summary sums[VIEWS_MAX] = {0};

	follow_views(gauges, pipeline);
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		if (add_sums(pipeline, i, sums) != 0) {
			return;
		}
	}
	for (size_t i = 0; i < gauges->count; i++) {
		if (gauges->series[i].rows != NULL) {
			set(&gauges->series[i], &sums[i]);
		}
	}
}
