/* horizon.h - up to when everything that Kafka held has been read. Kafka is asked for its ends about once a second, one
 * question after the other; an end that is asked for after a moment has all that lay there then. Pure; monotonic ms. */
#pragma once
#include "aggregator/log/pipeline.h"

enum {
	/* The answer taken last, the one before it, and one more: its question was asked after the first of these. */
	HORIZON_LOOKS = 3,
};

/* Zero-initialise. */
struct horizon {
	const struct pipeline *of; /* a rebuild may put another in its place */
	uint64_t observed; /* its answers seen */
	int64_t looked_ms[HORIZON_LOOKS]; /* when the last ones were taken, the newest first */
	bool is_open; /* the partitions' `horizon` is not yet reached */
	int64_t open_ms; /* what was there then lies below it */
};

/* From time to time. true: all that Kafka held at *ret_until_ms is read. */
bool horizon_look(
	struct horizon *horizon, struct pipeline *pipeline, int64_t now_ms, int64_t *ret_until_ms);
