#include "edge/forecast.h"
#include <math.h>

void forecast_look(struct forecast *forecast, uint64_t bytes, bool flows, int64_t now_ms)
{
	if (!forecast->began || forecast->flows != flows) {
		*forecast = (struct forecast){.bytes = bytes,
			.at_ms = now_ms,
			.since_ms = now_ms,
			.began = true,
			.flows = flows};
		return;
	}
	int64_t gone_ms = now_ms - forecast->at_ms;
	if (gone_ms <= 0) {
		return;
	}
	double part = (double)gone_ms / (double)(gone_ms + FORECAST_MEMORY_MS);
	double growth = ((double)bytes - (double)forecast->bytes) / (double)gone_ms;
	forecast->rate += part * (growth - forecast->rate);
	forecast->weight += part * (1 - forecast->weight);
	forecast->bytes = bytes;
	forecast->at_ms = now_ms;
}

double forecast_seconds(const struct forecast *forecast, uint64_t room)
{
	if (room == 0) {
		return 0;
	}
	if (!forecast->began || forecast->at_ms - forecast->since_ms < FORECAST_SEEN_MS ||
		forecast->rate <= 0) {
		return (double)INFINITY;
	}
	double seconds = (double)room / (forecast->rate / forecast->weight) / 1000;
	return seconds > FORECAST_SECONDS_MAX ? (double)INFINITY : seconds;
}
