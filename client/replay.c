#include "client/replay.h"

#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct replay {
	struct replay_options options;
	struct producer *producer;
	struct producer_counts before; /* when this letter was started */
	int64_t deadline_ms;
	bool is_started;
	bool is_answered;
	struct replay_answer answer;
	bool is_ticking;
};

static void end(struct replay *replay, const struct replay_answer *answer)
{
	replay->answer = *answer;
	replay->is_answered = true;
	loop_wake(replay->options.loop);
}

static int on_settled(void *owner, const struct producer_result *result)
{
	struct replay_answer answer = {.fate = REPLAY_ACCEPTED};
	const struct reply *reply = result->reply;

	if (reply->refusal.reason != REASON_NONE) {
		answer = (struct replay_answer){REPLAY_INVALID, reply->refusal};
	} else if (reply->invalid > 0) {
		answer.fate = REPLAY_INVALID;
		if (reply->error_count > 0) {
			answer.complaint = reply->errors[0].complaint;
		}
	} else if (reply->repeated_events > 0) {
		answer.fate = REPLAY_REPEATED;
	}
	end(owner, &answer);
	return 0;
}

int replay_new(const struct replay_options *options, struct replay **ret_replay)
{
	char id[PRODUCER_ID_SIZE_MAX + 1];
	struct replay *replay = calloc(1, sizeof *replay);

	if (replay == NULL) {
		return -ENOMEM;
	}
	replay->options = *options;
	snprintf(id, sizeof id, "till-dlq-%016llx", (unsigned long long)random_u64());
	/* Its own silence ends nothing: a letter's time does. */
	const struct producer_options producer = {.context = options->context,
		.loop = options->loop,
		.endpoint = options->endpoint,
		.keys = options->keys,
		.id = id,
		.settled = on_settled,
		.owner = replay};
	int r = producer_new(&producer, &replay->producer);
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
		free(replay);
	}
	return NULL;
}

int replay_start(struct replay *replay, struct slice event, int64_t now_ms)
{
	int r = producer_send(replay->producer, event, 0, 0);

	if (r != 0) {
		return r < 0 ? r : -EBUSY;
	}
	replay->before = *producer_counts(replay->producer);
	replay->deadline_ms = now_ms + replay->options.timeout_ms;
	replay->is_started = true;
	replay->is_answered = false;
	return 0;
}

/* Was it sent more often than the edge said that it does not take it now? */
static bool is_in_doubt(const struct replay *replay)
{
	const struct producer_counts *counts = producer_counts(replay->producer);

	return counts->sent - replay->before.sent > counts->waited - replay->before.waited;
}

static void give_up(struct replay *replay)
{
	const struct producer_counts *counts = producer_counts(replay->producer);
	enum client_refusal refusal = producer_refusal(replay->producer);
	struct replay_answer answer = {.fate = REPLAY_UNSENT};

	if (is_in_doubt(replay)) {
		answer.fate = REPLAY_UNKNOWN;
		complaint_set(&answer.complaint, REASON_TIMEOUT, "",
			"the edge did not answer within %lld ms, so nobody knows whether it has "
			"it; "
			"sent again it counts once",
			(long long)replay->options.timeout_ms);
	} else if (refusal != CLIENT_NOT_REFUSED) {
		complaint_set(&answer.complaint, REASON_FORBIDDEN, "", "%s",
			client_refusal_words(refusal));
	} else if (counts->waiting_for[0] != '\0') {
		complaint_set(&answer.complaint, REASON_BUSY, "", "the edge takes nothing now: %s",
			counts->waiting_for);
	} else {
		complaint_set(&answer.complaint, REASON_TIMEOUT, "", "no edge answers there");
	}
	end(replay, &answer);
}

int replay_step(struct replay *replay, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t left_ms = replay->deadline_ms - now_ms;
	int r = producer_step(replay->producer, now_ms, ret_wait_ms);

	if (r != 0 || !replay->is_started || replay->is_answered) {
		return r;
	}
	if (left_ms <= 0 || producer_refusal(replay->producer) != CLIENT_NOT_REFUSED) {
		give_up(replay);
	}
	*ret_wait_ms = left_ms < *ret_wait_ms ? left_ms : *ret_wait_ms;
	*ret_wait_ms = *ret_wait_ms < 0 ? 0 : *ret_wait_ms;
	return 0;
}

bool replay_result(const struct replay *replay, struct replay_answer *ret_answer)
{
	if (replay->is_answered) {
		*ret_answer = replay->answer;
	}
	return replay->is_answered;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct replay *replay = owner;
	int r = replay_step(replay, now_ms, ret_wait_ms);

	if (r == 0 && replay->is_answered) {
		loop_stop(replay->options.loop);
	}
	return r;
}

int replay_ask(struct replay *replay, struct slice event, struct replay_answer *ret_answer)
{
	int r = replay->is_ticking ? 0 : loop_add_tick(replay->options.loop, on_tick, replay);

	replay->is_ticking |= r == 0;
	if (r == 0) {
		r = replay_start(replay, event, clock_monotonic_ms());
	}
	if (r == 0) {
		r = loop_run(replay->options.loop);
	}
	if (r != 0) {
		return r;
	}
	return replay_result(replay, ret_answer) ? 0 : REPLAY_E_INTERRUPTED;
}
