/* source_router.h - producers' frames over ZeroMQ: a ROUTER, each frame answered. `[header,] events`, after REQ's empty
 * frame and whatever stands before it, which is echoed. The edge always has one. */
#pragma once
#include "edge/source.h"
#include "runtime/peer_limits.h"

/* What a producer may send in a second: places in peer_allowance.rates. */
enum { PRODUCER_FRAMES, PRODUCER_BYTES, PRODUCER_EVENTS };

struct source_router_config {
	const char *listen; /* a list of endpoints */
	struct peer_allowance allowance;
};
extern const struct source_type source_router_type;
