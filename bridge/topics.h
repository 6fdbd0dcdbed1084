/* topics.h - the six topics as they should be and as they were found: what each lane may do. Pure. */
#pragma once
#include "proto/topic.h"
#include "proto/wire.h"

enum {
	CLUSTER_ID_SIZE = 129,
	/* The largest record is an event as JSON: six bytes for one of its 64 KiB, in the worst case. */
	TOPIC_MESSAGE_BYTES_MAX = 1048588,
};

/* What is configured. Lane order: three kinds, then their dead letters. */
struct topics {
	char names[LANE_COUNT][TOPIC_NAME_SIZE];
	char telemetry[TOPIC_NAME_SIZE]; /* ""; none */
	int32_t partitions;
	bool may_create;
};

/* What WELCOME tells: the hash of one line `TOPIC PARTITIONS\n` per lane. */
uint64_t topics_hash(const struct topics *topics);

/* What was found. */
struct topic_sight {
	char error[48]; /* librdkafka's name; "" for none */
	int32_t partitions;
};
struct topics_sight {
	int64_t began_ms; /* monotonic: before Kafka was asked */
	bool is_reached; /* else only what follows is set beside it */
	bool is_telling; /* `why` names what a person must mend */
	char why[512];
	char cluster_id[CLUSTER_ID_SIZE];
	int broker_count;
	struct topic_sight topics[LANE_COUNT];
	struct topic_sight telemetry;
};

enum topic_state {
	TOPIC_OK,
	TOPIC_SURPLUS, /* more partitions than till uses: a warning */
	TOPIC_MISSING,
	TOPIC_SHORT, /* fewer partitions than configured */
	TOPIC_REFUSED, /* no rights, or a name that Kafka does not take */
};
/* Writes words for people unless TOPIC_OK. */
enum topic_state topic_judge(const struct topics *topics, const struct topics_sight *sight,
	enum kind lane, char *words, size_t words_size);
static inline bool topic_state_is_usable(enum topic_state state)
{
	return state == TOPIC_OK || state == TOPIC_SURPLUS;
}

/* Is the topic of telemetry wanted, and not there? */
bool topics_lack_telemetry(const struct topics *topics, const struct topics_sight *sight);
/* Missing topics are created unless the operator, or librdkafka's mock cluster (which can not), says otherwise. */
bool topics_should_create(const struct topics *topics, const struct topics_sight *sight);
int topics_replication(int broker_count);
int topics_min_insync(int broker_count);
