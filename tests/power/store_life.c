/* An aggregator's stores: totals are the fold of the log up to the offsets that lie beside them, after every power loss. */
#include "aggregator/log/pipeline.h"
#include "aggregator/store/commit.h"
#include "chance.h"
#include "journal.h"
#include "store_log.h"
#include "subject.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SHARDS = 2,
	STEPS = 45,
	VERSIONS_MAX = STEPS + 64,
	RECORDS_A_STEP = 14,
	SCRUB_ROWS = 100000,
	DROP_ROWS = 100,
	ID_SIZE = STORE_ID_SIZE,
};

#define MAP_SIZE (INT64_C(64) << 20)

/* All that was on disk when a commit was reported. */
struct version {
	size_t end; /* of the journal */
	int64_t next[LOG_PARTITIONS];
	char live_id[ID_SIZE];
};

/* Somebody who reads the log into one generation. */
struct reader {
	struct pipeline *pipeline;
	int64_t from[LOG_PARTITIONS]; /* where it was told to begin; -1: it was not */
};

struct life {
	struct chance chance;
	char dir[PATH_MAX];
	struct view_set *views;
	struct stores *stores;
	struct reader live, shadow;
	uint32_t ids; /* given */
	bool commit_failed;
	struct version versions[VERSIONS_MAX];
	size_t version_count;
};

static struct life life;

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "store: %s\n", what);
	exit(3);
}

/* ---- a store, and pipelines over it */

static int open_stores(const char *dir, struct stores **ret_stores, char *why)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%.4000s/store", dir);
	const struct stores_options options = {
		.dir = path,
		.shard_count = SHARDS,
		.map_size = MAP_SIZE,
		.may_create = true,
		.views = life.views,
		.new_id = "00000000000000000000000000000001",
	};
	return stores_new(&options, ret_stores, why, WHY_SIZE);
}

static void on_commit(void *owner, int result, int64_t took_us)
{
	(void)owner;
	(void)took_us;
	life.commit_failed = life.commit_failed || result != 0;
}

static int on_start(void *owner, uint32_t topic, int32_t partition, int64_t offset)
{
	struct reader *reader = owner;
	if (topic == KIND_ORDER) {
		reader->from[partition] = offset;
	}
	return 0;
}

static void on_notice(void *owner, const char *what, const char *topic, int32_t partition)
{
	(void)owner;
	(void)what;
	(void)topic;
	(void)partition;
}

static int open_reader(struct stores *stores, uint32_t generation, struct reader *reader)
{
	static const struct text_set nothing;
	struct pipeline_options options = {
		.stores = stores,
		.views = life.views,
		.generation = generation,
		.topics = {{"orders", "cart_events", "page_views", "orders.dlq", "cart_events.dlq",
				   "page_views.dlq"},
			KIND_COUNT},
		.owns_all = true,
		.commit_interval_ms = 1000,
		.entries_at_once = 4,
		.overlay_bytes_max = INT64_C(64) << 20,
		.accepted = &nothing,
		.committed = on_commit,
		.start = on_start,
		.notice = on_notice,
		.owner = reader,
	};
	memset(reader->from, 0xff, sizeof reader->from);
	return pipeline_new(&options, &reader->pipeline);
}

/* Kafka says what it holds, and the pipeline where to begin. */
static int observe(struct reader *reader)
{
	struct watermarks marks[LOG_PARTITIONS];
	struct log_report report = {
		.is_reachable = true, .partition_counts = {LOG_PARTITIONS}, .partitions = {marks}};
	snprintf(report.cluster_id, sizeof report.cluster_id, "cluster-a");
	for (int32_t i = 0; i < LOG_PARTITIONS; i++) {
		marks[i] = (struct watermarks){.low = 0, .high = log_end(i)};
	}
	return pipeline_observe(reader->pipeline, &report);
}

/* At most so many records of each partition. */
static int read_on(struct reader *reader, int64_t count)
{
	for (int32_t partition = 0; partition < LOG_PARTITIONS; partition++) {
		int64_t *from = &reader->from[partition];
		for (int64_t i = 0; i < count && *from >= 0 && *from < log_end(partition); i++) {
			struct record record = log_record(partition, (*from)++);
			int r = pipeline_take(reader->pipeline, &record);
			if (r != 0) {
				return r;
			}
		}
	}
	return 0;
}

static int commit_all(struct stores *stores, struct reader *reader)
{
	bool is_clean = false;
	while (!is_clean && !life.commit_failed) {
		int r = pipeline_flush(reader->pipeline, &is_clean);
		if (r != 0) {
			return r;
		}
		for (size_t i = 0; i < stores->count; i++) {
			worker_drain(stores->workers[i]);
		}
	}
	return life.commit_failed ? -EIO : 0;
}

static void note_positions(const struct reader *reader, int64_t next[LOG_PARTITIONS])
{
	for (int32_t i = 0; i < LOG_PARTITIONS; i++) {
		const struct partition *partition =
			pipeline_partition(reader->pipeline, KIND_ORDER, i);
		next[i] = partition == NULL ? 0 : partition->position.next;
	}
}

/* ---- the life */

static void keep_version(void)
{
	struct version *version = &life.versions[life.version_count];
	if (++life.version_count == VERSIONS_MAX) {
		give_up("too many versions");
	}
	version->end = journal_count();
	note_positions(&life.live, version->next);
	memcpy(version->live_id, stores_root(life.stores)->live_id, ID_SIZE);
}

static void must(int r, const char *what)
{
	if (r != 0) {
		fprintf(stderr, "store: %d\n", r);
		give_up(what);
	}
}

static void make_id(char id[ID_SIZE])
{
	snprintf(id, ID_SIZE, "%032u", ++life.ids);
}

static void open_aggregator(void)
{
	char why[WHY_SIZE] = "";
	if (open_stores(life.dir, &life.stores, why) != 0) {
		give_up(why);
	}
	must(open_reader(life.stores, stores_root(life.stores)->live, &life.live), "no pipeline");
	must(observe(&life.live), "the log is not the log");
	if (stores_root(life.stores)->shadow != 0) {
		must(open_reader(life.stores, stores_root(life.stores)->shadow, &life.shadow),
			"no shadow");
		must(observe(&life.shadow), "the log is not the shadow's");
	}
}

static void close_aggregator(void)
{
	life.live.pipeline = pipeline_free(life.live.pipeline);
	life.shadow.pipeline = pipeline_free(life.shadow.pipeline);
	life.stores = stores_free(life.stores);
}

static bool has_place(void)
{
	for (size_t i = 0; i < life.stores->count; i++) {
		if (store_root(life.stores->items[i])->dropping != 0) {
			return false;
		}
	}
	return true;
}

static void begin_rebuild(void)
{
	char id[ID_SIZE];
	if (life.shadow.pipeline != NULL || !has_place()) {
		return;
	}
	make_id(id);
	must(stores_begin_shadow(life.stores, life.views, id), "no shadow was begun");
	must(open_reader(life.stores, stores_root(life.stores)->shadow, &life.shadow), "no shadow");
	must(observe(&life.shadow), "the log is not the shadow's");
}

static void go_on_rebuilding(void)
{
	if (life.shadow.pipeline == NULL) {
		return;
	}
	must(read_on(&life.shadow, 1 + (int64_t)chance_below(&life.chance, 100)),
		"the shadow can't be filled");
	must(commit_all(life.stores, &life.shadow), "the shadow can't be written");
	if (!pipeline_reached(life.shadow.pipeline, life.live.pipeline) || !has_place()) {
		return;
	}
	must(read_on(&life.shadow, INT64_MAX), "the shadow can't be filled");
	must(read_on(&life.live, INT64_MAX), "the log can't be read");
	must(commit_all(life.stores, &life.shadow), "the shadow can't be written");
	must(commit_all(life.stores, &life.live), "a commit failed");
	keep_version();
	must(stores_switch(life.stores), "no switch");
	pipeline_free(life.live.pipeline);
	life.live = life.shadow;
	life.live.pipeline->options.owner = &life.live;
	life.shadow.pipeline = NULL;
}

static void drop_some(void)
{
	for (size_t i = 0; i < life.stores->count; i++) {
		struct store *store = life.stores->items[i];
		bool is_empty = false;
		if (store_root(store)->dropping == 0) {
			continue;
		}
		must(store_drop_step(store, DROP_ROWS, &is_empty), "rows can't be dropped");
		if (is_empty) {
			must(store_finish_drop(store), "tables can't be dropped");
		}
	}
}

static void sell(void)
{
	log_append(&life.chance, RECORDS_A_STEP);
	must(read_on(&life.live, 1 + (int64_t)chance_below(&life.chance, RECORDS_A_STEP)),
		"the log can't be read");
	must(commit_all(life.stores, &life.live), "a commit failed");
}

static void step(void)
{
	uint64_t what = chance_below(&life.chance, 100);
	if (what < 60) {
		sell();
	} else if (what < 68) {
		begin_rebuild();
	} else if (what < 84) {
		go_on_rebuilding();
	} else if (what < 94) {
		drop_some();
	} else {
		close_aggregator();
		open_aggregator();
	}
}

static void live(uint64_t seed, const char *dir)
{
	life.chance = chance_of(seed, 0);
	life.views = log_views();
	life.ids = 1;
	snprintf(life.dir, sizeof life.dir, "%s", dir);
	log_clear();
	open_aggregator();
	keep_version();
	for (int i = 0; i < STEPS; i++) {
		step();
		keep_version();
	}
	close_aggregator();
}

/* ---- looking */

/* Do the rows and sums that checks go by fit? */
static bool adds_up(struct stores *stores, char why[WHY_SIZE])
{
	for (size_t i = 0; i < stores->count; i++) {
		struct store *store = stores->items[i];
		int r = store_check_sums(store, store_root(store)->live, life.views, why, WHY_SIZE);
		for (size_t part = 0; part < store_scrub_parts(life.views) && r == 0; part++) {
			r = store_scrub(store, life.views, SCRUB_ROWS, why, WHY_SIZE);
		}
		if (r != 0) {
			return false;
		}
	}
	return true;
}

static bool answers_are_right(
	struct stores *stores, const struct reader *reader, char why[WHY_SIZE])
{
	struct answer_context context = {.views = life.views, .shard_count = stores->count};
	static const char *const no_gaps[] = {NULL};
	int64_t next[LOG_PARTITIONS];
	bool is_right = true;

	note_positions(reader, next);
	context.freshness = (struct freshness){.store_id = "x", .gaps = no_gaps};
	for (size_t i = 0; i < stores->count; i++) {
		int r = shard_layers(reader->pipeline->shards[i], &context.shards[i]);
		if (r != 0) {
			snprintf(why, WHY_SIZE, "shard %zu can't be asked: %d", i, r);
			is_right = false;
		}
	}
	is_right = is_right && log_totals_fit(&context, next, why);
	for (size_t i = 0; i < stores->count; i++) {
		snapshot_end(context.shards[i].snapshot);
	}
	return is_right;
}

/* Each shard is where one of the two versions has it, as a whole. */
static bool is_between(
	const int64_t next[LOG_PARTITIONS], const struct version *a, const struct version *b)
{
	for (int shard = 0; shard < SHARDS; shard++) {
		bool is_a = true, is_b = true;
		for (int i = shard; i < LOG_PARTITIONS; i += SHARDS) {
			is_a = is_a && next[i] == a->next[i];
			is_b = is_b && next[i] == b->next[i];
		}
		if (!is_a && !is_b) {
			return false;
		}
	}
	return true;
}

static bool is_acknowledged(
	struct stores *stores, const struct reader *reader, size_t end, char why[WHY_SIZE])
{
	const char *id = stores_root(stores)->live_id;
	int64_t next[LOG_PARTITIONS];
	size_t last = 0;

	while (last + 1 < life.version_count && life.versions[last + 1].end <= end) {
		last++;
	}
	const struct version *a = &life.versions[last];
	const struct version *b = last + 1 < life.version_count ? a + 1 : a;
	note_positions(reader, next);
	if (end < life.versions[0].end) {
		return true; /* a store in the making */
	}
	bool is_known = strcmp(id, a->live_id) == 0 || strcmp(id, b->live_id) == 0;
	if (!is_known || !is_between(next, a, b)) {
		snprintf(why, WHY_SIZE,
			"store %s at %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
			"; acknowledged: store %s at %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
			id, next[0], next[1], next[2], next[3], a->live_id, a->next[0], a->next[1],
			a->next[2], a->next[3]);
		return false;
	}
	return true;
}

/* The rest of the log: what LMDB takes for free pages is written to. */
static bool catches_up(struct stores *stores, struct reader *reader, char why[WHY_SIZE])
{
	int r = observe(reader);
	if (r == 0) {
		r = read_on(reader, INT64_MAX);
	}
	life.commit_failed = false;
	if (r == 0) {
		r = commit_all(stores, reader);
	}
	if (r != 0) {
		snprintf(why, WHY_SIZE, "the rest of the log can't be counted: %d", r);
	}
	return r == 0;
}

static bool recovers(const char *dir, size_t end, char why[WHY_SIZE])
{
	struct reader reader = {0};
	struct stores *stores = NULL;
	bool is_right = false;

	int r = open_stores(dir, &stores, why);
	if (r == 0) {
		r = open_reader(stores, stores_root(stores)->live, &reader);
	}
	if (r == 0) {
		is_right = is_acknowledged(stores, &reader, end, why) && adds_up(stores, why) &&
			   answers_are_right(stores, &reader, why) &&
			   catches_up(stores, &reader, why) && adds_up(stores, why) &&
			   answers_are_right(stores, &reader, why);
	}
	pipeline_free(reader.pipeline);
	stores_free(stores);
	return is_right;
}

/* ---- damaged files */

/* A query that is refused, or an alarm of the check, is a word; a total that is not the log's is a lie. */
static enum verdict look(const char *dir, bool goes_on, char why[WHY_SIZE])
{
	struct reader reader = {0};
	struct stores *stores = NULL;
	enum verdict verdict = VERDICT_REFUSED;

	int r = open_stores(dir, &stores, why);
	if (r != 0) {
		return why[0] != '\0' ? VERDICT_REFUSED : VERDICT_WRONG;
	}
	r = open_reader(stores, stores_root(stores)->live, &reader);
	if (r == 0) {
		verdict = answers_are_right(stores, &reader, why) ? VERDICT_WHOLE : VERDICT_WRONG;
		if (verdict == VERDICT_WRONG && log_was_refused()) {
			verdict = VERDICT_KNOWN;
		}
	}
	if (verdict == VERDICT_WHOLE && goes_on) {
		verdict = catches_up(stores, &reader, why) ? VERDICT_WHOLE : VERDICT_KNOWN;
		if (verdict == VERDICT_WHOLE && !answers_are_right(stores, &reader, why)) {
			verdict = log_was_refused() ? VERDICT_KNOWN : VERDICT_WRONG;
		}
	}
	pipeline_free(reader.pipeline);
	stores_free(stores);
	return verdict;
}

/* An older shard reads on from where it is: the truth is the log's. */
static enum verdict endures(const char *dir, bool is_older, char why[WHY_SIZE])
{
	(void)is_older;
	log_append(&life.chance, RECORDS_A_STEP * 4);
	enum verdict verdict = look(dir, true, why);
	if (verdict == VERDICT_REFUSED || verdict == VERDICT_WRONG) {
		return verdict;
	}
	enum verdict again = look(dir, false, why);
	return again == VERDICT_WRONG ? again : verdict;
}

int main(int argc, char **argv)
{
	static const char *const files[] = {
		"store/shard-0/data.mdb", "store/shard-1/data.mdb", NULL};
	const struct subject subject = {.name = "store",
		.live = live,
		.recovers = recovers,
		.endures = endures,
		.files = files};
	return subject_main(argc, argv, &subject);
}
