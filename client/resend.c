#include "client/resend.h"

#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct resend {
	struct resend_options options;
	struct producer *producer;
	struct producer_counts before; /* when this letter was started */
	int64_t deadline_ms;
	bool is_started;
	bool is_answered;
	struct resend_answer answer;
	bool is_ticking;
};

static void end(struct resend *resend, const struct resend_answer *answer)
{
	resend->answer = *answer;
	resend->is_answered = true;
	loop_wake(resend->options.loop);
}

static int on_settled(void *owner, const struct producer_result *result)
{
	struct resend_answer answer = {.fate = RESEND_ACCEPTED};
	const struct reply *reply = result->reply;

	if (reply->refusal.reason != REASON_NONE) {
		answer = (struct resend_answer){RESEND_INVALID, reply->refusal};
	} else if (reply->invalid > 0) {
		answer.fate = RESEND_INVALID;
		if (reply->error_count > 0) {
			answer.complaint = reply->errors[0].complaint;
		}
	} else if (reply->repeated_events > 0) {
		answer.fate = RESEND_REPEATED;
	}
	end(owner, &answer);
	return 0;
}

int resend_new(const struct resend_options *options, struct resend **ret_resend)
{
	char id[PRODUCER_ID_SIZE_MAX + 1];
	struct resend *resend = calloc(1, sizeof *resend);

	if (resend == NULL) {
		return -ENOMEM;
	}
	resend->options = *options;
	snprintf(id, sizeof id, "till-dlq-%016llx", (unsigned long long)random_u64());
	/* Its own silence ends nothing: a letter's time does. */
	const struct producer_options producer = {.context = options->context,
		.loop = options->loop,
		.endpoint = options->endpoint,
		.keys = options->keys,
		.id = id,
		.settled = on_settled,
		.owner = resend};
	int r = producer_new(&producer, &resend->producer);
	if (r != 0) {
		resend_free(resend);
		return r;
	}
	*ret_resend = resend;
	return 0;
}

struct resend *resend_free(struct resend *resend)
{
	if (resend != NULL) {
		producer_free(resend->producer);
		free(resend);
	}
	return NULL;
}

int resend_start(struct resend *resend, struct slice event, int64_t now_ms)
{
	int r = producer_send(resend->producer, event, 0, 0);

	if (r != 0) {
		return r < 0 ? r : -EBUSY;
	}
	resend->before = *producer_counts(resend->producer);
	resend->deadline_ms = now_ms + resend->options.timeout_ms;
	resend->is_started = true;
	resend->is_answered = false;
	return 0;
}

/* Was it sent more often than the edge said that it does not take it now? */
static bool is_in_doubt(const struct resend *resend)
{
	const struct producer_counts *counts = producer_counts(resend->producer);

	return counts->sent - resend->before.sent > counts->waited - resend->before.waited;
}

/* `error`: what went wrong on our side, as -errno; 0: its time is over, or it is not let in. */
static void give_up(struct resend *resend, int error)
{
	const struct producer_counts *counts = producer_counts(resend->producer);
	enum client_refusal refusal = producer_refusal(resend->producer);
	struct resend_answer answer = {.fate = RESEND_UNSENT};

	if (is_in_doubt(resend)) {
		answer.fate = RESEND_UNKNOWN;
	}
	if (error < 0) {
		complaint_set(&answer.complaint, REASON_INTERNAL, "",
			answer.fate == RESEND_UNKNOWN ? "%s, and nobody knows whether the edge has "
							"it; sent again it counts once"
						      : "%s",
			strerror(-error));
	} else if (answer.fate == RESEND_UNKNOWN) {
		complaint_set(&answer.complaint, REASON_TIMEOUT, "",
			"the edge did not answer within %lld ms, so nobody knows whether it has "
			"it; "
			"sent again it counts once",
			(long long)resend->options.timeout_ms);
	} else if (refusal != CLIENT_NOT_REFUSED) {
		complaint_set(&answer.complaint, REASON_FORBIDDEN, "", "%s",
			client_refusal_words(refusal));
	} else if (counts->waiting_for[0] != '\0') {
		complaint_set(&answer.complaint, REASON_BUSY, "", "the edge takes nothing now: %s",
			counts->waiting_for);
	} else {
		complaint_set(&answer.complaint, REASON_TIMEOUT, "", "no edge answers there");
	}
	end(resend, &answer);
}

int resend_step(struct resend *resend, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t left_ms = resend->deadline_ms - now_ms;
	int r = producer_step(resend->producer, now_ms, ret_wait_ms);

	if (!resend->is_started || resend->is_answered) {
		return r;
	}
	if (r < 0) {
		give_up(resend, r);
		*ret_wait_ms = 0;
		return 0;
	}
	if (left_ms <= 0 || producer_refusal(resend->producer) != CLIENT_NOT_REFUSED) {
		give_up(resend, 0);
	}
	*ret_wait_ms = left_ms < *ret_wait_ms ? left_ms : *ret_wait_ms;
	*ret_wait_ms = *ret_wait_ms < 0 ? 0 : *ret_wait_ms;
	return 0;
}

bool resend_result(const struct resend *resend, struct resend_answer *ret_answer)
{
	if (resend->is_answered) {
		*ret_answer = resend->answer;
	}
	return resend->is_answered;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct resend *resend = owner;
	int r = resend_step(resend, now_ms, ret_wait_ms);

	if (r == 0 && resend->is_answered) {
		loop_stop(resend->options.loop);
	}
	return r;
}

int resend_ask(struct resend *resend, struct slice event, struct resend_answer *ret_answer)
{
	int r = resend->is_ticking ? 0 : loop_add_tick(resend->options.loop, on_tick, resend);

	resend->is_ticking |= r == 0;
	if (r == 0) {
		r = resend_start(resend, event, clock_monotonic_ms());
	}
	if (r == 0) {
		r = loop_run(resend->options.loop);
	}
	if (r != 0) {
		return r;
	}
	return resend_result(resend, ret_answer) ? 0 : RESEND_E_INTERRUPTED;
}
