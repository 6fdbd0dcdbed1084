/* The rim of every part that has sockets: there is no ZeroMQ, and nobody to guard against. */
#include "runtime/guard.h"
#include "runtime/socket.h"
#include <stddef.h>

int context_new(struct context **ret_context)
{
	*ret_context = NULL;
	return 0;
}

struct context *context_free(struct context *context)
{
	(void)context;
	return NULL;
}

/* Peers of the model have manners. */
int guard_new(const struct guard_options *options, struct guard **ret_guard)
{
	(void)options;
	*ret_guard = NULL;
	return 0;
}

struct guard *guard_free(struct guard *guard)
{
	(void)guard;
	return NULL;
}

void guard_end_peer(struct guard *guard, int fd)
{
	(void)guard, (void)fd;
}

void guard_end_peers(struct guard *guard, const struct socket *socket)
{
	(void)guard, (void)socket;
}
