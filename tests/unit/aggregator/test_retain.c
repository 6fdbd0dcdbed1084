/* Rows that end: which are there, and how many events expired, follows from the records that were read, whatever their
 * order, the shards and the kills between. */
#include "aggregator/dump.h"
#include "aggregator/ledger.h"
#include "aggregator/pipeline.h"
#include "aggregator/view_retain.h"
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
	char dump[DUMP_SIZE];
};

static const char *const edges[EDGES] = {"aachen", "berlin", "celle", "dresden"};

static void log_order(
	struct world *world, int edge, int64_t ts_ms, int64_t timestamp_ms, int product, int order)
{
	int64_t offset = world->counts[edge]++;
	struct logged *logged = &world->logs[edge][offset];
	char product_id[16], order_id[16];
	struct buffer buffer;

	snprintf(product_id, sizeof product_id, "p%d", product);
	snprintf(order_id, sizeof order_id, "o%d", order);
	struct event event =
		sample_order((uint64_t)offset + 1, ts_ms, product_id, 1 + product % 5, 2500000);
	event.certificate.edge = slice_of_text(edges[edge]);
	event.text[FIELD_ORDER_ID] = slice_of_text(order_id);
	buffer_init(&buffer, LOG_RECORD_MAX);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(buffer.error, 0);
	*logged = (struct logged){.timestamp_ms = timestamp_ms,
		.ts_ms = ts_ms,
		.product = product,
		.order = order,
		.size = buffer.size};
	memcpy(logged->bytes, buffer.bytes, buffer.size);
	buffer_deinit(&buffer);
}

static int no_start(void *owner, enum kind topic, int32_t partition, int64_t offset)
{
	struct world *world = owner;

	if (topic == KIND_ORDER) {
		world->next[partition] = offset;
	}
	return 0;
}

static int no_question(void *owner, enum kind topic, int32_t partition, uint32_t question,
	const int64_t after_ms[PROOF_TIMES])
{
	(void)owner, (void)topic, (void)partition, (void)question, (void)after_ms;
	return 0;
}

static void no_commit(void *owner, int result, int64_t took_us)
{
	(void)owner, (void)took_us;
	assert_int_equal(result, 0);
}

static void no_notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	(void)owner, (void)what, (void)topic, (void)partition;
}

static void open_pipeline(struct world *world)
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

static void open_world(struct world *world)
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

static void drain(struct world *world)
{
	for (uint32_t i = 0; i < world->shards; i++) {
		worker_drain(world->stores->workers[i]);
	}
}

/* As kill -9 leaves it. */
static void drop_world(struct world *world)
{
	drain(world);
	world->pipeline = pipeline_free(world->pipeline);
	world->stores = stores_free(world->stores);
}

static struct world *new_world(const char *views[][2], size_t view_count)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->views = new_view_set();
	for (size_t i = 0; i < view_count; i++) {
		add_view(world->views, views[i][0], views[i][1]);
	}
	return world;
}

static void free_world(struct world *world)
{
	for (int edge = 0; edge < EDGES; edge++) {
		free(world->logs[edge]);
	}
	view_set_free(world->views);
	free(world);
}

static void take(struct world *world, int edge)
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

static void commit(struct world *world)
{
	int64_t wait_ms = 0;

	world->now_ms += 2000;
	assert_int_equal(pipeline_tick(world->pipeline, world->now_ms, &wait_ms), 0);
	drain(world);
}

/* The self-check of the sums, and the slow walk from one end of the store to the other. */
static void check_store(struct world *world)
{
	char error[256] = "";

	for (uint32_t i = 0; i < world->shards; i++) {
		struct store *store = world->stores->items[i];
		assert_int_equal(store_check_sums(store, store_root(store)->live, world->views,
					 error, sizeof error),
			0);
		for (size_t j = 0; j <= 2 * view_set_count(world->views); j++) {
			assert_int_equal(
				store_scrub(store, world->views, 37, error, sizeof error), 0);
		}
	}
}

static bool is_read(const struct world *world)
{
	for (int edge = 0; edge < EDGES; edge++) {
		if (world->next[edge] < world->counts[edge]) {
			return false;
		}
	}
	return true;
}

/* Reads the logs in an order that the draw decides, commits now and then, dies now and then. */
static void read_logs(struct world *world, struct draw *draw)
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

/* Reads all into a new store; what --dump shows of it is in world->dump. */
static void count_all(struct world *world, uint32_t shards, struct draw *draw)
{
	struct aggregator_config config = {
		.data = world->dir, .shards = shards, .map_size = MAP_SIZE};
	char error[256] = "";

	scratch_make(world->dir);
	world->shards = shards;
	open_world(world);
	read_logs(world, draw);
	drop_world(world);
	memset(world->dump, 0, sizeof world->dump);
	FILE *out = fmemopen(world->dump, sizeof world->dump - 1, "w");
	assert_int_equal(dump_write(&config, out, error, sizeof error), 0);
	fclose(out);
	scratch_remove(world->dir);
}

/* What counting by hand gives, row by row and in sum. */
struct oracle {
	int64_t clock_ms;
	uint64_t matched, expired;
};

static struct oracle expect(const struct world *world, int64_t bucket_ms, int64_t retain_ms)
{
	struct oracle oracle = {0};

	for (int edge = 0; edge < EDGES; edge++) {
		for (int64_t i = 0; i < world->counts[edge]; i++) {
			int64_t time = world->logs[edge][i].timestamp_ms;
			oracle.clock_ms = time > oracle.clock_ms ? time : oracle.clock_ms;
		}
	}
	for (int edge = 0; edge < EDGES; edge++) {
		for (int64_t i = 0; i < world->counts[edge]; i++) {
			int64_t begin = world->logs[edge][i].ts_ms / bucket_ms * bucket_ms;
			bool has_ended = begin + bucket_ms + retain_ms <= oracle.clock_ms;
			oracle.expired += has_ended;
			oracle.matched += !has_ended;
		}
	}
	return oracle;
}

static void assert_sums(const struct world *world, const char *view, struct oracle oracle)
{
	char expected[256];
	char line[64];

	snprintf(line, sizeof line, "{\"view\":\"%s\",\"rows\":", view);
	const char *sums = strstr(world->dump, line);
	assert_non_null(sums);
	snprintf(expected, sizeof expected,
		",\"matched\":%" PRIu64 ",\"unmatched\":0,\"held\":0,\"expired\":%" PRIu64 ",",
		oracle.matched, oracle.expired);
	sums = strchr(sums + strlen(line), ',');
	assert_memory_equal(sums, expected, strlen(expected));
}

/* Without what depends on how rows are spread: how many there are of one key, and their bytes. */
static void cut_shares(char *dump)
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

static const char *views[][2] = {
	{"hours", "kind = order\ngroup_by = hour(ts), product_id\nmeasures = n = count(), r = "
		  "sum(revenue), b = distinct(basket), q = quantile(revenue, 0.5)\nretain = 1d\n"},
	{"days", "kind = order\ngroup_by = edge, day(ts), hour_of_day(ts)\nmeasures = n = count(), "
		 "f = first(product_id)\nretain = 2d\n"},
	{"all", "kind = order\ngroup_by = product_id, day(ts)\nmeasures = n = count()\n"},
};

/* Says the first line that differs: whole dumps are more than anybody reads. */
static void assert_same(const char *found, const char *expected)
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

/* Sales of a week, appended within it: some at once, some days late, some of days to come. */
static struct world *new_week(struct draw *draw)
{
	struct world *world = new_world(views, sizeof views / sizeof views[0]);

	for (int edge = 0; edge < EDGES; edge++) {
		int64_t time = START_MS + draw_below(draw, 100) * MINUTE_MS;
		world->logs[edge] = calloc(RECORDS, sizeof *world->logs[edge]);
		for (int i = 0; i < RECORDS; i++) {
			time += draw_below(draw, 30) * (MINUTE_MS + 7777);
			int64_t late = draw_below(draw, 3) == 0
					       ? draw_below(draw, 4 * 1440) * MINUTE_MS
					       : draw_below(draw, 30) * MINUTE_MS;
			int64_t ts = draw_below(draw, 20) == 0 ? time + late : time - late;
			log_order(world, edge, ts < START_MS ? START_MS : ts, time,
				(int)draw_below(draw, 12), i / 3);
		}
	}
	return world;
}

static void test_what_has_ended_depends_on_the_records_alone(void **state)
{
	struct draw draw = {5};
	static char first[DUMP_SIZE], spread[DUMP_SIZE];
	(void)state;

	for (int round = 0; round < 3; round++) {
		struct world *world = new_week(&draw);
		count_all(world, 1, &draw);
		assert_sums(world, "hours", expect(world, 60 * MINUTE_MS, DAY_MS));
		assert_sums(world, "days", expect(world, DAY_MS, 2 * DAY_MS));
		assert_true(expect(world, DAY_MS, 2 * DAY_MS).expired > 100);
		assert_true(expect(world, 60 * MINUTE_MS, DAY_MS).matched > 20);
		memcpy(first, world->dump, sizeof first);
		for (int i = 0; i < 3; i++) {
			count_all(world, 1, &draw);
			assert_same(world->dump, first);
		}
		cut_shares(first);
		for (uint32_t shards = 2; shards <= 4; shards += 2) {
			count_all(world, shards, &draw);
			memcpy(spread, world->dump, sizeof spread);
			cut_shares(spread);
			assert_same(spread, first);
		}
		free_world(world);
	}
}

static uint64_t stored_rows(struct world *world, struct view_summary *ret_summary)
{
	struct snapshot *snapshot = NULL;

	assert_int_equal(snapshot_begin(world->stores->items[0], stores_root(world->stores)->live,
				 &snapshot),
		0);
	assert_int_equal(snapshot_summary(snapshot, 0, ret_summary), 0);
	snapshot_end(snapshot);
	return ret_summary->row_count;
}

static uint64_t shown_rows(struct world *world)
{
	struct answer_context context = {.views = world->views, .shard_count = 1};
	static const char *const no_gaps[] = {NULL};
	struct query query = {.type = QUERY_TOP,
		.encoding = ENCODING_JSON,
		.view = slice_of_text("minutes"),
		.by = slice_of_text("n"),
		.limit = TOP_LIMIT_MAX,
		.max_lag = -1};
	uint64_t count = 0;
	struct buffer reply;

	context.freshness = (struct freshness){.store_id = "x", .gaps = no_gaps};
	buffer_init(&reply, ANSWER_SIZE_MAX);
	assert_int_equal(shard_layers(world->pipeline->shards[0], &context.shards[0]), 0);
	assert_int_equal(answer_query(&context, &query, &reply), 0);
	snapshot_end(context.shards[0].snapshot);
	buffer_append_byte(&reply, 0);
	for (const char *at = (const char *)reply.bytes; (at = strstr(at, "\"minute\"")) != NULL;
		at++) {
		count++;
	}
	buffer_deinit(&reply);
	return count;
}

/* More rows than one commit may delete, ended by one record: hidden at once, deleted bit by bit, whatever dies between. */
static void test_many_rows_end_at_once_and_are_deleted_in_pieces(void **state)
{
	enum { MANY = EXPIRY_STEPS_MAX * 2 + 5000, LATER_ROWS = 4 };
	static const char *one[][2] = {
		{"minutes", "kind = order\ngroup_by = minute(ts), product_id\nmeasures = n = "
			    "count(), b = distinct(basket)\nretain = 7d\n"}};
	struct world *world = new_world(one, 1);
	struct view_summary summary;
	(void)state;

	world->logs[0] = calloc(MANY + LATER_ROWS, sizeof *world->logs[0]);
	for (int i = 0; i < MANY; i++) {
		log_order(world, 0, START_MS + i / 10 * MINUTE_MS / 100, START_MS, i, i);
	}
	for (int i = 0; i < LATER_ROWS; i++) {
		log_order(world, 0, START_MS + 30 * DAY_MS + i, START_MS + 30 * DAY_MS, i, i);
	}
	scratch_make(world->dir);
	world->shards = 1;
	open_world(world);
	while (world->next[0] < MANY) {
		take(world, 0);
	}
	commit(world);
	assert_int_equal(stored_rows(world, &summary), MANY);
	while (!is_read(world)) {
		take(world, 0);
	}
	assert_int_equal(shown_rows(world), LATER_ROWS);
	int commits = 0;
	for (uint64_t left = MANY; left > LATER_ROWS; commits++) {
		commit(world);
		uint64_t now = stored_rows(world, &summary);
		assert_true(now + EXPIRY_STEPS_MAX >= left);
		assert_int_equal(summary.matched + summary.expired, MANY + LATER_ROWS);
		assert_int_equal(shown_rows(world), LATER_ROWS);
		check_store(world);
		left = now;
		drop_world(world);
		open_world(world);
		assert_in_range(commits, 0, 12);
	}
	assert_true(commits > 2);
	assert_int_equal(summary.expired, MANY);
	drop_world(world);
	scratch_remove(world->dir);
	free_world(world);
}

static void test_a_row_ends_with_its_finest_bucket_in_its_zone(void **state)
{
	static const struct {
		const char *group_by;
		int64_t clock_ms; /* the first at which the bucket of START_MS has ended */
	} cases[] = {
		{"minute(ts)", START_MS + MINUTE_MS + DAY_MS},
		{"edge, hour(ts), day(ts)", START_MS + 60 * MINUTE_MS + DAY_MS},
		{"month(ts), day(ts)", START_MS + 2 * DAY_MS},
		{"week(ts)", START_MS + 6 * DAY_MS}, /* a Wednesday */
		{"month(ts)", START_MS + 32 * DAY_MS},
	};
	struct event event = sample_order(1, START_MS, "tea", 1, 1);
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct view_set *set = new_view_set();
		struct group_value values[VIEW_GROUPS_MAX];
		struct row_key key = {0};
		char text[128];
		snprintf(text, sizeof text, "group_by = %s\nmeasures = n = count()\nretain = 1d\n",
			cases[i].group_by);
		add_view(set, "v", text);
		const struct view *view = view_set_at(set, 0);
		assert_true(view_group_values(view, &event, slice_of(NULL, 0), values));
		for (size_t j = 0; j < view->group_count; j++) {
			assert_true(row_key_append(&key, &values[j]));
		}
		struct slice bytes = row_key_slice(&key);
		assert_false(
			view_key_has_ended(view, bytes, view_cutoff(view, cases[i].clock_ms - 1)));
		assert_true(view_key_has_ended(view, bytes, view_cutoff(view, cases[i].clock_ms)));
		assert_false(view_key_has_ended(view, bytes, view_cutoff(view, 0)));
		view_set_free(set);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_has_ended_depends_on_the_records_alone),
		cmocka_unit_test(test_many_rows_end_at_once_and_are_deleted_in_pieces),
		cmocka_unit_test(test_a_row_ends_with_its_finest_bucket_in_its_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
