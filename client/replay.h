/* replay.h - dead letters on their way back to an edge, one frame each and one at a time: there are few, and the answer to each is
 * what counts. On the caller's loop: either replay_ask, which runs the loop until the answer is there, or replay_start,
 * _step (from the loop's tick) and _result. One thread. An int result is 0, a REPLAY_E_* or a negative errno to pass up. */
#pragma once
#include "client/producer.h"

struct replay;

enum {
	REPLAY_E_INTERRUPTED = 1, /* replay_ask: the loop ended first (a signal) */
};

enum replay_fate {
	REPLAY_ACCEPTED,
	REPLAY_REPEATED, /* it was replayed before */
	REPLAY_INVALID, /* refused again: the complaint says why */
	/* These two end the replay: whoever has more to send makes another. */
	REPLAY_UNSENT, /* it was not taken for sure; the complaint says why */
	REPLAY_UNKNOWN, /* it went out and nothing was heard: it may be taken. Sent again it counts once */
};

struct replay_answer {
	enum replay_fate fate;
	struct complaint complaint;
};

struct replay_options {
	struct context *context; /* borrowed, as is the loop */
	struct loop *loop;
	const char *endpoint; /* of an edge; borrowed for the life of the replay */
	const struct client_keys *keys; /* the same; NULL: the edge asks for none */
	int64_t timeout_ms; /* for each letter, above 0 */
};

/* 0 or -errno. */
int replay_new(const struct replay_options *options, struct replay **ret_replay);
struct replay *replay_free(struct replay *replay);

/* One event (not an array), copied. 0, -EBUSY while another is on its way, -errno. */
int replay_start(struct replay *replay, struct slice event, int64_t now_ms);
int replay_step(struct replay *replay, int64_t now_ms, int64_t *ret_wait_ms);
/* false: there is none yet. */
bool replay_result(const struct replay *replay, struct replay_answer *ret_answer);

/* All of the above; must not be called from a handler of the loop. Its first call adds a tick: from then on the replay must
 * live as long as the loop runs. */
int replay_ask(struct replay *replay, struct slice event, struct replay_answer *ret_answer);
