/* edge_clock.h - an edge's clock beside ours, so far as frames tell. The frame that was fastest on its way says how far the
 * two are apart, but for that one's way; what a later one took longer was spent on the way. Clocks drift, so the fastest
 * counts for ten to twenty minutes: at 100 ppm that is 0.12 s. Both clocks are monotonic. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { EDGE_CLOCK_WINDOW_MS = 10 * 60 * 1000 };

/* Zero-initialised. */
struct edge_clock {
	bool has_present, has_former;
	int64_t present_ms, former_ms; /* the least difference of a window: ours less theirs */
	int64_t began_ms; /* of the present window, ours */
};

/* A frame left at `sent_ms` of theirs and is here at `now_ms` of ours. Returns how much longer than the fastest it took. */
int64_t edge_clock_hear(struct edge_clock *clock, int64_t sent_ms, int64_t now_ms);
