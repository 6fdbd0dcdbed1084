#include "aggregator/log/horizon.h"

/* false where an end is not known. */
static bool note_ends(struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		struct partition *partition = pipeline->partitions[i];
		if (partition->reported < 0) {
			return false;
		}
		partition->horizon = partition->reported;
	}
	return true;
}

static bool is_reached(const struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct partition *partition = pipeline->partitions[i];
		if (partition->position.next < partition->horizon) {
			return false;
		}
	}
	return true;
}

bool horizon_look(
	struct horizon *horizon, struct pipeline *pipeline, int64_t now_ms, int64_t *ret_until_ms)
{
	if (horizon->of != pipeline) {
		*horizon = (struct horizon){.of = pipeline};
	}
	if (pipeline->observed != horizon->observed) {
		horizon->observed = pipeline->observed;
		if (!horizon->is_open && horizon->looked_ms[HORIZON_LOOKS - 1] != 0) {
			horizon->is_open = note_ends(pipeline);
			horizon->open_ms = horizon->looked_ms[HORIZON_LOOKS - 1];
		}
		memmove(horizon->looked_ms + 1, horizon->looked_ms,
			(HORIZON_LOOKS - 1) * sizeof *horizon->looked_ms);
		horizon->looked_ms[0] = now_ms;
	}
	if (!horizon->is_open || !is_reached(pipeline)) {
		return false;
	}
	horizon->is_open = false;
	*ret_until_ms = horizon->open_ms;
	return true;
}
