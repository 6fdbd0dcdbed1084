/* kafka.h - Kafka's side of a run: a log a partition, whether the brokers can be reached, and records that a producer
 * which is gone had under way: they may still arrive. Bytes are copied. One thread. */
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
	int64_t timestamp_ms;
	struct kafka_header *headers; /* owned, as are the next two */
	uint8_t *key, *value;
	size_t header_count, key_size, value_size;
};

void kafka_begin(void);
void kafka_end(void);

struct kafka_record *kafka_record_new(struct kafka_bytes key, struct kafka_bytes value);
struct kafka_record *kafka_record_copy(const struct kafka_record *record);
struct kafka_record *kafka_record_free(struct kafka_record *record);
void kafka_record_add_header(
	struct kafka_record *record, const char *name, struct kafka_bytes value);

/* Takes the record. */
void kafka_append(int topic, int partition, struct kafka_record *record);
/* Appended after a while, whoever sent it. */
void kafka_append_later(int topic, int partition, struct kafka_record *record);
int64_t kafka_size(int topic, int partition);
const struct kafka_record *kafka_at(int topic, int partition, int64_t offset);

/* What is due by time. */
void kafka_step(void);
bool kafka_is_away(void);
void kafka_go_away(int64_t for_ms);
/* When it was last there again. */
int64_t kafka_back_ms(void);
bool kafka_is_quiet(void); /* nothing arrives any more by itself */
