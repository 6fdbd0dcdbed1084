/* kafka.h - Kafka's side of a run: a log a partition, whether the brokers can be reached, and records that a producer
 * which is gone had under way: they may still arrive. A record's bytes are copied once, when it is made; it is shared by who
 * sends it and the logs that have it. One thread. */
#pragma once
#include "tests/sim/world.h"

/* Till's own, each under the number of its kind; behind them those of others, which some runs have. */
enum { TILL_TOPICS = 6, TOPICS = 9, KAFKA_HEADERS_MAX = 12 };

struct kafka_bytes {
	const void *bytes;
	size_t size;
};

struct kafka_header {
	char name[64];
	uint8_t value[320];
	size_t size;
};

struct kafka_record {
	struct kafka_header *headers; /* owned */
	uint8_t *key, *value; /* behind the record itself */
	size_t header_count, key_size, value_size;
	uint32_t owners;
};

/* A record's place in a log. */
struct kafka_entry {
	bool is_lost; /* somebody was told that it is, and went on without it */
	int64_t timestamp_ms; /* when it was appended */
	int64_t latest_ms; /* of it and all before it in its log: clocks are set back */
	struct kafka_record *record; /* shared */
};

void kafka_begin(int topics);
void kafka_end(void);
int kafka_topics(void); /* that there are in this run */

struct kafka_record *kafka_record_new(struct kafka_bytes key, struct kafka_bytes value);
/* One more owner. */
struct kafka_record *kafka_record_share(struct kafka_record *record);
struct kafka_record *kafka_record_free(struct kafka_record *record);
void kafka_record_add_header(
	struct kafka_record *record, const char *name, struct kafka_bytes value);

/* Takes the record. */
void kafka_append(int topic, int partition, struct kafka_record *record);
/* Appended after a while, whoever sent it. */
void kafka_append_later(int topic, int partition, struct kafka_record *record);
/* A log's first record, and the one behind its last. */
int64_t kafka_low(int topic, int partition);
int64_t kafka_size(int topic, int partition);
/* From low to size - 1. */
const struct kafka_entry *kafka_at(int topic, int partition, int64_t offset);

/* ---- what an administrator does to it */

int kafka_partition_count(int topic);
void kafka_add_partition(int topic);
/* Retention: what lies below is gone. */
void kafka_cut(int topic, int partition, int64_t low);
/* Deletes the topic and makes it again, empty. At most once a run. */
void kafka_make_again(int topic);
bool kafka_was_made_again(int topic);
/* Appends again what the former topic held, from an offset on. */
void kafka_mirror(int topic, int partition, int64_t first);
/* Appends in the other cluster what the first one has there, from an offset on. */
void kafka_fill_other(int topic, int partition, int64_t first);
/* Another cluster answers at the address, with logs of its own; again: the first one is back. */
void kafka_swap(void);
bool kafka_is_other(void);
const char *kafka_cluster_id(void);

/* ---- what the ledger asks */

/* Of the log as it is now, or of the one before the topic was made again. */
void kafka_lose(int topic, int partition, int64_t first, int64_t last);
void kafka_lose_former(int topic, int partition, int64_t first);
/* Was this the time at which the former log got the record of that offset? */
bool kafka_is_of_former(int topic, int partition, int64_t offset, int64_t timestamp_ms);
/* Every record that the first cluster ever had: those that are lost, and how many there are in all. */
typedef void (*kafka_lost_fn)(void *owner, int topic, const struct kafka_record *record);
uint64_t kafka_each_lost(kafka_lost_fn take, void *owner);
uint64_t kafka_written(void);
/* Every record that the first cluster ever had, in the order of its partition. */
typedef void (*kafka_each_fn)(
	void *owner, int topic, int partition, const struct kafka_entry *entry);
void kafka_each(kafka_each_fn take, void *owner);
/* Is there anything that the logs don't have any more? */
bool kafka_is_short(void);

/* What is due by time. */
void kafka_step(void);
bool kafka_is_away(void);
void kafka_go_away(int64_t for_ms);
/* When it was last there again. */
int64_t kafka_back_ms(void);
bool kafka_is_quiet(void); /* nothing arrives any more by itself */
