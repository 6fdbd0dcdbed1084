/* survey.h - what a Kafka says of itself at one moment: brokers, topics, partitions, settings. Made by one thread, then another's:
 * a plain value with its own memory. */
#pragma once
#include "aggregator/books/ledger.h"
#include "proto/topic.h"

enum {
	/* More than anybody reads through; what is left out is counted. */
	SURVEY_TOPICS_MAX = 500,
	SURVEY_PARTITIONS_MAX = 5000,
	SURVEY_ERROR_SIZE = 512,
};

struct survey_broker {
	int32_t id;
	int32_t port;
	const char *host;
};

struct survey_setting {
	const char *name;
	const char *value; /* NULL: Kafka keeps it to itself */
	const char *source; /* "topic", "broker", "cluster" */
};

struct survey_partition {
	int32_t number;
	int32_t leader; /* -1: none */
	const int32_t *replicas;
	const int32_t *in_sync;
	uint32_t replica_count, in_sync_count;
	int64_t low, high; /* the records low … high - 1 are there; -1: not known */
};

struct survey_topic {
	const char *name;
	const char *error; /* NULL: none */
	struct survey_partition *partitions;
	uint32_t partition_count;
	const struct survey_setting *settings; /* those that are not Kafka's defaults */
	uint32_t setting_count;
	const char *settings_error; /* why they are not known; NULL: they are */
};

struct survey {
	char cluster_id[CLUSTER_ID_SIZE]; /* "": not known */
	int32_t controller; /* -1: not known */
	int64_t taken_ms; /* since the epoch */
	struct survey_broker *brokers;
	uint32_t broker_count;
	struct survey_topic *topics; /* by name */
	uint32_t topic_count;
	uint32_t topics_left_out;
	struct survey_block *blocks; /* private: what all pointers point into */
};

/* NULL when out of memory. */
struct survey *survey_new(void);
struct survey *survey_free(struct survey *survey);
/* Zeroed memory that lives as long as the survey; NULL when there is none. */
void *survey_room(struct survey *survey, size_t count, size_t size);
/* A copy of this text, foreign bytes in it repaired. NULL when out of memory. */
const char *survey_text(struct survey *survey, const char *text);
/* NULL: it has none of this name. */
const struct survey_topic *survey_find(const struct survey *survey, const char *name);
