/* upkeep.h - how Kafka does, and what follows: connected or waiting since when, which lanes are open, a producer that is
 * rebuilt, another cluster at the same address. Time is the pipeline's. It logs what it finds. One thread. */
#pragma once
#include "bridge/rounds.h"
#include "bridge/watch.h"

enum {
	REBUILD_WAIT_MS_MIN = 500,
	REBUILD_WAIT_MS_MAX = 10000,
	HURRY_INTERVAL_MS = 1000, /* the watch is not asked more often than this */
	DOUBT_INTERVAL_MS = 100, /* unless ACKs wait for what it sees */
};

struct upkeep_parts {
	const struct topics *topics; /* all borrowed */
	struct tracker *tracker;
	struct lane *lanes; /* LANE_COUNT */
	struct pipeline *pipeline;
	struct reception *reception;
	struct rounds *rounds;
	struct sink *sink;
	struct watch *watch;
	struct bridge_metrics *metrics;
};

struct upkeep {
	struct upkeep_parts parts;
	bool is_connected;
	int64_t waiting_since_ms; /* wall clock; while not connected */
	char why[512]; /* while not connected */
	bool is_told_connected; /* in the log */
	char told_why[512]; /* in the log: the last that names what a person must mend */
	struct {
		bool is_due;
		int64_t at_ms;
		int64_t wait_ms; /* before the next one: doubled each time, 0 after a delivery */
	} rebuild;
	int64_t sure_ms; /* when the last look at the known cluster began */
	int64_t hurry_ms; /* when the watch was last asked to hurry */
	bool is_wait_told[LANE_COUNT]; /* in the log */
	enum topic_state seen[LANE_COUNT]; /* with the last look */
};

void upkeep_init(struct upkeep *upkeep, const struct upkeep_parts *parts, int64_t wall_ms);
/* What the watch saw. */
void upkeep_see(struct upkeep *upkeep, const struct topics_sight *sight);
/* What the sink said. */
void upkeep_delivered(struct upkeep *upkeep);
void upkeep_producer_failed(struct upkeep *upkeep, const char *error, const char *words);
void upkeep_disconnected(struct upkeep *upkeep, const char *error, const char *words);
/* After each round: drops, rebuilds, asks for another look. */
void upkeep_work(struct upkeep *upkeep);
/* Each second: which lanes wait? */
void upkeep_look_at_lanes(struct upkeep *upkeep);
/* For /readyz: writes how things are; false when nothing can be delivered for reasons of our own. */
bool upkeep_describe(const struct upkeep *upkeep, FILE *out);
