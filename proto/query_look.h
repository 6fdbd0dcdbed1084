/* query_look.h - what the queries "topics", "records" and "letters" want to be looked up in Kafka. A plain value without pointers:
 * it outlives the request, and two that want the same have the same bytes. */
#pragma once
#include "proto/limits.h"
#include "proto/reason.h"
#include "proto/topic.h"

enum look_type {
	LOOK_NONE,
	LOOK_TOPICS,
	LOOK_RECORDS,
	LOOK_LETTERS,
};

/* Where records begin. */
enum look_from {
	LOOK_NEWEST, /* so that the last one is the newest that there is */
	LOOK_OFFSET,
	LOOK_TIME, /* the first one that was appended then or later */
};

struct query_look {
	enum look_type type;
	enum encoding encoding; /* of the answer */
	char topic[TOPIC_NAME_SIZE]; /* records */
	int32_t partition;
	enum look_from from;
	int64_t at; /* an offset, or ms since the epoch */
	uint32_t limit; /* records, letters */
	enum reason code; /* letters: only these; REASON_NONE: any */
	char edge[EDGE_ID_SIZE_MAX + 1];
};

static inline bool query_look_equal(const struct query_look *a, const struct query_look *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}
