/* aggregator.h - till-aggregator as a whole: makes the parts, connects them, lets them run. It decides nothing itself. */
#pragma once
#include "aggregator/aggregator_config.h"

struct aggregator;
struct program;

struct aggregator_options {
	const struct aggregator_config *config; /* borrowed */
	const struct text_set *accepted; /* gaps, as given to --accept-gap; borrowed */
	bool wants_rebuild;
	const char *archive; /* read before the log (replay.h); NULL: none; borrowed */
	size_t entries_at_once; /* as in shard_options */
	/* Told of each thing that the log lacks, for the live store or a rebuild, before the end with AGGREGATOR_E_DECISION. */
	void (*tell_missing)(const char *text, bool of_rebuild);
};

enum { AGGREGATOR_E_DECISION = 1, AGGREGATOR_E_USAGE };

/* 0, AGGREGATOR_E_* or -errno, each with a sentence. */
int aggregator_new(const struct aggregator_options *options, struct aggregator **ret_aggregator,
	char *error, size_t error_size);
struct aggregator *aggregator_free(struct aggregator *aggregator);
/* Until a signal, or until something fails. 0, AGGREGATOR_E_DECISION (it was said), -errno. */
int aggregator_run(struct aggregator *aggregator, struct program *program);
