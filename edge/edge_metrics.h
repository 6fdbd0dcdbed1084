/* edge_metrics.h - the edge's series, and how they are read off its parts when somebody asks. */
#pragma once
#include "edge/courier.h"
#include "edge/desk.h"
#include "edge/upkeep.h"

struct metric;
struct metrics;

/* What is counted where it happens, and handed to the part that does. */
struct edge_counters {
	struct metric *commit_seconds;
};

struct edge_metrics;

int edge_metrics_new(struct metrics *metrics, struct edge_metrics **ret_set);
struct edge_metrics *edge_metrics_free(struct edge_metrics *set);
const struct edge_counters *edge_metrics_counters(const struct edge_metrics *set);
/* Sets every series that is read and not counted. */
void edge_metrics_collect(struct edge_metrics *set, const struct desk *desk, struct spool *spool,
	const struct courier *courier, int64_t wall_ms);
void edge_metrics_collect_upkeep(struct edge_metrics *set, const struct upkeep *upkeep);
