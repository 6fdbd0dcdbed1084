/* resend.h - dead letters on their way back to an edge, one frame each and one at a time: there are few, and the answer to each is
 * what counts. On the caller's loop: either resend_ask, which runs the loop until the answer is there, or resend_start,
 * _step (from the loop's tick) and _result. One thread. An int result is 0, a REPLAY_E_* or a negative errno to pass up. */
#pragma once
#include "client/producer.h"

struct resend;

enum {
	RESEND_E_INTERRUPTED = 1, /* resend_ask: the loop ended first (a signal) */
};

enum resend_fate {
	RESEND_ACCEPTED,
	RESEND_REPEATED, /* it was replayed before */
	RESEND_INVALID, /* refused again: the complaint says why */
	/* These two end it: whoever has more to send makes another. */
	RESEND_UNSENT, /* it was not taken for sure; the complaint says why: errors of ours, too */
	RESEND_UNKNOWN, /* it went out and nothing was heard: it may be taken. Sent again it counts once */
};

struct resend_answer {
	enum resend_fate fate;
	struct complaint complaint;
};

struct resend_options {
	struct context *context; /* borrowed, as is the loop */
	struct loop *loop;
	const char *endpoint; /* of an edge; borrowed for the life of the resend */
	const struct client_keys *keys; /* the same; NULL: the edge asks for none */
	int64_t timeout_ms; /* for each letter, above 0 */
};

/* 0 or -errno. */
int resend_new(const struct resend_options *options, struct resend **ret_resend);
struct resend *resend_free(struct resend *resend);

/* One event (not an array), copied. 0, -EBUSY while another is on its way, -errno. */
int resend_start(struct resend *resend, struct slice event, int64_t now_ms);
int resend_step(struct resend *resend, int64_t now_ms, int64_t *ret_wait_ms);
/* false: there is none yet. */
bool resend_result(const struct resend *resend, struct resend_answer *ret_answer);

/* All of the above; must not be called from a handler of the loop. Its first call adds a tick: from then on it must
 * live as long as the loop runs. */
int resend_ask(struct resend *resend, struct slice event, struct resend_answer *ret_answer);
