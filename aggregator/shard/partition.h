/* partition.h - one partition of the log, as a pipeline reads it. A plain value. */
#pragma once
#include "aggregator/books/proof.h"
#include "proto/event.h"

enum partition_state {
	PARTITION_WAITING, /* nothing judged yet, or the topic is not there */
	PARTITION_CHECKING, /* started at the anchor: it must come first */
	PARTITION_READING,
	PARTITION_STOPPED, /* Kafka gives no more; to be judged anew */
};

struct partition {
	uint32_t topic;
	int32_t number;
	enum partition_state state;
	bool is_changed; /* the position, since the last freeze */
	struct position position; /* its anchor is the last record that is proven */
	struct proof proof;
	int64_t high; /* the end, as far as it was told; -1: not known */
	int64_t reported; /* the end as the last report had it; -1: not known */
	int64_t horizon; /* horizon.h's: an end that it waits for */
	int64_t target; /* the end at start: caught up there; -1: not known */
	int64_t moved_ms; /* when it last moved or had nothing to read */
	int64_t held_at; /* where it stood with the last report */
	unsigned
		held_reports; /* how many reports on end say that all behind it may not be read yet */
	char why[64]; /* Kafka's word on why it is not read; "" while it is */
	uint64_t skipped; /* offsets without a record, since the process began */
	struct books seen; /* since the process began: for metrics */
};

/* Is what lies behind the position part of, or behind, a transaction that somebody leaves open? One report may be older
 * than what was read since. */
static inline bool partition_is_held(const struct partition *partition)
{
	return partition->held_reports >= 3;
}

/* A fetch told the log's end; -1: none did. The last word counts, not the largest: heads of Kafka's answers bear no
 * checksum, and a damaged one must not be believed for ever. */
static inline void partition_hear_end(struct partition *partition, int64_t high)
{
	if (high >= 0) {
		partition->high = high;
	}
	if (partition->high < partition->reported) {
		partition->high = partition->reported;
	}
	if (partition->high < partition->position.next) {
		partition->high = partition->position.next;
	}
}

static inline int64_t partition_lag(const struct partition *partition)
{
	return partition->high > partition->position.next
		       ? partition->high - partition->position.next
		       : 0;
}
