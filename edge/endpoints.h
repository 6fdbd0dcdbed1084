/* endpoints.h - a list of endpoints, as configured, bound to one socket. */
#pragma once
#include "edge/source.h"
#include "runtime/socket.h"

enum { ENDPOINTS_MAX = 8 };

struct endpoints {
	char bound[ENDPOINTS_MAX][ENDPOINT_SIZE];
	const char *names[ENDPOINTS_MAX + 1]; /* point into `bound`; end with NULL. Don't copy. */
};

/* 0, -E2BIG or what socket_bind said; then the error names the one that could not be bound. */
int endpoints_bind(struct endpoints *endpoints, struct socket *socket, const char *list,
	struct source_error *error);
