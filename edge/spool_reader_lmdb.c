#include "edge/spool_lmdb.h"
#include "edge/spool_reader.h"
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* A record: the largest block, and room for one whose size is damaged. */
enum { RECORD_SIZE_MAX = 4 * SPOOL_BLOCK_SIZE_MAX };

struct spool_reader {
	MDB_env *env;
	MDB_txn *txn; /* reset between calls */
	MDB_dbi meta;
	MDB_dbi databases[2]; /* blocks, then what was set aside */
	bool empty; /* killed before its first commit */
	struct spool_identity identity;
	struct spool_error lost;
	int at_database;
	uint8_t key[SPOOL_KEY_SIZE]; /* of the block given last */
	bool key_given;
	struct buffer record;
	int lock_fd; /* shared: the edge changes no files while it is held; -1 where no edge ever made it */
};

static int read_identity(struct spool_reader *reader)
{
	MDB_val key = {sizeof SPOOL_KEY_IDENTITY - 1, SPOOL_KEY_IDENTITY};
	MDB_val value;

	int r = spool_from_mdb(mdb_get(reader->txn, reader->meta, &key, &value));
	if (r == 0 && spool_identity_decode(
			      slice_of(value.mv_data, value.mv_size), &reader->identity) != 0) {
		r = -EUCLEAN;
	}
	return r;
}

static int open_databases(struct spool_reader *reader)
{
	int rc = mdb_dbi_open(reader->txn, SPOOL_DB_META, 0, &reader->meta);
	if (rc == MDB_NOTFOUND) {
		reader->empty = true;
		return 0;
	}
	if (rc == 0) {
		rc = mdb_dbi_open(reader->txn, SPOOL_DB_BLOCKS, 0, &reader->databases[0]);
	}
	if (rc == 0) {
		rc = mdb_dbi_open(reader->txn, SPOOL_DB_CORRUPT, 0, &reader->databases[1]);
	}
	return rc == 0 ? read_identity(reader) : spool_from_mdb(rc);
}

/* On a file system that can't be written there is nobody to lock against. */
static int open_env(struct spool_reader *reader, const char *dir, unsigned lock)
{
	int rc = mdb_env_create(&reader->env);
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(reader->env, SPOOL_DBS_MAX);
	}
	if (rc == 0) {
		rc = mdb_env_open(reader->env, dir, MDB_RDONLY | MDB_NOTLS | lock, 0600);
	}
	if (rc != 0 && reader->env != NULL) {
		mdb_env_close(reader->env);
		reader->env = NULL;
	}
	return rc;
}

static int open_spool(struct spool_reader *reader, const char *dir)
{
	int rc = open_env(reader, dir, 0);
	if (rc == EROFS) {
		rc = open_env(reader, dir, MDB_NOLOCK);
	}
	if (rc == 0) {
		rc = mdb_txn_begin(reader->env, NULL, MDB_RDONLY, &reader->txn);
	}
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	int r = open_databases(reader);
	if (r != 0) {
		return r;
	}
	rc = mdb_txn_commit(
		reader->txn); /* handles of a transaction that is not committed are closed */
	reader->txn = NULL;
	if (rc == 0) {
		rc = mdb_txn_begin(reader->env, NULL, MDB_RDONLY, &reader->txn);
	}
	if (rc == 0) {
		mdb_txn_reset(reader->txn);
	}
	return spool_from_mdb(rc);
}

int spool_reader_new(const char *dir, struct spool_reader **ret_reader, struct spool_error *error)
{
	struct spool_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return -ENOMEM;
	}
	reader->lock_fd = -1;
	(void)spool_lock_readers(dir, LOCK_SH, &reader->lock_fd);
	buffer_init(&reader->record, RECORD_SIZE_MAX);
	int r = spool_check(dir, true, NULL, error);
	if (r == SPOOL_E_LOST) {
		reader->lost = *error;
	} else if (r != 0) {
		spool_reader_free(reader);
		return r;
	}
	r = open_spool(reader, dir);
	if (r != 0) {
		spool_error_set(error, "%s: the spool can't be opened: %s", dir, strerror(-r));
		spool_reader_free(reader);
		return r == -EUCLEAN || r > 0 ? SPOOL_E_FOREIGN : r;
	}
	*ret_reader = reader;
	return 0;
}

struct spool_reader *spool_reader_free(struct spool_reader *reader)
{
	if (reader == NULL) {
		return NULL;
	}
	if (reader->txn != NULL) {
		mdb_txn_abort(reader->txn);
	}
	if (reader->env != NULL) {
		mdb_env_close(reader->env);
	}
	if (reader->lock_fd >= 0) {
		close(reader->lock_fd);
	}
	buffer_deinit(&reader->record);
	free(reader);
	return NULL;
}

const char *spool_reader_lost(const struct spool_reader *reader)
{
	return reader->lost.text;
}

const struct spool_identity *spool_reader_identity(const struct spool_reader *reader)
{
	return &reader->identity;
}

/* Stands on the first key after the one given last. */
static int seek(struct spool_reader *reader, MDB_cursor *cursor, MDB_val *key, MDB_val *value)
{
	MDB_val last = {sizeof reader->key, reader->key};

	if (!reader->key_given) {
		return mdb_cursor_get(cursor, key, value, MDB_FIRST);
	}
	*key = last;
	int rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
	if (rc == 0 && key->mv_size == last.mv_size &&
		memcmp(key->mv_data, last.mv_data, last.mv_size) == 0) {
		rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
	}
	return rc;
}

static int copy_next(struct spool_reader *reader)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;

	int rc = mdb_cursor_open(reader->txn, reader->databases[reader->at_database], &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	rc = seek(reader, cursor, &key, &value);
	if (rc == 0 && key.mv_size != sizeof reader->key) {
		rc = MDB_CORRUPTED;
	}
	if (rc == 0) {
		memcpy(reader->key, key.mv_data, sizeof reader->key);
		reader->key_given = true;
		buffer_clear(&reader->record);
		buffer_append(&reader->record, value.mv_data, value.mv_size);
	}
	mdb_cursor_close(cursor);
	return rc == 0 ? reader->record.error : spool_from_mdb(rc);
}

static void describe(const struct spool_reader *reader, struct spool_block *block)
{
	struct spool_block_header header = {0};
	struct slice events = {0};
	struct slice raw = buffer_slice(&reader->record);

	*block = (struct spool_block){.raw = raw, .set_aside = reader->at_database == 1};
	bool key_ok = spool_key_decode(
		slice_of(reader->key, sizeof reader->key), &block->lane, &block->index);
	int r = spool_block_decode(raw, &header, &events);
	block->header_ok = key_ok && r != SPOOL_BLOCK_E_HEADER && header.lane == block->lane;
	block->state = block->header_ok && r == 0 ? SPOOL_BLOCK_OK : SPOOL_BLOCK_CORRUPT;
	block->run = header.run;
	block->first_seq = header.first_seq;
	block->count = header.count;
	block->received_first_ms = header.received_first_ms;
	block->received_last_ms = header.received_last_ms;
	block->events = events;
	if (r != 0 &&
		raw.size > SPOOL_BLOCK_HEADER_SIZE) { /* for an export that saves what it can */
		block->events = slice_of(
			raw.bytes + SPOOL_BLOCK_HEADER_SIZE, raw.size - SPOOL_BLOCK_HEADER_SIZE);
	}
}

int spool_reader_next(struct spool_reader *reader, struct spool_block *ret_block)
{
	int r = SPOOL_E_UNKNOWN;

	while (!reader->empty && r == SPOOL_E_UNKNOWN && reader->at_database < 2) {
		r = spool_from_mdb(mdb_txn_renew(reader->txn));
		if (r != 0) {
			return r;
		}
		r = copy_next(reader);
		mdb_txn_reset(reader->txn);
		if (r == SPOOL_E_UNKNOWN) {
			reader->at_database++;
			reader->key_given = false;
		}
	}
	if (r == 0) {
		describe(reader, ret_block);
	}
	return r == SPOOL_E_UNKNOWN ? SPOOL_E_END : r;
}
