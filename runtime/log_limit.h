/* log_limit.h - decides which repeats of a message are written. Pure: time comes in. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	LOG_BURST =
		10, /* of one message in a minute; what is more is counted and told in one line */
	LOG_WINDOW_MS = 60000,
	LOG_MESSAGES_MAX = 64, /* messages that are watched at a time */
};

struct log_limit_entry {
	const char *message; /* a literal; NULL: free */
	int level;
	int64_t since_ms;
	unsigned written;
	unsigned held;
};

/* Zero-initialise. */
struct log_limit {
	struct log_limit_entry entries[LOG_MESSAGES_MAX];
	unsigned held_messages; /* entries whose held is not 0 */
};

/* What was held back and is to be told now. */
struct log_held {
	const char *message;
	int level;
	unsigned count;
};

/* Whether this message may be written now. */
bool log_limit_pass(struct log_limit *limit, int level, const char *message, int64_t now_ms);
/* The next message whose minute is over (or any, with `all`) and that was held back; false when there is none. */
bool log_limit_next_held(
	struct log_limit *limit, int64_t now_ms, bool all, struct log_held *ret_held);
