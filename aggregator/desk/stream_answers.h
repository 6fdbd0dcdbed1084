/* stream_answers.h - the answers about streams: `edges` (who was counted how far), `ledger` (the same, held against what
 * edges say of themselves: where the rest is) and `trace` (where one event is). */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/answer/gate.h"
#include "aggregator/desk/reports.h"
#include "aggregator/log/pipeline.h"

/* What edges said, up to now. */
struct reported {
	const struct reports *reports; /* NULL: it is not known how far edges have numbered */
	int64_t now_ms; /* by the clock that says when they arrived */
};

/* 0 or -errno; a whole reply, errors included. */
int stream_answers_write(struct pipeline *pipeline, const struct reported *reported,
	const struct question *question, const struct freshness *freshness, struct buffer *reply);
int trace_answer_write(struct pipeline *pipeline, const struct reports *reports,
	const struct question *question, const struct freshness *freshness, struct buffer *reply);
