#include "tests/sim/aggregator_part.h"
#include "aggregator/aggregator.h"
#include "aggregator/books/position.h"
#include "aggregator/dump.h"
#include "proto/money.h"
#include "proto/topic.h"
#include "tests/sim/aggregator_setup.h"
#include "tests/sim/kafka.h"
#include "tests/sim/mdb_model.h"
#include "tests/sim/rim_loop.h"
#include "tests/sim/rim_question.h"
#include "tests/sim/source_model.h"
#include "tests/sim/subscriber.h"
#include "tests/sim/worker_model.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SHARD_COUNT_MAX = 2,
	MISSING_MAX = 16,
	ANSWER_NODES_MAX = 1000000,
	ASK_ROUNDS_MAX = 100,
	TURNS_A_SHORTAGE = 2500,
	STARTS_A_SHORTAGE = 12,
	ENTRIES_AT_ONCE = 3, /* of the few that change between two commits of a run */
};

struct aggregator_part {
	struct aggregator *aggregator;
	struct loop *loop; /* the aggregator's */
	struct text_set accepted;
};

static struct aggregator_part_features features_of_run;
static int64_t shard_count;
static struct aggregator_config *config; /* of the last start */
static struct mdb_files *disk;
static struct text_set missing;
static struct buffer requested; /* the last answer to aggregator_part_request */
static const void *whose_request; /* NULL: nobody waits for it */
static char question_text[200]; /* of it */
static struct buffer wondered; /* the last answer to aggregator_part_wonder */

/* ---- a run's store */

/* For a start. */
static void configure(bool stages)
{
	config = aggregator_setup(&features_of_run, stages);
	config->shards = shard_count;
}

void aggregator_part_begin(const struct aggregator_part_features *features)
{
	aggregator_part_end();
	features_of_run = *features;
	subscriber_begin(features);
	shard_count = 1 + (int64_t)world_draw(SHARD_COUNT_MAX);
	configure(false);
	whose_request = NULL;
	disk = mdb_files_new();
	mdb_model_mount(disk);
}

void aggregator_part_end(void)
{
	mdb_model_mount(NULL);
	disk = mdb_files_free(disk);
	text_set_deinit(&missing);
	subscriber_end();
	buffer_deinit(&wondered);
	buffer_deinit(&requested);
}

struct mdb_files *aggregator_part_back_up(void)
{
	return mdb_files_copy(disk);
}

void aggregator_part_restore(struct mdb_files *backup)
{
	mdb_files_free(disk);
	disk = backup;
	mdb_model_mount(disk);
}

void aggregator_part_set_shards(int count)
{
	shard_count = count;
}

enum mdb_fate mdb_model_fate(const char *path)
{
	(void)path;
	if (world.bug == BUG_OFFSET_FIRST && world_draw(30) == 0) {
		return MDB_FATE_TORN;
	}
	if (world_fails(FAULT_STORE_FULL, 20000)) {
		return MDB_FATE_FULL;
	}
	if (world_fails(FAULT_STORE_FAILED, 4000)) {
		return world_draw(2) == 0 ? MDB_FATE_LOST : MDB_FATE_UNSURE;
	}
	return MDB_FATE_WRITTEN;
}

/* ---- life */

static void tell_missing(const char *text, bool of_rebuild)
{
	uint64_t asks = world.memory_asks;

	world_note("aggregator: missing %s%s", text, of_rebuild ? " for the rebuild" : "");
	world.memory_asks = 0; /* the operator's own memory, though the product's set */
	if (!of_rebuild && text_set_add(&missing, text) != 0) {
		abort();
	}
	world.memory_asks = asks;
}

const char *const *aggregator_part_missing(void)
{
	return text_set_list(&missing);
}

struct aggregator_part *aggregator_part_new(const struct aggregator_part_options *options)
{
	struct aggregator_part *part = calloc(1, sizeof *part);
	char error[512] = "";

	if (part == NULL) {
		abort();
	}
	for (const char *const *text = options->accepted; text != NULL && *text != NULL; text++) {
		if (text_set_add(&part->accepted, *text) != 0) {
			abort();
		}
	}
	text_set_deinit(&missing);
	configure(options->stages);
	config->owns_all = options->own == OWN_ALL;
	for (int i = 0; i < PARTITIONS_MAX; i++) {
		config->owned[i] = i == options->own;
	}
	const struct aggregator_options aggregator = {
		.config = config,
		.accepted = &part->accepted,
		.wants_rebuild = options->wants_rebuild,
		.entries_at_once = ENTRIES_AT_ONCE,
		.tell_missing = tell_missing,
	};
	world_memory_begin(STARTS_A_SHORTAGE);
	int r = aggregator_new(&aggregator, &part->aggregator, error, sizeof error);
	world_memory_end();
	world_note("aggregator: starts%s%s %s", options->wants_rebuild ? " with --rebuild" : "",
		part->accepted.count > 0 ? " with --accept-gap" : "", error);
	if (r != 0) {
		text_set_deinit(&part->accepted);
		free(part);
		return NULL;
	}
	part->loop = rim_loop_newest();
	return part;
}

struct aggregator_part *aggregator_part_free(struct aggregator_part *part)
{
	if (part != NULL) {
		worker_model_die();
		rim_question_put(NULL, NULL);
		aggregator_free(part->aggregator);
		text_set_deinit(&part->accepted);
		free(part);
	}
	return NULL;
}

int aggregator_part_round(struct aggregator_part *part)
{
	world_memory_begin(TURNS_A_SHORTAGE);
	int r = loop_run(part->loop);
	world_memory_end();
	if (r < 0 || !rim_loop_is_stopped(part->loop)) {
		return r;
	}
	r = aggregator_run(part->aggregator, NULL);
	return r == AGGREGATOR_E_DECISION ? AGGREGATOR_PART_DECISION : r == 0 ? -ECANCELED : r;
}

char *aggregator_part_dump(void)
{
	char *text = NULL;
	char error[512] = "";
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL || dump_write(config, out, error, sizeof error) != 0) {
		fprintf(stderr, "no dump: %s\n", error);
		abort();
	}
	fclose(out);
	return text;
}

/* ---- looking */

/* The only pipeline, if there is one and no rebuild. */
static const struct pipeline *only_pipeline(void)
{
	const struct pipeline *pipelines[SOURCES_MAX];
	return source_model_pipelines(pipelines) == 1 ? pipelines[0] : NULL;
}

bool aggregator_part_is_rebuilding(const struct aggregator_part *part)
{
	const struct pipeline *pipelines[SOURCES_MAX];

	(void)part;
	return source_model_pipelines(pipelines) > 1;
}

static bool has_read_all(const struct pipeline *pipeline)
{
	for (int i = 0; i < kafka_topics() * PARTITIONS_MAX; i++) {
		int topic = i % kafka_topics(), number = i / kafka_topics();
		bool is_owned = config->owns_all || config->owned[number];
		if (number >= kafka_partition_count(topic) || !is_owned) {
			continue;
		}
		const struct partition *partition =
			pipeline_partition(pipeline, (uint32_t)topic, number);
		if (partition == NULL || partition->position.next != kafka_size(topic, number)) {
			return false;
		}
	}
	return true;
}

bool aggregator_part_has_read_all(const struct aggregator_part *part)
{
	const struct pipeline *pipelines[SOURCES_MAX];
	size_t count = source_model_pipelines(pipelines);
	bool is_read = true;

	(void)part;
	for (size_t i = 0; i < count; i++) {
		is_read = is_read && pipelines[i] != NULL && has_read_all(pipelines[i]);
	}
	return is_read;
}

static uint64_t records_read(const struct pipeline *pipeline, int number)
{
	const struct partition *partition = pipeline_partition(pipeline, KIND_ORDER, number);

	return partition == NULL ? 0 : partition->position.books.read;
}

bool aggregator_part_has_read_alike(const struct aggregator_part *part)
{
	const struct pipeline *pipelines[SOURCES_MAX];
	size_t count = source_model_pipelines(pipelines);
	bool is_alike = true;

	(void)part;
	for (size_t i = 1; i < count; i++) {
		for (int number = 0; number < PARTITIONS_MAX; number++) {
			is_alike = is_alike && records_read(pipelines[i], number) ==
						       records_read(pipelines[0], number);
		}
	}
	return is_alike;
}

bool aggregator_part_is_settled(const struct aggregator_part *part)
{
	const struct pipeline *pipeline = only_pipeline();

	(void)part;
	if (pipeline == NULL || !has_read_all(pipeline)) {
		return false;
	}
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		if (pipeline->shards[i]->is_changed || pipeline->shards[i]->is_frozen) {
			return false;
		}
	}
	return true;
}

bool aggregator_part_is_untold(const struct aggregator_part *part)
{
	(void)part;
	return worker_model_is_untold();
}

static uint64_t shape_of(const struct pipeline *pipeline)
{
	uint64_t shape = pipeline->shard_count;

	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const struct shard *shard = pipeline->shards[i];
		shape = shape * 2 + shard->is_frozen;
		shape = shape * 2 + shard->is_changed;
		shape = shape * 2 + shard->is_writing;
		shape = shape * 2 + shard->is_full;
	}
	shape = shape * 2 + pipeline_is_caught_up(pipeline);
	shape = shape * 2 + pipeline->is_reachable;
	const struct partition *partition = pipeline_partition(pipeline, KIND_ORDER, 0);
	return shape * 8 + (partition == NULL ? 7 : (uint64_t)partition->state);
}

uint64_t aggregator_part_shape(const struct aggregator_part *part)
{
	const struct pipeline *pipelines[SOURCES_MAX];
	size_t count = source_model_pipelines(pipelines);
	uint64_t shape = 0;

	(void)part;
	for (size_t i = 0; i < count; i++) {
		shape = shape * 1000003 + (pipelines[i] == NULL ? 1 : shape_of(pipelines[i]));
	}
	return shape;
}

/* ---- what is on disk */

struct look {
	int topic, partition;
	struct position *position;
};

static int look_at_position(void *owner, struct slice key, struct slice value)
{
	const struct look *look = owner;
	struct slice topic;
	int32_t number;

	if (!position_key_parse(key, &topic, &number)) {
		abort();
	}
	if (number == look->partition &&
		slice_equals_text(topic, aggregator_part_topic(look->topic)) &&
		!position_decode(value, look->position)) {
		abort();
	}
	return 0;
}

static void look_at_ledger(struct snapshot *snapshot, struct aggregator_mark *mark)
{
	struct ledger ledger = {0};
	struct slice value;

	if (snapshot_get(snapshot, TABLE_SUMMARY, SUMMARY_LEDGER, &value) != 0 ||
		ledger_decode(value, &ledger) != 0) {
		abort();
	}
	mark->knows_cluster = mark->knows_cluster && ledger.cluster_id[0] != '\0';
	ledger_deinit(&ledger);
}

struct aggregator_mark aggregator_part_mark(int topic, int partition)
{
	struct aggregator_mark mark = {.knows_cluster = true};
	struct position position = POSITION_START;
	struct look look = {topic, partition, &position};

	for (int64_t i = 0; i < config->shards; i++) {
		char path[32];
		struct store *store = NULL;
		struct snapshot *snapshot = NULL;
		snprintf(path, sizeof path, "store/shard-%d", (int)i);
		if (!mdb_model_has(path)) {
			return (struct aggregator_mark){.anchor = -1};
		}
		int r = store_new(&(struct store_options){.dir = path}, &store);
		if (r == 0 && store_root(store)->live == 0) {
			store_free(store);
			return (struct aggregator_mark){.anchor = -1};
		}
		if (r == 0) {
			r = snapshot_begin(store, store_root(store)->live, &snapshot);
		}
		if (r == 0) {
			r = snapshot_walk(snapshot, TABLE_OFFSETS, slice_of(NULL, 0),
				look_at_position, &look);
		}
		if (r != 0) {
			abort();
		}
		look_at_ledger(snapshot, &mark);
		snapshot_end(snapshot);
		store_free(store);
	}
	mark.next = position.next;
	mark.anchor = position.anchor.offset;
	mark.anchor_ms = position.anchor.timestamp_ms;
	return mark;
}

const char *aggregator_part_topic(int topic)
{
	return topic < TILL_TOPICS ? config->topics[topic]
				   : config->sources[topic - TILL_TOPICS].topics[0];
}

/* ---- asking */

static void wait_for_answer(struct aggregator_part *part)
{
	for (int i = 0; i < ASK_ROUNDS_MAX && rim_question_is_open(); i++) {
		world.now_ms++;
		if (loop_run(part->loop) != 0) {
			abort();
		}
	}
}

void aggregator_part_wonder(void)
{
	static const char *const questions[] = {
		"{\"query\":\"get\",\"view\":\"by_product\",\"key\":[\"p1\"]}",
		"{\"query\":\"get\",\"view\":\"by_shape\",\"keys\":[[\"p2\",\"EUR\"],[\"p3\","
		"\"EUR\"]]}",
		"{\"query\":\"top\",\"view\":\"by_product\",\"by\":\"total_revenue\",\"limit\":3}",
		"{\"query\":\"scan\",\"view\":\"by_shape\",\"limit\":5}",
		"{\"query\":\"scan\",\"view\":\"by_order\",\"from\":[\"e2\"],\"limit\":50}",
		"{\"query\":\"get\",\"view\":\"by_product\",\"key\":[\"p1\"],\"after\":[{\"edge\":"
		"\"berlin\",\"run\":7,"
		"\"kind\":\"order\",\"seq\":1}],\"timeout_ms\":50}",
		"{\"query\":\"edges\"}",
		"{\"query\":\"ledger\"}",
		"{\"query\":",
	};

	if (!rim_question_is_open()) {
		buffer_deinit(&wondered);
		buffer_init(&wondered, ANSWER_SIZE_MAX);
		rim_question_put(
			questions[world_draw(sizeof questions / sizeof questions[0])], &wondered);
	}
}

static const char *text_of(struct buffer *reply)
{
	if (reply->size == 0) {
		return "";
	}
	buffer_append_byte(reply, 0);
	return (const char *)reply->bytes;
}

bool aggregator_part_request(const void *asker, const char *question)
{
	if (rim_question_is_open() || whose_request != NULL) {
		return false;
	}
	whose_request = asker;
	buffer_deinit(&requested);
	buffer_init(&requested, ANSWER_SIZE_MAX);
	snprintf(question_text, sizeof question_text, "%s", question);
	rim_question_put(question_text, &requested);
	return true;
}

const char *aggregator_part_reply(const void *asker)
{
	if (rim_question_is_open()) {
		return NULL;
	}
	if (whose_request != asker) {
		return "";
	}
	whose_request = NULL;
	return text_of(&requested);
}

void aggregator_part_end_requests(struct aggregator_part *part, const void *asker)
{
	if (whose_request != asker) {
		wait_for_answer(part);
		whose_request = NULL;
	}
}

static void ask_for(struct aggregator_part *part, const char *question, struct buffer *reply)
{
	wait_for_answer(part);
	buffer_init(reply, ANSWER_SIZE_MAX);
	rim_question_put(question, reply);
	wait_for_answer(part);
	if (rim_question_is_open()) {
		fprintf(stderr, "no answer to %s\n", question);
		abort();
	}
}

const char *aggregator_part_ask(struct aggregator_part *part, const char *question)
{
	buffer_deinit(&requested);
	ask_for(part, question, &requested);
	return text_of(&requested);
}

/* The answer of one that can answer. */
static void ask(struct aggregator_part *part, const char *question, struct document *answer,
	struct buffer *reply)
{
	struct complaint complaint;

	ask_for(part, question, reply);
	if (document_init(answer, ANSWER_NODES_MAX) != 0 ||
		document_decode(
			answer, ENCODING_JSON, buffer_slice(reply), NESTING_MAX, &complaint) != 0) {
		fprintf(stderr, "no answer to %s\n", question);
		abort();
	}
}

static void forget(struct document *answer, struct buffer *reply)
{
	document_deinit(answer);
	buffer_deinit(reply);
}

/* Of a view in millionths, of one that has no money, or of a table, a quantity. */
static int64_t amount_of(const struct node *row)
{
	const struct node *revenue = node_find(row, "total_revenue");
	const struct node *quantity = node_find(row, "total_quantity");
	int64_t amount = 0;

	if (revenue != NULL && money_parse_text(revenue->text, &amount) != 0) {
		abort();
	}
	if (quantity != NULL && !node_integer(quantity, &amount)) {
		abort();
	}
	return amount;
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
		const struct node *events = node_find(row, "order_count");
		int64_t count = 1;
		if (events != NULL && !node_integer(events, &count)) {
			abort();
		}
		snprintf(name, sizeof name, "%.*s", (int)first->text.size,
			(const char *)first->text.bytes);
		take(owner, name, (uint64_t)count, amount_of(row));
	}
}

static void each_row(struct aggregator_part *part, const char *view, bool is_staged,
	aggregator_row_fn take, void *owner)
{
	struct document answer;
	struct buffer reply;
	char text[128];

	snprintf(text, sizeof text,
		"{\"query\":\"scan\",\"view\":\"%s\",\"limit\":100000,\"staged\":%s}", view,
		is_staged ? "true" : "false");
	ask(part, text, &answer, &reply);
	take_rows(answer.nodes, take, owner);
	forget(&answer, &reply);
}

void aggregator_part_each_row(
	struct aggregator_part *part, const char *view, aggregator_row_fn take, void *owner)
{
	each_row(part, view, false, take, owner);
}

void aggregator_part_each_staged_row(
	struct aggregator_part *part, const char *view, aggregator_row_fn take, void *owner)
{
	each_row(part, view, true, take, owner);
}

static uint64_t number_at(const struct node *map, const char *key)
{
	const struct node *node = node_find(map, key);
	int64_t number = 0;

	if (node == NULL || !node_integer(node, &number)) {
		abort();
	}
	return (uint64_t)number;
}

static void add_partition(const struct node *partition, struct aggregator_books *books)
{
	struct books own = {.read = number_at(partition, "read")};

	for (int fate = 0; fate < FATE_COUNT; fate++) {
		own.fates[fate] = number_at(partition, fate_name((enum fate)fate));
	}
	books->read += own.read;
	books->counted += own.fates[FATE_COUNTED];
	books->rejected += own.fates[FATE_REJECTED];
	books->duplicates += own.fates[FATE_DUPLICATE];
	books->foreign += own.fates[FATE_FOREIGN];
	books->unreadable += own.fates[FATE_UNREADABLE];
	books->add_up = books->add_up && books_add_up(&own);
}

static void take_problems(const struct node *problems, struct aggregator_books *books)
{
	const struct node *problem = node_first(problems);

	for (uint32_t i = 0; i < problems->count; i++, problem = node_next(problem)) {
		const struct slice *text = &problem->text;
		if (memmem(text->bytes, text->size, "certificate_conflict", 20) != NULL) {
			books->names_conflict = true;
		} else if (books->problem[0] == '\0') {
			snprintf(books->problem, sizeof books->problem, "%.*s", (int)text->size,
				(const char *)text->bytes);
		}
	}
}

struct aggregator_books aggregator_part_books(struct aggregator_part *part)
{
	struct aggregator_books books = {.add_up = true};
	struct document answer;
	struct buffer reply;

	ask(part, "{\"query\":\"status\"}", &answer, &reply);
	const struct node *partitions = node_find(answer.nodes, "partitions");
	const struct node *partition = node_first(partitions);
	for (uint32_t i = 0; i < partitions->count; i++, partition = node_next(partition)) {
		add_partition(partition, &books);
	}
	const struct node *kinds = node_find(answer.nodes, "kinds");
	for (uint32_t lane = 0; lane < KIND_COUNT; lane++) {
		const struct node *kind = node_find(kinds, stream_kind_name(lane));
		books.accepted[lane] = number_at(kind, "counted");
		books.markers[lane] = number_at(kind, "rejected");
	}
	take_problems(node_find(answer.nodes, "problems"), &books);
	forget(&answer, &reply);
	return books;
}

void aggregator_part_listen(void)
{
	subscriber_step();
}

bool aggregator_part_listened(struct aggregator_part *part, char *ret_words, size_t words_size)
{
	return subscriber_is_right(part, ret_words, words_size);
}
