/* watch_live.h - `till watch` by the live socket: pictures redrawn when rows change, or a line for every change. */
#pragma once
#include "cli/options.h"
#include "cli/ranking.h"

enum { WATCH_PANELS_MAX = 2 };

struct watch_live_options {
	const struct ranking
		*rankings; /* a picture each; where lines are printed, the last one is told */
	size_t ranking_count;
	const struct text_list
		*rows; /* only those that have one of these among their group values; none: all */
	bool json;
	int64_t count; /* pictures or lines, then end; 0: until it is stopped */
};

/* -1: the aggregator publishes nothing, or not to this key; nothing was shown. Else the exit code. */
int watch_live(struct ask *ask, const struct watch_live_options *options);
/* Where to listen, from where questions go and what the aggregator says of itself: an address that stands for all is theirs. */
void watch_live_endpoint(const char *queries, const char *published, char out[ENDPOINT_SIZE]);
