/* source_router.h - producers' frames over ZeroMQ: a ROUTER, each frame answered. `[header,] events`, after REQ's empty
 * frame and whatever stands before it, which is echoed. The edge always has one. */
#pragma once
#include "edge/source.h"

struct source_router_config {
	const char *listen; /* a list of endpoints */
};
extern const struct source_type source_router_type;
