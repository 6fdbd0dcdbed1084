#include "edge/spool_marks_lmdb.h"
#include "edge/mark_row.h"
#include "edge/spool_lmdb.h"
#include <errno.h>
#include <lmdb.h>

struct marks_writing {
	unsigned dbi;
	MDB_txn *txn;
	struct spool_sum *sum;
};

int spool_marks_open(MDB_txn *txn, unsigned *ret_dbi)
{
	return spool_from_mdb(mdb_dbi_open(txn, SPOOL_DB_MARKS, MDB_CREATE, ret_dbi));
}

/* The old row, if there is one, is no longer among those that add up. One whose bytes are not what was added leaves nobody knows
 * what: *is_unsure. */
static int subtract_old(const struct marks_writing *writing, MDB_val name, bool *is_unsure)
{
	MDB_val row;

	int rc = mdb_get(writing->txn, writing->dbi, &name, &row);
	if (rc == 0) {
		struct slice key = slice_of_val(name), old = slice_of_val(row);
		*is_unsure = *is_unsure || mark_row_decode(key, old).bytes == NULL;
		spool_sum_subtract(writing->sum, SPOOL_TABLE_MARKS, key, old);
	}
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

static int write_mark(const struct marks_writing *writing, MDB_val name, struct slice value)
{
	MDB_val row = {MARK_ROW_CRC_SIZE + value.size, NULL};

	int rc = mdb_put(writing->txn, writing->dbi, &name, &row, MDB_RESERVE);
	if (rc == 0) {
		mark_row_encode(slice_of_val(name), value, row.mv_data);
		spool_sum_add(
			writing->sum, SPOOL_TABLE_MARKS, slice_of_val(name), slice_of_val(row));
	}
	return spool_from_mdb(rc);
}

static int delete_mark(const struct marks_writing *writing, MDB_val name)
{
	int rc = mdb_del(writing->txn, writing->dbi, &name, NULL);
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

/* In the order of their coming: the newest of one key stands. */
int spool_marks_write(unsigned dbi, MDB_txn *txn, const struct idmap *marks, struct spool_sum *sum)
{
	const struct marks_writing writing = {dbi, txn, sum};
	bool is_unsure = false;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < marks->count; i++) {
		const struct idmap_entry *entry = &marks->entries[i];
		struct slice key = idmap_id(marks, entry);
		struct slice value = idmap_value(marks, entry);
		MDB_val name = {key.size, (void *)(uintptr_t)key.bytes};
		if (idmap_find(marks, key) != entry) {
			continue;
		}
		r = subtract_old(&writing, name, &is_unsure);
		if (r == 0 && value.bytes[0] == DRAFT_MARK_DELETE) {
			r = delete_mark(&writing, name);
		} else if (r == 0) {
			r = write_mark(&writing, name, slice_of(value.bytes + 1, value.size - 1));
		}
	}
	return r == 0 && is_unsure ? spool_sum_find(txn, dbi, SPOOL_TABLE_MARKS, sum) : r;
}

static int take_row(
	const struct spool_mark_walk *walk, size_t prefix_size, MDB_val key, MDB_val row)
{
	struct slice name = slice_of(key.mv_data, key.mv_size);
	struct slice value = mark_row_decode(name, slice_of_val(row));

	name = slice_of(name.bytes + prefix_size, name.size - prefix_size);
	return walk->take(walk->owner, name, value);
}

int spool_marks_each(unsigned dbi, MDB_txn *txn, const struct spool_mark_walk *walk)
{
	size_t prefix_size = strlen(walk->label) + 1; /* its NUL parts it from the source's key */
	MDB_val key = {prefix_size, (void *)(uintptr_t)walk->label};
	MDB_cursor *cursor = NULL;
	MDB_val row;
	int r = 0;

	int rc = mdb_cursor_open(txn, dbi, &cursor);
	if (rc == 0) {
		rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
	}
	while (rc == 0 && r == 0 && key.mv_size > prefix_size &&
		memcmp(key.mv_data, walk->label, prefix_size) == 0) {
		r = take_row(walk, prefix_size, key, row);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return rc == 0 || rc == MDB_NOTFOUND ? r : spool_from_mdb(rc);
}
