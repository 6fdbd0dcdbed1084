/* Entries in a store's transaction, and what they add up to: a row of a B+ tree that is missing leaves no trace but in sums. */
#include "aggregator/entry_forget.h"
#include "aggregator/store_layout.h"
#include <lmdb.h>

static uint64_t hash_of(struct slice key, struct slice value)
{
	return row_hash(seal_of(key, value), value.size);
}

bool entry_sums_decode(struct slice value, struct entry_sums *ret_sums)
{
	struct unpack unpack = unpack_of(value);

	ret_sums->count = unpack_u64(&unpack);
	ret_sums->hash_sum = unpack_u64(&unpack);
	return unpack_is_whole(&unpack);
}

void entry_sums_add(struct entry_sums *sums, struct slice key, struct slice value)
{
	sums->count++;
	sums->hash_sum += hash_of(key, value);
}

static struct slice name_of(enum store_table table)
{
	return table == TABLE_OFFSETS ? SUMMARY_OFFSETS : SUMMARY_ENTRIES;
}

static int sum_up(MDB_txn *txn, unsigned table, struct entry_sums *sums)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, data;
	int r = store_from_lmdb(mdb_cursor_open(txn, table, &cursor));

	while (r == 0) {
		r = store_from_lmdb(mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
		struct slice name = slice_of(key.mv_data, key.mv_size), value;
		if (r == 0 && !seal_open(name, slice_of(data.mv_data, data.mv_size), &value)) {
			r = STORE_E_CORRUPT;
		} else if (r == 0) {
			entry_sums_add(sums, name, value);
		}
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r == STORE_E_ABSENT ? 0 : r;
}

int entry_sums_read(struct MDB_txn *txn, const struct generation *generation,
	enum store_table table, struct entry_sums *ret_sums)
{
	struct slice value;
	int r = sealed_get(txn, generation->tables[TABLE_SUMMARY], name_of(table), &value);

	*ret_sums = (struct entry_sums){.table = table};
	if (r == STORE_E_ABSENT) {
		return sum_up(txn, generation->tables[table], ret_sums);
	}
	return r == 0 && !entry_sums_decode(value, ret_sums) ? STORE_E_CORRUPT : r;
}

int entry_sums_write(
	struct MDB_txn *txn, const struct generation *generation, const struct entry_sums *sums)
{
	uint8_t bytes[16];

	pack_big_endian(bytes, sums->count, 8);
	pack_big_endian(bytes + 8, sums->hash_sum, 8);
	return sealed_put(txn, generation->tables[TABLE_SUMMARY], name_of(sums->table),
		slice_of(bytes, sizeof bytes));
}

int entry_write(struct MDB_txn *txn, const struct generation *generation, struct slice key,
	struct slice value, struct entry_sums *sums)
{
	unsigned table = generation->tables[sums->table];
	MDB_val name = {key.size, (void *)key.bytes};
	struct slice old;

	int r = sealed_get(txn, table, key, &old);
	if (r == 0) {
		sums->count--;
		sums->hash_sum -= hash_of(key, old);
	}
	if (r != 0 && r != STORE_E_ABSENT) {
		return r;
	}
	if (value.size == 0) {
		return r == STORE_E_ABSENT ? 0 : store_from_lmdb(mdb_del(txn, table, &name, NULL));
	}
	entry_sums_add(sums, key, value);
	return sealed_put(txn, table, key, value);
}

/* ---- forgetting */

struct sweep {
	MDB_txn *txn;
	const struct generation *generation;
	struct entry_sweep entries;
	struct entry_sums sums;
	bool is_changed;
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
	sweep->is_changed = true;
	count_fate(sweep->counts, fate);
	return sweep->value.error != 0 ? sweep->value.error
				       : entry_write(sweep->txn, sweep->generation, key,
						 fate == ENTRY_GOES ? slice_of(NULL, 0)
								    : buffer_slice(&sweep->value),
						 &sweep->sums);
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

int entries_forget_stored(struct MDB_txn *txn, const struct generation *generation,
	const struct forgotten *forgotten, struct forget_counts *counts)
{
	struct sweep sweep = {
		.txn = txn,
		.generation = generation,
		.entries.forgotten = forgotten,
		.counts = counts,
	};
	MDB_cursor *cursor = NULL;

	buffer_init(&sweep.value, ENTRY_VALUE_SIZE_MAX);
	int r = entry_sums_read(txn, generation, TABLE_ENTRIES, &sweep.sums);
	if (r == 0) {
		r = store_from_lmdb(
			mdb_cursor_open(txn, generation->tables[TABLE_ENTRIES], &cursor));
	}
	if (r == 0) {
		r = sweep_all(&sweep, cursor);
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	buffer_deinit(&sweep.value);
	return r == 0 && sweep.is_changed ? entry_sums_write(txn, generation, &sweep.sums) : r;
}
