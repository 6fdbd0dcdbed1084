/* vitals_answer.h - the answer to `vitals`, and what a look at a pipeline tells of it. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/desk/vitals.h"
#include "aggregator/log/pipeline.h"

/* Fills counts and lag. */
void vitals_look_at(const struct pipeline *pipeline, struct vitals_look *look);
/* The newest samples, the last of which may not be over, and all of them in one. 0 or -errno. */
int vitals_answer_write(const struct vitals *vitals, const struct vitals_look *look,
	const struct query *query, const struct freshness *freshness, struct buffer *reply);
