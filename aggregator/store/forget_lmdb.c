/* Tombstones in a store, and the one transaction that takes out of it whom they name: the rows whose keys hold his id, his id
 * in what first() and last() keep, and the bytes of records in the quarantine. Everything or nothing, whenever it dies. */
#include "aggregator/books/quarantine.h"
#include "aggregator/store/store_layout.h"
#include "aggregator/view/measure_row.h"
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

enum {
	TOMBSTONE_KEY_SIZE = 4 + FORGOTTEN_HASH_SIZE,
	VALUE_SIZE_MAX = 1024 * 1024,
};

static const char key_name[] = "forgotten key";
static const char tombstone_prefix[] = "gone";

/* ---- tombstones */

static int load_key(struct MDB_txn *txn, unsigned meta, struct forgotten *forgotten)
{
	struct slice value;
	int r = sealed_get(txn, meta, slice_of_text(key_name), &value);
	if (r == 0 && value.size != FORGOTTEN_KEY_SIZE) {
		return STORE_E_CORRUPT;
	}
	if (r == 0) {
		memcpy(forgotten->key, value.bytes, value.size);
		forgotten->has_key = true;
	}
	return r == STORE_E_ABSENT ? 0 : r;
}

static int load_tombstone(struct slice key, struct slice sealed, struct forgotten *forgotten)
{
	struct tombstone tombstone;
	struct slice value;

	bool fits = seal_open(key, sealed, &value) &&
		    tombstone_decode(slice_of(key.bytes + 4, key.size - 4), value, &tombstone);
	return fits ? forgotten_put(forgotten, &tombstone) : STORE_E_CORRUPT;
}

static bool is_tombstone(MDB_val key)
{
	return key.mv_size >= 4 && memcmp(key.mv_data, tombstone_prefix, 4) == 0;
}

int store_load_forgotten(struct MDB_txn *txn, unsigned meta, struct forgotten *forgotten)
{
	MDB_val key = {4, (void *)tombstone_prefix}, data;
	MDB_cursor *cursor = NULL;

	int r = load_key(txn, meta, forgotten);
	if (r == 0) {
		r = store_from_lmdb(mdb_cursor_open(txn, meta, &cursor));
	}
	int rc = r == 0 ? mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE) : 0;
	while (r == 0 && rc == 0 && is_tombstone(key)) {
		r = load_tombstone(slice_of(key.mv_data, key.mv_size),
			slice_of(data.mv_data, data.mv_size), forgotten);
		rc = r == 0 ? mdb_cursor_get(cursor, &key, &data, MDB_NEXT) : rc;
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r != 0 || rc == MDB_NOTFOUND ? r : store_from_lmdb(rc);
}

static int put_tombstone(const struct summed_table *meta, const struct tombstone *tombstone)
{
	uint8_t key[TOMBSTONE_KEY_SIZE];
	struct buffer value;

	memcpy(key, tombstone_prefix, 4);
	memcpy(key + 4, tombstone->hash, FORGOTTEN_HASH_SIZE);
	buffer_init(&value, VALUE_SIZE_MAX);
	tombstone_encode(tombstone, &value);
	int r = value.error;
	if (r == 0) {
		r = summed_put(meta, slice_of(key, sizeof key), buffer_slice(&value));
	}
	buffer_deinit(&value);
	return r;
}

/* ---- rows */

/* The walk over one generation. */
struct sweep {
	struct store *store;
	MDB_txn *txn;
	MDB_cursor *cursor; /* of the rows */
	const struct generation *generation;
	const struct forgotten *forgotten;
	struct slice user; /* the one who is forgotten now; empty: look at all rows */
	bool must_sweep;
	const struct view *view;
	int group; /* of the view: where keys hold a user; -1: nowhere */
	uint8_t key[ROW_KEY_SIZE_MAX]; /* of the current row: its page may move */
	struct slice name; /* the same */
	struct view_summary summary;
	struct buffer value;
	struct document document;
	struct forget_counts *counts;
};

static int read_user(const struct sweep *sweep, struct slice longs, struct slice *ret_user)
{
	struct group_value values[VIEW_GROUPS_MAX];
	enum group_type types[VIEW_GROUPS_MAX];
	const struct view *view = sweep->view;

	for (size_t i = 0; i < view->group_count; i++) {
		types[i] = group_field_type(&view->groups[i]);
	}
	struct slice key = slice_of(sweep->name.bytes + 1, sweep->name.size - 1);
	if (!row_key_decode(key, longs, types, view->group_count, values)) {
		return STORE_E_CORRUPT;
	}
	*ret_user = values[sweep->group].text;
	return 0;
}

static struct summed_table table_of(const struct sweep *sweep, enum store_table table)
{
	return (struct summed_table){sweep->store, sweep->txn, sweep->generation, table};
}

static int remove_row(struct sweep *sweep, uint64_t event_count, uint64_t hash)
{
	int r = store_from_lmdb(mdb_cursor_del(sweep->cursor, 0));

	sweep->summary.row_count--;
	sweep->summary.matched -= event_count;
	sweep->summary.held += event_count;
	sweep->summary.hash_sum -= hash;
	sweep->counts->rows++;
	sweep->counts->events += event_count;
	return r;
}

/* Whether anything was there to hide. */
static bool hide_stamps(const struct sweep *sweep, struct row *row)
{
	bool is_changed = false;

	for (size_t i = 0; i < sweep->view->measure_count; i++) {
		const struct measure *measure = &sweep->view->measures[i];
		if (measure_tells_user(measure) && row->cells[i].count > 0 &&
			forgotten_has(sweep->forgotten, row->stamps[i].text)) {
			row->stamps[i].text = slice_of_text(FORGOTTEN_TEXT);
			is_changed = true;
		}
	}
	return is_changed;
}

static int rewrite_row(struct sweep *sweep, const struct row *row, uint64_t old_hash)
{
	buffer_clear(&sweep->value);
	row_write(sweep->view, row, &sweep->value);
	if (sweep->value.error != 0) {
		return sweep->value.error;
	}
	struct slice value = buffer_slice(&sweep->value);
	uint32_t checksum = seal_of(sweep->name, value);
	sweep->summary.hash_sum += row_hash(checksum, value.size) - old_hash;
	sweep->counts->texts++;
	return sealed_put(sweep->txn, sweep->generation->tables[TABLE_ROWS], sweep->name, value);
}

static int sweep_row(struct sweep *sweep, struct slice sealed)
{
	struct slice value, user = {0};
	struct row row;

	if (!seal_open(sweep->name, sealed, &value) || row_read(sweep->view, value, &row) < 0) {
		return STORE_E_CORRUPT;
	}
	uint64_t hash = row_hash(seal_of(sweep->name, value), value.size);
	int r = sweep->group < 0 ? 0 : read_user(sweep, row.longs, &user);
	if (r != 0) {
		return r;
	}
	if (forgotten_has(sweep->forgotten, user)) {
		return remove_row(sweep, row.event_count, hash);
	}
	return hide_stamps(sweep, &row) ? rewrite_row(sweep, &row, hash) : 0;
}

static bool has_user_stamps(const struct view *view)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		if (measure_tells_user(&view->measures[i])) {
			return true;
		}
	}
	return false;
}

/* Where his rows begin: where keys begin with the user, and who he is is known, they lie side by side. */
static void find_range(const struct sweep *sweep, struct row_key *ret_prefix)
{
	const struct group_value user = {.type = GROUP_TEXT, .text = sweep->user};

	ret_prefix->size = 0;
	if (sweep->group == 0 && sweep->user.size > 0 && !has_user_stamps(sweep->view)) {
		row_key_append(ret_prefix, &user);
	}
}

static int walk_rows(struct sweep *sweep)
{
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	struct row_key range;
	struct slice prefix;
	int r = 0;

	find_range(sweep, &range);
	row_key_of(view_id(sweep->view), row_key_slice(&range), bytes, &prefix);
	MDB_val key = {prefix.size, bytes}, data;
	int rc = mdb_cursor_get(sweep->cursor, &key, &data, MDB_SET_RANGE);
	while (r == 0 && rc == 0 && key.mv_size >= prefix.size &&
		memcmp(key.mv_data, prefix.bytes, prefix.size) == 0) {
		memcpy(sweep->key, key.mv_data, key.mv_size);
		sweep->name = slice_of(sweep->key, key.mv_size);
		r = sweep_row(sweep, slice_of(data.mv_data, data.mv_size));
		rc = r == 0 ? mdb_cursor_get(sweep->cursor, &key, &data, MDB_NEXT) : rc;
	}
	return r != 0 || rc == MDB_NOTFOUND ? r : store_from_lmdb(rc);
}

static int write_summary(struct sweep *sweep, struct slice key)
{
	const struct summed_table table = table_of(sweep, TABLE_SUMMARY);

	sweep->summary.name = slice_of_text(view_name(sweep->view));
	sweep->summary.text = slice_of_text(view_text(sweep->view));
	buffer_clear(&sweep->value);
	view_summary_encode(&sweep->summary, &sweep->value);
	return sweep->value.error != 0 ? sweep->value.error
				       : summed_put(&table, key, buffer_slice(&sweep->value));
}

static int sweep_view(struct sweep *sweep, const struct view *view)
{
	uint8_t bytes[SUMMARY_KEY_SIZE];
	struct slice key = summary_key(view_id(view), bytes), value;

	sweep->view = view;
	sweep->group = view_user_group(view);
	if (sweep->group < 0 && !has_user_stamps(view)) {
		return 0;
	}
	int r = sealed_get(sweep->txn, sweep->generation->tables[TABLE_SUMMARY], key, &value);
	if (r != 0 || !view_summary_decode(value, &sweep->summary)) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	r = walk_rows(sweep);
	return r == 0 ? write_summary(sweep, key) : r;
}

/* ---- the quarantine */

/* Is he in it, or can that not be told? */
static bool must_hide(struct sweep *sweep, const struct quarantine_entry *entry)
{
	struct complaint complaint;
	struct event event;

	if (entry->value.size == 0) {
		return false; /* hidden before, or never more than that */
	}
	bool is_whole = entry->value.size == entry->value_size;
	int r = is_whole ? event_decode(&sweep->document, encoding_of(entry->value), entry->value,
				   &event, &complaint)
			 : REASON_TOO_LARGE;
	if (r == 0 && event.rejected != REASON_NONE) {
		return false; /* a marker names nobody */
	}
	return r != 0 || forgotten_has(sweep->forgotten, event.text[FIELD_USER_ID]);
}

static int sweep_entry(struct sweep *sweep, MDB_cursor *cursor, MDB_val key, MDB_val data)
{
	const struct summed_table table = table_of(sweep, TABLE_QUARANTINE);
	struct quarantine_entry entry;
	struct slice value;

	sweep->name = slice_of(sweep->key, key.mv_size);
	memcpy(sweep->key, key.mv_data, key.mv_size);
	if (!seal_open(sweep->name, slice_of(data.mv_data, data.mv_size), &value) ||
		!quarantine_decode(value, &entry)) { /* damage can't be read, but may be */
		sweep->counts->quarantined++;
		return summed_delete_at(&table, cursor, sweep->name);
	}
	if (!must_hide(sweep, &entry)) {
		return 0;
	}
	quarantine_hide(&entry);
	buffer_clear(&sweep->value);
	quarantine_encode(&entry, &sweep->value);
	sweep->counts->quarantined++;
	return sweep->value.error != 0
		       ? sweep->value.error
		       : summed_put(&table, sweep->name, buffer_slice(&sweep->value));
}

static int sweep_quarantine(struct sweep *sweep)
{
	unsigned table = sweep->generation->tables[TABLE_QUARANTINE];
	MDB_cursor *cursor = NULL;
	MDB_val key, data;

	int r = store_from_lmdb(mdb_cursor_open(sweep->txn, table, &cursor));
	int rc = r == 0 ? mdb_cursor_get(cursor, &key, &data, MDB_FIRST) : 0;
	while (r == 0 && rc == 0) {
		r = sweep_entry(sweep, cursor, key, data);
		rc = r == 0 ? mdb_cursor_get(cursor, &key, &data, MDB_NEXT) : rc;
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r != 0 || rc == MDB_NOTFOUND ? r : store_from_lmdb(rc);
}

/* ---- all of it */

static int sweep_views(struct sweep *sweep, const struct view_set *views)
{
	int r = store_from_lmdb(
		mdb_cursor_open(sweep->txn, sweep->generation->tables[TABLE_ROWS], &sweep->cursor));

	for (size_t i = 0; r == 0 && i < view_set_count(views); i++) {
		r = sweep_view(sweep, view_set_at(views, i));
	}
	if (sweep->cursor != NULL) {
		mdb_cursor_close(sweep->cursor);
		sweep->cursor = NULL;
	}
	return r;
}

/* Rows are walked as they lie, so no zone is asked for its offsets. */
static int any_zone(void *owner, const char *name, const struct zone **ret_zone)
{
	(void)owner;
	(void)name;
	*ret_zone = NULL;
	return 0;
}

static int load_views(struct store *store, uint32_t generation, struct view_set **ret_views)
{
	struct view_set *views = NULL;

	int r = view_set_new(any_zone, NULL, &views);
	if (r == 0) {
		r = store_load_views(store, generation, views);
	}
	*ret_views = views;
	return r;
}

static int sweep_generation(struct sweep *sweep, uint32_t number, const struct view_set *views)
{
	sweep->generation = store_generation(sweep->store, number);
	int r = sweep_views(sweep, views);
	if (r == 0) {
		r = entries_forget_stored(sweep->store, sweep->txn, sweep->generation,
			sweep->forgotten, sweep->counts);
	}
	return r == 0 ? sweep_quarantine(sweep) : r;
}

static bool is_of(const struct sweep *sweep, const struct tombstone *tombstone)
{
	uint8_t hash[FORGOTTEN_HASH_SIZE];

	forgotten_hash(sweep->forgotten, sweep->user, hash);
	return memcmp(hash, tombstone->hash, sizeof hash) == 0;
}

/* Somebody who was not is hidden in everything from now on. If it is another than who is forgotten now, a request for whom there
 * was no room earlier, his rows lie elsewhere. */
static void note_hidden(struct sweep *sweep, const struct tombstone *tombstone)
{
	sweep->must_sweep = true;
	if (sweep->user.size > 0 && !is_of(sweep, tombstone)) {
		sweep->user = slice_of(NULL, 0);
	}
}

static int put_tombstones(struct sweep *sweep)
{
	const struct forgotten *old = &sweep->store->forgotten, *wanted = sweep->forgotten;
	const struct summed_table meta = {
		.store = sweep->store, .txn = sweep->txn, .table = TABLE_META};
	int r = 0;

	if (wanted->has_key && !old->has_key) {
		r = summed_put(
			&meta, slice_of_text(key_name), slice_of(wanted->key, sizeof wanted->key));
	}
	for (size_t i = 0; i < wanted->count && r == 0; i++) {
		const struct tombstone *now = &wanted->items[i];
		const struct tombstone *before = forgotten_find(old, now->hash);
		if (before == NULL || !tombstone_equal(before, now)) {
			if (now->until_ms == FORGOTTEN_FOR_EVER) {
				note_hidden(sweep, now);
			}
			r = put_tombstone(&meta, now);
		}
	}
	return r;
}

static int write_all(
	struct sweep *sweep, const struct view_set *live_views, const struct view_set *shadow_views)
{
	const struct store_root *root = &sweep->store->root;
	struct store_root marked = *root;

	marked.is_forgetful = true;
	int r = put_tombstones(sweep);
	if (r == 0) {
		r = store_put_root(sweep->store, sweep->txn, &marked);
	}
	if (r == 0 && sweep->must_sweep) {
		r = sweep_generation(sweep, root->live, live_views);
	}
	if (r == 0 && sweep->must_sweep && root->shadow != 0) {
		struct forget_counts uncounted = {0};
		struct forget_counts *counts = sweep->counts;
		sweep->counts = &uncounted; /* what it took out is told of the live one */
		r = sweep_generation(sweep, root->shadow, shadow_views);
		sweep->counts = counts;
	}
	return r;
}

static int write_in_one(struct sweep *sweep)
{
	struct store *store = sweep->store;
	struct view_set *live_views = NULL, *shadow_views = NULL;

	int r = load_views(store, store->root.live, &live_views);
	if (r == 0 && store->root.shadow != 0) {
		r = load_views(store, store->root.shadow, &shadow_views);
	}
	if (r == 0) {
		r = store_txn_begin(store, &sweep->txn);
	}
	if (r == 0) {
		r = write_all(sweep, live_views, shadow_views);
	}
	if (r == 0) {
		r = store_txn_commit(store, sweep->txn);
		sweep->txn = NULL; /* commit ends the transaction, even one that fails */
	}
	if (sweep->txn != NULL) {
		mdb_txn_abort(sweep->txn);
	}
	view_set_free(live_views);
	view_set_free(shadow_views);
	return r == STORE_E_ABSENT ? STORE_E_CORRUPT : r;
}

static bool is_known(const struct forgotten *old, const struct forgotten *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const struct tombstone *before = forgotten_find(old, wanted->items[i].hash);
		if (before == NULL || !tombstone_equal(before, &wanted->items[i])) {
			return false;
		}
	}
	return true;
}

int store_forget(struct store *store, const struct forgotten *wanted, struct slice user,
	struct forget_counts *ret_counts)
{
	struct forgotten next = {0};
	struct forget_counts counts = {0};
	struct sweep sweep = {.store = store, .forgotten = wanted, .user = user, .counts = &counts};

	if (is_known(&store->forgotten, wanted)) {
		*ret_counts = counts;
		return 0;
	}
	buffer_init(&sweep.value, VALUE_SIZE_MAX);
	int r = forgotten_copy(wanted, &next);
	if (r == 0) {
		r = document_init(&sweep.document, EVENT_NODES_MAX);
	}
	if (r == 0) {
		r = write_in_one(&sweep);
	}
	document_deinit(&sweep.document);
	buffer_deinit(&sweep.value);
	if (r != 0) {
		forgotten_deinit(&next);
		return r;
	}
	forgotten_deinit(&store->forgotten);
	store->forgotten = next;
	store->root.is_forgetful = true;
	store->upheld.scrub = (struct scrub){0}; /* rows went behind it: it begins anew */
	*ret_counts = counts;
	return 0;
}

int store_forget_in_memory(struct store *store, const struct forgotten *wanted)
{
	struct forgotten next = {0};

	int r = forgotten_copy(wanted, &next);
	if (r == 0) {
		forgotten_deinit(&store->forgotten);
		store->forgotten = next;
	}
	return r;
}

const struct forgotten *store_forgotten(const struct store *store)
{
	return &store->forgotten;
}
