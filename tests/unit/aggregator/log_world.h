/* log_world.h - a pipeline over a real store in a directory that goes away, and one partition of a log that exists in
 * memory only: records are appended, lost, replaced, and read by whom the pipeline starts. Include it in one file of a test. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/books/gap.h"
#include "aggregator/log/pipeline.h"
#include "proto/query.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOG_MAX = 12000, RECORD_MAX = 320, APPEND_MS = 1000 };

#define ROOMY_MAP (INT64_C(64) << 20)

struct logged {
	int64_t timestamp_ms;
	size_t size;
	uint8_t bytes[RECORD_MAX];
};

struct log_world {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct stores *stores;
	struct pipeline *pipeline;
	struct text_set accepted;
	struct logged *log; /* by offset */
	int64_t low, high;
	int64_t later_ms; /* how much later than the first records new ones come */
	char cluster[32];
	uint32_t question; /* of the pipeline, and the time that it is about */
	int64_t after_ms[PROOF_TIMES];
	int64_t started_at; /* where the pipeline began to read; -1: it did not */
	int commits, full; /* told of */
	int error_expected; /* of a commit; 0 once it was told */
	char noticed[64];
	char missing[GAP_TEXT_SIZE]; /* of the last verdict; "" when there is nothing */
	char reply[16 * 1024];
};

/* ---- the log */

static inline struct logged *log_next(struct log_world *world)
{
	assert_in_range(world->high, 0, LOG_MAX - 1);
	struct logged *record = &world->log[world->high];
	record->timestamp_ms = APPEND_MS + world->later_ms + world->high;
	world->high++;
	return record;
}

static inline void log_bytes(struct log_world *world, struct slice bytes)
{
	struct logged *record = log_next(world);
	assert_in_range(bytes.size, 0, RECORD_MAX);
	memcpy(record->bytes, bytes.bytes, bytes.size);
	record->size = bytes.size;
}

static inline void log_order(struct log_world *world, uint64_t seq, const char *product)
{
	struct event event = sample_order(seq, 1291191960000, product, 2, 2500000);
	struct buffer buffer;
	buffer_init(&buffer, RECORD_MAX);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(buffer.error, 0);
	log_bytes(world, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

static inline void log_marker(struct log_world *world, uint64_t seq)
{
	struct certificate certificate = {slice_of_text("berlin"), 4711, KIND_ORDER, seq};
	struct buffer buffer;
	buffer_init(&buffer, RECORD_MAX);
	event_encode_marker(&certificate, REASON_BAD_VALUE, ENCODING_MSGPACK, &buffer);
	log_bytes(world, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

/* ---- the pipeline's callbacks */

static inline int note_start(void *owner, uint32_t topic, int32_t partition, int64_t offset)
{
	struct log_world *world = owner;
	if (topic == KIND_ORDER && partition == 0) {
		world->started_at = offset;
	}
	return 0;
}

static inline int note_question(void *owner, uint32_t topic, int32_t partition, uint32_t question,
	const int64_t after_ms[PROOF_TIMES])
{
	struct log_world *world = owner;
	assert_int_equal(topic, KIND_ORDER);
	assert_int_equal(partition, 0);
	world->question = question;
	memcpy(world->after_ms, after_ms, sizeof world->after_ms);
	return 0;
}

static inline void note_commit(void *owner, int result, int64_t took_us)
{
	struct log_world *world = owner;
	(void)took_us;
	world->commits += result == 0;
	world->full += result == STORE_E_FULL;
	if (result < 0 && result == world->error_expected) {
		world->error_expected = 0;
		return;
	}
	assert_true(result == 0 || result == STORE_E_FULL);
}

static inline void note_notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	struct log_world *world = owner;
	snprintf(world->noticed, sizeof world->noticed, "%s %s/%d", what, topic, (int)partition);
}

/* ---- life */

static inline struct log_world *new_log_world(void)
{
	struct log_world *world = calloc(1, sizeof *world);
	assert_non_null(world);
	world->log = calloc(LOG_MAX, sizeof *world->log);
	assert_non_null(world->log);
	scratch_make(world->dir);
	snprintf(world->cluster, sizeof world->cluster, "cluster-a");
	world->views = sample_views();
	return world;
}

static inline void new_pipeline(struct log_world *world)
{
	struct pipeline_options options = {
		.stores = world->stores,
		.views = world->views,
		.generation = stores_root(world->stores)->live,
		.topics = {{"orders", "cart_events", "page_views", "orders.dlq", "cart_events.dlq",
				   "page_views.dlq"},
			KIND_COUNT},
		.owns_all = true,
		.commit_interval_ms = 1000,
		.entries_at_once = 4,
		.overlay_bytes_max = INT64_C(64) << 20,
		.accepted = &world->accepted,
		.committed = note_commit,
		.start = note_start,
		.ask = note_question,
		.notice = note_notice,
		.owner = world,
	};
	memcpy(options.hash_key, sample_hash_key, sizeof options.hash_key);
	assert_int_equal(pipeline_new(&options, &world->pipeline), 0);
}

/* As at a start of the program, before Kafka has said anything. */
static inline void open_store(struct log_world *world, int64_t map_size)
{
	char error[256] = "";
	struct stores_options options = {
		.dir = world->dir,
		.shard_count = 1,
		.map_size = map_size,
		.may_create = true,
		.views = world->views,
		.new_id = "0123456789abcdef0123456789abcdef",
	};
	int r = stores_new(&options, &world->stores, error, sizeof error);
	assert_string_equal(error, "");
	assert_int_equal(r, 0);
	new_pipeline(world);
}

/* As kill -9 leaves it: what was given to the disk is there, the rest is gone. */
static inline void drop_store(struct log_world *world)
{
	if (world->stores != NULL) {
		worker_drain(world->stores->workers[0]);
	}
	world->pipeline = pipeline_free(world->pipeline);
	world->stores = stores_free(world->stores);
}

static inline void free_log_world(struct log_world *world)
{
	drop_store(world);
	scratch_remove(world->dir);
	view_set_free(world->views);
	text_set_deinit(&world->accepted);
	free(world->log);
	free(world);
}

/* ---- reading */

/* The first record that is later than a time; -1: none. */
static inline int64_t first_later(const struct log_world *world, int64_t after_ms)
{
	for (int64_t offset = world->low; offset < world->high; offset++) {
		if (world->log[offset].timestamp_ms > after_ms) {
			return offset;
		}
	}
	return -1;
}

/* Kafka's word on what it holds: 0, or PIPELINE_E_DECISION with world->missing. */
static inline int observe_log(struct log_world *world)
{
	struct watermarks marks = {.low = world->low,
		.high = world->high,
		.question = world->question,
		.later = {first_later(world, world->after_ms[0]),
			first_later(world, world->after_ms[1])}};
	struct log_report report = {
		.is_reachable = true, .partition_counts = {1}, .partitions = {&marks}};
	snprintf(report.cluster_id, sizeof report.cluster_id, "%s", world->cluster);
	world->started_at = -1;
	int r = pipeline_observe(world->pipeline, &report);
	const char *missing = text_set_list(&world->pipeline->missing)[0];
	snprintf(world->missing, sizeof world->missing, "%s", missing == NULL ? "" : missing);
	return r;
}

static inline void take_one(struct log_world *world, int64_t offset)
{
	const struct logged *logged = &world->log[offset];
	struct record record = {
		.topic = KIND_ORDER,
		.offset = offset,
		.timestamp_ms = logged->timestamp_ms,
		.key = slice_of_text("berlin"),
		.value = slice_of(logged->bytes, logged->size),
	};
	assert_int_equal(pipeline_take(world->pipeline, &record), 0);
}

/* Everything from where the pipeline began, up to the end. */
static inline void read_log(struct log_world *world)
{
	assert_in_range(world->started_at, 0, world->high);
	for (int64_t offset = world->started_at; offset < world->high; offset++) {
		take_one(world, offset);
	}
	world->started_at = world->high;
	assert_int_equal(pipeline_end(world->pipeline, KIND_ORDER, 0, world->high), 0);
}

/* Asks and hears whether all of it lies in one log: the last record becomes the anchor. */
static inline void prove_log(struct log_world *world)
{
	int64_t started_at = world->started_at;
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(observe_log(world), 0);
	world->started_at = started_at;
}

/* Freezes what changed and waits for the disk. */
static inline void commit_all(struct log_world *world)
{
	bool is_clean = false;
	while (!is_clean) {
		int full = world->full;
		assert_int_equal(pipeline_flush(world->pipeline, &is_clean), 0);
		worker_drain(world->stores->workers[0]);
		if (world->full > full) {
			return;
		}
	}
}

/* A start: opens, observes, reads, writes. */
static inline void start_and_read(struct log_world *world)
{
	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	read_log(world);
	prove_log(world);
	commit_all(world);
}

/* ---- asking */

static inline const char *ask(struct log_world *world, const char *question)
{
	struct document document;
	struct query query;
	struct complaint complaint;
	struct buffer reply;
	struct answer_context context = {.views = world->views, .shard_count = 1};
	static const char *const no_gaps[] = {NULL};

	context.freshness = (struct freshness){.store_id = "x", .gaps = no_gaps};
	buffer_init(&reply, ANSWER_SIZE_MAX);
	assert_int_equal(document_init(&document, QUERY_NODES_MAX), 0);
	assert_int_equal(query_decode(&document, slice_of_text(question), &query, &complaint), 0);
	assert_int_equal(shard_layers(world->pipeline->shards[0], &context.shards[0]), 0);
	assert_int_equal(answer_query(&context, &query, &reply), 0);
	snapshot_end(context.shards[0].snapshot);
	assert_in_range(reply.size, 1, sizeof world->reply - 1);
	memcpy(world->reply, reply.bytes, reply.size);
	world->reply[reply.size] = '\0';
	document_deinit(&document);
	buffer_deinit(&reply);
	return world->reply;
}

/* Orders of all products together, as base, frozen and active say. */
static inline int64_t orders_counted(struct log_world *world)
{
	static const char column[] = "\"order_count\":";
	const char *at = ask(world, "{\"query\":\"scan\",\"view\":\"stores\",\"limit\":100}");
	at = strstr(at, column);
	return at == NULL ? 0 : strtoll(at + sizeof column - 1, NULL, 10);
}

static inline const struct position *position_of(const struct log_world *world)
{
	const struct partition *partition = pipeline_partition(world->pipeline, KIND_ORDER, 0);
	assert_non_null(partition);
	return &partition->position;
}

static inline const struct tally *tally_of(const struct log_world *world)
{
	return &world->pipeline->shards[0]->ledger.tallies[KIND_ORDER];
}
