/* server.h - the ROUTER at which queries are answered: frames in, frames out, waiting in between. What the answers are
 * is the owner's. */
#pragma once
#include "aggregator/waiting.h"
#include "runtime/peer_limits.h"

struct context;
struct loop;
struct security;
struct server;

enum verdict {
	VERDICT_ANSWER,
	VERDICT_WAIT, /* for what the wish wants */
	VERDICT_NOT_READY, /* the start is not over: worth waiting, too */
};

/* What one peer may ask for in a second: places in peer_allowance.rates. */
enum { QUERY_COUNT, QUERY_ANSWER_BYTES };

struct server_options {
	struct context *context; /* borrowed */
	struct loop *loop;
	struct security *security; /* borrowed; NULL: nobody is asked for a key */
	const char *listen; /* list of endpoints */
	struct peer_allowance allowance; /* by QUERY_COUNT and so on; held: queries that wait */
	/* May this be answered now? Moves wish->after on past certificates that are reached. */
	enum verdict (*judge)(void *owner, struct wish *wish);
	/* May whoever has this key ("": none) ask this, now? 0, or a reason with the complaint. */
	int (*permit)(void *owner, const char *user_id, const struct query *query,
		struct complaint *complaint);
	/* Writes the reply. 0 or -errno. */
	int (*answer)(
		void *owner, const char *user_id, const struct query *query, struct buffer *reply);
	/* One request is over. `type` is "" when it could not be read, `code` "ok" or the error's. */
	void (*answered)(void *owner, const char *type, const char *code, int64_t took_us);
	/* A reply that its peer did not take. */
	void (*lost)(void *owner);
	void *owner;
};

int server_new(const struct server_options *options, struct server **ret_server);
struct server *server_free(struct server *server);
const char *const *server_endpoints(const struct server *server); /* ends with NULL */
size_t server_waiting(const struct server *server);
/* Looks at what waits: totals may have moved. */
int server_wake(struct server *server);
/* Before the end: whoever waits hears `not_ready`, and from now on nobody waits. 0 or -errno. */
int server_stop(struct server *server);
/* From the owner's tick: whose deadline is over hears `timeout` or `not_ready`. */
int server_tick(struct server *server, int64_t now_ms, int64_t *ret_wait_ms);
