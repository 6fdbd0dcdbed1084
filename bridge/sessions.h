/* sessions.h - the edges that are there, by (edge id, run) and by the connection they came on. Pure: routing ids are
 * bytes, time comes in. One thread. */
#pragma once
#include "bridge/edge_clock.h"
#include "bridge/tracker.h"
#include "runtime/peer_limits.h"
#include "runtime/token_bucket.h"

enum {
	ROUTING_ID_SIZE_MAX = 32, /* ours are 5 bytes; edges set none */
	/* Each costs about 1 KiB here and some KiB in libzmq. */
	SESSIONS_MAX = 20000,
	SESSION_BUCKETS = 4096,
	SESSION_KEY_SIZE = 64, /* as struct message's user_id */
	/* The protocol lets a bridge forget a session that has been idle for so long. */
	SESSION_IDLE_MS_MAX = 60 * 60 * 1000,
};

struct session {
	uint64_t id; /* the edge's 64 random bits */
	uint64_t run;
	uint8_t edge[EDGE_ID_SIZE_MAX];
	size_t edge_size;
	uint8_t peer[ROUTING_ID_SIZE_MAX];
	size_t peer_size;
	char key[SESSION_KEY_SIZE]; /* that its connection showed; "" without keys */
	enum wire_codec codec; /* its batches may be compressed so */
	bool may_report;
	bool says_ages;
	struct edge_clock clock;
	struct token_bucket reports; /* how many may come */
	uint64_t last_number; /* of the last sending */
	int64_t heard_ms; /* last frame from it */
	int64_t told_ms; /* last frame to it that was sent */
	struct outbox outbox;
	struct peer_name holder; /* who holds it: reception counts them */
	bool is_marked; /* has news to be sent */
	TAILQ_ENTRY(session) all, marked;
	LIST_ENTRY(session) by_peer, by_edge;
};
TAILQ_HEAD(session_list, session);

struct sessions;

struct session_start {
	struct slice peer; /* routing id */
	struct slice edge;
	uint64_t run;
	uint64_t id;
	const char *key; /* "" without keys */
	enum wire_codec codec;
	bool may_report;
	bool says_ages;
	struct token_bucket reports; /* full, where it may */
	struct peer_name holder;
	int64_t now_ms;
};

enum { SESSIONS_E_FULL = 1 };

int sessions_new(struct sessions **ret_sessions);
struct sessions *sessions_free(struct sessions *sessions);

/* The caller has ended whatever session this peer or this (edge, run) had. 0, SESSIONS_E_FULL, -ENOMEM. */
int sessions_open(
	struct sessions *sessions, const struct session_start *start, struct session **ret_session);
/* Ends it and frees it; its sendings become the tracker's orphans. */
void sessions_close(struct sessions *sessions, struct tracker *tracker, struct session *session);

/* NULL when there is none. Borrowed until closed. */
struct session *sessions_of_peer(const struct sessions *sessions, struct slice peer);
struct session *sessions_of_run(const struct sessions *sessions, struct slice edge, uint64_t run);
/* Another run of the same edge: a clone, or one that is gone and not yet noticed. */
struct session *sessions_of_other_run(
	const struct sessions *sessions, struct slice edge, uint64_t run);

size_t sessions_count(const struct sessions *sessions);
/* Sessions beside which another run of the same edge lives now. */
size_t sessions_conflict_count(const struct sessions *sessions);
/* For walks; a walk may close the session it is at if it took its successor before. */
struct session *sessions_first(const struct sessions *sessions);
struct session *sessions_next(const struct session *session);

/* Remembers that there is something to tell; each session once. */
void sessions_mark(struct sessions *sessions, struct session *session);
/* The longest marked one, which is unmarked; NULL when there is none. */
struct session *sessions_take_marked(struct sessions *sessions);

static inline struct slice session_edge(const struct session *session)
{
	return slice_of(session->edge, session->edge_size);
}

static inline struct slice session_peer(const struct session *session)
{
	return slice_of(session->peer, session->peer_size);
}

static inline struct session *session_of_outbox(struct outbox *outbox)
{
	return (struct session *)(void *)((char *)outbox - offsetof(struct session, outbox));
}
