/* health.h - what an operator should know of right now: reasons why the aggregator is not ready or not well. Pure. */
#pragma once
#include "aggregator/desk/bridges.h"
#include "aggregator/log/feed.h"
#include <stdio.h>

/* Everything that the words below are made from. */
struct health {
	const struct feed *live;
	const struct feed *shadow; /* NULL: no rebuild */
	const char *check_error; /* "" while the store's sums fit */
	const char *scrub_error; /* "" while its rows are whole */
	const struct bridges *bridges; /* NULL: nobody reports */
	int64_t now_ms; /* by the clock that says when reports arrived */
	bool is_staged; /* the shadow is no rebuild: it is there to be looked at */
	bool is_ready; /* the start is over */
	double rebuild_progress; /* 0 … 1 */
};

/* Was the topic read, and is there none of this name any more, as far as the pipeline, live or shadow, has heard? */
bool health_topic_is_gone(
	const struct health *health, const struct pipeline *pipeline, uint32_t topic);
/* One word for `status`: starting, serving, rebuilding, broken. */
const char *health_state(const struct health *health);
/* Sentences, one a line. true: ready. Kafka's absence is no reason to be unready, for the store answers. */
bool health_write(const struct health *health, FILE *out);
/* The same sentences, without what is in order: "" when all is well. Adds to the set. */
void health_problems(const struct health *health, struct text_set *problems);
