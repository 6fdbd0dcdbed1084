/* Values that end in a checksum of key and value: how they are written and read, whatever the table. */
#include "aggregator/store/store_layout.h"
#include "proto/checksum.h"
#include <errno.h>
#include <lmdb.h>

/* The border: LMDB's codes stop here. Its errno comes positive, its own codes negative. */
int store_from_lmdb(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return STORE_E_ABSENT;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		return STORE_E_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
		return STORE_E_CORRUPT;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return STORE_E_FOREIGN;
	default:
		return rc < 0 ? -EIO : -rc;
	}
}

uint32_t seal_of(struct slice key, struct slice value)
{
	uint32_t checksum = checksum_crc32c(0, key.bytes, key.size);
	return checksum_crc32c(checksum, value.bytes, value.size);
}

void seal_write(struct slice key, struct slice value, uint8_t *ret_sealed)
{
	if (value.size > 0) {
		memcpy(ret_sealed, value.bytes, value.size);
	}
	pack_big_endian(ret_sealed + value.size, seal_of(key, value), SEAL_SIZE);
}

bool seal_open(struct slice key, struct slice sealed, struct slice *ret_value)
{
	if (sealed.size < SEAL_SIZE) {
		return false;
	}
	struct slice value = slice_of(sealed.bytes, sealed.size - SEAL_SIZE);
	struct unpack seal = unpack_of(slice_of(sealed.bytes + value.size, SEAL_SIZE));
	if (unpack_u32(&seal) != seal_of(key, value)) {
		return false;
	}
	*ret_value = value;
	return true;
}

int sealed_get(struct MDB_txn *txn, unsigned table, struct slice key, struct slice *ret_value)
{
	MDB_val data, name = {key.size, (void *)key.bytes};
	int r = store_from_lmdb(mdb_get(txn, table, &name, &data));
	if (r != 0) {
		return r;
	}
	return seal_open(key, slice_of(data.mv_data, data.mv_size), ret_value) ? 0
									       : STORE_E_CORRUPT;
}

int sealed_put(struct MDB_txn *txn, unsigned table, struct slice key, struct slice value)
{
	MDB_val name = {key.size, (void *)key.bytes};
	MDB_val data = {value.size + SEAL_SIZE, NULL};
	int r = store_from_lmdb(mdb_put(txn, table, &name, &data, MDB_RESERVE));
	if (r != 0) {
		return r;
	}
	seal_write(key, value, data.mv_data);
	return 0;
}

bool row_key_of(uint32_t view_id, struct slice key, uint8_t ret_key[ROW_KEY_SIZE_MAX],
	struct slice *ret_slice)
{
	if (key.size >= ROW_KEY_SIZE_MAX || view_id >= VIEWS_MAX) {
		return false;
	}
	ret_key[0] = (uint8_t)view_id;
	if (key.size > 0) {
		memcpy(ret_key + 1, key.bytes, key.size);
	}
	*ret_slice = slice_of(ret_key, key.size + 1);
	return true;
}

struct slice summary_key(uint32_t view_id, uint8_t ret_key[5])
{
	memcpy(ret_key, "view", 4);
	ret_key[4] = (uint8_t)view_id;
	return slice_of(ret_key, 5);
}
