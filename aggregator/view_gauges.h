/* view_gauges.h - what each view holds and what it leaves out, as metrics: as of the last commit, as the query `views` says it.
 * A series each for at most VIEWS_MAX views. The loop's thread. */
#pragma once
#include "aggregator/log/pipeline.h"

struct metrics;
struct view_gauges;

/* NULL without memory. */
struct view_gauges *view_gauges_new(struct metrics *metrics);
struct view_gauges *view_gauges_free(struct view_gauges *gauges);
/* At each collection. Views that are no more lose their series. What can't be read stays as it was. */
void view_gauges_set(struct view_gauges *gauges, const struct pipeline *pipeline);
