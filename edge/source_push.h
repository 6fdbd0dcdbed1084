/* source_push.h - producers that want no answer: a PULL socket, one frame each. What is read is held here until it is on
 * disk; while the spool is full, or a frame waits whose sender has had its share, nothing is read, so that ZeroMQ's queues push
 * back on the producers. */
#pragma once
#include "edge/source.h"
#include "edge/source_router.h"

struct source_push_config {
	const char *listen; /* a list of endpoints */
	struct peer_allowance allowance; /* by the places of source_router.h */
};
extern const struct source_type source_push_type;
