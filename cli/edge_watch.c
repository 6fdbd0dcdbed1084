#include "cli/edge_watch.h"

#include "cli/session.h"

enum { AWAY_MS_MIN = 2000 }; /* a restart takes no longer, and is nobody's concern */

static bool asks_to_wait(const struct producer *producer)
{
	return producer_counts(producer)->waiting_for[0] != '\0';
}

bool edge_watch_look(struct edge_watch *watch, const struct producer *producer, int64_t now_ms)
{
	if (producer_is_connected(producer)) {
		watch->was_up = true;
		watch->up_ms = now_ms;
		return asks_to_wait(producer) && !watch->told_waiting;
	}
	if (producer_refusal(producer) != watch->told_refusal &&
		producer_refusal(producer) != CLIENT_NOT_REFUSED) {
		return true;
	}
	return now_ms - watch->up_ms > AWAY_MS_MIN && !watch->told_away;
}

void edge_watch_tell(struct edge_watch *watch, const struct producer *producer)
{
	if (producer_is_connected(producer)) {
		watch->told_waiting = true;
		say(watch->command, "the edge at %s asks to wait: %s", watch->endpoint,
			producer_counts(producer)->waiting_for);
		return;
	}
	enum client_refusal refusal = producer_refusal(producer);
	if (refusal != watch->told_refusal && refusal != CLIENT_NOT_REFUSED) {
		watch->told_refusal = refusal;
		watch->told_away = true;
		say(watch->command, "the edge at %s: %s; trying on", watch->endpoint,
			client_refusal_words(refusal));
		return;
	}
	watch->told_away = true;
	say(watch->command, "%s %s; trying on",
		watch->was_up ? "lost the edge at" : "no edge answers at", watch->endpoint);
}
