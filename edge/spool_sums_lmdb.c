/* A spool's sums in its transactions: read, written, and found anew where they can't be known. */
#include "edge/spool_lmdb.h"
#include <errno.h>
#include <lmdb.h>

static MDB_val name_of_sums(void)
{
	return (MDB_val){sizeof SPOOL_KEY_SUMS - 1, SPOOL_KEY_SUMS};
}

int spool_sum_find(MDB_txn *txn, unsigned dbi, enum spool_table table, struct spool_sum *ret_sum)
{
	struct spool_sum sum = {0};
	MDB_cursor *cursor = NULL;
	MDB_val key, value;

	int rc = mdb_cursor_open(txn, dbi, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		spool_sum_add(&sum, table, slice_of_val(key), slice_of_val(value));
	}
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND) {
		return spool_from_mdb(rc);
	}
	*ret_sum = sum;
	return 0;
}

int spool_sums_find_all(struct spool *spool, MDB_txn *txn)
{
	const unsigned tables[SPOOL_TABLES_SUMMED] = {
		[SPOOL_TABLE_BLOCKS] = spool->blocks,
		[SPOOL_TABLE_CORRUPT] = spool->corrupt_blocks,
		[SPOOL_TABLE_PRODUCERS] = spool->memory.producers,
		[SPOOL_TABLE_EVENT_IDS] = spool->memory.event_ids,
		[SPOOL_TABLE_MARKS] = spool->marks,
	};
	int r = 0;

	for (int i = 0; r == 0 && i < SPOOL_TABLES_SUMMED; i++) {
		r = spool_sum_find(txn, tables[i], (enum spool_table)i, &spool->pending.tables[i]);
	}
	return r;
}

int spool_sums_read(MDB_txn *txn, struct spool_sums *ret_sums)
{
	MDB_val key = name_of_sums();
	MDB_val value;

	int r = spool_from_mdb(mdb_get(txn, SPOOL_DB_NAMES, &key, &value));
	if (r == 0 && !spool_sums_decode(slice_of_val(value), ret_sums)) {
		r = -EUCLEAN;
	}
	return r;
}

int spool_sums_write(struct spool *spool, MDB_txn *txn)
{
	uint8_t bytes[SPOOL_SUMS_SIZE];
	MDB_val key = name_of_sums();
	MDB_val value = {sizeof bytes, bytes};

	spool->pending.transaction = mdb_txn_id(txn);
	spool_sums_encode(&spool->pending, bytes);
	return spool_from_mdb(mdb_put(txn, SPOOL_DB_NAMES, &key, &value, 0));
}
