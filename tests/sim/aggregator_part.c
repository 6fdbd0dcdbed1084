#include "tests/sim/aggregator_part.h"
#include "aggregator/pipeline.h"
#include "proto/money.h"
#include "tests/sim/kafka.h"
#include "tests/sim/store_model.h"
#include "tests/sim/worker_model.h"
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_MS = 1000, READ_A_ROUND = 40, SHARD_COUNT_MAX = 2 };

struct aggregator_part {
	struct stores stores;
	struct pipeline *pipeline;
	struct text_set accepted;
	int64_t reading[TOPICS][PARTITIONS]; /* where the reader stands; -1: it was not started */
	int64_t report_ms;
	int result; /* of the last commit that failed for good */
};

static struct view_set *views;
static struct store *stores[SHARD_COUNT_MAX];
static size_t shard_count;

/* ---- a run's store */

static void add_view(const char *name, const char *text)
{
	char error[256] = "";

	if (view_set_add_text(
		    views, slice_of_text(name), slice_of_text(text), error, sizeof error) != 0) {
		fprintf(stderr, "view %s: %s\n", name, error);
		abort();
	}
}

void aggregator_part_begin(void)
{
	aggregator_part_end();
	if (view_set_new(NULL, NULL, &views) != 0) {
		abort();
	}
	add_view("by_order",
		"kind = order\ngroup_by = order_id, currency\nmeasures = order_count = count(), "
		"total_revenue = sum(revenue)\n");
	add_view("by_product",
		"kind = order\ngroup_by = product_id, currency\nmeasures = order_count = "
		"count(), total_revenue = sum(revenue)\n");
	add_view("by_letter",
		"kind = dead_letter\ngroup_by = code\nmeasures = order_count = count()\n");
	shard_count = 1 + world_draw(SHARD_COUNT_MAX);
	for (size_t i = 0; i < shard_count; i++) {
		stores[i] = store_model_new(views);
	}
}

void aggregator_part_end(void)
{
	for (size_t i = 0; i < SHARD_COUNT_MAX; i++) {
		stores[i] = store_model_free(stores[i]);
	}
	views = view_set_free(views);
}

/* ---- what the pipeline asks for */

static int start_reading(void *owner, enum kind topic, int32_t partition, int64_t offset)
{
	struct aggregator_part *part = owner;

	part->reading[topic][partition] = offset;
	return 0;
}

static void note_committed(void *owner, int result, int64_t took_us)
{
	struct aggregator_part *part = owner;

	(void)took_us;
	if (result != 0 && result != STORE_E_FULL) {
		part->result = result;
	}
}

static void note_notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	(void)owner;
	world_note("aggregator: %s %s/%d", what, topic, (int)partition);
}

/* ---- life */

static void stop_reading(struct aggregator_part *part)
{
	for (int topic = 0; topic < TOPICS; topic++) {
		for (int partition = 0; partition < PARTITIONS; partition++) {
			part->reading[topic][partition] = -1;
		}
	}
}

struct aggregator_part *aggregator_part_new(void)
{
	struct aggregator_part *part = calloc(1, sizeof *part);

	if (part == NULL) {
		abort();
	}
	part->stores = (struct stores){.count = shard_count, .lock_fd = -1};
	for (size_t i = 0; i < shard_count; i++) {
		part->stores.items[i] = stores[i];
		part->stores.workers[i] = worker_model_new();
	}
	const struct pipeline_options options = {
		.stores = &part->stores,
		.views = views,
		.generation = 1,
		.topics = {"orders", "cart_events", "page_views", "orders.dlq", "cart_events.dlq",
			"page_views.dlq"},
		.owns_all = true,
		.commit_interval_ms = 200,
		.overlay_bytes_max = 1 << 20,
		.accepted = &part->accepted,
		.hash_key = "0123456789abcde",
		.committed = note_committed,
		.start = start_reading,
		.notice = note_notice,
		.owner = part,
	};
	stop_reading(part);
	if (pipeline_new(&options, &part->pipeline) != 0) {
		fprintf(stderr, "an aggregator can't be made\n");
		abort();
	}
	world_note("aggregator: starts");
	return part;
}

struct aggregator_part *aggregator_part_free(struct aggregator_part *part)
{
	if (part != NULL) {
		for (size_t i = 0; i < shard_count; i++) {
			worker_model_abandon(part->stores.workers[i]);
		}
		pipeline_free(part->pipeline);
		for (size_t i = 0; i < shard_count; i++) {
			worker_model_free(part->stores.workers[i]);
		}
		free(part);
	}
	return NULL;
}

/* ---- a round */

static int observe(struct aggregator_part *part)
{
	struct watermarks marks[TOPICS][PARTITIONS];
	struct log_report report = {.is_reachable = !kafka_is_away(), .cluster_id = "cluster-a"};

	if (world.now_ms < part->report_ms) {
		return 0;
	}
	part->report_ms = world.now_ms + REPORT_MS;
	for (int topic = 0; topic < TOPICS && report.is_reachable; topic++) {
		for (int partition = 0; partition < PARTITIONS; partition++) {
			marks[topic][partition] =
				(struct watermarks){0, kafka_size(topic, partition)};
		}
		report.partition_counts[topic] = PARTITIONS;
		report.partitions[topic] = marks[topic];
	}
	int r = pipeline_observe(part->pipeline, &report);
	if (r == PIPELINE_E_DECISION) {
		fprintf(stderr, "the aggregator asks for a decision, and nothing is missing\n");
		abort();
	}
	return r;
}

static struct record record_at(int topic, int partition, int64_t offset)
{
	const struct kafka_entry *entry = kafka_at(topic, partition, offset);
	const struct kafka_record *from = entry->record;
	struct record record = {
		.topic_kind = (enum kind)topic,
		.partition = partition,
		.offset = offset,
		.timestamp_ms = entry->timestamp_ms,
		.key = slice_of(from->key, from->key_size),
		.value = slice_of(from->value, from->value_size),
	};

	for (int i = 0; from->header_count > 0 && i < DLQ_HEADER_COUNT; i++) {
		const char *name = dead_letter_header_name((enum dead_letter_header)i);
		for (size_t j = 0; j < from->header_count; j++) {
			const struct kafka_header *header = &from->headers[j];
			if (strcmp(header->name, name) == 0) {
				record.headers[i] = slice_of(header->value, header->size);
			}
		}
	}
	return record;
}

static int read_partition(struct aggregator_part *part, int topic, int partition)
{
	int64_t *at = &part->reading[topic][partition];
	int r = 0;

	for (int i = 0; r == 0 && *at >= 0 && i < READ_A_ROUND; i++) {
		if (*at >= kafka_size(topic, partition)) {
			return pipeline_end(part->pipeline, (enum kind)topic, partition, *at);
		}
		struct record record = record_at(topic, partition, (*at)++);
		r = pipeline_take(part->pipeline, &record);
	}
	return r;
}

static int read_some(struct aggregator_part *part)
{
	int r = 0;

	if (kafka_is_away() || pipeline_is_full(part->pipeline)) {
		return 0;
	}
	for (int i = 0; r == 0 && i < TOPICS * PARTITIONS; i++) {
		int topic = i % TOPICS;
		int partition = i / TOPICS;
		if (world_draw(3) != 0) {
			r = read_partition(part, topic, partition);
		}
		if (part->reading[topic][partition] >= 0 &&
			world_fails(FAULT_READER_RESTARTED, 300)) {
			pipeline_stopped(part->pipeline, (enum kind)topic, partition, "restarted");
		}
	}
	return r;
}

/* With the planted bug offsets are on disk as soon as they are known. */
static void leak_offsets(struct aggregator_part *part, size_t shard)
{
	bool has_run = false;

	if (world.bug == BUG_OFFSET_FIRST &&
		worker_model_job(part->stores.workers[shard], &has_run) != NULL && !has_run) {
		store_model_write_offsets(stores[shard], &part->pipeline->shards[shard]->frozen);
	}
}

static void turn_workers(struct aggregator_part *part)
{
	for (size_t i = 0; i < shard_count; i++) {
		leak_offsets(part, i);
		if (world_draw(3) == 0) {
			worker_model_step(part->stores.workers[i]);
		}
	}
}

int aggregator_part_round(struct aggregator_part *part)
{
	int64_t wait_ms = 0;

	if (part->pipeline->must_restart) {
		stop_reading(part);
		pipeline_rewind(part->pipeline);
		part->report_ms = world.now_ms;
	}
	int r = observe(part);
	if (r == 0) {
		r = read_some(part);
	}
	if (r == 0) {
		r = pipeline_tick(part->pipeline, world.now_ms, &wait_ms);
	}
	if (r == 0) {
		turn_workers(part);
		r = part->result;
	}
	return r;
}

/* ---- looking */

bool aggregator_part_is_settled(const struct aggregator_part *part)
{
	for (int topic = 0; topic < TOPICS; topic++) {
		for (int partition = 0; partition < PARTITIONS; partition++) {
			if (part->reading[topic][partition] != kafka_size(topic, partition)) {
				return false;
			}
		}
	}
	for (size_t i = 0; i < shard_count; i++) {
		const struct shard *shard = part->pipeline->shards[i];
		if (shard->is_changed || shard->is_frozen) {
			return false;
		}
	}
	return true;
}

const char *aggregator_part_broken(const struct aggregator_part *part)
{
	for (size_t i = 0; i < shard_count; i++) {
		if (part->pipeline->shards[i]->is_broken) {
			return part->pipeline->shards[i]->broken_why;
		}
	}
	return "";
}

bool aggregator_part_is_untold(const struct aggregator_part *part)
{
	bool is_untold = false;

	for (size_t i = 0; i < shard_count; i++) {
		bool has_run = false;
		bool has_job = worker_model_job(part->stores.workers[i], &has_run) != NULL;
		is_untold = is_untold || (has_job && has_run);
	}
	return is_untold;
}

uint64_t aggregator_part_shape(const struct aggregator_part *part)
{
	uint64_t shape = shard_count;

	for (size_t i = 0; i < shard_count; i++) {
		const struct shard *shard = part->pipeline->shards[i];
		shape = shape * 2 + shard->is_frozen;
		shape = shape * 2 + shard->is_changed;
		shape = shape * 2 + shard->is_writing;
		shape = shape * 2 + shard->is_full;
	}
	shape = shape * 2 + pipeline_is_caught_up(part->pipeline);
	shape = shape * 2 + part->pipeline->is_reachable;
	const struct partition *partition = pipeline_partition(part->pipeline, KIND_ORDER, 0);
	return shape * 8 + (partition == NULL ? 7 : (uint64_t)partition->state);
}

static int64_t revenue_of(const struct node *row)
{
	const struct node *revenue = node_find(row, "total_revenue");
	int64_t millionths = 0;

	if (revenue != NULL && money_parse_text(revenue->text, &millionths) != 0) {
		abort();
	}
	return millionths;
}

static void take_rows(const struct node *answer, aggregator_row_fn take, void *owner)
{
	const struct node *rows = node_find(answer, "rows");
	const struct node *row = rows == NULL ? NULL : node_first(rows);
	char name[64];

	if (rows == NULL) {
		abort();
	}
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		const struct node *first = node_next(node_first(row)); /* key, value, … */
		int64_t count = 0;
		node_integer(node_find(row, "order_count"), &count);
		snprintf(name, sizeof name, "%.*s", (int)first->text.size,
			(const char *)first->text.bytes);
		take(owner, name, (uint64_t)count, revenue_of(row));
	}
}

void aggregator_part_each_row(
	struct aggregator_part *part, const char *view, aggregator_row_fn take, void *owner)
{
	static const char *const no_gaps[] = {NULL};
	struct answer_context context = {.views = views,
		.shard_count = shard_count,
		.freshness = {.store_id = "simulated", .gaps = no_gaps}};
	struct document question, answer;
	struct query query;
	struct complaint complaint;
	struct buffer reply;
	char text[128];

	snprintf(text, sizeof text, "{\"query\":\"scan\",\"view\":\"%s\",\"limit\":100000}", view);
	buffer_init(&reply, ANSWER_SIZE_MAX);
	int r = document_init(&question, QUERY_NODES_MAX) | document_init(&answer, 4000000);
	r |= query_decode(&question, slice_of_text(text), &query, &complaint);
	for (size_t i = 0; i < shard_count; i++) {
		r |= shard_layers(part->pipeline->shards[i], &context.shards[i]);
	}
	r |= answer_query(&context, &query, &reply);
	r |= document_decode(&answer, ENCODING_JSON, buffer_slice(&reply), NESTING_MAX, &complaint);
	if (r != 0) {
		abort();
	}
	take_rows(answer.nodes, take, owner);
	document_deinit(&question);
	document_deinit(&answer);
	buffer_deinit(&reply);
}

struct aggregator_books aggregator_part_books(const struct aggregator_part *part)
{
	struct aggregator_books books = {.add_up = true};
	struct tally tallies[STREAM_KIND_COUNT];

	for (size_t i = 0; i < part->pipeline->partition_count; i++) {
		const struct books *from = &part->pipeline->partitions[i]->position.books;
		books.read += from->read;
		books.counted += from->fates[FATE_COUNTED];
		books.rejected += from->fates[FATE_REJECTED];
		books.duplicates += from->fates[FATE_DUPLICATE];
		books.foreign += from->fates[FATE_FOREIGN];
		books.unreadable += from->fates[FATE_UNREADABLE];
		books.add_up = books.add_up && books_add_up(from);
	}
	pipeline_tallies(part->pipeline, tallies);
	for (int lane = 0; lane < KIND_COUNT; lane++) {
		books.accepted[lane] = tallies[lane].accepted;
		books.markers[lane] = tallies[lane].rejected;
	}
	return books;
}
