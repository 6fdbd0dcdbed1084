#include "bridge/sessions.h"
#include "proto/checksum.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

LIST_HEAD(session_chain, session);

struct sessions {
	size_t count;
	struct session_list all, marked;
	struct session_chain by_peer[SESSION_BUCKETS], by_edge[SESSION_BUCKETS];
};

static size_t bucket_of(struct slice key)
{
	return checksum_crc32c(0, key.bytes, key.size) % SESSION_BUCKETS;
}

int sessions_new(struct sessions **ret_sessions)
{
	struct sessions *sessions = calloc(1, sizeof *sessions);
	if (sessions == NULL) {
		return -ENOMEM;
	}
	TAILQ_INIT(&sessions->all);
	TAILQ_INIT(&sessions->marked);
	*ret_sessions = sessions;
	return 0;
}

static void session_free(struct session *session)
{
	session->outbox.batch_count = 0;
	outbox_deinit(&session->outbox);
	free(session);
}

struct sessions *sessions_free(struct sessions *sessions)
{
	if (sessions == NULL) {
		return NULL;
	}
	struct session *session;
	while ((session = TAILQ_FIRST(&sessions->all)) != NULL) {
		TAILQ_REMOVE(&sessions->all, session, all);
		session_free(session);
	}
	free(sessions);
	return NULL;
}

static void fill(struct session *session, const struct session_start *start)
{
	session->id = start->id;
	session->codec = start->codec;
	session->may_report = start->may_report;
	session->says_ages = start->says_ages;
	session->reports = start->reports;
	snprintf(session->key, sizeof session->key, "%s", start->key != NULL ? start->key : "");
	session->holder = start->holder;
	session->run = start->run;
	session->heard_ms = start->now_ms;
	session->told_ms = start->now_ms;
	session->edge_size = start->edge.size;
	memcpy(session->edge, start->edge.bytes, start->edge.size);
	session->peer_size = start->peer.size;
	memcpy(session->peer, start->peer.bytes, start->peer.size);
	outbox_init(&session->outbox);
}

int sessions_open(
	struct sessions *sessions, const struct session_start *start, struct session **ret_session)
{
	assert(start->edge.size <= EDGE_ID_SIZE_MAX);
	if (sessions->count >= SESSIONS_MAX || start->peer.size > ROUTING_ID_SIZE_MAX) {
		return SESSIONS_E_FULL;
	}
	struct session *session = calloc(1, sizeof *session);
	if (session == NULL) {
		return -ENOMEM;
	}
	fill(session, start);
	TAILQ_INSERT_TAIL(&sessions->all, session, all);
	LIST_INSERT_HEAD(&sessions->by_peer[bucket_of(start->peer)], session, by_peer);
	LIST_INSERT_HEAD(&sessions->by_edge[bucket_of(start->edge)], session, by_edge);
	sessions->count++;
	*ret_session = session;
	return 0;
}

void sessions_close(struct sessions *sessions, struct tracker *tracker, struct session *session)
{
	tracker_abandon(tracker, &session->outbox);
	if (session->is_marked) {
		TAILQ_REMOVE(&sessions->marked, session, marked);
	}
	TAILQ_REMOVE(&sessions->all, session, all);
	LIST_REMOVE(session, by_peer);
	LIST_REMOVE(session, by_edge);
	sessions->count--;
	session_free(session);
}

struct session *sessions_of_peer(const struct sessions *sessions, struct slice peer)
{
	struct session *session;
	LIST_FOREACH(session, &sessions->by_peer[bucket_of(peer)], by_peer)
	{
		if (slice_equal(session_peer(session), peer)) {
			return session;
		}
	}
	return NULL;
}

static struct session *find_run(
	const struct sessions *sessions, struct slice edge, uint64_t run, bool other)
{
	struct session *session;
	LIST_FOREACH(session, &sessions->by_edge[bucket_of(edge)], by_edge)
	{
		if ((session->run != run) == other && slice_equal(session_edge(session), edge)) {
			return session;
		}
	}
	return NULL;
}

struct session *sessions_of_run(const struct sessions *sessions, struct slice edge, uint64_t run)
{
	return find_run(sessions, edge, run, false);
}

struct session *sessions_of_other_run(
	const struct sessions *sessions, struct slice edge, uint64_t run)
{
	return find_run(sessions, edge, run, true);
}

size_t sessions_count(const struct sessions *sessions)
{
	return sessions->count;
}

size_t sessions_conflict_count(const struct sessions *sessions)
{
	const struct session *session;
	size_t count = 0;
	TAILQ_FOREACH(session, &sessions->all, all)
	{
		count += find_run(sessions, session_edge(session), session->run, true) != NULL;
	}
	return count;
}

struct session *sessions_first(const struct sessions *sessions)
{
	return TAILQ_FIRST(&sessions->all);
}

struct session *sessions_next(const struct session *session)
{
	return TAILQ_NEXT(session, all);
}

void sessions_mark(struct sessions *sessions, struct session *session)
{
	if (!session->is_marked) {
		session->is_marked = true;
		TAILQ_INSERT_TAIL(&sessions->marked, session, marked);
	}
}

struct session *sessions_take_marked(struct sessions *sessions)
{
	struct session *session = TAILQ_FIRST(&sessions->marked);
	if (session != NULL) {
		session->is_marked = false;
		TAILQ_REMOVE(&sessions->marked, session, marked);
	}
	return session;
}
