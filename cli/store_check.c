#include "cli/store_check.h"

#include "aggregator/shard/stores.h"
#include "aggregator/store/commit.h"
#include "cli/number_text.h"
#include "cli/session.h"
#include "runtime/program.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "till verify";

#define STORE_MAP_SIZE (INT64_C(1) << 40) /* as the aggregator opens it; address space only */

/* What is found in all shards. */
struct check {
	uint64_t rows;
	uint64_t streams;
	uint64_t problems;
};

/* Rows are walked as they lie, so no zone is asked for its offsets. */
static int any_zone(void *owner, const char *zone_name, const struct zone **ret_zone)
{
	(void)owner;
	(void)zone_name;
	*ret_zone = NULL;
	return 0;
}

static void found(struct check *check, size_t shard, const char *what)
{
	check->problems++;
	say(name, "shard %zu: %s", shard, what);
}

static int count_pair(void *owner, struct slice key, struct slice value)
{
	uint64_t *count = owner;

	(void)key;
	(void)value;
	++*count;
	return 0;
}

/* Reading a pair checks its checksum. What rows add up to is left to store_scrub. */
static int walk_tables(struct check *check, struct store *store, size_t shard)
{
	static const struct {
		enum store_table table;
		const char *broken;
	} tables[] = {{TABLE_STREAMS, "a counted set's checksum does not fit"},
		{TABLE_OFFSETS, "an offset's checksum does not fit"},
		{TABLE_QUARANTINE, "a quarantined record's checksum does not fit"},
		{TABLE_FINGERPRINTS, "a fingerprint's checksum does not fit"},
		{TABLE_ENTRIES, "an entry's checksum does not fit"}};
	struct snapshot *snapshot = NULL;

	int r = snapshot_begin(store, store_root(store)->live, &snapshot);
	for (size_t i = 0; r == 0 && i < sizeof tables / sizeof tables[0]; i++) {
		uint64_t count = 0;
		r = snapshot_walk(
			snapshot, tables[i].table, (struct slice){NULL, 0}, count_pair, &count);
		if (r == STORE_E_CORRUPT) {
			found(check, shard, tables[i].broken);
			r = 0;
		}
		check->streams += tables[i].table == TABLE_STREAMS ? count : 0;
		r = r == STORE_E_ABSENT ? 0 : r;
	}
	snapshot_end(snapshot);
	return r;
}

static int count_rows(struct check *check, struct store *store)
{
	struct snapshot *snapshot = NULL;

	int r = snapshot_begin(store, store_root(store)->live, &snapshot);
	if (r == 0) {
		r = snapshot_walk(
			snapshot, TABLE_ROWS, (struct slice){NULL, 0}, count_pair, &check->rows);
	}
	snapshot_end(snapshot);
	return r < 0 ? r : 0; /* damage was said already, view by view */
}

static int walk_views(
	struct check *check, struct store *store, const struct view_set *views, size_t shard)
{
	char error[512] = "";

	for (size_t i = 0; i < store_scrub_parts(views); i++) {
		int r = store_scrub(store, views, SIZE_MAX, error, sizeof error);
		if (r < 0) {
			return r;
		}
		if (r > 0) {
			found(check, shard, error);
		}
	}
	int r = store_check_sums(store, store_root(store)->live, views, error, sizeof error);
	if (r > 0) {
		found(check, shard, error);
	}
	return r < 0 ? r : 0;
}

static int check_shard(struct check *check, struct store *store, size_t shard)
{
	struct view_set *views = NULL;

	int r = view_set_new(any_zone, NULL, &views);
	if (r == 0) {
		r = store_load_views(store, store_root(store)->live, views);
	}
	if (r > 0) {
		found(check, shard, "its views can't be read");
		r = 0;
	} else if (r == 0) {
		r = walk_views(check, store, views, shard);
	}
	if (r == 0) {
		r = walk_tables(check, store, shard);
	}
	if (r == 0) {
		r = count_rows(check, store);
	}
	view_set_free(views);
	return r;
}

int store_check_folder(const char *folder)
{
	struct stores_options options = {.dir = folder, .map_size = STORE_MAP_SIZE};
	struct stores *stores = NULL;
	struct check check = {.rows = 0};
	char error[512] = "out of memory";
	char rows[NUMBER_TEXT_SIZE];
	char streams[NUMBER_TEXT_SIZE];

	int r = stores_new(&options, &stores, error, sizeof error);
	if (r != 0) {
		say(name, "%s", error);
		return EXIT_FAILED;
	}
	for (size_t i = 0; r == 0 && i < stores->count; i++) {
		r = check_shard(&check, stores->items[i], i);
	}
	if (r == 0) {
		printf("store %s: %zu shard%s, %s rows, %s counted sets, %llu problems\n%s\n",
			stores_root(stores)->live_id, stores->count, stores->count == 1 ? "" : "s",
			number_text(rows, (int64_t)check.rows),
			number_text(streams, (int64_t)check.streams),
			(unsigned long long)check.problems, check.problems > 0 ? "DAMAGED" : "ok");
	} else {
		say(name, "%s: %s", folder, r < 0 ? strerror(-r) : "the store can't be read");
	}
	stores_free(stores);
	return r == 0 && check.problems == 0 ? EXIT_STOPPED : EXIT_FAILED;
}
