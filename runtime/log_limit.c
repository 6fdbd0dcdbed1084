#include "runtime/log_limit.h"
#include <stddef.h>
#include <string.h>

static bool is_over(const struct log_limit_entry *entry, int64_t now_ms)
{
	return now_ms - entry->since_ms >= LOG_WINDOW_MS;
}

/* The message's entry, else a free one, else the oldest that holds nothing back, else NULL. */
static struct log_limit_entry *find_entry(struct log_limit *limit, const char *message)
{
	struct log_limit_entry *place = NULL;

	for (unsigned i = 0; i < LOG_MESSAGES_MAX; i++) {
		struct log_limit_entry *entry = &limit->entries[i];
		if (entry->message == NULL) {
			return entry; /* entries are taken in order: what follows is free too */
		}
		if (entry->message == message || strcmp(entry->message, message) == 0) {
			return entry;
		}
		if (entry->held == 0 && (place == NULL || entry->since_ms < place->since_ms)) {
			place = entry;
		}
	}
	return place;
}

bool log_limit_pass(struct log_limit *limit, int level, const char *message, int64_t now_ms)
{
	struct log_limit_entry *entry = find_entry(limit, message);

	if (entry == NULL) {
		return true; /* 64 different floods at once: rather too many lines than a lost one */
	}
	bool same = entry->message != NULL && strcmp(entry->message, message) == 0;
	if (!same || (is_over(entry, now_ms) && entry->held == 0)) {
		*entry = (struct log_limit_entry){message, level, now_ms, 0, 0};
	}
	if (entry->written < LOG_BURST) {
		entry->written++;
		return true;
	}
	limit->held_messages += entry->held == 0;
	entry->held++;
	return false;
}

bool log_limit_next_held(
	struct log_limit *limit, int64_t now_ms, bool all, struct log_held *ret_held)
{
	for (unsigned i = 0; limit->held_messages > 0 && i < LOG_MESSAGES_MAX; i++) {
		struct log_limit_entry *entry = &limit->entries[i];
		if (entry->held == 0 || (!all && !is_over(entry, now_ms))) {
			continue;
		}
		*ret_held = (struct log_held){entry->message, entry->level, entry->held};
		/* Still a flood: from here on one line a minute, until a minute passes without. */
		entry->since_ms = now_ms;
		entry->held = 0;
		limit->held_messages--;
		return true;
	}
	return false;
}
