#include "tests/sim/kafka.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LATE_MS_MAX = 5000, CLUSTERS = 2 };

struct log {
	struct kafka_entry *entries;
	size_t count, capacity;
	int64_t low; /* below it entries are kept for the ledger alone */
};

/* A topic as a cluster has it. */
struct topic {
	struct log logs[PARTITIONS_MAX];
	struct log former[PARTITIONS_MAX]; /* before it was made again */
	int partition_count;
	bool was_made_again;
};

struct late {
	struct late *next;
	int topic, partition;
	int64_t due_ms;
	struct kafka_record *record;
};

static struct topic topics[CLUSTERS][TOPICS];
static int topic_count;
static int cluster; /* which one answers */
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

static struct log *log_of(int topic, int partition)
{
	return &topics[cluster][topic].logs[partition];
}

int kafka_topics(void)
{
	return topic_count;
}

void kafka_begin(int topics_of_run)
{
	kafka_end();
	topic_count = topics_of_run;
	cluster = 0;
	away_until_ms = 0;
	back_ms = world.now_ms;
}

void kafka_end(void)
{
	for (int i = 0; i < CLUSTERS * TOPICS; i++) {
		struct topic *topic = &topics[i / TOPICS][i % TOPICS];
		for (int partition = 0; partition < PARTITIONS_MAX; partition++) {
			log_end(&topic->logs[partition]);
			log_end(&topic->former[partition]);
		}
		*topic = (struct topic){.partition_count = PARTITIONS};
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

/* In a topic that was made again no record bears the very time that the former one had at its offset: a mark could be of either. */
static int64_t append_ms(int topic, int partition, size_t offset)
{
	int64_t now_ms = world.now_ms + world.wall_offset_ms;

	return kafka_is_of_former(topic, partition, (int64_t)offset, now_ms) ? now_ms + 1 : now_ms;
}

void kafka_append(int topic, int partition, struct kafka_record *record)
{
	struct log *log = log_of(topic, partition);

	if (log->count == log->capacity) {
		log->capacity = log->capacity * 2 + 64;
		log->entries = must(realloc(log->entries, log->capacity * sizeof *log->entries));
	}
	int64_t now_ms = append_ms(topic, partition, log->count);
	int64_t before_ms = log->count == 0 ? now_ms : log->entries[log->count - 1].latest_ms;
	log->entries[log->count++] = (struct kafka_entry){.timestamp_ms = now_ms,
		.latest_ms = before_ms > now_ms ? before_ms : now_ms,
		.record = record};
	note_append(topic, partition, log);
}

void kafka_append_later(int topic, int partition, struct kafka_record *record)
{
	struct late *late = must(calloc(1, sizeof *late));

	*late = (struct late){late_ones, topic, partition,
		world.now_ms + (int64_t)world_draw(LATE_MS_MAX), record};
	late_ones = late;
}

int64_t kafka_low(int topic, int partition)
{
	return log_of(topic, partition)->low;
}

int64_t kafka_size(int topic, int partition)
{
	return (int64_t)log_of(topic, partition)->count;
}

const struct kafka_entry *kafka_at(int topic, int partition, int64_t offset)
{
	return &log_of(topic, partition)->entries[offset];
}

/* ---- what an administrator does to it */

int kafka_partition_count(int topic)
{
	return topics[cluster][topic].partition_count;
}

void kafka_add_partition(int topic)
{
	topics[cluster][topic].partition_count = PARTITIONS_MAX;
}

void kafka_cut(int topic, int partition, int64_t low)
{
	log_of(topic, partition)->low = low;
}

void kafka_make_again(int number)
{
	struct topic *topic = &topics[cluster][number];

	memcpy(topic->former, topic->logs, sizeof topic->former);
	memset(topic->logs, 0, sizeof topic->logs);
	topic->was_made_again = true;
}

bool kafka_was_made_again(int topic)
{
	return topics[cluster][topic].was_made_again;
}

void kafka_mirror(int topic, int partition, int64_t first)
{
	const struct log *former = &topics[cluster][topic].former[partition];

	for (size_t i = (size_t)first; i < former->count; i++) {
		kafka_append(topic, partition, kafka_record_share(former->entries[i].record));
	}
}

void kafka_fill_other(int number, int partition, int64_t first)
{
	const struct log *log = &topics[0][number].logs[partition];
	int before = cluster;

	cluster = 1;
	for (size_t i = (size_t)first; i < log->count; i++) {
		kafka_append(number, partition, kafka_record_share(log->entries[i].record));
	}
	cluster = before;
}

void kafka_swap(void)
{
	cluster = 1 - cluster;
	back_ms = world.now_ms;
}

bool kafka_is_other(void)
{
	return cluster != 0;
}

const char *kafka_cluster_id(void)
{
	return cluster == 0 ? "cluster-a" : "cluster-b";
}

/* ---- what the ledger asks */

static void lose(struct log *log, size_t first, size_t end)
{
	for (size_t i = first; i < end && i < log->count; i++) {
		log->entries[i].is_lost = true;
	}
}

void kafka_lose(int topic, int partition, int64_t first, int64_t last)
{
	lose(&topics[0][topic].logs[partition], (size_t)first, (size_t)last + 1);
}

void kafka_lose_former(int topic, int partition, int64_t first)
{
	lose(&topics[0][topic].former[partition], (size_t)first, SIZE_MAX);
}

bool kafka_is_of_former(int topic, int partition, int64_t offset, int64_t timestamp_ms)
{
	const struct log *former = &topics[0][topic].former[partition];

	return offset >= 0 && (size_t)offset < former->count &&
	       former->entries[offset].timestamp_ms == timestamp_ms;
}

static uint64_t take_lost(int topic, const struct log *log, kafka_lost_fn take, void *owner)
{
	uint64_t count = 0;

	for (size_t i = 0; i < log->count; i++) {
		if (log->entries[i].is_lost) {
			take(owner, topic, log->entries[i].record);
			count++;
		}
	}
	return count;
}

uint64_t kafka_each_lost(kafka_lost_fn take, void *owner)
{
	uint64_t count = 0;

	for (int i = 0; i < topic_count * PARTITIONS_MAX; i++) {
		const struct topic *topic = &topics[0][i % topic_count];
		count += take_lost(i % topic_count, &topic->logs[i / topic_count], take, owner);
		count += take_lost(i % topic_count, &topic->former[i / topic_count], take, owner);
	}
	return count;
}

static void take_each(
	int topic, int partition, const struct log *log, kafka_each_fn take, void *owner)
{
	for (size_t i = 0; i < log->count; i++) {
		take(owner, topic, partition, &log->entries[i]);
	}
}

void kafka_each(kafka_each_fn take, void *owner)
{
	for (int i = 0; i < topic_count * PARTITIONS_MAX; i++) {
		const struct topic *topic = &topics[0][i % topic_count];
		int partition = i / topic_count;
		take_each(i % topic_count, partition, &topic->former[partition], take, owner);
		take_each(i % topic_count, partition, &topic->logs[partition], take, owner);
	}
}

uint64_t kafka_written(void)
{
	uint64_t count = 0;

	for (int i = 0; i < topic_count * PARTITIONS_MAX; i++) {
		const struct topic *topic = &topics[0][i % topic_count];
		count += topic->logs[i / topic_count].count + topic->former[i / topic_count].count;
	}
	return count;
}

bool kafka_is_short(void)
{
	for (int i = 0; i < topic_count * PARTITIONS_MAX; i++) {
		const struct topic *topic = &topics[0][i % topic_count];
		if (topic->logs[i / topic_count].low > 0 || topic->was_made_again) {
			return true;
		}
	}
	return false;
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
	return late_ones == NULL && away_until_ms == 0 && cluster == 0;
}
