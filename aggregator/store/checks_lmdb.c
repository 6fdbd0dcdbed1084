/* The sums of the counted sets held against the ledger's and the views', and the emptying of a generation that is given up. On the
 * committing thread, so that no commit comes between steps. */
#include "aggregator/books/ledger.h"
#include "aggregator/store/store_layout.h"
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Streams read in one transaction: about 100 ms, so that no read transaction grows old. */
	STREAMS_PER_SNAPSHOT = 100000,
};

static int complain(char *ret_error, size_t error_size, const char *what, const struct view *view)
{
	snprintf(ret_error, error_size, "view %s: %s", view_name(view), what);
	return STORE_E_CORRUPT;
}

/* A read transaction of this thread's own: the loop's spare snapshot is not ours. */
static int begin(struct store *store, uint32_t generation, struct snapshot *ret_snapshot)
{
	ret_snapshot->store = store;
	ret_snapshot->generation = store_generation(store, generation);
	ret_snapshot->txn = NULL;
	return store_from_lmdb(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &ret_snapshot->txn));
}

/* A walk over all streams, in several transactions. */
struct stream_walk {
	struct tally sums[STREAM_KIND_COUNT];
	uint8_t key[STREAM_KEY_SIZE_MAX]; /* the last one seen */
	size_t key_size;
	size_t count; /* in this transaction */
};

enum { WALK_PAUSES = 100 };

static int add_stream(void *owner, struct slice key, struct slice value)
{
	struct stream_walk *walk = owner;
	struct stream_sums sums;
	struct counted counted = {0};
	struct stream_id id;

	if (walk->count == STREAMS_PER_SNAPSHOT) {
		return WALK_PAUSES;
	}
	if (slice_equal(key, slice_of(walk->key, walk->key_size))) {
		return 0;
	}
	int r = stream_decode(value, &sums, &counted);
	bool fits = r == 0 && stream_key_parse(key, &id) && stream_sums_fit(&sums, &counted);
	counted_deinit(&counted);
	if (!fits) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	walk->sums[id.kind].accepted += sums.accepted;
	walk->sums[id.kind].rejected += sums.rejected;
	memcpy(walk->key, key.bytes, key.size);
	walk->key_size = key.size;
	walk->count++;
	return 0;
}

static int walk_streams(struct store *store, uint32_t generation, struct stream_walk *walk)
{
	int r = WALK_PAUSES;
	while (r == WALK_PAUSES) {
		struct snapshot snapshot;
		r = begin(store, generation, &snapshot);
		if (r != 0) {
			return r;
		}
		walk->count = 0;
		r = snapshot_walk(&snapshot, TABLE_STREAMS, slice_of(walk->key, walk->key_size),
			add_stream, walk);
		mdb_txn_abort(snapshot.txn);
	}
	return r;
}

static int compare_kinds(const struct stream_walk *walk, const struct ledger *ledger,
	char *ret_error, size_t error_size)
{
	for (uint32_t kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		const struct tally *sets = &walk->sums[kind], *told = &ledger->tallies[kind];
		if (sets->accepted != told->accepted || sets->rejected != told->rejected) {
			snprintf(ret_error, error_size,
				"%s: the counted sets hold %" PRIu64 " accepted and %" PRIu64
				" rejected, the ledger says %" PRIu64 " and %" PRIu64,
				stream_kind_name(kind), sets->accepted, sets->rejected,
				told->accepted, told->rejected);
			return STORE_E_CORRUPT;
		}
	}
	return 0;
}

static uint64_t accepted_of_view(const struct view *view, const struct ledger *ledger)
{
	uint64_t accepted = view_counts_baskets(view) ? ledger->baskets.given : 0;
	for (uint32_t kind = 0; kind < KIND_EVENT_COUNT; kind++) {
		const struct change_tally *changes = &ledger->changes[kind];
		if (view_counts_kind(view, (enum kind)kind)) {
			accepted += changes->counted - changes->taken_back;
		}
	}
	for (uint32_t kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		if (view_counts_kind(view, stream_kind_counts_as(kind))) {
			accepted += ledger->tallies[kind].accepted;
		}
	}
	return accepted;
}

/* Each line of an order is in a basket, or came too late for one. */
static int compare_baskets(const struct view_set *views, const struct ledger *ledger,
	char *ret_error, size_t error_size)
{
	const struct basket_books *baskets = &ledger->baskets;
	uint64_t accepted = ledger->tallies[KIND_ORDER].accepted;

	if (view_set_baskets(views).horizon_ms == 0 || baskets->lines + baskets->late == accepted) {
		return 0;
	}
	snprintf(ret_error, error_size,
		"baskets: %" PRIu64 " lines in them and %" PRIu64
		" that were late are not the %" PRIu64 " orders accepted",
		baskets->lines, baskets->late, accepted);
	return STORE_E_CORRUPT;
}

static int compare_views(struct snapshot *snapshot, const struct view_set *views,
	const struct ledger *ledger, char *ret_error, size_t error_size)
{
	for (uint32_t id = 0; id < view_set_count(views); id++) {
		const struct view *view = view_set_at(views, id);
		struct view_summary summary;
		int r = snapshot_summary(snapshot, id, &summary);
		if (r != 0) {
			return r < 0 ? r
				     : complain(ret_error, error_size, "its summary is broken",
					       view);
		}
		uint64_t sum = summary.matched + summary.unmatched + summary.held + summary.expired;
		if (view_is_conserved(view) && sum != accepted_of_view(view, ledger)) {
			return complain(ret_error, error_size,
				"events in rows, unmatched, held and expired are not the events "
				"accepted",
				view);
		}
	}
	return 0;
}

static int read_ledger(struct snapshot *snapshot, struct ledger *ledger)
{
	struct slice value;
	int r = snapshot_get(snapshot, TABLE_SUMMARY, SUMMARY_LEDGER, &value);
	if (r != 0) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	r = ledger_decode(value, ledger);
	return r == -EBADMSG ? STORE_E_CORRUPT : r;
}

int store_check_sums(struct store *store, uint32_t generation, const struct view_set *views,
	char *ret_error, size_t error_size)
{
	struct stream_walk walk = {0};
	struct ledger ledger = {0};
	struct snapshot snapshot;

	snprintf(ret_error, error_size, "a counted set or the ledger can't be read");
	int r = walk_streams(store, generation, &walk);
	if (r != 0) {
		return r;
	}
	r = begin(store, generation, &snapshot);
	if (r != 0) {
		return r;
	}
	r = read_ledger(&snapshot, &ledger);
	if (r == 0) {
		r = compare_kinds(&walk, &ledger, ret_error, error_size);
	}
	if (r == 0) {
		r = compare_views(&snapshot, views, &ledger, ret_error, error_size);
	}
	if (r == 0) {
		r = compare_baskets(views, &ledger, ret_error, error_size);
	}
	mdb_txn_abort(snapshot.txn);
	ledger_deinit(&ledger);
	return r;
}

static int empty_table(MDB_txn *txn, unsigned table, size_t *rows_left)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, data;
	int rc = mdb_cursor_open(txn, table, &cursor);
	while (rc == 0 && *rows_left > 0) {
		rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
		if (rc == 0) {
			rc = mdb_cursor_del(cursor, 0);
			--*rows_left;
		}
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return rc == MDB_NOTFOUND ? 0 : store_from_lmdb(rc);
}

int store_drop_step(struct store *store, size_t rows_max, bool *ret_is_empty)
{
	const struct generation *dropped = store_generation(store, store->root.dropping);
	size_t rows_left = rows_max;
	MDB_txn *txn = NULL;

	int r = store_txn_begin(store, &txn);
	for (int table = 0; table < TABLE_COUNT && r == 0; table++) {
		r = empty_table(txn, dropped->tables[table], &rows_left);
	}
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	r = store_txn_commit(store, txn);
	if (r == 0) {
		*ret_is_empty = rows_left > 0;
	}
	return r;
}
