#include "aggregator/pulse.h"
#include "runtime/clock.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>

struct pulse {
	struct stores *stores; /* borrowed */
	struct vitals *vitals;
	struct metric *end_to_end;
	bool has_left; /* what `left` says of a pipeline that is no more */
	struct vitals_counts left;
};

static struct vitals_look take_look(const struct pulse *pulse, const struct pipeline *pipeline)
{
	struct vitals_look look = {
		.now_ms = clock_monotonic_ms(),
		.wall_ms = clock_wall_ms(),
		.store_bytes = stores_size(pulse->stores),
	};
	vitals_look_at(pipeline, &look);
	return look;
}

int pulse_new(struct stores *stores, struct metrics *metrics, const struct pipeline *pipeline,
	struct pulse **ret_pulse)
{
	static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
		2.5, 5, 10, 30, 60, 300, 3600, 86400};
	struct pulse *pulse = calloc(1, sizeof *pulse);

	if (pulse == NULL) {
		return -ENOMEM;
	}
	pulse->stores = stores;
	pulse->end_to_end = metrics_add_histogram(metrics, "till_aggregator_end_to_end_seconds", "",
		"From an edge's receipt of an event to when it could be read in an answer.", bounds,
		sizeof bounds / sizeof *bounds);
	const struct vitals_look look = take_look(pulse, pipeline);
	int r = vitals_new(&look, &pulse->vitals);
	if (r < 0) {
		pulse_free(pulse);
		return r;
	}
	*ret_pulse = pulse;
	return 0;
}

struct pulse *pulse_free(struct pulse *pulse)
{
	if (pulse != NULL) {
		vitals_free(pulse->vitals);
		free(pulse);
	}
	return NULL;
}

const struct vitals *pulse_vitals(const struct pulse *pulse)
{
	return pulse == NULL ? NULL : pulse->vitals;
}

void pulse_readable(struct pulse *pulse, uint64_t latency_ms, uint64_t count)
{
	vitals_latency(pulse->vitals, latency_ms, count);
	metric_observe_many(pulse->end_to_end, (double)latency_ms / 1e3, count);
}

void pulse_leave(struct pulse *pulse, const struct pipeline *pipeline)
{
	pulse->left = take_look(pulse, pipeline).counts;
	pulse->has_left = true;
}

void pulse_tick(
	struct pulse *pulse, const struct pipeline *pipeline, int64_t now_ms, int64_t *wait_ms)
{
	int64_t due_ms = 0;

	if (pulse->has_left) {
		const struct vitals_look look = take_look(pulse, pipeline);
		vitals_rebase(pulse->vitals, &pulse->left, &look.counts);
		pulse->has_left = false;
	}
	if (vitals_is_due(pulse->vitals, now_ms, &due_ms)) {
		struct vitals_look look = take_look(pulse, pipeline);
		look.now_ms = now_ms; /* what was due is over by this clock */
		vitals_take(pulse->vitals, &look);
		vitals_is_due(pulse->vitals, now_ms, &due_ms);
	}
	*wait_ms = due_ms < *wait_ms ? due_ms : *wait_ms;
}
