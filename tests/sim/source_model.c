#include "tests/sim/source_model.h"
#include "aggregator/log/connections.h"
#include "aggregator/log/feed.h"
#include "tests/sim/kafka.h"
#include <errno.h>
#include <stdlib.h>

enum {
	REPORT_MS = 1000,
	READ_A_ROUND = 40,
	FIRST_FD = 100,
	NOT_READ = -1,
	NEVER_MS = -1,
	HELD_MAX = 512,
	LOOK_MS_MAX = 100, /* until somebody has looked where a new connection leads */
	THREAD = 1, /* one broker, one connection */
};

/* Fetched while it was in doubt of which cluster it is. */
struct held {
	int topic, partition;
	int64_t offset, timestamp_ms;
	struct kafka_record *record; /* shared */
};

struct source {
	int number;
	int64_t at[TOPICS][PARTITIONS_MAX]; /* NOT_READ: it was not started */
	bool is_of_former[TOPICS]; /* as kafka_was_made_again said last */
	int64_t report_ms;
	struct {
		uint32_t number;
		int64_t after_ms[PROOF_TIMES];
	} questions[TOPICS][PARTITIONS_MAX];
	struct connections connections;
	const char *cluster_id; /* the first that a look has seen */
	int64_t connected_ms, look_ms;
	struct held held[HELD_MAX];
	size_t held_count;
	const struct pipeline *pipeline; /* whom it feeds; known from the first poll on */
};

static struct source *sources[SOURCES_MAX];

size_t source_model_pipelines(const struct pipeline *ret_pipelines[SOURCES_MAX])
{
	size_t count = 0;

	for (int i = 0; i < SOURCES_MAX; i++) {
		if (sources[i] != NULL) {
			ret_pipelines[count++] = sources[i]->pipeline;
		}
	}
	return count;
}

/* ---- where it leads */

static void drop_held(struct source *source)
{
	for (size_t i = 0; i < source->held_count; i++) {
		kafka_record_free(source->held[i].record);
	}
	source->held_count = 0;
}

/* After each time that nobody could be reached, and after each change of the cluster. */
static void connect_again(struct source *source)
{
	if (source->connected_ms != kafka_back_ms()) {
		source->connected_ms = kafka_back_ms();
		source->look_ms = world.now_ms + world.now_ms % LOOK_MS_MAX;
		connections_sent(&source->connections, THREAD, CONNECTION_VERSIONS);
	}
}

static void fetch_something(struct source *source)
{
	connections_sent(&source->connections, THREAD, CONNECTION_FETCH);
	connections_received(&source->connections, THREAD, CONNECTION_FETCH, false);
}

static void look(struct source *source)
{
	if (world.now_ms < source->look_ms || !connections_want_look(&source->connections)) {
		return;
	}
	connections_look(&source->connections);
	connections_sent(&source->connections, THREAD, CONNECTION_METADATA);
	source->cluster_id = source->cluster_id == NULL ? kafka_cluster_id() : source->cluster_id;
	if (strcmp(source->cluster_id, kafka_cluster_id()) == 0) {
		connections_saw(&source->connections);
	} else {
		connections_spend(&source->connections);
	}
}

bool source_is_spent(const struct source *source)
{
	return source->connections.is_spent;
}

/* With the planted bug nobody asks. */
static bool is_in_doubt(const struct source *source)
{
	return world.bug != BUG_UNHELD && connections_are_in_doubt(&source->connections);
}

/* ---- life */

int source_new(const struct source_options *options, struct source **ret_source,
	struct config_error *error)
{
	struct source *source = calloc(1, sizeof *source);

	(void)options, (void)error;
	if (source == NULL) {
		return -ENOMEM;
	}
	source->connected_ms = NEVER_MS;
	source->number = sources[0] == NULL ? 0 : 1;
	sources[source->number] = source;
	for (int topic = 0; topic < kafka_topics(); topic++) {
		for (int partition = 0; partition < PARTITIONS_MAX; partition++) {
			source->at[topic][partition] = NOT_READ;
		}
		source->is_of_former[topic] = kafka_was_made_again(topic);
	}
	*ret_source = source;
	return 0;
}

struct source *source_free(struct source *source, int64_t wait_ms)
{
	(void)wait_ms;
	if (source != NULL) {
		drop_held(source);
		connections_deinit(&source->connections);
		sources[source->number] = NULL;
		free(source);
	}
	return NULL;
}

int source_fd(const struct source *source)
{
	return FIRST_FD + source->number;
}

void source_clear(struct source *source)
{
	(void)source;
}

void source_wake(struct source *source)
{
	(void)source;
}

/* ---- reports */

static int64_t first_after(int topic, int partition, int64_t after_ms)
{
	int64_t low = kafka_low(topic, partition), high = kafka_size(topic, partition);

	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		if (kafka_at(topic, partition, middle)->latest_ms <= after_ms) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < kafka_size(topic, partition) ? low : -1;
}

static void report_topic(const struct source *source, struct log_report *report, int topic)
{
	int count = kafka_partition_count(topic);
	struct watermarks *marks = calloc((size_t)count, sizeof *marks);

	if (marks == NULL) {
		abort();
	}
	for (int partition = 0; partition < count; partition++) {
		marks[partition] = (struct watermarks){.low = kafka_low(topic, partition),
			.high = kafka_size(topic, partition),
			.question = source->questions[topic][partition].number,
			.later = {first_after(topic, partition,
					  source->questions[topic][partition].after_ms[0]),
				first_after(topic, partition,
					source->questions[topic][partition].after_ms[1])}};
	}
	report->partition_counts[topic] = count;
	report->partitions[topic] = marks;
}

/* It tells of offsets, too. */
static bool may_report(struct source *source)
{
	if (kafka_is_away()) {
		return true;
	}
	connect_again(source);
	fetch_something(source);
	look(source);
	return !is_in_doubt(source);
}

struct log_report *source_report(struct source *source)
{
	if (world.now_ms < source->report_ms || !may_report(source)) {
		return NULL;
	}
	source->report_ms = world.now_ms + REPORT_MS;
	struct log_report *report = calloc(1, sizeof *report);
	if (report == NULL) {
		abort();
	}
	report->is_reachable = !kafka_is_away();
	snprintf(report->error, sizeof report->error, "Kafka is away");
	snprintf(report->cluster_id, sizeof report->cluster_id, "%s", kafka_cluster_id());
	for (int topic = 0; topic < kafka_topics() && report->is_reachable; topic++) {
		report_topic(source, report, topic);
	}
	return report;
}

struct log_report *log_report_free(struct log_report *report)
{
	for (int topic = 0; report != NULL && topic < kafka_topics(); topic++) {
		free(report->partitions[topic]);
	}
	free(report);
	return NULL;
}

int source_question(struct source *source, uint32_t topic, int32_t partition, uint32_t number,
	const int64_t after_ms[PROOF_TIMES])
{
	source->questions[topic][partition].number = number;
	memcpy(source->questions[topic][partition].after_ms, after_ms,
		sizeof source->questions[topic][partition].after_ms);
	return 0;
}

void source_ask(struct source *source)
{
	source->report_ms = world.now_ms;
}

/* ---- reading */

struct record source_model_record(int topic, int partition, const struct kafka_record *from)
{
	struct record record = {
		.topic = (uint32_t)topic,
		.partition = partition,
		.key = slice_of(from->key, from->key_size),
		.value = slice_of(from->value, from->value_size),
	};

	for (int i = 0; i < DLQ_HEADER_COUNT && from->header_count > 0; i++) {
		const char *name = dead_letter_header_name((enum dead_letter_header)i);
		for (size_t j = 0; j < from->header_count; j++) {
			const struct kafka_header *header = &from->headers[j];
			if (strcmp(header->name, name) == 0) {
				record.headers[i] = slice_of(header->value, header->size);
			}
		}
	}
	for (size_t j = 0; j < from->header_count; j++) {
		const struct kafka_header *header = &from->headers[j];
		if (strcmp(header->name, RECEIPT_HEADER) == 0) {
			record.receipt = slice_of(header->value, header->size);
		}
	}
	return record;
}

static struct record record_at(int topic, int partition, int64_t offset)
{
	const struct kafka_entry *entry = kafka_at(topic, partition, offset);
	struct record record = source_model_record(topic, partition, entry->record);

	record.offset = offset;
	record.timestamp_ms = entry->timestamp_ms;
	return record;
}

static int stop(struct source *source, const struct source_sink *sink, int topic, int partition,
	const char *why)
{
	source->at[topic][partition] = NOT_READ;
	return sink->stopped(sink->owner, (uint32_t)topic, partition, why);
}

static bool is_in_range(const struct source *source, int topic, int partition)
{
	int64_t at = source->at[topic][partition];
	return at >= kafka_low(topic, partition) && at <= kafka_size(topic, partition);
}

static void hold_some(struct source *source, int topic, int partition)
{
	int64_t *at = &source->at[topic][partition];

	while (source->held_count < HELD_MAX && *at != NOT_READ &&
		is_in_range(source, topic, partition) && *at < kafka_size(topic, partition)) {
		const struct kafka_entry *entry = kafka_at(topic, partition, *at);
		source->held[source->held_count++] = (struct held){topic, partition, *at,
			entry->timestamp_ms, kafka_record_share(entry->record)};
		*at += 1;
	}
}

static int hand_on_held(struct source *source, const struct source_sink *sink)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < source->held_count; i++) {
		const struct held *held = &source->held[i];
		struct record record =
			source_model_record(held->topic, held->partition, held->record);
		record.offset = held->offset;
		record.timestamp_ms = held->timestamp_ms;
		r = sink->record(sink->owner, &record);
	}
	drop_held(source);
	return r;
}

static int read_partition(
	struct source *source, const struct source_sink *sink, int topic, int partition)
{
	int64_t *at = &source->at[topic][partition];
	int r = 0;

	for (int i = 0; r == 0 && *at >= 0 && i < READ_A_ROUND; i++) {
		if (!is_in_range(source, topic, partition)) {
			return stop(source, sink, topic, partition, "out of range");
		}
		if (*at == kafka_size(topic, partition)) {
			return sink->end(sink->owner, (uint32_t)topic, partition, *at);
		}
		struct record record = record_at(topic, partition, (*at)++);
		r = sink->record(sink->owner, &record);
	}
	return r;
}

/* Deleting a topic takes a while, and a reader hears of it. */
static int notice_deletion(struct source *source, const struct source_sink *sink, int topic)
{
	int r = 0;

	if (source->is_of_former[topic] == kafka_was_made_again(topic)) {
		return 0;
	}
	source->is_of_former[topic] = kafka_was_made_again(topic);
	for (int partition = 0; r == 0 && partition < PARTITIONS_MAX; partition++) {
		if (source->at[topic][partition] != NOT_READ) {
			r = stop(source, sink, topic, partition, "the topic was deleted");
		}
	}
	return r;
}

static void begin_poll(struct source *source)
{
	connect_again(source);
	fetch_something(source);
	look(source);
	for (int i = 0; is_in_doubt(source) && i < kafka_topics() * PARTITIONS_MAX; i++) {
		hold_some(source, i % kafka_topics(), i / kafka_topics());
	}
}

/* A part of what there is: the rest comes in the next round. */
int source_poll(struct source *source, const struct source_sink *sink, size_t records_max,
	bool *ret_is_drained)
{
	int r = 0;

	(void)records_max;
	*ret_is_drained = true;
	source->pipeline = ((const struct feed *)sink->owner)->pipeline;
	if (!kafka_is_away()) {
		begin_poll(source);
	}
	if (is_in_doubt(source)) {
		return 0;
	}
	r = hand_on_held(source, sink);
	for (int i = 0; r == 0 && !kafka_is_away() && i < kafka_topics() * PARTITIONS_MAX; i++) {
		int topic = i % kafka_topics();
		int partition = i / kafka_topics();
		if (partition == 0) {
			r = notice_deletion(source, sink, topic);
		}
		if (r == 0 && world_draw(3) != 0) {
			r = read_partition(source, sink, topic, partition);
		}
		if (r == 0 && source->at[topic][partition] >= 0 &&
			world_fails(FAULT_READER_RESTARTED, 300)) {
			r = stop(source, sink, topic, partition, "restarted");
		}
	}
	return r;
}

int source_start(struct source *source, uint32_t topic, int32_t partition, int64_t offset)
{
	bool is_short = world.bug == BUG_REBUILD_SHORT && source->number == 1 && partition == 1;

	source->at[topic][partition] = is_short ? kafka_size((int)topic, partition) : offset;
	return 0;
}

int64_t source_high(struct source *source, uint32_t topic, int32_t partition)
{
	return source->at[topic][partition] < 0 || is_in_doubt(source)
		       ? -1
		       : kafka_size((int)topic, partition);
}
