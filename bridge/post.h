/* post.h - what the bridge tells its edges: frames out through the ROUTER. A frame that can not be sent now is no
 * error: news stay in the outbox and go with the next. A peer that is gone is told to the caller. One thread. */
#pragma once
#include "bridge/bridge_metrics.h"
#include "bridge/lane.h"
#include "bridge/sessions.h"
#include "proto/buffer.h"

struct socket;

enum {
	POST_E_LATER = 1, /* its queue is full */
	POST_E_GONE, /* the connection is over, and with it the session */
};

struct post {
	struct socket *router; /* borrowed, as is all below */
	const struct sessions *sessions;
	struct bridge_metrics *metrics;
	struct buffer frame; /* owned */
	bool holds_acks; /* they stay in the outbox */
};

void post_init(struct post *post, struct socket *router, const struct sessions *sessions,
	struct bridge_metrics *metrics);
void post_deinit(struct post *post);

/* 0, POST_E_*, -errno: all of them. */
int post_welcome(
	struct post *post, struct session *session, const char *cluster_id, uint64_t topics_hash);
/* To any peer, with or without a session. */
int post_bye(struct post *post, struct slice peer, uint64_t session_id, enum bye_code code,
	const char *words);
/* Everything in the session's outbox: ACKs unless they are held, then NACKs. */
int post_news(struct post *post, struct session *session, int64_t now_ms);
/* An ACK of nothing: the credit alone. Shows whether the peer is still there. */
int post_credit(struct post *post, struct session *session, int64_t now_ms);
int post_state(struct post *post, struct session *session, const struct lane lanes[LANE_COUNT],
	int64_t now_ms);
