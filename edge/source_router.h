/* source_router.h - producers' frames over ZeroMQ: a ROUTER, each frame answered. `[header,] events`, after REQ's empty
 * frame and whatever stands before it, which is echoed. One thread. */
#pragma once
#include "edge/desk.h"
#include "runtime/socket.h"

struct loop;
struct source_router;

struct source_router_options {
	struct context *context;
	struct loop *loop;
	struct desk *desk; /* all three borrowed */
	const char *listen; /* a list */
	struct metric *replies_dropped; /* peers that were gone or did not read; may be NULL */
};

/* Binds every endpoint; errors name it in `failed` (ENDPOINT_SIZE). */
int source_router_new(const struct source_router_options *options,
	struct source_router **ret_source, char failed[ENDPOINT_SIZE]);
struct source_router *source_router_free(struct source_router *source);
/* What was bound, ends with NULL. */
const char *const *source_router_endpoints(const struct source_router *source);
