/* source.h - reads the log: records of the partitions that it was told to read from the offsets that it was told, and
 * reports on what the log holds. It keeps no offsets, joins no group, commits nothing and never resets a position.
 *
 * Threads: the caller's is the loop's and never waits. One thread of the source asks Kafka what only blocking calls
 * tell (cluster, partitions, watermarks), about once a second, and takes the client down at the end. */
#pragma once
#include "aggregator/books/ledger.h"
#include "aggregator/books/proof.h"
#include "aggregator/books/record.h"
#include "aggregator/shard/topics.h"
#include "runtime/kafka_properties.h"

struct source;

struct source_options {
	const char *brokers;
	const struct kafka_properties *properties; /* borrowed for source_new */
	struct topics topics; /* borrowed for source_new */
};

/* Offsets low … high - 1 can be read. */
struct watermarks {
	int64_t low, high; /* -1: not known */
	uint32_t half; /* the prober's own: the number of a question of which one answer is there */
	uint32_t question; /* the number of the last one that was answered; 0: none */
	int64_t later[PROOF_TIMES]; /* the answer; see source_question */
};

/* What the log is, as of one moment. */
struct log_report {
	bool is_reachable; /* else nothing but the errors is set */
	char cluster_id[CLUSTER_ID_SIZE];
	char error[512];
	bool is_telling; /* `error` names what a person must mend */
	int32_t partition_counts[TOPICS_MAX]; /* by topic; 0: there is no such topic, yet */
	struct watermarks *partitions[TOPICS_MAX]; /* owned */
};
struct log_report *log_report_free(struct log_report *report);

/* Handlers return 0 or a negative errno, which ends the poll. */
struct source_sink {
	int (*record)(void *owner, const struct record *record);
	/* The reader stands at the end: nothing is between what was read and `next`. */
	int (*end)(void *owner, uint32_t topic, int32_t partition, int64_t next);
	/* Kafka does not give what is asked for (out of range, deleted): the partition is no longer read. */
	int (*stopped)(void *owner, uint32_t topic, int32_t partition, const char *why);
	void *owner;
};

int source_new(const struct source_options *options, struct source **ret_source,
	struct config_error *error);
/* Waits at most `wait_ms` for a clean end; after that the client is left to its thread. */
struct source *source_free(struct source *source, int64_t wait_ms);

/* Readable when records or a report are there. */
int source_fd(const struct source *source);
/* Call when it was readable, before the polling. */
void source_clear(struct source *source);
/* Makes it readable. */
void source_wake(struct source *source);
/* Hands at most `records_max` records to the sink, once it is sure that they are of the cluster that was reported: behind
 * each new connection another may be (lookout.h). *ret_is_drained: there are no more for now; if not, call again
 * without waiting for the fd. */
int source_poll(struct source *source, const struct source_sink *sink, size_t records_max,
	bool *ret_is_drained);
/* It may have read another cluster's records, and none is handed on any more: begin anew with another source. */
bool source_is_spent(const struct source *source);
/* The newest report that was not taken yet, the caller's to free; NULL when there is none. */
struct log_report *source_report(struct source *source);
/* Has the next report say where the first records lie that are later than these times, or -1 for none. In place of the
 * partition's question before. 0 or -ENOMEM. */
int source_question(struct source *source, uint32_t topic, int32_t partition, uint32_t number,
	const int64_t after_ms[PROOF_TIMES]);
/* Asks for a report soon. */
void source_ask(struct source *source);

/* Reads a partition from an offset on. 0 or -errno. */
int source_start(struct source *source, uint32_t topic, int32_t partition, int64_t offset);
/* The end of the partition as the last fetch told it; -1: not known. Never waits. */
int64_t source_high(struct source *source, uint32_t topic, int32_t partition);
