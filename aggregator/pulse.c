#include "aggregator/pulse.h"
#include "runtime/clock.h"
#include <errno.h>
#include <stdlib.h>

struct pulse {
	struct stores *stores; /* borrowed */
	struct vitals *vitals;
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

int pulse_new(struct stores *stores, const struct pipeline *pipeline, struct pulse **ret_pulse)
{
	struct pulse *pulse = calloc(1, sizeof *pulse);

	if (pulse == NULL) {
		return -ENOMEM;
	}
	pulse->stores = stores;
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
