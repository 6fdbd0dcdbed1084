/* self_report.h - when a bridge reports on itself, and what it says. Pure but for the looks at what it counts; time comes in. */
#pragma once
#include "bridge/bridge_metrics.h"
#include "bridge/lane.h"
#include "bridge/sessions.h"
#include "proto/bridge_report.h"

/* A connection that comes and goes is told of so often. */
enum { SELF_REPORT_PACE_MS = 1000 };

struct self_report_options {
	const struct bridge_metrics *metrics; /* borrowed, as are all */
	const struct tracker *tracker;
	const struct sessions *sessions;
	const struct lane *lanes; /* LANE_COUNT */
	const char *name;
	const char *program; /* "till-bridge 0.1.0" */
	uint64_t run;
	int64_t interval_ms; /* 0: never */
	int64_t started_ms; /* wall clock */
	int64_t began_ms; /* the same moment, monotonic */
};

/* What makes a report due before the interval is over. */
struct self_report_sight {
	bool may_report; /* the topic was seen, or is nobody's to be made */
	bool is_connected; /* to Kafka */
	bool is_stopping;
};

struct self_report {
	struct self_report_options options;
	struct self_report_sight told; /* as of the last report */
	int64_t told_ms; /* monotonic */
	uint64_t number; /* of the last one; 0: none yet */
};

void self_report_init(struct self_report *self, const struct self_report_options *options);
bool self_report_is_due(
	const struct self_report *self, const struct self_report_sight *sight, int64_t now_ms);
struct self_report_now {
	int64_t now_ms, now_us, wall_ms;
};
/* What there is to say; names are borrowed. The next is due later. */
void self_report_make(struct self_report *self, const struct self_report_sight *sight,
	const struct self_report_now *now, struct bridge_report *ret_report);
/* As for `bridge.name`: HOST:PORT of the first endpoint, HOST where that has no port. */
void self_report_name(
	const char *host, const char *endpoint, char ret_name[BRIDGE_NAME_SIZE_MAX + 1]);
