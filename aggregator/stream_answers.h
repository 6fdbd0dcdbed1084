/* stream_answers.h - the answers about streams: `edges` (who was counted how far) and `ledger` (the same, with what is
 * missing in between). */
#pragma once
#include "aggregator/gate.h"
#include "aggregator/pipeline.h"

/* 0 or -errno; a whole reply, errors included. */
int stream_answers_write(struct pipeline *pipeline, const struct question *question,
	const struct freshness *freshness, struct buffer *reply);
