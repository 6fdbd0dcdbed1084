/* source_push.h - producers that want no answer: a PULL socket, one frame each. What is read is held here until it is on
 * disk; while the spool is full nothing is read, so that ZeroMQ's queues push back on the producers. One thread. */
#pragma once
#include "edge/desk.h"
#include "runtime/socket.h"

struct loop;
struct source_push;

struct source_push_options {
	struct context *context;
	struct loop *loop;
	struct desk *desk; /* all three borrowed */
	const char *listen; /* a list */
	struct metric *received; /* frames; may be NULL */
};

/* Binds every endpoint; errors name it in `failed`. */
int source_push_new(const struct source_push_options *options, struct source_push **ret_source,
	char failed[ENDPOINT_SIZE]);
struct source_push *source_push_free(struct source_push *source);
const char *const *source_push_endpoints(const struct source_push *source);
/* Reads no more: what is held is still brought in. */
void source_push_close(struct source_push *source);
/* Hands in again what found no room before. */
int source_push_tick(struct source_push *source, int64_t wall_ms);
