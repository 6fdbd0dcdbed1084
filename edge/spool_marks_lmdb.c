#include "edge/spool_marks_lmdb.h"
#include "edge/spool_lmdb.h"
#include "proto/checksum.h"
#include <errno.h>
#include <lmdb.h>

enum { CRC_SIZE = 4 };

int spool_marks_open(MDB_txn *txn, unsigned *ret_dbi)
{
	return spool_from_mdb(mdb_dbi_open(txn, SPOOL_DB_MARKS, MDB_CREATE, ret_dbi));
}

static void put_crc(struct slice key, struct slice value, uint8_t out[CRC_SIZE])
{
	uint32_t crc = checksum_crc32c(0, key.bytes, key.size);

	crc = checksum_crc32c(crc, value.bytes, value.size);
	for (int i = 0; i < CRC_SIZE; i++) {
		out[i] = (uint8_t)(crc >> (8 * (CRC_SIZE - 1 - i)));
	}
}

static int write_mark(unsigned dbi, MDB_txn *txn, struct slice key, struct slice value)
{
	MDB_val name = {key.size, (void *)(uintptr_t)key.bytes};
	MDB_val row = {CRC_SIZE + value.size, NULL};

	int rc = mdb_put(txn, dbi, &name, &row, MDB_RESERVE);
	if (rc == 0) {
		put_crc(key, value, row.mv_data);
		if (value.size > 0) {
			memcpy((uint8_t *)row.mv_data + CRC_SIZE, value.bytes, value.size);
		}
	}
	return spool_from_mdb(rc);
}

static int delete_mark(unsigned dbi, MDB_txn *txn, struct slice key)
{
	MDB_val name = {key.size, (void *)(uintptr_t)key.bytes};

	int rc = mdb_del(txn, dbi, &name, NULL);
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

/* In the order of their coming: the newest of one key stands. */
int spool_marks_write(unsigned dbi, MDB_txn *txn, const struct idmap *marks)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < marks->count; i++) {
		const struct idmap_entry *entry = &marks->entries[i];
		struct slice key = idmap_id(marks, entry);
		struct slice value = idmap_value(marks, entry);
		if (idmap_find(marks, key) != entry) {
			continue;
		}
		if (value.bytes[0] == DRAFT_MARK_DELETE) {
			r = delete_mark(dbi, txn, key);
		} else {
			r = write_mark(dbi, txn, key, slice_of(value.bytes + 1, value.size - 1));
		}
	}
	return r;
}

/* {NULL, 0}: key or value is damaged. */
static struct slice value_of(struct slice key, MDB_val row)
{
	const uint8_t *bytes = row.mv_data;
	uint8_t crc[CRC_SIZE];

	if (row.mv_size < CRC_SIZE) {
		return slice_of(NULL, 0);
	}
	struct slice value = slice_of(bytes + CRC_SIZE, row.mv_size - CRC_SIZE);
	put_crc(key, value, crc);
	return memcmp(crc, bytes, CRC_SIZE) == 0 ? value : slice_of(NULL, 0);
}

int spool_marks_count_damaged(unsigned dbi, MDB_txn *txn, uint64_t *ret_count)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, row;
	uint64_t count = 0;

	int rc = mdb_cursor_open(txn, dbi, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	while ((rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT)) == 0) {
		count += value_of(slice_of(key.mv_data, key.mv_size), row).bytes == NULL;
	}
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND) {
		return spool_from_mdb(rc);
	}
	*ret_count = count;
	return 0;
}

static int take_row(
	const struct spool_mark_walk *walk, size_t prefix_size, MDB_val key, MDB_val row)
{
	struct slice name = slice_of(key.mv_data, key.mv_size);
	struct slice value = value_of(name, row);

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
