/* pipeline.h - the way of records into one generation: positions, verdicts on what the log still has, counting by
 * shards, freezing. It knows neither Kafka nor a clock: reports, records and time come in, starts go out. There are two
 * while a rebuild runs. The loop's thread. */
#pragma once
#include "aggregator/log/source.h"
#include "aggregator/log/source_reader.h"
#include "aggregator/shard/shard.h"
#include "aggregator/shard/stores.h"

enum {
	PIPELINE_E_DECISION = 1, /* the log lacks what is in `missing` */
	OWN_MAX = 4096, /* partitions of a topic that `own` can name */
};

struct pipeline_options {
	struct stores *stores; /* all borrowed */
	const struct view_set *views;
	uint32_t generation;
	struct topics topics;
	struct source_reader *readers[TOPICS_MAX]; /* by topic; NULL for till's own */
	bool owns_all; /* else the partitions in `owned` */
	const bool *owned; /* OWN_MAX of them */
	int64_t commit_interval_ms;
	size_t entries_at_once; /* as in shard_options */
	int64_t overlay_bytes_max; /* freeze an active commit that is larger; read no more when the next is too */
	const struct text_set *accepted; /* gaps that an operator accepts */
	uint8_t hash_key[OVERLAY_HASH_KEY_SIZE];
	void (*committed)(void *owner, int result, int64_t took_us);
	void (*freezing)(void *owner, struct overlay *overlay); /* as in shard_options */
	/* Reads a partition from this offset on: 0 or -errno. */
	int (*start)(void *owner, uint32_t topic, int32_t partition, int64_t offset);
	/* Wants to hear with a report where the first records lie that are later than these times: 0 or -errno. */
	int (*ask)(void *owner, uint32_t topic, int32_t partition, uint32_t question,
		const int64_t after_ms[PROOF_TIMES]);
	/* Something that an operator should read. `what` is a literal. */
	void (*notice)(void *owner, const char *what, const char *topic, int32_t partition);
	/* As in shard_options. */
	void (*conflict)(void *owner, const char *topic, const struct record *record,
		const struct reading *reading);
	void (*row_changed)(void *owner, uint32_t generation, uint32_t table_id, struct slice key,
		struct slice longs); /* likewise */
	void *owner;
};

struct pipeline {
	struct pipeline_options options;
	struct shard *shards[SHARDS_MAX];
	size_t shard_count;
	struct partition **partitions; /* by topic and number */
	size_t partition_count;
	struct partition **by_shard[SHARDS_MAX]; /* the same, shard by shard */
	size_t by_shard_count[SHARDS_MAX];
	struct document document;
	struct reading reading;
	struct text_set missing; /* of the last verdict: gaps that nobody accepted */
	bool is_reachable; /* the last report said so */
	uint64_t observed; /* reports of a log that was reached */
	bool has_report; /* there was one, reachable or not */
	bool is_targeted; /* a first reachable report set the ends at start */
	/* How many reports on end knew no such topic, or fewer of its partitions than were read. One or two may come from a
	 * broker that has just started and knows no better. */
	unsigned short_reports[TOPICS_MAX];
	bool is_gone[TOPICS_MAX]; /* such a topic is not known for some reports */
	bool must_restart; /* reading has to begin anew, from the positions: pipeline_rewind */
	int64_t clock_ms; /* the broker's time read so far, in whole seconds */
	int64_t now_ms; /* of the last tick */
};

/* Reads the positions of its generation. 0, STORE_E_CORRUPT, -errno. */
int pipeline_new(const struct pipeline_options *options, struct pipeline **ret_pipeline);
struct pipeline *pipeline_free(struct pipeline *pipeline);

/* Holds what the log has against what was read, and starts what can be started. 0, PIPELINE_E_DECISION, -errno. */
int pipeline_observe(struct pipeline *pipeline, const struct log_report *report);
/* A rebuild can't count what its live neighbour counted from topics or clusters that are no more, and nothing in the log
 * says so: each that the live one went on without is missing here until it is accepted. 0, PIPELINE_E_DECISION, -errno. */
int pipeline_ask_former(struct pipeline *shadow, const struct pipeline *live);
/* Handlers of a source_sink: owner is the pipeline. PIPELINE_E_DECISION does not fit there: `missing` is not empty. */
int pipeline_take(void *pipeline, const struct record *record);
int pipeline_end(void *pipeline, uint32_t topic, int32_t partition, int64_t next);
int pipeline_stopped(void *pipeline, uint32_t topic, int32_t partition, const char *why);
/* All partitions wait for a verdict again: the source is a new one. */
void pipeline_rewind(struct pipeline *pipeline);

/* Freezes what is due. Gives when to come again. 0 or -errno. */
int pipeline_tick(struct pipeline *pipeline, int64_t now_ms, int64_t *ret_wait_ms);
/* Freezes whatever changed, where nothing frozen waits. *ret_is_clean: everything is on disk. */
int pipeline_flush(struct pipeline *pipeline, bool *ret_is_clean);

/* Should reading pause? Two commits' worth waits for the disk, baskets are being closed, or a shard is broken. */
bool pipeline_is_full(const struct pipeline *pipeline);
/* Are there baskets of the store yet to be known? Some may be open whose time has come. */
bool pipeline_is_loading(const struct pipeline *pipeline);
/* Does whatever is not on disk wait for room, or for a person? Then a stop need not wait for it. */
bool pipeline_is_stuck(const struct pipeline *pipeline);
bool pipeline_is_caught_up(const struct pipeline *pipeline);
int64_t pipeline_lag(const struct pipeline *pipeline); /* -1: not known */
/* A partition that has more to read and did not move for so long; NULL: none. */
const struct partition *pipeline_stalled(const struct pipeline *pipeline, int64_t stall_ms);
/* Partitions with nothing to read, or all, did not stall until now: it was not their doing. */
void pipeline_excuse(struct pipeline *pipeline, bool all);
/* Is all that `other` has read also read here? Not before `other` has found its anchors: until then nobody knows whether what
 * it read is of this log. */
bool pipeline_reached(const struct pipeline *pipeline, const struct pipeline *other);
struct partition *pipeline_partition(
	const struct pipeline *pipeline, uint32_t topic, int32_t number);
/* Was this event counted or rejected? 0 and the answer, or -errno. */
int pipeline_has(struct pipeline *pipeline, const struct certificate *certificate, bool *ret_has);

void pipeline_watch(struct pipeline *pipeline, uint64_t views); /* shard_watch, of every shard */
uint64_t pipeline_commit(const struct pipeline *pipeline); /* Σ over shards */
int64_t pipeline_event_ts(const struct pipeline *pipeline);
/* What every shard accepted as missing, each once: adds to the set. */
int pipeline_gaps(const struct pipeline *pipeline, struct text_set *gaps);
/* Since the generation began, or since the process did. */
void pipeline_baskets(const struct pipeline *pipeline, struct basket_books *ret_books,
	struct basket_books *ret_seen);
/* baskets_overdue of all shards. */
size_t pipeline_baskets_overdue(const struct pipeline *pipeline, int64_t now_ms);
void pipeline_tallies(const struct pipeline *pipeline, struct tally ret_tallies[STREAM_KIND_COUNT]);
