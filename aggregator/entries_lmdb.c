/* Entries in a store's transaction, and what they add up to: a row of a B+ tree that is missing leaves no trace but in sums. */
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

int entry_sums_read(
	struct MDB_txn *txn, const struct generation *generation, struct entry_sums *ret_sums)
{
	struct slice value;
	int r = sealed_get(txn, generation->tables[TABLE_SUMMARY], SUMMARY_ENTRIES, &value);

	if (r == STORE_E_ABSENT) { /* there was never one */
		*ret_sums = (struct entry_sums){0};
		return 0;
	}
	return r == 0 && !entry_sums_decode(value, ret_sums) ? STORE_E_CORRUPT : r;
}

int entry_sums_write(
	struct MDB_txn *txn, const struct generation *generation, const struct entry_sums *sums)
{
	uint8_t bytes[16];

	pack_big_endian(bytes, sums->count, 8);
	pack_big_endian(bytes + 8, sums->hash_sum, 8);
	return sealed_put(txn, generation->tables[TABLE_SUMMARY], SUMMARY_ENTRIES,
		slice_of(bytes, sizeof bytes));
}

int entry_write(struct MDB_txn *txn, const struct generation *generation, struct slice key,
	struct slice value, struct entry_sums *sums)
{
	unsigned table = generation->tables[TABLE_ENTRIES];
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
