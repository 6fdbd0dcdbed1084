/* feed.h - a generation at work: a source and the pipeline that it feeds, on the loop. One round reads for a few
 * milliseconds at most, so that queries are answered while millions of records come in. */
#pragma once
#include "aggregator/log/pipeline_archive.h"
#include "aggregator/log/receipts.h"

struct loop;
struct replay;

struct feed_options {
	struct loop *loop; /* borrowed, as is all else */
	const char *brokers;
	const struct kafka_properties *kafka;
	const char *archive; /* what is read before the log (replay.h); NULL: nothing */
	struct pipeline_options
		pipeline; /* committed, freezing, start, notice, conflict and owner are the feed's */
	/* After records were taken, a commit ended, or the log reported. -errno ends the program. */
	int (*moved)(void *owner);
	/* `count` events that it counted can be read in an answer, so long after an edge received them. */
	void (*readable)(
		void *owner, const struct pipeline *pipeline, uint64_t latency_ms, uint64_t count);
	/* The log lacks what is in pipeline->missing. */
	int (*decide)(void *owner, const struct pipeline *pipeline);
	/* The archive was read: these are its books. */
	void (*replayed)(void *owner, const struct pipeline_archive *archive);
	/* It can't be read on. */
	int (*replay_failed)(void *owner, const struct pipeline *pipeline, const char *why);
	/* A commit ended; see struct shard_options. */
	void (*committed)(void *owner, int result, int64_t took_us);
	/* See struct pipeline_options. */
	void (*freezing)(void *owner, struct overlay *overlay);
	void (*notice)(void *owner, const char *what, const char *topic, int32_t partition);
	void (*conflict)(void *owner, const char *topic, const struct record *record,
		const struct reading *reading);
	void (*row_changed)(void *owner, uint32_t generation, uint32_t table_id, struct slice key,
		struct slice longs);
	void *owner;
};

struct feed {
	struct feed_options options;
	struct pipeline *pipeline;
	struct source *source;
	struct replay *replay; /* NULL: no archive, or it is over */
	bool is_held; /* the owner's: read nothing */
	bool is_stopping; /* no more reading, for good */
	int64_t polled_ms;
	int64_t restarted_ms;
	uint64_t restarts;
	struct receipts receipts;
	uint64_t receipts_bad; /* headers that are none */
	uint64_t receipts_ahead; /* events whose receipt lies ahead of our clock */
	char kafka_error[512]; /* "" while Kafka answers */
	bool is_error_telling; /* it names what a person must mend */
};

/* 0, STORE_E_CORRUPT, -errno with the error set where it is about the configuration. */
int feed_new(
	const struct feed_options *options, struct feed **ret_feed, struct config_error *error);
/* Waits a moment for a clean end: for the end of the program. */
struct feed *feed_free(struct feed *feed);
/* Waits for nothing: the loop goes on. */
struct feed *feed_leave(struct feed *feed);
/* From the owner's tick. */
int feed_tick(struct feed *feed, int64_t now_ms, int64_t *ret_wait_ms);
