/* many_logs.h - a pipeline over a real store, and a log of several partitions, one an edge, that is read in an order that a draw
 * decides, with commits and deaths between. What comes of it is what --dump shows. Include it in one file of a test. */
#pragma once
#include "aggregator/dump.h"
#include "aggregator/log/pipeline.h"
#include "draw.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	EDGES = 4,
	RECORDS = 600, /* of each */
	LOG_RECORD_MAX = 320,
	DUMP_SIZE = 1 << 22,
};

#define MAP_SIZE (INT64_C(256) << 20)
#define MINUTE_MS INT64_C(60000)
#define DAY_MS (1440 * MINUTE_MS)
#define START_MS INT64_C(1291161600000) /* 2010-12-01T00:00Z */

struct logged {
	int64_t timestamp_ms, ts_ms;
	int product, order;
	size_t size;
	uint8_t bytes[LOG_RECORD_MAX];
};

struct world {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct stores *stores;
	struct pipeline *pipeline;
	struct text_set accepted;
	uint32_t shards;
	struct logged *logs[EDGES]; /* a partition each */
	int64_t counts[EDGES];
	int64_t next[EDGES]; /* to be read */
	int64_t now_ms;
	size_t entries_at_once;
	char dump[DUMP_SIZE];
};

static const char *const edges[EDGES] = {"aachen", "berlin", "celle", "dresden"};

/* The next record of this edge's partition; it gets the certificate that its offset says. */
static inline struct logged *log_event(
	struct world *world, int edge, struct event *event, int64_t timestamp_ms)
{
	int64_t offset = world->counts[edge]++;
	struct logged *logged = &world->logs[edge][offset];
	struct buffer buffer;

	event->certificate.edge = slice_of_text(edges[edge]);
	event->certificate.seq = (uint64_t)offset + 1;
	buffer_init(&buffer, LOG_RECORD_MAX);
	event_encode(event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(buffer.error, 0);
	*logged = (struct logged){
		.timestamp_ms = timestamp_ms, .ts_ms = event->ts_ms, .size = buffer.size};
	memcpy(logged->bytes, buffer.bytes, buffer.size);
	buffer_deinit(&buffer);
	return logged;
}

static inline void log_order(
	struct world *world, int edge, int64_t ts_ms, int64_t timestamp_ms, int product, int order)
{
	char product_id[16], order_id[16];

	snprintf(product_id, sizeof product_id, "p%d", product);
	snprintf(order_id, sizeof order_id, "o%d", order);
	struct event event = sample_order(1, ts_ms, product_id, 1 + product % 5, 2500000);
	event.text[FIELD_ORDER_ID] = slice_of_text(order_id);
	struct logged *logged = log_event(world, edge, &event, timestamp_ms);
	logged->product = product;
	logged->order = order;
}

static inline int no_start(void *owner, enum kind topic, int32_t partition, int64_t offset)
{
	struct world *world = owner;

	if (topic == KIND_ORDER) {
		world->next[partition] = offset;
	}
	return 0;
}

static inline int no_question(void *owner, enum kind topic, int32_t partition, uint32_t question,
	const int64_t after_ms[PROOF_TIMES])
{
	(void)owner, (void)topic, (void)partition, (void)question, (void)after_ms;
	return 0;
}

static inline void no_commit(void *owner, int result, int64_t took_us)
{
	(void)owner, (void)took_us;
	assert_int_equal(result, 0);
}

static inline void no_notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	(void)owner, (void)what, (void)topic, (void)partition;
}

static inline void open_pipeline(struct world *world)
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
		.entries_at_once = world->entries_at_once,
		.overlay_bytes_max = INT64_C(64) << 20,
		.accepted = &world->accepted,
		.committed = no_commit,
		.start = no_start,
		.ask = no_question,
		.notice = no_notice,
		.owner = world,
	};
	struct watermarks marks[EDGES];

	for (int edge = 0; edge < EDGES; edge++) {
		marks[edge] = (struct watermarks){.high = world->counts[edge], .later = {-1, -1}};
	}
	struct log_report report = {.is_reachable = true,
		.cluster_id = "c",
		.partition_counts = {EDGES},
		.partitions = {marks}};
	memcpy(options.hash_key, sample_hash_key, sizeof options.hash_key);
	assert_int_equal(pipeline_new(&options, &world->pipeline), 0);
	assert_int_equal(pipeline_observe(world->pipeline, &report), 0);
}

static inline void open_world(struct world *world)
{
	char error[256] = "";
	struct stores_options options = {
		.dir = world->dir,
		.shard_count = world->shards,
		.map_size = MAP_SIZE,
		.may_create = true,
		.views = world->views,
		.new_id = "0123456789abcdef0123456789abcdef",
	};

	assert_int_equal(stores_new(&options, &world->stores, error, sizeof error), 0);
	open_pipeline(world);
}

static inline void drain(struct world *world)
{
	for (uint32_t i = 0; i < world->shards; i++) {
		worker_drain(world->stores->workers[i]);
	}
}

/* As kill -9 leaves it. */
static inline void drop_world(struct world *world)
{
	drain(world);
	world->pipeline = pipeline_free(world->pipeline);
	world->stores = stores_free(world->stores);
}

static inline struct world *new_world(const char *views[][2], size_t view_count)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->views = new_view_set();
	world->entries_at_once = 4;
	for (size_t i = 0; i < view_count; i++) {
		add_view(world->views, views[i][0], views[i][1]);
	}
	return world;
}

static inline void free_world(struct world *world)
{
	for (int edge = 0; edge < EDGES; edge++) {
		free(world->logs[edge]);
	}
	view_set_free(world->views);
	free(world);
}

static inline void take(struct world *world, int edge)
{
	const struct logged *logged = &world->logs[edge][world->next[edge]];
	struct record record = {
		.topic = KIND_ORDER,
		.partition = edge,
		.offset = world->next[edge]++,
		.timestamp_ms = logged->timestamp_ms,
		.key = slice_of_text(edges[edge]),
		.value = slice_of(logged->bytes, logged->size),
	};

	assert_int_equal(pipeline_take(world->pipeline, &record), 0);
}

static inline bool is_gathering(const struct world *world)
{
	bool is_any = false;

	for (uint32_t i = 0; i < world->shards; i++) {
		is_any = is_any || world->pipeline->shards[i]->gathering.pass > 0;
	}
	return is_any;
}

static inline void commit(struct world *world)
{
	int64_t wait_ms = 0;

	world->now_ms += 2000;
	do {
		assert_int_equal(pipeline_tick(world->pipeline, world->now_ms, &wait_ms), 0);
	} while (is_gathering(world));
	drain(world);
}

/* The self-check of the sums, and the slow walk from one end of the store to the other. */
static inline void check_store(struct world *world)
{
	char error[256] = "";

	for (uint32_t i = 0; i < world->shards; i++) {
		struct store *store = world->stores->items[i];
		assert_int_equal(store_check_sums(store, store_root(store)->live, world->views,
					 error, sizeof error),
			0);
		for (size_t j = 0; j <= 2 * store_scrub_parts(world->views); j++) {
			assert_int_equal(
				store_scrub(store, world->views, 37, error, sizeof error), 0);
		}
	}
}

static inline bool is_read(const struct world *world)
{
	for (int edge = 0; edge < EDGES; edge++) {
		if (world->next[edge] < world->counts[edge]) {
			return false;
		}
	}
	return true;
}

/* Reads the logs in an order that the draw decides, commits now and then, dies now and then. */
static inline void read_logs(struct world *world, struct draw *draw)
{
	while (!is_read(world)) {
		int edge = (int)draw_below(draw, EDGES);
		uint32_t steps = draw_below(draw, 60);
		for (uint32_t i = 0; i < steps && world->next[edge] < world->counts[edge]; i++) {
			take(world, edge);
		}
		if (draw_below(draw, 4) == 0) {
			commit(world);
			check_store(world);
		}
		if (draw_below(draw, 30) == 0) {
			drop_world(world);
			open_world(world);
		}
	}
	bool is_clean = false;
	while (!is_clean) {
		assert_int_equal(pipeline_flush(world->pipeline, &is_clean), 0);
		drain(world);
	}
	check_store(world);
}

static inline void start_counting(struct world *world, uint32_t shards)
{
	scratch_make(world->dir);
	world->shards = shards;
	open_world(world);
}

/* What --dump shows is in world->dump. */
static inline void end_counting(struct world *world)
{
	struct aggregator_config config = {
		.data = world->dir, .shards = world->shards, .map_size = MAP_SIZE};
	char error[256] = "";

	drop_world(world);
	memset(world->dump, 0, sizeof world->dump);
	FILE *out = fmemopen(world->dump, sizeof world->dump - 1, "w");
	assert_int_equal(dump_write(&config, out, error, sizeof error), 0);
	fclose(out);
	scratch_remove(world->dir);
}

/* Reads all into a new store. */
static inline void count_all(struct world *world, uint32_t shards, struct draw *draw)
{
	start_counting(world, shards);
	read_logs(world, draw);
	end_counting(world);
}

/* Without what depends on how rows are spread: how many there are of one key, and their bytes. */
static inline void cut_shares(char *dump)
{
	static const char *const shares[] = {"\"rows\":", "\"hashes\":"};

	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		char *at = dump;
		while ((at = strstr(at, shares[i])) != NULL) {
			at += strlen(shares[i]);
			memmove(at, at + strcspn(at, ",}"), strlen(at + strcspn(at, ",}")) + 1);
		}
	}
}

/* Says the first line that differs: whole dumps are more than anybody reads. */
static inline void assert_same(const char *found, const char *expected)
{
	size_t at = 0, line = 0;

	while (found[at] != 0 && found[at] == expected[at]) {
		line = found[at] == '\n' ? at + 1 : line;
		at++;
	}
	if (found[at] != expected[at]) {
		print_error("found    %.200s\nexpected %.200s\n", found + line, expected + line);
		fail();
	}
}
