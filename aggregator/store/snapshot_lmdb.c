/* Reading a store: one generation as of one commit. */
#include "aggregator/store/store_layout.h"
#include "aggregator/view/measure_row.h"
#include "aggregator/view/view_retain.h"
#include "aggregator/view/view_summary.h"
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

/* The commit's number is the ledger's first field. */
static int read_commit(struct snapshot *snapshot)
{
	struct slice value;
	int r = snapshot_get(snapshot, TABLE_SUMMARY, SUMMARY_LEDGER, &value);
	if (r != 0) {
		return r == STORE_E_ABSENT ? STORE_E_CORRUPT : r;
	}
	struct unpack unpack = unpack_of(value);
	snapshot->commit = unpack_u64(&unpack);
	return unpack.failed ? STORE_E_CORRUPT : 0;
}

static int renew(struct store *store, struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = store->spare;
	if (snapshot != NULL) {
		store->spare = NULL;
		int r = store_from_lmdb(mdb_txn_renew(snapshot->txn));
		if (r != 0) {
			mdb_txn_abort(snapshot->txn);
			free(snapshot);
			return r;
		}
		*ret_snapshot = snapshot;
		return 0;
	}
	snapshot = calloc(1, sizeof *snapshot);
	if (snapshot == NULL) {
		return -ENOMEM;
	}
	int r = store_from_lmdb(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &snapshot->txn));
	if (r != 0) {
		free(snapshot);
		return r;
	}
	snapshot->store = store;
	*ret_snapshot = snapshot;
	return 0;
}

/* Which commit it is, its owner asks for himself. */
static int begin(struct store *store, uint32_t generation, struct snapshot **ret_snapshot)
{
	const struct generation *place = store_generation(store, generation);
	if (place == NULL) {
		return STORE_E_ABSENT;
	}
	int r = renew(store, ret_snapshot);
	if (r == 0) {
		(*ret_snapshot)->generation = place;
	}
	return r;
}

int snapshot_begin(struct store *store, uint32_t generation, struct snapshot **ret_snapshot)
{
	struct snapshot *snapshot = NULL;
	int r = begin(store, generation, &snapshot);
	if (r != 0) {
		return r;
	}
	r = read_commit(snapshot);
	if (r != 0) {
		snapshot_end(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

struct snapshot *snapshot_end(struct snapshot *snapshot)
{
	if (snapshot == NULL) {
		return NULL;
	}
	if (snapshot->store->spare == NULL) {
		mdb_txn_reset(snapshot->txn);
		snapshot->store->spare = snapshot;
		return NULL;
	}
	mdb_txn_abort(snapshot->txn);
	free(snapshot);
	return NULL;
}

uint64_t snapshot_commit(const struct snapshot *snapshot)
{
	return snapshot->commit;
}

int snapshot_get(struct snapshot *snapshot, enum store_table table, struct slice key,
	struct slice *ret_value)
{
	int r = sealed_get(snapshot->txn, snapshot->generation->tables[table], key, ret_value);
	if (r == STORE_E_CORRUPT) {
		store_distrust(snapshot->store);
	}
	return r;
}

int store_get(struct store *store, uint32_t generation, enum store_table table, struct slice key,
	struct buffer *ret_value)
{
	struct snapshot *snapshot = NULL;
	struct slice value;

	int r = begin(store, generation, &snapshot);
	if (r == 0) {
		r = snapshot_get(snapshot, table, key, &value);
	}
	if (r == 0) {
		buffer_append(ret_value, value.bytes, value.size);
		r = ret_value->error;
	}
	snapshot_end(snapshot);
	return r;
}

static bool is_damaged(const struct snapshot *snapshot, uint32_t view_id)
{
	const struct store *store = snapshot->store;
	return snapshot->generation->number == store->root.live && view_id < VIEWS_MAX &&
	       (store->damaged_views >> view_id & 1) != 0;
}

int snapshot_row(
	struct snapshot *snapshot, uint32_t view_id, struct slice key, struct slice *ret_value)
{
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	struct slice whole;
	if (is_damaged(snapshot, view_id)) {
		return STORE_E_CORRUPT;
	}
	if (!row_key_of(view_id, key, bytes, &whole)) {
		return STORE_E_ABSENT;
	}
	return snapshot_get(snapshot, TABLE_ROWS, whole, ret_value);
}

int snapshot_summary(struct snapshot *snapshot, uint32_t view_id, struct view_summary *ret_summary)
{
	uint8_t bytes[SUMMARY_KEY_SIZE];
	struct slice value;
	int r = snapshot_get(snapshot, TABLE_SUMMARY, summary_key(view_id, bytes), &value);
	if (r != 0) {
		return r == STORE_E_ABSENT ? STORE_E_CORRUPT : r;
	}
	return view_summary_decode(value, ret_summary) ? 0 : STORE_E_CORRUPT;
}

int snapshot_held(struct snapshot *snapshot, uint32_t view_id, uint64_t *ret_count)
{
	struct view_summary summary;
	int r = snapshot_summary(snapshot, view_id, &summary);
	if (r == 0) {
		*ret_count = summary.held;
	}
	return r;
}

int snapshot_find_member(
	struct snapshot *snapshot, uint32_t view_id, const uint8_t key[MEMBER_KEY_SIZE])
{
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	struct slice whole, value;
	if (!row_key_of(view_id, slice_of(key, MEMBER_KEY_SIZE), bytes, &whole)) {
		return STORE_E_ABSENT;
	}
	return snapshot_get(snapshot, TABLE_MEMBERS, whole, &value);
}

/* Moves to the next pair (MDB_NEXT) or to the first from cursor->key on (MDB_SET_RANGE). */
static int move(struct row_cursor *cursor, MDB_val key, MDB_cursor_op op)
{
	MDB_val data;
	struct slice value;
	int r = store_from_lmdb(mdb_cursor_get(cursor->cursor, &key, &data, op));
	if (r != 0) {
		return r;
	}
	struct slice whole = slice_of(key.mv_data, key.mv_size);
	if (whole.bytes[0] != cursor->view_id) {
		return STORE_E_ABSENT;
	}
	cursor->key = slice_of(whole.bytes + 1, whole.size - 1);
	if (!seal_open(whole, slice_of(data.mv_data, data.mv_size), &value)) {
		return STORE_E_CORRUPT;
	}
	cursor->value = value;
	return 0;
}

int row_cursor_open(struct snapshot *snapshot, uint32_t view_id, struct slice from,
	struct row_cursor *ret_cursor)
{
	struct row_cursor cursor = {.snapshot = snapshot, .view_id = view_id};
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	struct slice whole;

	if (is_damaged(snapshot, view_id)) {
		return STORE_E_CORRUPT;
	}
	if (!row_key_of(view_id, from, bytes, &whole)) {
		return STORE_E_ABSENT;
	}
	int r = store_from_lmdb(mdb_cursor_open(snapshot->txn,
		snapshot->generation->tables[TABLE_ROWS], (MDB_cursor **)&cursor.cursor));
	if (r != 0) {
		return r;
	}
	r = move(&cursor, (MDB_val){whole.size, bytes}, MDB_SET_RANGE);
	if (r != 0) {
		row_cursor_close(&cursor);
		return r;
	}
	*ret_cursor = cursor;
	return 0;
}

int row_cursor_next(struct row_cursor *cursor)
{
	return move(cursor, (MDB_val){0, NULL}, MDB_NEXT);
}

void row_cursor_close(struct row_cursor *cursor)
{
	if (cursor->cursor != NULL) {
		mdb_cursor_close(cursor->cursor);
		cursor->cursor = NULL;
	}
}

int snapshot_walk(struct snapshot *snapshot, enum store_table table, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner)
{
	MDB_cursor *cursor = NULL;
	MDB_val key = {from.size, (void *)from.bytes}, data;
	MDB_cursor_op op = from.size == 0 ? MDB_FIRST : MDB_SET_RANGE;

	int r = store_from_lmdb(
		mdb_cursor_open(snapshot->txn, snapshot->generation->tables[table], &cursor));
	while (r == 0) {
		struct slice value;
		r = store_from_lmdb(mdb_cursor_get(cursor, &key, &data, op));
		op = MDB_NEXT;
		if (r != 0) {
			break;
		}
		struct slice name = slice_of(key.mv_data, key.mv_size);
		r = seal_open(name, slice_of(data.mv_data, data.mv_size), &value)
			    ? each(owner, name, value)
			    : STORE_E_CORRUPT;
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r == STORE_E_ABSENT ? 0 : r;
}

static int settle_row(
	const struct view *view, const struct row_cursor *row, struct view_summary *summary)
{
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	uint64_t event_count = 0;
	struct slice whole;

	if (row_event_count(view, row->value, &event_count) != 0 ||
		!row_key_of(row->view_id, row->key, bytes, &whole)) {
		return STORE_E_CORRUPT;
	}
	summary->row_count--;
	summary->matched -= event_count;
	summary->expired += event_count;
	summary->hash_sum -= row_hash(seal_of(whole, row->value), row->value.size);
	return 0;
}

int snapshot_settle(struct snapshot *snapshot, const struct view *view, int64_t cutoff,
	struct view_summary *summary)
{
	struct row_cursor row;
	int r = cutoff == INT64_MIN
			? STORE_E_ABSENT
			: row_cursor_open(snapshot, view_id(view), slice_of(NULL, 0), &row);

	while (r == 0) {
		if (view_key_has_ended(view, row.key, cutoff)) {
			r = settle_row(view, &row, summary);
		}
		if (r != 0) {
			row_cursor_close(&row);
			return r;
		}
		r = row_cursor_next(&row);
		if (r != 0) {
			row_cursor_close(&row);
		}
	}
	return r == STORE_E_ABSENT ? 0 : r;
}
