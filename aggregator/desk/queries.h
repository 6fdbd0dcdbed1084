/* queries.h - a query's way from its bytes to its answer, whatever it came by: what its asker may have in a second, what it
 * may ask, whether it can be answered yet, and waiting in between. Sockets are its fronts' affair (server.h, web.h); what the
 * answers are is the owner's. The loop's thread. */
#pragma once
#include "aggregator/desk/waiting.h"
#include "proto/query_reply.h"
#include "runtime/key_holder.h"
#include "runtime/peer_limits.h"

struct queries;

enum verdict {
	VERDICT_ANSWER,
	VERDICT_WAIT, /* for what the wish wants */
	VERDICT_BUSY, /* with what somebody else wants of Kafka */
	VERDICT_NOT_READY, /* the start is not over: worth waiting, too */
};

/* What one peer may ask for in a second: places in peer_allowance.rates. */
enum { QUERY_COUNT, QUERY_ANSWER_BYTES };

/* Who asks. */
struct asker {
	const char *user_id; /* the key that the request came with; "": none */
	/* What it may ask, where that is not known by its key; lives as long as the program. NULL: its key says. */
	const struct key_holder *holder;
	struct peer_name peer;
};

/* By which way a query came. */
struct query_front {
	/* `address` as it came with the query. 0 or -errno, which ends the program. */
	int (*reply)(void *owner, struct slice address, const struct query_reply *reply);
	void *owner;
};

struct queries_options {
	struct peer_allowance allowance; /* by QUERY_COUNT and so on; held: queries that wait */
	/* May this be answered now? Moves wish->after on past certificates that are reached. */
	enum verdict (*judge)(void *owner, struct wish *wish);
	/* May it ask this, now? 0, or a reason with the complaint. */
	int (*permit)(void *owner, const struct asker *asker, const struct query *query,
		struct complaint *complaint);
	/* Writes the reply. 0 or -errno. */
	int (*answer)(void *owner, const struct asker *asker, const struct query *query,
		struct buffer *reply);
	/* One request is over. `type` is "" when it could not be read, `code` "ok" or the error's. */
	void (*answered)(void *owner, const char *type, const char *code, int64_t took_us);
	void *owner;
};

int queries_new(const struct queries_options *options, struct queries **ret_queries);
/* Who waits gets no answer. */
struct queries *queries_free(struct queries *queries);

/* One request, which will have exactly one reply, now or later. Borrowed for the call, but for the front. */
struct asked {
	const struct query_front *front; /* lives as long as the queries */
	const struct asker *asker;
	struct slice address; /* the front's own */
	struct slice request;
};
int queries_take(struct queries *queries, const struct asked *asked, int64_t now_ms);
/* Takes one query from what its asker may ask in a second, as queries_take does. How long it should wait before it asks again;
 * 0: it may ask now. */
int64_t queries_charge(struct queries *queries, const struct asker *asker, int64_t now_ms);
/* Counts one that nobody can be answered to. */
void queries_note_unreadable(const struct queries *queries);
/* The same at once: what would wait is answered `not_ready` or `timeout`, and no limit is asked. Never for what
 * query_needs_admin. The reply is borrowed until the next request. 0 or -errno. */
int queries_ask(struct queries *queries, const struct asker *asker, struct slice request,
	struct query_reply *ret_reply);
size_t queries_waiting(const struct queries *queries);
/* Looks at what waits: totals may have moved. */
int queries_wake(struct queries *queries, int64_t now_ms);
/* Before the end: whoever waits hears `not_ready`, and from now on nobody waits. 0 or -errno. */
int queries_stop(struct queries *queries, int64_t now_ms);
/* From the owner's tick: whose deadline is over hears `timeout` or `not_ready`. */
int queries_tick(struct queries *queries, int64_t now_ms, int64_t *ret_wait_ms);
