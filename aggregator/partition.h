/* partition.h - one partition of the log, as a pipeline reads it. A plain value. */
#pragma once
#include "aggregator/position.h"
#include "proto/event.h"

enum partition_state {
	PARTITION_WAITING, /* nothing judged yet, or the topic is not there */
	PARTITION_CHECKING, /* started at the anchor: it must come first */
	PARTITION_READING,
	PARTITION_STOPPED, /* Kafka gives no more; to be judged anew */
};

struct partition {
	enum kind topic;
	int32_t number;
	enum partition_state state;
	bool is_changed; /* the position, since the last freeze */
	struct position position;
	int64_t high; /* the end, as far as it was told; -1: not known */
	int64_t reported; /* the end as the last report had it; -1: not known */
	int64_t target; /* the end at start: caught up there; -1: not known */
	int64_t moved_ms; /* when it last moved or had nothing to read */
	struct books seen; /* since the process began: for metrics */
};

static inline int64_t partition_lag(const struct partition *partition)
{
	return partition->high > partition->position.next
		       ? partition->high - partition->position.next
		       : 0;
}
