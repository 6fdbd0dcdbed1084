#include "edge/spool_memory_lmdb.h"
#include "edge/event_id_row.h"
#include "edge/spool_lmdb.h"
#include <errno.h>
#include <lmdb.h>

/* Rows looked at by one commit: a producer is found within ttl plus some thousand commits. */
enum { SWEEP_ROWS = 8, ORDER_SIZE = 8 };

static MDB_val val_of(struct slice slice)
{
	return (MDB_val){slice.size, (void *)(uintptr_t)slice.bytes};
}

int spool_memory_open(struct spool_memory_db *db, MDB_txn *txn, bool create)
{
	unsigned flags = create ? MDB_CREATE : 0;

	int rc = mdb_dbi_open(txn, SPOOL_DB_PRODUCERS, flags, &db->producers);
	if (rc == 0) {
		rc = mdb_dbi_open(txn, SPOOL_DB_EVENT_IDS, flags, &db->event_ids);
	}
	if (rc == 0) {
		rc = mdb_dbi_open(txn, SPOOL_DB_EVENT_ID_ORDER, flags, &db->event_id_order);
	}
	return spool_from_mdb(rc);
}

/* The order number of the newest id; 0 when there is none. */
static int newest_order(const struct spool_memory_db *db, MDB_txn *txn, uint64_t *ret_order)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;

	int rc = mdb_cursor_open(txn, db->event_id_order, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	if (rc == 0 && key.mv_size == ORDER_SIZE) {
		*ret_order = spool_get_u64(key.mv_data);
	} else if (rc == MDB_NOTFOUND) {
		*ret_order = 0;
	} else {
		rc = rc == 0 ? MDB_CORRUPTED : rc;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

static int count_entries(MDB_txn *txn, MDB_dbi dbi, uint64_t *ret_count)
{
	MDB_stat stat;
	int rc = mdb_stat(txn, dbi, &stat);
	if (rc == 0) {
		*ret_count = stat.ms_entries;
	}
	return spool_from_mdb(rc);
}

int spool_memory_count(struct spool_memory_db *db, MDB_txn *txn)
{
	uint64_t newest = 0;
	uint64_t ids = 0;

	int r = newest_order(db, txn, &newest);
	if (r == 0) {
		r = count_entries(txn, db->event_id_order, &db->windowed);
	}
	if (r == 0) {
		r = count_entries(txn, db->event_ids, &ids);
	}
	if (r == 0) {
		r = count_entries(txn, db->producers, &db->producer_count);
	}
	if (r == 0) {
		db->next_order = newest + 1;
		db->permanent = ids > db->windowed ? ids - db->windowed : 0;
	}
	return r;
}

/* ---- event ids */

static struct spool_sum *id_sum(const struct spool_memory_db *db)
{
	return &db->sums->tables[SPOOL_TABLE_EVENT_IDS];
}

static int put_order(MDB_txn *txn, MDB_dbi dbi, uint64_t order, struct slice id)
{
	uint8_t bytes[ORDER_SIZE];
	MDB_val key = {sizeof bytes, bytes};
	MDB_val value = val_of(id);

	spool_put_u64(bytes, order);
	return mdb_put(txn, dbi, &key, &value, MDB_APPEND);
}

/* `kept` lies with it: a request's row. */
static int write_event_id(const struct spool_memory_db *db, MDB_txn *txn, struct slice id,
	struct slice kept, uint64_t order)
{
	MDB_val key = val_of(id);
	MDB_val value = {event_id_row_size(order, kept), NULL};

	int rc = mdb_put(txn, db->event_ids, &key, &value, MDB_RESERVE | MDB_NOOVERWRITE);
	if (rc == 0) {
		event_id_row_encode(id, order, kept, value.mv_data);
		spool_sum_add(id_sum(db), SPOOL_TABLE_EVENT_IDS, id, slice_of_val(value));
	}
	if (rc == 0 && order != 0) {
		rc = put_order(txn, db->event_id_order, order, id);
	}
	return spool_from_mdb(rc);
}

static int forget_id(const struct spool_memory_db *db, MDB_cursor *ids, MDB_val id)
{
	MDB_val value;

	int rc = mdb_cursor_get(ids, &id, &value, MDB_SET);
	if (rc == 0) {
		spool_sum_subtract(
			id_sum(db), SPOOL_TABLE_EVENT_IDS, slice_of_val(id), slice_of_val(value));
		rc = mdb_cursor_del(ids, 0);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The id of the order row is only valid until that is deleted. */
static int forget_oldest(const struct spool_memory_db *db, MDB_cursor *orders, MDB_cursor *ids)
{
	MDB_val order;
	MDB_val id;

	int rc = mdb_cursor_get(orders, &order, &id, MDB_FIRST);
	if (rc == 0) {
		rc = forget_id(db, ids, id);
	}
	if (rc == 0) {
		rc = mdb_cursor_del(orders, 0);
	}
	return spool_from_mdb(rc);
}

static int trim_window(const struct spool_memory_db *db, MDB_txn *txn, uint64_t added)
{
	MDB_cursor *orders = NULL, *ids = NULL;
	uint64_t there = db->windowed + added;

	if (there <= db->window) {
		return 0;
	}
	int r = spool_from_mdb(mdb_cursor_open(txn, db->event_id_order, &orders));
	if (r == 0) {
		r = spool_from_mdb(mdb_cursor_open(txn, db->event_ids, &ids));
	}
	for (uint64_t surplus = there - db->window; r == 0 && surplus > 0; surplus--) {
		r = forget_oldest(db, orders, ids);
	}
	if (ids != NULL) {
		mdb_cursor_close(ids);
	}
	if (orders != NULL) {
		mdb_cursor_close(orders);
	}
	return r == SPOOL_E_UNKNOWN ? 0 : r;
}

static int write_event_ids(const struct spool_memory_db *db, MDB_txn *txn, const struct idmap *ids)
{
	uint64_t added = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < ids->count; i++) {
		struct slice id = idmap_id(ids, &ids->entries[i]);
		uint64_t order = event_id_is_permanent(id) ? 0 : db->next_order + added;
		added += order != 0;
		r = write_event_id(db, txn, id, idmap_value(ids, &ids->entries[i]), order);
	}
	return r == 0 ? trim_window(db, txn, added) : r;
}

/* ---- producers */

static int write_producer(
	const struct spool_memory_db *db, MDB_txn *txn, struct slice id, struct slice row)
{
	struct spool_sum *sum = &db->sums->tables[SPOOL_TABLE_PRODUCERS];
	MDB_val key = val_of(id);
	MDB_val value;

	int rc = mdb_get(txn, db->producers, &key, &value);
	if (rc == 0) {
		spool_sum_subtract(sum, SPOOL_TABLE_PRODUCERS, id, slice_of_val(value));
	}
	if (rc == 0 || rc == MDB_NOTFOUND) {
		value = val_of(row);
		rc = mdb_put(txn, db->producers, &key, &value, 0);
	}
	if (rc == 0) {
		spool_sum_add(sum, SPOOL_TABLE_PRODUCERS, id, row);
	}
	return spool_from_mdb(rc);
}

static int write_producers(
	const struct spool_memory_db *db, MDB_txn *txn, const struct idmap *producers)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < producers->count; i++) {
		const struct idmap_entry *entry = &producers->entries[i];
		struct slice id = idmap_id(producers, entry);
		if (idmap_find(producers, id) != entry) {
			continue; /* a newer row of this group stands */
		}
		r = write_producer(db, txn, id, idmap_value(producers, entry));
	}
	return r;
}

int spool_memory_write(struct spool_memory_db *db, MDB_txn *txn, const struct draft *draft)
{
	int r = write_producers(db, txn, &draft->producers);
	return r == 0 ? write_event_ids(db, txn, &draft->event_ids) : r;
}

static int delete_if_expired(
	const struct spool_memory_db *db, MDB_cursor *cursor, struct slice row, int64_t wall_ms)
{
	MDB_val key;
	MDB_val value;
	struct producer_row decoded;

	int rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
	if (rc == 0 && producer_row_decode(slice_of_val(key), row, &decoded) &&
		producer_row_is_expired(&decoded, wall_ms, db->producer_ttl_ms)) {
		spool_sum_subtract(&db->sums->tables[SPOOL_TABLE_PRODUCERS], SPOOL_TABLE_PRODUCERS,
			slice_of_val(key), row);
		rc = mdb_cursor_del(cursor, 0);
	}
	return rc;
}

int spool_memory_look(struct spool_memory_db *db, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	struct producer_row row;

	int rc = mdb_cursor_open(txn, db->producers, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (producer_row_decode(slice_of_val(key), slice_of_val(value), &row) &&
			row.used_ms > db->heard_last_ms) {
			db->heard_last_ms = row.used_ms;
		}
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

int spool_memory_sweep(struct spool_memory_db *db, MDB_txn *txn, int64_t wall_ms)
{
	MDB_cursor *cursor = NULL;
	MDB_val key = {db->sweep_key_size, db->sweep_key};
	MDB_val value;
	enum MDB_cursor_op op = db->sweep_key_size == 0 ? MDB_FIRST : MDB_SET_RANGE;

	int rc = mdb_cursor_open(txn, db->producers, &cursor);
	for (int i = 0; rc == 0 && i < SWEEP_ROWS; i++) {
		rc = mdb_cursor_get(cursor, &key, &value, op);
		op = MDB_NEXT;
		if (rc == 0 && key.mv_size <= sizeof db->sweep_key) {
			memcpy(db->sweep_key, key.mv_data, key.mv_size);
			db->sweep_key_size = key.mv_size;
			rc = delete_if_expired(db, cursor, slice_of_val(value), wall_ms);
		}
	}
	if (rc == MDB_NOTFOUND) { /* around once: begin again */
		db->sweep_key_size = 0;
		rc = 0;
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return spool_from_mdb(rc);
}

int spool_memory_producer(const struct spool_memory_db *db, MDB_txn *txn, struct slice producer,
	struct producer_row *ret_row)
{
	MDB_val key = val_of(producer);
	MDB_val value;

	int r = spool_from_mdb(mdb_get(txn, db->producers, &key, &value));
	if (r != 0) {
		return r;
	}
	return producer_row_decode(producer, slice_of_val(value), ret_row) ? 0 : SPOOL_E_CORRUPT;
}

int spool_memory_event_id(const struct spool_memory_db *db, MDB_txn *txn, struct slice event_id,
	struct slice *ret_value)
{
	MDB_val key = val_of(event_id);
	MDB_val value;

	int r = spool_from_mdb(mdb_get(txn, db->event_ids, &key, &value));
	if (r == 0) {
		*ret_value = event_id_row_kept(slice_of_val(value));
	}
	bool is_one_too_many = r == SPOOL_E_UNKNOWN && event_id_is_permanent(event_id) &&
			       db->permanent >= SPOOL_PERMANENT_IDS_MAX;
	return is_one_too_many ? SPOOL_E_FULL : r;
}
