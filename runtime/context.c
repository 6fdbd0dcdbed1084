#include "runtime/context.h"
#include "runtime/socket.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zmq.h>

/* libzmq aborts, or spins, when a process runs out of file descriptors: take all that we are allowed. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int context_new(struct context **ret_context)
{
	struct context *context = calloc(1, sizeof *context);
	if (context == NULL) {
		return -ENOMEM;
	}
	raise_file_limit();
	context->handle = zmq_ctx_new();
	if (context->handle == NULL) {
		int r = -errno;
		free(context);
		return r;
	}
	(void)zmq_ctx_set(context->handle, ZMQ_BLOCKY, 0);
	*ret_context = context;
	return 0;
}

struct context *context_free(struct context *context)
{
	if (context == NULL) {
		return NULL;
	}
	assert(context->socket_count == 0); /* zmq_ctx_term would wait for ever */
	while (zmq_ctx_term(context->handle) < 0 && errno == EINTR) {
	}
	free(context);
	return NULL;
}
