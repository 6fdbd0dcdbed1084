/* The slow walk over all rows of all tables, part by part: rows and members of each view, held against its summary, and the other
 * tables, held against the store's sums. On the committing thread, so that no commit comes between its steps. */
#include "aggregator/store/store_layout.h"
#include "aggregator/view/measure_row.h"
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>

enum { VIEW_PARTS = 2 }; /* rows, members */

/* Behind all views. */
static const enum store_table other_parts[] = {TABLE_STREAMS, TABLE_OFFSETS, TABLE_SUMMARY,
	TABLE_QUARANTINE, TABLE_FINGERPRINTS, TABLE_ENTRIES, TABLE_META};

bool scrub_has_passed(const struct scrub *scrub, const struct generation *generation,
	enum store_table table, struct slice key)
{
	if (scrub->table != table || scrub->key_size == 0 ||
		(generation != NULL && scrub->generation != generation->number) ||
		(table_is_of_views(table) && key.bytes[0] != scrub->view_id)) {
		return false;
	}
	size_t common = key.size < scrub->key_size ? key.size : scrub->key_size;
	int order = memcmp(key.bytes, scrub->key, common);
	return order < 0 || (order == 0 && key.size <= scrub->key_size);
}

size_t store_scrub_parts(const struct view_set *views)
{
	return VIEW_PARTS * view_set_count(views) + sizeof other_parts / sizeof other_parts[0];
}

static void begin_part(
	struct scrub *scrub, uint32_t generation, size_t part, const struct view_set *views)
{
	size_t of_views = VIEW_PARTS * view_set_count(views);

	*scrub = (struct scrub){.generation = generation, .part = (uint32_t)part};
	if (part < of_views) {
		scrub->view_id = (uint32_t)(part / VIEW_PARTS);
		scrub->table = part % VIEW_PARTS == 0 ? TABLE_ROWS : TABLE_MEMBERS;
	} else if (part < store_scrub_parts(views)) {
		scrub->table = other_parts[part - of_views];
	}
}

/* ---- walking */

/* One step of the walk. */
struct step {
	struct store *store;
	struct snapshot snapshot; /* of this thread's own: the loop's spare one is not ours */
	struct scrub *scrub;
	const struct view *view; /* NULL: of a table of no view */
	bool at_end; /* the part has no more rows */
};

static int see_row(const struct step *step, struct slice key, struct slice sealed)
{
	struct scrub *scrub = step->scrub;
	struct slice value;
	uint64_t event_count = 0;

	if (!seal_open(key, sealed, &value) ||
		(scrub->table == TABLE_ROWS &&
			row_event_count(step->view, value, &event_count) != 0)) {
		return STORE_E_CORRUPT;
	}
	table_sum_add(&scrub->sum, sealed);
	scrub->matched += event_count;
	memcpy(scrub->key, key.bytes, key.size);
	scrub->key_size = key.size;
	return 0;
}

static int place_cursor(const struct scrub *scrub, MDB_cursor *cursor, MDB_val *key, MDB_val *data)
{
	uint8_t first = (uint8_t)scrub->view_id;
	bool is_at_first = scrub->key_size == 0 && !table_is_of_views(scrub->table);

	*key = scrub->key_size == 0 ? (MDB_val){1, &first}
				    : (MDB_val){scrub->key_size, (void *)scrub->key};
	int rc = mdb_cursor_get(cursor, key, data, is_at_first ? MDB_FIRST : MDB_SET_RANGE);
	if (rc == 0 && scrub->key_size == key->mv_size &&
		memcmp(scrub->key, key->mv_data, key->mv_size) == 0) {
		rc = mdb_cursor_get(cursor, key, data, MDB_NEXT); /* seen the last time */
	}
	return rc;
}

static bool is_of_part(const struct step *step, MDB_val key)
{
	return step->view == NULL || *(const uint8_t *)key.mv_data == step->scrub->view_id;
}

static int walk_rows(struct step *step, size_t rows_max)
{
	const struct scrub *scrub = step->scrub;
	MDB_cursor *cursor = NULL;
	MDB_val key, data;
	int r = 0;

	unsigned table = scrub->table == TABLE_META
				 ? step->store->meta
				 : step->snapshot.generation->tables[scrub->table];
	int rc = mdb_cursor_open(step->snapshot.txn, table, &cursor);
	if (rc == 0) {
		rc = place_cursor(scrub, cursor, &key, &data);
	}
	for (size_t i = 0; i < rows_max && rc == 0 && r == 0; i++) {
		if (!is_of_part(step, key)) {
			rc = MDB_NOTFOUND;
			break;
		}
		r = see_row(step, slice_of(key.mv_data, key.mv_size),
			slice_of(data.mv_data, data.mv_size));
		if (r == 0) {
			rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
		}
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	step->at_end = rc == MDB_NOTFOUND;
	return r != 0 || rc == MDB_NOTFOUND ? r : store_from_lmdb(rc);
}

/* ---- comparing */

static int compare_view(struct step *step)
{
	const struct scrub *scrub = step->scrub;
	struct view_summary summary;

	int r = snapshot_summary(&step->snapshot, scrub->view_id, &summary);
	if (r != 0) {
		return r;
	}
	struct table_sum told = {summary.row_count, summary.hash_sum};
	bool fits = summary.matched == scrub->matched;
	if (scrub->table == TABLE_MEMBERS) {
		told = (struct table_sum){summary.member_count, summary.member_hash_sum};
		fits = true;
	}
	return fits && table_sum_equal(&told, &scrub->sum) ? 0 : STORE_E_CORRUPT;
}

/* No commit is under way: the sums are those of what was walked. */
static int compare_table(const struct step *step)
{
	const struct scrub *scrub = step->scrub;
	struct store_sums *sums = &step->store->upheld.sums;
	const struct table_sum *told = &sums->meta;

	if (scrub->table != TABLE_META) {
		told = &store_sums_find(sums, scrub->generation)->tables[scrub->table];
	}
	return table_sum_equal(told, &scrub->sum) ? 0 : STORE_E_CORRUPT;
}

static int compare(struct step *step)
{
	return step->view != NULL ? compare_view(step) : compare_table(step);
}

/* ---- saying */

static void say(const struct step *step, bool is_sum, char *ret_error, size_t error_size)
{
	const struct scrub *scrub = step->scrub;
	char table[STORE_TABLE_NAME_SIZE] = "meta";

	if (scrub->table == TABLE_ROWS) {
		snprintf(ret_error, error_size, "view %s: %s", view_name(step->view),
			is_sum ? "its rows do not add up to its row count, events and hashes"
			       : "a row's checksum does not fit");
	} else if (scrub->table == TABLE_MEMBERS) {
		snprintf(ret_error, error_size, "view %s: %s", view_name(step->view),
			is_sum ? "what it counts as distinct does not add up"
			       : "the checksum of what it counts as distinct does not fit");
	} else {
		if (scrub->table != TABLE_META) {
			store_table_name(scrub->table, scrub->generation, table);
		}
		snprintf(ret_error, error_size, "table %s: %s", table,
			is_sum ? "rows are missing, or are as they were earlier"
			       : "a row's checksum does not fit");
	}
}

/* From now on nobody is told what is in its view. */
static void give_up(const struct step *step)
{
	if (step->view != NULL) {
		step->store->damaged_views |= UINT64_C(1) << step->scrub->view_id;
	}
	store_distrust(step->store);
}

static int take_step(struct step *step, size_t rows_max, char *ret_error, size_t error_size)
{
	int r = walk_rows(step, rows_max);
	bool is_sum = r == 0 && step->at_end;

	if (is_sum) {
		r = compare(step);
	}
	if (r == STORE_E_CORRUPT) {
		say(step, is_sum, ret_error, error_size);
		give_up(step);
		step->at_end = true; /* the other parts are walked all the same */
	}
	return r;
}

int store_scrub(struct store *store, const struct view_set *views, size_t rows_max, char *ret_error,
	size_t error_size)
{
	struct scrub *scrub = &store->upheld.scrub;
	struct step step = {.store = store, .scrub = scrub};

	if (scrub->generation != store->root.live || scrub->part >= store_scrub_parts(views)) {
		begin_part(scrub, store->root.live, 0, views);
	}
	step.view = table_is_of_views(scrub->table) ? view_set_at(views, scrub->view_id) : NULL;
	step.snapshot.store = store;
	step.snapshot.generation = store_generation(store, scrub->generation);
	int r = store_from_lmdb(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &step.snapshot.txn));
	if (r != 0) {
		return r < 0 ? r : -EIO;
	}
	r = take_step(&step, rows_max, ret_error, error_size);
	mdb_txn_abort(step.snapshot.txn);
	if (step.at_end) {
		begin_part(scrub, store->root.live, scrub->part + 1, views);
	}
	return r == STORE_E_ABSENT ? 0 : r;
}
