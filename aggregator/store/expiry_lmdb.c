/* Rows that have ended, and their members, deleted within a commit's transaction. What a row counted moves from the view's
 * Σcount to its `expired`, so that the sums hold at every moment. */
#include "aggregator/store/store_layout.h"
#include "aggregator/view/measure_row.h"
#include "aggregator/view/view_retain.h"
#include <errno.h>
#include <lmdb.h>

enum {
	SUMMARY_SIZE_MAX = 128 * 1024, /* a declaration's text has 64 KiB at most */
	EXPIRY_E_PAUSE = 100, /* the commit has done its share */
	EXPIRY_E_END,
};

/* The work on one view. */
struct expiring {
	const struct expiry_options *options;
	struct expiry *expiry;
	const struct view *view;
	int64_t cutoff;
	struct view_summary change; /* what goes: rows, events, hashes */
};

void expiry_init(struct expiry *expiry, const struct view_set *views)
{
	*expiry = (struct expiry){0};
	for (size_t i = 0; i < view_set_count(views); i++) {
		expiry->done[i] = INT64_MIN;
		expiry->is_behind |= view_set_at(views, i)->retain_ms > 0;
	}
}

static int seek(const struct expiring *expiring, MDB_cursor *cursor, struct slice key,
	MDB_val *ret_key, MDB_val *ret_data)
{
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	struct slice whole;

	if (!row_key_of(view_id(expiring->view), key, bytes, &whole)) {
		return -EINVAL;
	}
	*ret_key = (MDB_val){whole.size, bytes};
	int r = store_from_lmdb(mdb_cursor_get(cursor, ret_key, ret_data, MDB_SET_RANGE));
	if (r == STORE_E_ABSENT || (r == 0 && *(const uint8_t *)ret_key->mv_data != bytes[0])) {
		return EXPIRY_E_END;
	}
	return r;
}

static int delete_row(
	struct expiring *expiring, MDB_cursor *cursor, struct slice key, struct slice sealed)
{
	struct scrub *scrub = &expiring->options->store->pending.scrub;
	struct slice value;
	uint64_t event_count = 0;

	if (!seal_open(key, sealed, &value) ||
		row_event_count(expiring->view, value, &event_count) != 0) {
		return STORE_E_CORRUPT;
	}
	uint64_t hash = sealed_hash(sealed);
	expiring->change.row_count++;
	expiring->change.matched += event_count;
	expiring->change.hash_sum += hash;
	if (scrub_has_passed(scrub, expiring->options->generation, TABLE_ROWS, key)) {
		table_sum_subtract(&scrub->sum, sealed);
		scrub->matched -= event_count;
	}
	return store_from_lmdb(mdb_cursor_del(cursor, 0));
}

/* Looks at one row, from expiry->key on: deletes it, or steps over all that begin as it does and have not ended either. */
static int step_row(struct expiring *expiring, MDB_cursor *cursor)
{
	struct row_key *at = &expiring->expiry->key;
	MDB_val key, data;
	size_t offset = 0;
	int64_t bucket = 0;

	int r = seek(expiring, cursor, row_key_slice(at), &key, &data);
	if (r != 0) {
		return r;
	}
	struct slice whole = slice_of(key.mv_data, key.mv_size);
	struct slice own = slice_of(whole.bytes + 1, whole.size - 1);
	if (own.size > sizeof at->bytes ||
		!view_key_bucket(expiring->view, own, &offset, &bucket)) {
		return STORE_E_CORRUPT;
	}
	bool has_ended = bucket < expiring->cutoff;
	at->size = has_ended ? own.size : offset;
	memcpy(at->bytes, own.bytes, at->size);
	if (has_ended) {
		return delete_row(expiring, cursor, whole, slice_of(data.mv_data, data.mv_size));
	}
	return row_key_successor(at) ? 0 : EXPIRY_E_END;
}

static int delete_member(
	struct expiring *expiring, MDB_cursor *cursor, struct slice key, struct slice sealed)
{
	struct scrub *scrub = &expiring->options->store->pending.scrub;

	expiring->change.member_count++;
	expiring->change.member_hash_sum += sealed_hash(sealed);
	if (scrub_has_passed(scrub, expiring->options->generation, TABLE_MEMBERS, key)) {
		table_sum_subtract(&scrub->sum, sealed);
	}
	return store_from_lmdb(mdb_cursor_del(cursor, 0));
}

/* Members lie in the order of their rows' buckets (member_place_bucket). */
static int step_member(struct expiring *expiring, MDB_cursor *cursor)
{
	MDB_val key, data;

	int r = seek(expiring, cursor, slice_of(NULL, 0), &key, &data);
	if (r != 0) {
		return r;
	}
	struct slice rest = slice_of((const uint8_t *)key.mv_data + 1, key.mv_size - 1);
	int64_t bucket = 0;
	if (!row_key_take_integer(&rest, &bucket)) {
		return STORE_E_CORRUPT;
	}
	return bucket < expiring->cutoff
		       ? delete_member(expiring, cursor, slice_of(key.mv_data, key.mv_size),
				 slice_of(data.mv_data, data.mv_size))
		       : EXPIRY_E_END;
}

/* 0 at the end of what is to be deleted, EXPIRY_E_PAUSE, or an error. */
static int take_steps(struct expiring *expiring, enum store_table table,
	int (*step)(struct expiring *expiring, MDB_cursor *cursor), size_t *steps_left)
{
	MDB_cursor *cursor = NULL;

	int r = store_from_lmdb(mdb_cursor_open(
		expiring->options->txn, expiring->options->generation->tables[table], &cursor));
	while (r == 0) {
		r = *steps_left == 0 ? EXPIRY_E_PAUSE : step(expiring, cursor);
		*steps_left -= r == 0;
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r == EXPIRY_E_END ? 0 : r;
}

static int write_change(struct expiring *expiring)
{
	const struct expiry_options *options = expiring->options;
	const struct summed_table table = {
		options->store, options->txn, options->generation, TABLE_SUMMARY};
	uint8_t bytes[SUMMARY_KEY_SIZE];
	struct slice key = summary_key(view_id(expiring->view), bytes);
	struct view_summary summary;
	struct buffer buffer;
	struct slice value;

	if (expiring->change.row_count == 0 && expiring->change.member_count == 0) {
		return 0;
	}
	int r = sealed_get(options->txn, options->generation->tables[TABLE_SUMMARY], key, &value);
	if (r != 0 || !view_summary_decode(value, &summary)) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	summary.row_count -= expiring->change.row_count;
	summary.matched -= expiring->change.matched;
	summary.expired += expiring->change.matched;
	summary.hash_sum -= expiring->change.hash_sum;
	summary.member_count -= expiring->change.member_count;
	summary.member_hash_sum -= expiring->change.member_hash_sum;
	buffer_init(&buffer, SUMMARY_SIZE_MAX);
	view_summary_encode(&summary, &buffer);
	r = buffer.error != 0 ? buffer.error : summed_put(&table, key, buffer_slice(&buffer));
	buffer_deinit(&buffer);
	return r;
}

/* A walk that is under way goes on; what it passed has ended by its own cutoff, so that is how far it is done. */
static void begin_walk(struct expiring *expiring)
{
	struct expiry *expiry = expiring->expiry;

	if (expiry->key.size == 0 || expiry->view_id != view_id(expiring->view)) {
		expiry->view_id = view_id(expiring->view);
		expiry->cutoff = expiring->cutoff;
		expiry->key.size = 0;
	}
}

static int expire_view(struct expiring *expiring, size_t *steps_left)
{
	struct expiry *expiry = expiring->expiry;

	begin_walk(expiring);
	int r = take_steps(expiring, TABLE_MEMBERS, step_member, steps_left);
	if (r == 0) {
		r = take_steps(expiring, TABLE_ROWS, step_row, steps_left);
	}
	if (r == 0) {
		expiry->done[expiry->view_id] = expiry->cutoff;
		expiry->key.size = 0;
	} else if (r != EXPIRY_E_PAUSE && r != STORE_E_CORRUPT) {
		return r;
	}
	int written = write_change(expiring);
	return written != 0 ? written : r;
}

int expiry_step(
	const struct expiry_options *options, const struct view_set *views, struct expiry *expiry)
{
	size_t steps_left = EXPIRY_STEPS_MAX;

	size_t first = expiry->key.size > 0 ? expiry->view_id : 0; /* each gets its turn */

	expiry->is_behind = false;
	for (size_t i = 0; i < view_set_count(views); i++) {
		uint32_t id = (uint32_t)((first + i) % view_set_count(views));
		struct expiring expiring = {
			.options = options,
			.expiry = expiry,
			.view = view_set_at(views, id),
			.cutoff = overlay_cutoff(options->overlay, id),
		};
		uint64_t damaged = expiry->damaged | options->damaged_views;
		if (expiring.cutoff <= expiry->done[id] || (damaged >> id & 1) != 0) {
			continue;
		}
		int r = expire_view(&expiring, &steps_left);
		if (r == STORE_E_CORRUPT) {
			expiry->damaged |= UINT64_C(1) << id;
			expiry->key.size = 0;
			continue;
		}
		if (r != 0 && r != EXPIRY_E_PAUSE) {
			return r;
		}
		expiry->is_behind |= expiry->done[id] < expiring.cutoff;
		if (r == EXPIRY_E_PAUSE) {
			break;
		}
	}
	return 0;
}
