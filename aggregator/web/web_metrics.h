/* web_metrics.h - what is counted of the aggregator's HTTP side. */
#pragma once
#include "aggregator/web/watchers.h"

struct metrics;
struct web_metrics;

/* `collect` calls web_metrics_set before they are read. */
int web_metrics_new(struct metrics *metrics, void (*collect)(void *owner), void *owner,
	struct web_metrics **ret_set);
struct web_metrics *web_metrics_free(struct web_metrics *set); /* the series stay */
/* One request was answered. `path`: its route's. */
void web_metrics_add(struct web_metrics *set, const char *path, bool is_asset, unsigned status);
/* One that wanted to look at live answers was turned away: too many do. */
void web_metrics_add_refused_watch(struct web_metrics *set);
void web_metrics_set(struct web_metrics *set, const struct standing_counts *standing,
	const struct watchers_counts *watchers);
