/* credit.h - how many bytes may wait for Kafka: a bound per lane, shared among the sessions. A lane's bound is its own,
 * so a topic that stands can not use up the room of the others. Bytes are those of events, as the edges count
 * them; what librdkafka and the tracker need beside them is in CREDIT_QUEUE_FACTOR. Pure. */
#pragma once
#include "proto/wire.h"

/* Orders: 32 MiB hold a quarter of a second of 1,000,000 orders a second, more than a delivery takes; the rest is
 * divided among five lanes. */
enum {
	CREDIT_TOTAL_BYTES = 64 * 1024 * 1024,
	/* One session's share is never more: one edge fills a fast link with less. */
	CREDIT_SESSION_BYTES_MAX = 8 * 1024 * 1024,
	/* librdkafka's own bound over ours: JSON may be this many times as long as the same event in msgpack. */
	CREDIT_QUEUE_FACTOR = 4,
	/* Sendings of all sessions: a bound on the tracker when somebody sends tiny batches (about 150 bytes each). */
	CREDIT_BATCHES_MAX = 500 * 1000,
};

uint64_t credit_lane_bytes_max(enum kind lane);
/* What one of `session_count` sessions is told: at least the largest batch. */
uint64_t credit_share(enum kind lane, size_t session_count);

struct credit_use {
	uint64_t lane_bytes; /* unacknowledged, all sessions */
	uint64_t session_bytes; /* unacknowledged, this session and lane */
	uint64_t batch_count; /* all sessions and lanes */
	size_t session_count;
};
/* May `bytes` more be taken? One batch a lane may be in flight whatever the credit, as long as the lane has room. */
bool credit_admits(const struct credit_use *use, enum kind lane, uint64_t bytes);
/* How long an edge that was not admitted should wait: about as long as the lane needs for one batch of everybody, and
 * not all of them equally long. `salt` is any number that differs between sessions. */
uint32_t credit_busy_ms(const struct credit_use *use, enum kind lane, uint64_t salt);
