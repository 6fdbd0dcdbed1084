/* kafka.h - Kafka's side of a run: a log a partition, whether the brokers can be reached, and records that a producer
 * which is gone had under way: they may still arrive. A record's bytes are copied once, when it is made; it is shared by who
 * sends it and the logs that have it. One thread. */
#pragma once
#include "tests/sim/world.h"

enum { TOPICS = 6, KAFKA_HEADERS_MAX = 12 };

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
	int64_t timestamp_ms; /* when it was appended */
	struct kafka_record *record; /* shared */
};

void kafka_begin(void);
void kafka_end(void);

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
int64_t kafka_size(int topic, int partition);
const struct kafka_entry *kafka_at(int topic, int partition, int64_t offset);

/* What is due by time. */
void kafka_step(void);
bool kafka_is_away(void);
void kafka_go_away(int64_t for_ms);
/* When it was last there again. */
int64_t kafka_back_ms(void);
bool kafka_is_quiet(void); /* nothing arrives any more by itself */
