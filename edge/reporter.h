/* reporter.h - when an edge reports on itself, and what it says. Pure but for the looks into desk and spool; time comes in. */
#pragma once
#include "edge/desk.h"
#include "edge/spool.h"
#include "proto/telemetry.h"

struct reporter_options {
	struct spool *spool; /* borrowed, as are all */
	const struct desk *desk;
	const char *edge;
	const char *program; /* "till-edge 0.1.0" */
	int64_t interval_ms; /* 0: never */
	int64_t started_ms; /* wall clock */
};

/* What makes a report due before the interval is over. */
struct reporter_sight {
	uint64_t session; /* counts sessions; reports go to the present one */
	int64_t pace_ms; /* the bridge takes one each so often; 0: none at all, or no session */
	bool is_stuck; /* the bridge waits for Kafka */
	bool is_stopping;
};

struct reporter {
	struct reporter_options options;
	struct reporter_sight told; /* as of the last report */
	uint64_t told_corrupt; /* blocks set aside then */
	uint64_t told_run;
	int64_t told_ms; /* monotonic */
	uint64_t number;
	uint64_t reports; /* since the process began */
};

void reporter_init(struct reporter *reporter, const struct reporter_options *options);
/* Is one due? *ret_wait_ms: look again after so long. */
bool reporter_is_due(const struct reporter *reporter, const struct reporter_sight *sight,
	int64_t now_ms, int64_t *ret_wait_ms);
/* Writes the report, encoded. 0 or -errno. */
int reporter_write(struct reporter *reporter, const struct reporter_sight *sight, int64_t wall_ms,
	struct buffer *buffer);
/* It was sent, or can't be: either way the next is due later. */
void reporter_told(struct reporter *reporter, const struct reporter_sight *sight, int64_t now_ms);
