/* reports.h - what edges last said of themselves, by edge and run. Not a part of any store: it is read from its topic anew at
 * every start, and says what is, while the store says what was counted. Pure; the loop's thread. */
#pragma once
#include "proto/telemetry.h"

enum {
	/* Runs: a day of each of 100,000 edges, or 270 years of one. About half a KiB each. The one that was silent
	 * longest goes first. */
	REPORTS_MAX = 100000,
};

struct report {
	struct telemetry telemetry; /* owned, with all it points to */
	int64_t arrived_ms; /* by our monotonic clock */
	int64_t appended_ms; /* Kafka's */
	uint64_t order; /* the later one has the larger */
	/* A run of the edge spoke again after another one had: it is on two machines, and no report knows both disks. */
	bool is_shared;
};

struct reports;

int reports_new(size_t count_max, struct reports **ret_reports);
struct reports *reports_free(struct reports *reports);
/* Takes a copy, in place of an older one of the same run. The one that lies later in the log is the newer. 0 or -ENOMEM. */
int reports_take(struct reports *reports, const struct telemetry *telemetry, int64_t appended_ms,
	int64_t arrived_ms);

/* Borrowed until the next is taken; NULL: there is none. `reports` may be NULL: then there are none at all. */
const struct report *reports_of_run(const struct reports *reports, struct slice edge, uint64_t run);
const struct report *reports_of_edge(const struct reports *reports, struct slice edge);
/* By edge and run. */
size_t reports_count(const struct reports *reports);
const struct report *reports_at(const struct reports *reports, size_t place);
uint64_t reports_forgotten(const struct reports *reports); /* for want of places */

/* All that Kafka held at this moment is read. 0 or -ENOMEM. */
int reports_settle(struct reports *reports, int64_t until_ms);
/* The edge's newest report of which all is read that Kafka held when it came; NULL: there is none. */
const struct report *reports_judged(const struct reports *reports, struct slice edge);
/* Of which seqs of a run that report speaks: up to this one; 0: of none. A run that has not reported may be a later one, and
 * one of an edge on two machines may lie on the other's disk. */
uint64_t reports_judged_up_to(
	const struct reports *reports, struct slice edge, uint64_t run, enum kind kind);
