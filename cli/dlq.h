/* dlq.h - what `till dlq list`, `show` and `replay` share: their options and the walk over the letters. */
#pragma once
#include "cli/options.h"
#include "cli/session.h"
#include "proto/letter.h"

struct dlq_options {
	const char *brokers;
	struct text_list kafka;
	struct text_list topics; /* with or without .dlq; none: all three */
	struct letter_filter filter;
	struct letter_place place; /* of the one letter that is meant; topic "": all */
	const char *to;
	const char *audit; /* replay: where it is written down; NULL: deed.h says */
	struct key_files keys; /* for the edge */
	struct text_list set_texts; /* as typed */
	struct pair_list set;
	bool json, dry_run;
	int64_t timeout_ms;
};

/* One letter in its topic. `letter_ok`: the headers could be read. */
struct dlq_letter {
	struct letter_place place;
	const struct topic_record *record;
	bool letter_ok;
	struct dead_letter letter;
};

/* Calls `each` for every letter that is meant, topic after topic up to the end that each has; what `each` returns other
 * than -1 ends the walk. -1 or an exit code, the reason said. */
int dlq_walk(const struct dlq_options *options,
	int (*each)(void *owner, const struct dlq_letter *letter), void *owner);

int dlq_list(const struct dlq_options *options);
int dlq_show(const struct dlq_options *options);
int dlq_replay(const struct dlq_options *options);
