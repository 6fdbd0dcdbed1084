/* replay.h - dead letters on their way back to an edge, one frame each, waited for one by one: there are few, and the
 * answer to each is what counts. One thread. */
#pragma once
#include "cli/session.h"
#include "client/producer.h"

struct replay;

enum {
	REPLAY_E_SILENT = 1, /* nothing heard from the edge for timeout_ms */
	REPLAY_E_INTERRUPTED,
	REPLAY_E_KEYS, /* they can't be read: said */
};

enum replay_fate {
	REPLAY_ACCEPTED,
	REPLAY_REPEATED, /* it was replayed before */
	REPLAY_INVALID, /* refused again: the complaint says why */
};

struct replay_answer {
	enum replay_fate fate;
	struct complaint complaint;
};

struct replay_options {
	const char *command; /* for what is said about keys */
	const char *endpoint;
	int64_t timeout_ms;
	struct key_files keys;
};

/* 0, REPLAY_E_KEYS, -errno. */
int replay_new(const struct replay_options *options, struct replay **ret_replay);
struct replay *replay_free(struct replay *replay);
/* One event (not an array). 0 with the answer, REPLAY_E_*, -errno. */
int replay_send(struct replay *replay, struct slice event, struct replay_answer *ret_answer);
