/* web_metrics.h - what is counted of the aggregator's HTTP side. */
#pragma once
#include <stdbool.h>

struct metrics;
struct web_metrics;

int web_metrics_new(struct metrics *metrics, struct web_metrics **ret_set);
struct web_metrics *web_metrics_free(struct web_metrics *set); /* the series stay */
/* One request was answered. `path`: its route's. */
void web_metrics_add(struct web_metrics *set, const char *path, bool is_asset, unsigned status);
