/* Entries in a store's transaction: who is forgotten is taken out of them. */
#include "aggregator/store/entry_forget.h"
#include "aggregator/store/store_layout.h"
#include <lmdb.h>

struct sweep {
	struct summed_table table;
	struct entry_sweep entries;
	struct buffer value;
	struct forget_counts *counts;
};

static void count_fate(struct forget_counts *counts, enum entry_fate fate)
{
	counts->rows += fate == ENTRY_GOES || fate == ENTRY_IS_MARKED;
	counts->texts += fate == ENTRY_CHANGES;
}

static int sweep_entry(struct sweep *sweep, struct slice key, struct slice sealed)
{
	struct slice value;

	buffer_clear(&sweep->value);
	if (!seal_open(key, sealed, &value)) {
		return STORE_E_CORRUPT;
	}
	enum entry_fate fate = entry_forget(&sweep->entries, key, value, &sweep->value);
	if (fate == ENTRY_STAYS || fate == ENTRY_UNREADABLE) {
		return fate == ENTRY_STAYS ? 0 : STORE_E_CORRUPT;
	}
	count_fate(sweep->counts, fate);
	if (fate == ENTRY_GOES) {
		return summed_delete(&sweep->table, key);
	}
	return sweep->value.error != 0
		       ? sweep->value.error
		       : summed_put(&sweep->table, key, buffer_slice(&sweep->value));
}

/* Each entry is looked for anew behind the one before: what is written between moves pages. */
static int sweep_all(struct sweep *sweep, MDB_cursor *cursor)
{
	uint8_t bytes[ROW_KEY_SIZE_MAX + 1];
	MDB_val key, data;

	int r = store_from_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_FIRST));
	while (r == 0) {
		memcpy(bytes, key.mv_data, key.mv_size);
		struct slice name = slice_of(bytes, key.mv_size);
		r = sweep_entry(sweep, name, slice_of(data.mv_data, data.mv_size));
		bytes[name.size] = 0; /* the smallest key that follows */
		key = (MDB_val){name.size + 1, bytes};
		if (r == 0) {
			r = store_from_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE));
		}
	}
	return r == STORE_E_ABSENT ? 0 : r;
}

int entries_forget_stored(struct store *store, struct MDB_txn *txn,
	const struct generation *generation, const struct forgotten *forgotten,
	struct forget_counts *counts)
{
	struct sweep sweep = {
		.table = {store, txn, generation, TABLE_ENTRIES},
		.entries.forgotten = forgotten,
		.counts = counts,
	};
	MDB_cursor *cursor = NULL;

	buffer_init(&sweep.value, ENTRY_VALUE_SIZE_MAX);
	int r = store_from_lmdb(mdb_cursor_open(txn, generation->tables[TABLE_ENTRIES], &cursor));
	if (r == 0) {
		r = sweep_all(&sweep, cursor);
		mdb_cursor_close(cursor);
	}
	buffer_deinit(&sweep.value);
	return r;
}
