#include "tests/sim/kafka.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LATE_MS_MAX = 5000 };

struct log {
	struct kafka_entry *entries;
	size_t count, capacity;
};

struct late {
	struct late *next;
	int topic, partition;
	int64_t due_ms;
	struct kafka_record *record;
};

static struct log logs[TOPICS][PARTITIONS];
static struct late *late_ones;
static int64_t away_until_ms, back_ms;

static void *must(void *memory)
{
	if (memory == NULL) {
		abort();
	}
	return memory;
}

struct kafka_record *kafka_record_new(struct kafka_bytes key, struct kafka_bytes value)
{
	struct kafka_record *record = must(malloc(sizeof *record + key.size + value.size));
	uint8_t *bytes = (uint8_t *)(record + 1);

	*record = (struct kafka_record){.key = bytes,
		.key_size = key.size,
		.value = bytes + key.size,
		.value_size = value.size,
		.owners = 1};
	memcpy(record->key, key.bytes, key.size);
	if (value.size > 0) {
		memcpy(record->value, value.bytes, value.size);
	}
	return record;
}

struct kafka_record *kafka_record_share(struct kafka_record *record)
{
	record->owners++;
	return record;
}

struct kafka_record *kafka_record_free(struct kafka_record *record)
{
	if (record != NULL && --record->owners == 0) {
		free(record->headers);
		free(record);
	}
	return NULL;
}

void kafka_record_add_header(
	struct kafka_record *record, const char *name, struct kafka_bytes value)
{
	if (record->headers == NULL) {
		record->headers = must(malloc(KAFKA_HEADERS_MAX * sizeof *record->headers));
	}
	struct kafka_header *header = &record->headers[record->header_count];
	if (record->header_count == KAFKA_HEADERS_MAX || value.size > sizeof header->value) {
		abort();
	}
	record->header_count++;
	snprintf(header->name, sizeof header->name, "%s", name);
	memcpy(header->value, value.bytes, value.size);
	header->size = value.size;
}

static void log_end(struct log *log)
{
	for (size_t i = 0; i < log->count; i++) {
		kafka_record_free(log->entries[i].record);
	}
	free(log->entries);
	*log = (struct log){0};
}

void kafka_begin(void)
{
	kafka_end();
	away_until_ms = 0;
	back_ms = world.now_ms;
}

void kafka_end(void)
{
	for (int topic = 0; topic < TOPICS; topic++) {
		for (int partition = 0; partition < PARTITIONS; partition++) {
			log_end(&logs[topic][partition]);
		}
	}
	while (late_ones != NULL) {
		struct late *next = late_ones->next;
		kafka_record_free(late_ones->record);
		free(late_ones);
		late_ones = next;
	}
}

/* A map has its order_id in plain text: "e12". */
static void note_append(int topic, int partition, const struct log *log)
{
	static const char name[] = "order_id";
	const struct kafka_record *record = log->entries[log->count - 1].record;
	const uint8_t *at =
		world.is_traced ? memmem(record->value, record->value_size, name, sizeof name - 1)
				: NULL;
	int size = at == NULL ? 0 : at[sizeof name - 1] & 0x1f; /* a short text of msgpack */

	world_note("kafka: topic %d partition %d offset %zu: %.*s", topic, partition,
		log->count - 1, size, at == NULL ? "" : (const char *)at + sizeof name);
}

void kafka_append(int topic, int partition, struct kafka_record *record)
{
	struct log *log = &logs[topic][partition];

	if (log->count == log->capacity) {
		log->capacity = log->capacity * 2 + 64;
		log->entries = must(realloc(log->entries, log->capacity * sizeof *log->entries));
	}
	log->entries[log->count++] =
		(struct kafka_entry){world.now_ms + world.wall_offset_ms, record};
	note_append(topic, partition, log);
}

void kafka_append_later(int topic, int partition, struct kafka_record *record)
{
	struct late *late = must(calloc(1, sizeof *late));

	*late = (struct late){late_ones, topic, partition,
		world.now_ms + (int64_t)world_draw(LATE_MS_MAX), record};
	late_ones = late;
}

int64_t kafka_size(int topic, int partition)
{
	return (int64_t)logs[topic][partition].count;
}

const struct kafka_entry *kafka_at(int topic, int partition, int64_t offset)
{
	return &logs[topic][partition].entries[offset];
}

void kafka_step(void)
{
	struct late **at = &late_ones;

	if (away_until_ms != 0 && (world.now_ms >= away_until_ms || !world.has_faults)) {
		away_until_ms = 0;
		back_ms = world.now_ms;
		world_note("kafka: is back");
	}
	while (*at != NULL) {
		struct late *late = *at;
		if (late->due_ms > world.now_ms || kafka_is_away()) {
			at = &late->next;
			continue;
		}
		*at = late->next;
		kafka_append(late->topic, late->partition, late->record);
		free(late);
	}
}

bool kafka_is_away(void)
{
	return away_until_ms != 0;
}

void kafka_go_away(int64_t for_ms)
{
	away_until_ms = world.now_ms + for_ms;
}

int64_t kafka_back_ms(void)
{
	return back_ms;
}

bool kafka_is_quiet(void)
{
	return late_ones == NULL && away_until_ms == 0;
}
