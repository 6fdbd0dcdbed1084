/* server.h - the ROUTER at which queries are answered: frames in, frames out. What becomes of a query is queries.h's affair. */
#pragma once

struct context;
struct loop;
struct queries;
struct security;
struct server;

struct server_options {
	struct context *context; /* borrowed, all of it */
	struct loop *loop;
	struct security *security; /* NULL: nobody is asked for a key */
	const char *listen; /* list of endpoints */
	struct queries *queries;
	/* A reply that its peer did not take. */
	void (*lost)(void *owner);
	void *owner;
};

int server_new(const struct server_options *options, struct server **ret_server);
/* After it nobody who waits may be answered: free the queries without another call of theirs. */
struct server *server_free(struct server *server);
const char *const *server_endpoints(const struct server *server); /* ends with NULL */
