/* One transaction of a store, from a frozen overlay and the rows beside it. */
#include "aggregator/store/store_layout.h"
#include "aggregator/view/measure_row.h"
#include "aggregator/view/view_plan.h"
#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

enum {
	/* LMDB keeps values far above a page in runs of pages; no measure's state comes near. */
	ROW_VALUE_SIZE_MAX = 1024 * 1024,
};
_Static_assert(VIEW_HISTOGRAMS_MAX *HISTOGRAM_SIZE_MAX < ROW_VALUE_SIZE_MAX / 4 * 3,
	"histograms must fit a row");

/* The work of one call. What changes beside the environment is kept here until the commit is through. */
struct writing {
	struct store *store;
	const struct generation *generation;
	const struct commit *commit;
	MDB_txn *txn;
	MDB_cursor *rows;
	struct expiry expiry;
	struct buffer value;
	/* Of the view that is being written. */
	const struct view *view;
	struct row_list list;
	struct view_summary summary;
	struct new_members members;
};

static struct summed_table table_of(const struct writing *writing, enum store_table table)
{
	return (struct summed_table){writing->store, writing->txn, writing->generation, table};
}

/* The table that is being written; rows of one come behind each other. */
struct putting {
	struct summed_table table;
	MDB_cursor *cursor;
};

static int turn_to(struct writing *writing, enum store_table table, struct putting *putting)
{
	if (putting->cursor != NULL && putting->table.table == table) {
		return 0;
	}
	if (putting->cursor != NULL) {
		mdb_cursor_close(putting->cursor);
	}
	*putting = (struct putting){.table = table_of(writing, table)};
	return summed_cursor_open(&putting->table, &putting->cursor);
}

static int write_puts(struct writing *writing)
{
	struct putting putting = {.cursor = NULL};
	struct commit_row row;
	size_t at = 0;
	int r = 0;

	while (r == 0 && commit_next(writing->commit, &at, &row)) {
		r = turn_to(writing, row.table, &putting);
		if (r == 0) {
			r = row.is_deleted
				    ? summed_delete_at(&putting.table, putting.cursor, row.key)
				    : summed_put_at(
					      &putting.table, putting.cursor, row.key, row.value);
		}
	}
	if (putting.cursor != NULL) {
		mdb_cursor_close(putting.cursor);
	}
	return r;
}

static int read_row(struct writing *writing, struct slice key, struct slice *ret_sealed)
{
	MDB_val name = {key.size, (void *)key.bytes}, data;
	int r = store_from_lmdb(mdb_cursor_get(writing->rows, &name, &data, MDB_SET));
	*ret_sealed = r == 0 ? slice_of(data.mv_data, data.mv_size) : slice_of(NULL, 0);
	return r == STORE_E_ABSENT ? 0 : r;
}

static int put_row(struct writing *writing, struct slice key, uint32_t checksum)
{
	struct slice value = buffer_slice(&writing->value);
	MDB_val name = {key.size, (void *)key.bytes};
	MDB_val data = {value.size + SEAL_SIZE, NULL};
	int r = store_from_lmdb(mdb_cursor_put(writing->rows, &name, &data, MDB_RESERVE));
	if (r == 0) {
		memcpy(data.mv_data, value.bytes, value.size);
		pack_big_endian((uint8_t *)data.mv_data + value.size, checksum, SEAL_SIZE);
	}
	return r;
}

static int merge(
	struct writing *writing, struct slice base, const struct delta *delta, size_t index)
{
	uint64_t new_members[VIEW_MEASURES_MAX];
	members_of_row(&writing->members, index, new_members);
	buffer_clear(&writing->value);
	int r = delta_merge(writing->view, base, delta, new_members, &writing->value);
	if (r == 0) {
		r = writing->value.error;
	}
	return r == -EBADMSG ? STORE_E_CORRUPT : r;
}

/* What a row's coming, changing or going changes of its view. */
struct row_change_sums {
	uint64_t rows, events, hash; /* less than before: they wrap around */
};

/* The sums that the checks hold the rows against change with the row. */
static void keep_sums(
	struct writing *writing, struct slice key, const struct row_change_sums *change)
{
	struct scrub *scrub = &writing->store->pending.scrub;

	writing->summary.row_count += change->rows;
	writing->summary.hash_sum += change->hash;
	if (scrub_has_passed(scrub, writing->generation, TABLE_ROWS, key)) {
		scrub->sum.count += change->rows;
		scrub->sum.hash_sum += change->hash;
		scrub->matched += change->events;
	}
}

/* Of the merged row; it can be read, for it was just written. */
static bool is_emptied(const struct writing *writing)
{
	uint64_t event_count = 0;

	return row_event_count(writing->view, buffer_slice(&writing->value), &event_count) == 0 &&
	       event_count == 0;
}

/* Before the row is put: that may move what `base` lies in. */
static void tell_successions(struct writing *writing, struct slice key, struct slice base)
{
	const struct commit *commit = writing->commit;

	for (size_t i = 0; i < commit->succession_count; i++) {
		struct succession *succession = &commit->successions[i];
		if (succession->before->view_id == view_id(writing->view)) {
			succession_write(succession, writing->view, key, base,
				buffer_slice(&writing->value));
		}
	}
}

static int write_row(struct writing *writing, size_t index)
{
	const struct delta *delta = writing->list.items[index];
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	struct slice key, sealed, base = {NULL, 0};

	if (!row_key_of(view_id(writing->view), delta_key(delta), bytes, &key)) {
		return -EINVAL;
	}
	int r = read_row(writing, key, &sealed);
	if (r == 0 && sealed.size > 0 && !seal_open(key, sealed, &base)) {
		r = STORE_E_CORRUPT;
	}
	uint64_t old_hash = r == 0 && sealed.size > 0 ? sealed_hash(sealed) : 0;
	bool was_there = sealed.size > 0;
	if (r == 0) {
		r = merge(writing, base, delta, index);
	}
	if (r != 0) {
		return r;
	}
	tell_successions(writing, delta_key(delta), base);
	struct row_change_sums change = {.events = delta_event_count(delta), .hash = -old_hash};
	if (is_emptied(writing)) { /* all that was in it was taken back */
		change.rows = was_there ? UINT64_MAX : 0;
		keep_sums(writing, key, &change);
		return was_there ? store_from_lmdb(mdb_cursor_del(writing->rows, 0)) : 0;
	}
	uint32_t checksum = seal_of(key, buffer_slice(&writing->value));
	change.rows = !was_there;
	change.hash += row_hash(checksum, writing->value.size);
	keep_sums(writing, key, &change);
	return put_row(writing, key, checksum);
}

static int read_summary(struct writing *writing, struct slice key)
{
	const struct overlay *overlay = writing->commit->overlay;
	uint32_t id = view_id(writing->view);
	struct view_summary *summary = &writing->summary;
	struct slice value;
	int r = sealed_get(writing->txn, writing->generation->tables[TABLE_SUMMARY], key, &value);
	if (r != 0 || !view_summary_decode(value, summary)) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	/* Name and text lie in a page that the puts may move: the view's own are the same. */
	summary->name = slice_of_text(view_name(writing->view));
	summary->text = slice_of_text(view_text(writing->view));
	summary->matched += overlay_matched(overlay, id);
	summary->unmatched += overlay_unmatched(overlay, id);
	summary->held += overlay_held(overlay, id);
	summary->expired += overlay_expired(overlay, id);
	return 0;
}

static int write_summary(struct writing *writing, struct slice key)
{
	const struct summed_table table = table_of(writing, TABLE_SUMMARY);

	writing->summary.member_count += writing->members.sum.count;
	writing->summary.member_hash_sum += writing->members.sum.hash_sum;
	buffer_clear(&writing->value);
	view_summary_encode(&writing->summary, &writing->value);
	return writing->value.error != 0 ? writing->value.error
					 : summed_put(&table, key, buffer_slice(&writing->value));
}

static int write_rows(struct writing *writing)
{
	const struct overlay *overlay = writing->commit->overlay;
	const struct summed_table members = table_of(writing, TABLE_MEMBERS);
	uint32_t id = view_id(writing->view);

	writing->members = (struct new_members){0};
	writing->list = (struct row_list){.count = overlay_row_count(overlay, id)};
	int r = overlay_list_rows(overlay, id, &writing->list.items);
	if (r == 0) {
		r = members_write(&members, id, &writing->list, &writing->members);
	}
	for (size_t i = 0; i < writing->list.count && r == 0; i++) {
		r = write_row(writing, i);
	}
	members_deinit(&writing->members);
	free((void *)writing->list.items);
	return r;
}

static int write_view(struct writing *writing, const struct view *view)
{
	const struct overlay *overlay = writing->commit->overlay;
	uint32_t id = view_id(view);
	uint8_t key_bytes[5];
	struct slice key = summary_key(id, key_bytes);

	if (overlay_row_count(overlay, id) == 0 && overlay_unmatched(overlay, id) == 0 &&
		overlay_held(overlay, id) == 0 && overlay_expired(overlay, id) == 0) {
		return 0;
	}
	writing->view = view;
	int r = read_summary(writing, key);
	if (r == 0) {
		r = write_rows(writing);
	}
	return r == 0 ? write_summary(writing, key) : r;
}

/* Behind the rows of this commit, of which some may have ended meanwhile. */
static int delete_expired(struct writing *writing)
{
	const struct expiry_options options = {
		.store = writing->store,
		.txn = writing->txn,
		.generation = writing->generation,
		.overlay = writing->commit->overlay,
		.damaged_views = writing->commit->generation == writing->store->root.live
					 ? writing->store->damaged_views
					 : 0,
	};

	writing->expiry = *writing->commit->expiry;
	return expiry_step(&options, writing->commit->views, &writing->expiry);
}

static int write_all(struct writing *writing)
{
	const struct commit *commit = writing->commit;
	int r = store_from_lmdb(mdb_cursor_open(
		writing->txn, writing->generation->tables[TABLE_ROWS], &writing->rows));
	for (size_t i = 0; i < commit->succession_count; i++) {
		succession_begin(&commit->successions[i]);
	}
	for (size_t i = 0; r == 0 && i < view_set_count(commit->views); i++) {
		r = write_view(writing, view_set_at(commit->views, i));
	}
	for (size_t i = 0; i < commit->succession_count; i++) {
		succession_end(&commit->successions[i]);
	}
	if (r == 0 && commit->expiry != NULL) {
		r = delete_expired(writing);
	}
	if (r == 0) {
		r = write_puts(writing);
	}
	if (writing->rows != NULL) {
		mdb_cursor_close(writing->rows);
	}
	return r;
}

/* Rows that can't be read were left where they are: from now on nobody is told what is in their view. */
static void keep_expiry(const struct writing *writing)
{
	struct store *store = writing->store;

	if (writing->expiry.damaged != writing->commit->expiry->damaged &&
		writing->commit->generation == store->root.live) {
		store->damaged_views |= writing->expiry.damaged;
		store_distrust(store);
	}
	*writing->commit->expiry = writing->expiry;
}

/* What a tool could see that was killed while it read the running store would be kept for it until the next start, and the file would
 * grow with every commit. */
static void forget_dead_readers(struct store *store)
{
	int dead = 0;
	(void)mdb_reader_check(store->env, &dead); /* if it can't, the next commit does */
}

int store_commit(struct store *store, const struct commit *commit)
{
	struct writing writing = {
		.store = store,
		.generation = store_generation(store, commit->generation),
		.commit = commit,
	};
	assert(writing.generation != NULL);
	buffer_init(&writing.value, ROW_VALUE_SIZE_MAX);
	forget_dead_readers(store);
	int r = store_txn_begin(store, &writing.txn);
	if (r == 0) {
		r = write_all(&writing);
	}
	if (r == 0) {
		r = store_txn_commit(store, writing.txn);
		writing.txn = NULL; /* commit ends the transaction, even one that fails */
	}
	if (writing.txn != NULL) {
		mdb_txn_abort(writing.txn);
	}
	if (r == 0 && commit->expiry != NULL) {
		keep_expiry(&writing);
	}
	buffer_deinit(&writing.value);
	return r;
}
