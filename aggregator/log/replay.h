/* replay.h - reads an archive into a pipeline on the loop, before the log is read there: some of it each round, while the pipeline
 * takes more, and once Kafka has said that the log behind it will do. The loop's thread. */
#pragma once
#include "aggregator/log/pipeline_archive.h"

struct loop;
struct replay;

struct replay_options {
	const char *path; /* borrowed, as is all else; "-": standard input */
	struct loop *loop;
	struct pipeline *pipeline;
	bool (*may_read)(void *owner);
	/* After records were taken; *is_over*: that was all, the replay may be freed then, but not within the call. */
	int (*moved)(void *owner, bool is_over);
	/* It can't go on, and `why` is a sentence; once. */
	int (*failed)(void *owner, const char *why);
	void *owner;
};

/* 0 or -errno. */
int replay_new(const struct replay_options *options, struct replay **ret_replay);
struct replay *replay_free(struct replay *replay);
/* pipeline_archive_foresee. */
int replay_observe(struct replay *replay, const struct log_report *report);
/* From the owner's tick: goes on where the pipeline takes more again. Gives when to come again. */
int replay_tick(struct replay *replay, int64_t *ret_wait_ms);
const struct pipeline_archive *replay_archive(const struct replay *replay);
