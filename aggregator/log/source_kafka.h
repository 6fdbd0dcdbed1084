/* source_kafka.h - private: the inside of a source, shared by its two halves, the reader (source_kafka.c, the loop's
 * thread) and the prober (probe_kafka.c, a thread of its own). */
#pragma once
#include "aggregator/log/lookout.h"
#include "aggregator/log/source.h"
#include "runtime/kafka_options.h"
#include <librdkafka/rdkafka.h>
#include <pthread.h>

struct source_question {
	uint32_t number; /* 0: none */
	int64_t after_ms[PROOF_TIMES];
};

struct source_topic {
	struct source *source;
	uint32_t number;
	rd_kafka_topic_t *handle;
	/* Partitions that were started. The loop's thread writes; the prober reads after it was told to end. */
	bool *started;
	int32_t started_count;
};

enum {
	BATCH_MAX = 500,
	/* Full polls on end after which records count as coming faster than they are read. */
	BUSY_POLLS = 8,
};

struct source {
	rd_kafka_t *client;
	struct lookout *lookout;
	rd_kafka_queue_t *queue; /* of all partitions */
	struct kafka_trouble trouble; /* of the client's connections; any thread */
	int fd;
	struct source_topic topics[TOPICS_MAX];
	uint32_t topic_count; /* of those that have a handle */
	/* Taken while it was in doubt which cluster they are of. The loop's thread; then the prober's at the end. */
	rd_kafka_message_t *held[BATCH_MAX];
	size_t held_count;
	unsigned full_polls; /* on end */
	uint32_t draw; /* whose headers are looked at then */
	pthread_t prober;
	pthread_mutex_t lock; /* of all below */
	bool is_ending;
	bool is_asked;
	struct log_report *report;
	struct source_question *questions[TOPICS_MAX]; /* by partition */
	int32_t question_counts[TOPICS_MAX];
};

/* Throws away what is held. */
void source_drop_held(struct source *source);
/* The prober's thread. Ends when source->is_ending, and takes the source's client and memory with it. */
void *source_probe(void *source);
