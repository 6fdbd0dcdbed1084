/* account.h - the books of one stream: where each seq that its edge gave is. Every seq is in exactly one place:
 *
 *	numbered = counted (or rejected) + on disk + set aside + unread + missing
 *
 * Pure. */
#pragma once
#include "aggregator/books/counted.h"
#include "proto/telemetry.h"

enum {
	/* Ranges that are named; a stream that misses more is in trouble anyway. */
	ACCOUNT_RANGES_MAX = 100,
};

enum place {
	PLACE_COUNTED, /* or rejected: the set does not tell them apart */
	PLACE_ON_DISK,
	PLACE_SET_ASIDE, /* damaged, on the edge's disk */
	PLACE_UNREAD, /* in Kafka, or on the way there: nothing says that it is lost */
	PLACE_MISSING, /* the edge gave it away, and the log does not have it */
	PLACE_UNKNOWN, /* nobody has heard of it */
};

/* What is known of a stream. */
struct account_sight {
	uint64_t run;
	enum kind kind;
	const struct counted *counted;
	const struct telemetry *of_run; /* the run's newest report; NULL: there is none */
	int64_t of_run_ms; /* when Kafka took it */
	const struct telemetry *of_edge; /* the edge's newest: what its disk holds; NULL likewise */
	/* An earlier one, if need be: all that Kafka had when it came is read. What it says is neither on disk nor set aside,
	 * up to judged_up_to, is not on its way. NULL: there is none. */
	const struct telemetry *judged;
	uint64_t judged_up_to;
};

struct account {
	bool is_reported; /* else `numbered` is what was counted last */
	uint64_t numbered;
	uint64_t on_disk; /* and not counted */
	uint64_t set_aside;
	uint64_t unread;
	uint64_t missing;
	/* Whose report says that what is missing is not on the edge's disk; 0: none does. A later run's may be of another disk: the
	 * edge was cloned, or put back from a copy, and no report tells that from a restart. */
	uint64_t judged_by;
	int64_t reported_ms; /* when Kafka took the run's own newest report; 0: there is none */
	uint32_t range_count; /* of what is missing, the first ones */
	struct counted_interval ranges[ACCOUNT_RANGES_MAX];
};

void account_make(const struct account_sight *sight, struct account *ret_account);
enum place account_place(const struct account_sight *sight, uint64_t seq);
