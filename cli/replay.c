#include "cli/replay.h"

#include "runtime/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct replay {
	struct session session;
	struct producer *producer;
	struct replay_answer answer;
	bool answered;
	bool silent;
};

static int on_settled(void *owner, const struct producer_result *result)
{
	struct replay *replay = owner;
	const struct reply *reply = result->reply;

	replay->answered = true;
	replay->answer = (struct replay_answer){.fate = REPLAY_ACCEPTED};
	if (reply->refusal.reason != REASON_NONE) {
		replay->answer = (struct replay_answer){REPLAY_INVALID, reply->refusal};
	} else if (reply->invalid > 0) {
		replay->answer.fate = REPLAY_INVALID;
		if (reply->error_count > 0) {
			replay->answer.complaint = reply->errors[0].complaint;
		}
	} else if (reply->repeated_events > 0) {
		replay->answer.fate = REPLAY_REPEATED;
	}
	loop_stop(replay->session.loop);
	return 0;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct replay *replay = owner;

	int r = producer_step(replay->producer, now_ms, ret_wait_ms);
	if (r == PRODUCER_E_TIMEOUT) {
		replay->silent = true;
		loop_stop(replay->session.loop);
		r = 0;
	}
	return r;
}

int replay_new(const struct replay_options *options, struct replay **ret_replay)
{
	char id[PRODUCER_ID_SIZE_MAX + 1];
	struct replay *replay = calloc(1, sizeof *replay);

	if (replay == NULL) {
		return -ENOMEM;
	}
	snprintf(id, sizeof id, "till-dlq-%016llx", (unsigned long long)random_u64());
	int r = session_open(&replay->session);
	if (r == 0 && session_read_keys(&replay->session, options->command, &options->keys) >= 0) {
		r = REPLAY_E_KEYS;
	}
	if (r == 0) {
		struct producer_options producer = {.context = replay->session.context,
			.loop = replay->session.loop,
			.endpoint = options->endpoint,
			.keys = session_keys(&replay->session),
			.id = id,
			.timeout_ms = options->timeout_ms,
			.settled = on_settled,
			.owner = replay};
		r = producer_new(&producer, &replay->producer);
	}
	if (r == 0) {
		r = loop_add_tick(replay->session.loop, on_tick, replay);
	}
	if (r != 0) {
		replay_free(replay);
		return r;
	}
	*ret_replay = replay;
	return 0;
}

struct replay *replay_free(struct replay *replay)
{
	if (replay != NULL) {
		producer_free(replay->producer);
		session_close(&replay->session);
		free(replay);
	}
	return NULL;
}

int replay_send(struct replay *replay, struct slice event, struct replay_answer *ret_answer)
{
	replay->answered = false;
	int r = producer_send(replay->producer, event, 0, 0);
	if (r != 0) {
		return r < 0 ? r : -EBUSY;
	}
	r = loop_run(replay->session.loop);
	if (r != 0) {
		return r;
	}
	if (!replay->answered) {
		return replay->silent ? REPLAY_E_SILENT : REPLAY_E_INTERRUPTED;
	}
	*ret_answer = replay->answer;
	return 0;
}
