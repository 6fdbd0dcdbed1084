#include "bridge/edge_clock.h"

int64_t edge_clock_hear(struct edge_clock *clock, int64_t sent_ms, int64_t now_ms)
{
	int64_t apart_ms = now_ms - sent_ms;

	if (!clock->has_present || now_ms - clock->began_ms >= EDGE_CLOCK_WINDOW_MS) {
		/* What is older than two windows says nothing of today's drift. */
		clock->has_former =
			clock->has_present && now_ms - clock->began_ms < 2 * EDGE_CLOCK_WINDOW_MS;
		clock->former_ms = clock->present_ms;
		clock->has_present = true;
		clock->present_ms = apart_ms;
		clock->began_ms = now_ms;
	}
	if (apart_ms < clock->present_ms) {
		clock->present_ms = apart_ms;
	}
	int64_t least_ms = clock->has_former && clock->former_ms < clock->present_ms
				   ? clock->former_ms
				   : clock->present_ms;
	return apart_ms - least_ms;
}
