/* gauges.h - the aggregator's metrics: registered once, set from its state at each collection. The loop's thread. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/desk/health.h"

struct metrics;
struct gauges;

/* What a collection reads. */
struct gauges_view {
	const struct feed *live;
	const struct feed *shadow; /* NULL: no rebuild */
	double rebuild_progress;
	uint64_t store_bytes;
	int64_t disk_room; /* -1: not known */
	size_t waiting; /* queries */
	size_t forgotten; /* users */
	struct top_tally tops;
	int64_t wall_ms; /* now, by the machine's clock */
};

/* `look` fills the view, at each collection. */
int gauges_new(struct metrics *metrics, void (*look)(void *owner, struct gauges_view *ret_view),
	void *owner, struct gauges **ret_gauges);
struct gauges *gauges_free(struct gauges *gauges);

void gauges_committed(struct gauges *gauges, int64_t took_us);
void gauges_answered(struct gauges *gauges, const char *query, const char *code, int64_t took_us);
void gauges_reply_lost(struct gauges *gauges);
void gauges_check_failed(struct gauges *gauges);
