/* forecast.h - when something that grows will be full, if it goes on like this. The rate is the mean net growth, the
 * newest seconds counting most: each look is weighed in with (time since the last) / (that + FORECAST_MEMORY_MS), so what
 * happened three minutes ago counts about a third. Where growth begins or ends for a known reason (the bridge came or
 * went), looking begins anew, so that an hour of draining does not hide that it fills now. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	FORECAST_MEMORY_MS = 3 * 60 * 1000,
	FORECAST_SEEN_MS = 30 * 1000, /* before that it says nothing */
};
#define FORECAST_SECONDS_MAX (365.0 * 24 * 60 * 60) /* what is further away is never */

struct forecast {
	uint64_t bytes; /* at the last look */
	int64_t at_ms;
	int64_t since_ms;
	double rate; /* bytes/ms, times weight */
	double weight; /* of what was seen: towards 1 */
	bool began;
	bool flows; /* what drains it is at work */
};

/* `flows`: whether what drains it is at work; a change begins anew. */
void forecast_look(struct forecast *forecast, uint64_t bytes, bool flows, int64_t now_ms);
/* Until `room` more bytes are there, at the present rate; infinity when it does not grow, or nothing is known yet. */
double forecast_seconds(const struct forecast *forecast, uint64_t room);
