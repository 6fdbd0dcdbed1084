/* bridges.h - what bridges last said of themselves, by name, and what they did between their last two reports. Like reports.h it is
 * read from the topic of telemetry anew at every start. Pure; the loop's thread. */
#pragma once
#include "proto/bridge_report.h"

enum {
	/* Far more than anybody runs: where names change with each start, those of a day. About 2 KiB each. */
	BRIDGES_MAX = 1000,
	/* A bridge that was silent for so long of the log's time is one that is no more. */
	BRIDGE_FORGET_MS = 24 * 60 * 60 * 1000,
	/* Reports of one run in a row that say that no other of its name is alive. */
	BRIDGE_ALONE_REPORTS = 3,
};

/* Between the two newest reports of one run. */
struct bridge_recent {
	int64_t over_ms; /* by the bridge's own clock; 0: there are no two */
	uint64_t counts[BRIDGE_COUNT_COUNT];
};

struct bridge {
	struct bridge_report report; /* owned, with all it points to */
	struct bridge_recent recent;
	int64_t arrived_ms; /* by our monotonic clock */
	int64_t appended_ms; /* Kafka's */
	uint64_t order; /* the later one has the larger */
	uint64_t former_run; /* that reported under this name before; 0: none */
	uint32_t alone; /* reports of this run in a row */
	bool is_shared; /* two processes report under this name */
};

struct bridges;

int bridges_new(size_t count_max, struct bridges **ret_bridges);
struct bridges *bridges_free(struct bridges *bridges);
/* Takes a copy, in place of an older one of the same name. 0 or -ENOMEM. */
int bridges_take(struct bridges *bridges, const struct bridge_report *report, int64_t appended_ms,
	int64_t arrived_ms);
/* Can reports come now? While they can't nobody is called silent. */
void bridges_listen(struct bridges *bridges, bool can_hear, int64_t now_ms);

/* By name; `bridges` may be NULL: then there are none. */
size_t bridges_count(const struct bridges *bridges);
const struct bridge *bridges_at(const struct bridges *bridges, size_t place);
/* How long nothing was heard of it, while something could be. */
int64_t bridges_quiet_ms(
	const struct bridges *bridges, const struct bridge *bridge, int64_t now_ms);
/* How much later than its report the topic's newest record was appended. */
int64_t bridges_behind_ms(const struct bridges *bridges, const struct bridge *bridge);
uint64_t bridges_forgotten(
	const struct bridges *bridges); /* silent for a day, or for want of places */
