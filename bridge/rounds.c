#include "bridge/rounds.h"

/* A peer that is gone ends its session, and so does one that sends on and never reads; one whose queue is full is tried
 * in a later round. 0 or -errno. */
static int note_sent(struct rounds *rounds, struct session *session, int sent)
{
	if (sent == POST_E_GONE) {
		reception_forget(rounds->reception, session);
	} else if (outbox_is_overdue(&session->outbox)) {
		reception_end(rounds->reception, session, BYE_BAD_FRAME,
			"you do not read what you are told");
	} else if (sent == POST_E_LATER && outbox_has_news(&session->outbox)) {
		sessions_mark(rounds->sessions, session);
	}
	return sent < 0 ? sent : 0;
}

int rounds_post_news(struct rounds *rounds, int64_t now_ms)
{
	struct session *session;
	size_t left_count = sessions_count(rounds->sessions);
	int r = 0;
	while (r == 0 && left_count-- > 0 &&
		(session = sessions_take_marked(rounds->sessions)) != NULL) {
		r = note_sent(rounds, session, post_news(rounds->post, session, now_ms));
	}
	return r;
}

void rounds_hold_acks(struct rounds *rounds, bool holds)
{
	bool are_free_now = rounds->post->holds_acks && !holds;
	struct session *session = are_free_now ? sessions_first(rounds->sessions) : NULL;
	rounds->post->holds_acks = holds;
	for (; session != NULL; session = sessions_next(session)) {
		if (outbox_has_news(&session->outbox)) {
			sessions_mark(rounds->sessions, session);
		}
	}
}

static int post_beat(struct rounds *rounds, struct session *session, int64_t now_ms)
{
	if (session->outbox.batch_count > 0 || outbox_has_news(&session->outbox)) {
		return post_state(rounds->post, session, rounds->lanes, now_ms);
	}
	if (now_ms - session->told_ms >= CREDIT_INTERVAL_MS) {
		return post_credit(rounds->post, session, now_ms);
	}
	return 0;
}

int rounds_post_beats(struct rounds *rounds, int64_t now_ms)
{
	struct session *next;
	int r = 0;
	for (struct session *session = sessions_first(rounds->sessions); r == 0 && session != NULL;
		session = next) {
		next = sessions_next(session);
		bool is_idle = session->outbox.batch_count == 0 &&
			       now_ms - session->heard_ms >= SESSION_IDLE_MS_MAX;
		if (is_idle) {
			reception_end(
				rounds->reception, session, BYE_NO_SESSION, "idle for an hour");
		} else {
			r = note_sent(rounds, session, post_beat(rounds, session, now_ms));
		}
	}
	return r;
}

void rounds_end_all(struct rounds *rounds, enum bye_code code, const char *words)
{
	struct session *session;
	while ((session = sessions_first(rounds->sessions)) != NULL) {
		reception_end(rounds->reception, session, code, words);
	}
}
