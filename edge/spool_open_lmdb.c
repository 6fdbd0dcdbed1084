/* Opening a spool: the lock, the check in a child process, the identity, and counting what is there. */
#include "edge/spool_lmdb.h"
#include "edge/spool_marks_lmdb.h"
#include "runtime/file_birth.h"
#include "runtime/sync_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_SIZE = 4096,
	/* Rows of event ids and of requests with their replies, both databases, half-full pages. */
	EVENT_ID_COST = 1024,
	MAP_SLACK = 16 * 1024 * 1024,
	LOCK_FILE_SIZE = 8192, /* LMDB's, for its default of 126 readers */
	ROW_SIZE_MAX = 128 * 1024,
	IDENTITY_SIZE_MAX = 1024,
	BAD_KEYS_SIZE_MAX = 64 * 1024 * 1024,
};

/* ---- opening */

/* Held by fcntl-free flock on a file of our own: LMDB's lock file must never be opened twice in one process. */
static int take_lock(struct spool *spool, struct spool_error *error)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/edge.lock", spool->dir);
	spool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (spool->lock_fd < 0) {
		int code = errno;
		spool_error_set(error, "%s: %s", path, strerror(code));
		return -code;
	}
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		spool_error_set(error, "%s is in use: another till-edge runs on this directory",
			spool->dir);
		return errno == EWOULDBLOCK ? SPOOL_E_IN_USE : -errno;
	}
	return 0;
}

/* LMDB maps its lock file sparse: on a full disk the first touch would be a SIGBUS. */
static int reserve_lock_file(struct spool *spool, struct spool_error *error)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/" SPOOL_FILE_LOCK, spool->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int code = fd < 0 ? errno : posix_fallocate(fd, 0, LOCK_FILE_SIZE);
	if (fd >= 0) {
		close(fd);
	}
	if (code != 0) {
		spool_error_set(error, "%s: %s", path, strerror(code));
	}
	return -code;
}

/* LMDB syncs its file, not the directory that names it. */
static int sync_names(const struct spool *spool)
{
	int r = sync_dir(spool->dir);
	return r == 0 ? sync_parent_dir(spool->dir) : r;
}

static int make_dir(const char *dir, struct spool_error *error)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		int code = errno;
		spool_error_set(error, "[edge] data = %s: %s", dir, strerror(code));
		return -code;
	}
	return 0;
}

static uint64_t file_size(const char *dir)
{
	char path[PATH_SIZE];
	struct stat file;

	snprintf(path, sizeof path, "%s/" SPOOL_FILE, dir);
	return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

/* Three quarters of the map hold the quota and what is remembered; a full map could not even be emptied. A file that is
 * larger (a quota that was lowered, a map that did fill up) gets its own size and a third more. */
static uint64_t map_size(const struct spool *spool, uint64_t file_bytes)
{
	uint64_t need = spool->index.quota_bytes + (uint64_t)spool->memory.window * EVENT_ID_COST +
			MAP_SLACK;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	need = need > file_bytes ? need : file_bytes;
	return (need / 3 * 4 + page) / page * page;
}

/* LMDB takes the number of the last transaction from its lock file while another process has that open. Where it is
 * not the data file's (one of the two was replaced meanwhile), a writer would begin at the wrong root. */
static int check_lock_file(MDB_env *env)
{
	MDB_envinfo info;
	MDB_txn *txn;

	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (rc != 0) {
		return rc;
	}
	size_t number = mdb_txn_id(txn);
	mdb_txn_abort(txn);
	rc = mdb_env_info(env, &info);
	return rc == 0 && info.me_last_txnid != number ? EBUSY : rc;
}

static int open_env(struct spool *spool)
{
	int dead = 0;

	int rc = mdb_env_create(&spool->env);
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(spool->env, SPOOL_DBS_MAX);
	}
	if (rc == 0) {
		spool->map_bytes = map_size(spool, file_size(spool->dir));
		rc = mdb_env_set_mapsize(spool->env, spool->map_bytes);
	}
	if (rc == 0) {
		rc = mdb_env_open(spool->env, spool->dir, MDB_NOTLS, 0600);
	}
	if (rc == 0) {
		rc = mdb_reader_check(spool->env, &dead);
	}
	if (rc == 0) {
		rc = check_lock_file(spool->env);
	}
	return spool_from_mdb(rc);
}

int spool_write_identity(struct spool *spool, MDB_txn *txn, const struct spool_identity *identity)
{
	struct buffer buffer;
	MDB_val key = {sizeof SPOOL_KEY_IDENTITY - 1, SPOOL_KEY_IDENTITY};

	buffer_init(&buffer, IDENTITY_SIZE_MAX);
	spool_identity_encode(identity, &buffer);
	int r = buffer.error;
	if (r == 0) {
		MDB_val value = {buffer.size, buffer.bytes};
		r = spool_from_mdb(mdb_put(txn, spool->meta, &key, &value, 0));
	}
	buffer_deinit(&buffer);
	return r;
}

/* The spool's own identity, or this edge's for a spool that is new. */
static int read_identity(struct spool *spool, MDB_txn *txn, const char *edge)
{
	MDB_val key = {sizeof SPOOL_KEY_IDENTITY - 1, SPOOL_KEY_IDENTITY};
	MDB_val value;

	int r = spool_from_mdb(mdb_get(txn, spool->meta, &key, &value));
	if (r == SPOOL_E_UNKNOWN) {
		spool->identity = (struct spool_identity){.version = SPOOL_VERSION};
		snprintf(spool->identity.edge, sizeof spool->identity.edge, "%s", edge);
		r = spool_write_identity(spool, txn, &spool->identity);
		return r == 0 ? spool_sums_write(spool, txn) : r;
	}
	if (r == 0 && spool_identity_decode(slice_of_val(value), &spool->identity) != 0) {
		r = -EUCLEAN;
	}
	return r;
}

static int open_databases(struct spool *spool, MDB_txn *txn)
{
	int rc = mdb_dbi_open(txn, SPOOL_DB_META, MDB_CREATE, &spool->meta);
	if (rc == 0) {
		rc = mdb_dbi_open(txn, SPOOL_DB_BLOCKS, MDB_CREATE, &spool->blocks);
	}
	if (rc == 0) {
		rc = mdb_dbi_open(txn, SPOOL_DB_CORRUPT, MDB_CREATE, &spool->corrupt_blocks);
	}
	int r = rc == 0 ? spool_marks_open(txn, &spool->marks) : spool_from_mdb(rc);
	return r == 0 ? spool_memory_open(&spool->memory, txn, true) : r;
}

/* ---- counting what is there */

int spool_move_aside(struct spool *spool, MDB_txn *txn, uint8_t key[SPOOL_KEY_SIZE])
{
	MDB_val at = {SPOOL_KEY_SIZE, key};
	MDB_val value;

	spool_distrust(spool);
	int rc = mdb_get(txn, spool->blocks, &at, &value);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	void *bytes = malloc(value.mv_size + 1); /* the value moves when something is put */
	if (bytes == NULL) {
		return -ENOMEM;
	}
	memcpy(bytes, value.mv_data, value.mv_size);
	value.mv_data = bytes;
	rc = mdb_put(txn, spool->corrupt_blocks, &at, &value, 0);
	if (rc == 0) {
		rc = mdb_del(txn, spool->blocks, &at, NULL);
	}
	free(bytes);
	return spool_from_mdb(rc);
}

/* Into the index, or onto the list of those to set aside when not even the header can be read. Events are checked when
 * they are sent: reading a full spool through would keep a till waiting. */
static int count_block(struct spool *spool, MDB_val key, MDB_val value, struct buffer *bad_keys,
	struct spool_sum *sum)
{
	struct spool_block_header header;
	enum kind lane;
	uint64_t at;

	if (!spool_key_decode(slice_of_val(key), &lane, &at)) {
		return -EUCLEAN;
	}
	if (spool_block_decode_header(slice_of_val(value), &header) != 0 || header.lane != lane) {
		buffer_append(bad_keys, key.mv_data, key.mv_size);
		return bad_keys->error;
	}
	spool_index_add(&spool->index, lane, at, header.count, header.size);
	spool_sum_add(sum, SPOOL_TABLE_BLOCKS, slice_of_val(key), slice_of_val(value));
	return 0;
}

static int count_blocks(
	struct spool *spool, MDB_txn *txn, struct buffer *bad_keys, struct spool_sum *sum)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	int r = 0;

	int rc = mdb_cursor_open(txn, spool->blocks, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	while (r == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		r = count_block(spool, key, value, bad_keys, sum);
	}
	mdb_cursor_close(cursor);
	return r != 0 || rc == MDB_NOTFOUND ? r : spool_from_mdb(rc);
}

/* Set-aside blocks keep their keys: a new block must never get one of them. */
static int count_set_aside(struct spool *spool, MDB_txn *txn, struct spool_sum *sum)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	enum kind lane;
	uint64_t at;

	int rc = mdb_cursor_open(txn, spool->corrupt_blocks, &cursor);
	if (rc != 0) {
		return spool_from_mdb(rc);
	}
	spool->corrupt = (struct spool_corrupt){.marks = spool->corrupt.marks};
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		struct spool_block_header header = {0};
		bool known = spool_block_decode_header(slice_of_val(value), &header) == 0;
		spool->corrupt.blocks++;
		spool->corrupt.events += header.count;
		spool->corrupt.unreadable_headers += known ? 0 : 1;
		spool_sum_add(sum, SPOOL_TABLE_CORRUPT, slice_of_val(key), slice_of_val(value));
		if (spool_key_decode(slice_of_val(key), &lane, &at)) {
			spool_index_reserve(&spool->index, lane, at + 1);
		}
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : spool_from_mdb(rc);
}

int spool_load_blocks(struct spool *spool, MDB_txn *txn, bool adopts)
{
	struct buffer bad_keys;
	struct spool_sum blocks = {0}, aside = {0};
	const struct spool_index before = spool->index;

	buffer_init(&bad_keys, BAD_KEYS_SIZE_MAX);
	spool_index_reset(&spool->index);
	int r = count_blocks(spool, txn, &bad_keys, &blocks);
	for (size_t i = 0; r == 0 && i < bad_keys.size; i += SPOOL_KEY_SIZE) {
		r = spool_move_aside(spool, txn, bad_keys.bytes + i);
	}
	if (r == 0) {
		r = count_set_aside(spool, txn, &aside);
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		spool_index_reserve(&spool->index, (enum kind)i, before.lanes[i].end);
	}
	struct spool_sum *sums = spool->pending.tables;
	if (adopts || bad_keys.size > 0 || aside.damaged != sums[SPOOL_TABLE_CORRUPT].damaged) {
		sums[SPOOL_TABLE_BLOCKS] = blocks;
		sums[SPOOL_TABLE_CORRUPT] = aside;
	}
	buffer_deinit(&bad_keys);
	return r;
}

/* Those that are damaged; their sum is as it was, unless one more is. */
static int load_marks(struct spool *spool, MDB_txn *txn)
{
	struct spool_sum *told = &spool->pending.tables[SPOOL_TABLE_MARKS], found;

	int r = spool_sum_find(txn, spool->marks, SPOOL_TABLE_MARKS, &found);
	if (r == 0) {
		spool->corrupt.marks = found.damaged;
		*told = found.damaged != told->damaged ? found : *told;
	}
	return r;
}

/* Into `pending`: the spool's, or what is there, for a spool that never had any or one that goes on without what is missing. */
static int load_sums(struct spool *spool, MDB_txn *txn)
{
	spool->sums = (struct spool_sums){0};
	if (spool->identity.version != SPOOL_VERSION_WITHOUT_SUMS && !spool->adopts_rows) {
		int r = spool_sums_read(txn, &spool->sums);
		spool->pending = spool->sums;
		return r == SPOOL_E_UNKNOWN ? -EUCLEAN : r;
	}
	spool->adopts_rows = false;
	spool->identity.version = SPOOL_VERSION;
	int r = spool_sums_find_all(spool, txn);
	if (r == 0) {
		r = spool_write_identity(spool, txn, &spool->identity);
	}
	return r == 0 ? spool_sums_write(spool, txn) : r;
}

static int load(struct spool *spool, MDB_txn *txn, const char *edge)
{
	int r = open_databases(spool, txn);
	if (r == 0) {
		r = read_identity(spool, txn, edge);
	}
	if (r == 0) {
		r = load_sums(spool, txn);
	}
	if (r == 0) {
		r = spool_load_blocks(spool, txn, false);
	}
	if (r == 0) {
		r = load_marks(spool, txn);
	}
	if (r == 0) {
		r = spool_memory_look(&spool->memory, txn);
	}
	if (r == 0) {
		r = spool_memory_count(&spool->memory, txn);
	}
	bool is_same = memcmp(&spool->pending, &spool->sums, sizeof spool->sums) == 0;
	return r == 0 && !is_same ? spool_sums_write(spool, txn) : r;
}

static int load_committed(struct spool *spool, const char *edge)
{
	MDB_txn *txn = NULL;

	int r = spool_from_mdb(mdb_txn_begin(spool->env, NULL, 0, &txn));
	if (r < 0) {
		return r;
	}
	r = load(spool, txn, edge);
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	r = spool_from_mdb(mdb_txn_commit(txn));
	if (r == 0) {
		spool->sums = spool->pending;
		r = spool_from_mdb(mdb_txn_begin(spool->env, NULL, MDB_RDONLY, &spool->reader));
	}
	if (r == 0) {
		mdb_txn_reset(spool->reader);
	}
	return r;
}

int spool_open_files(struct spool *spool)
{
	struct spool_error error;

	int r = reserve_lock_file(spool, &error);
	if (r == 0) {
		r = open_env(spool);
	}
	return r == 0 ? load_committed(spool, spool->identity.edge) : r;
}

void spool_distrust(struct spool *spool)
{
	spool->is_distrusted = true;
	look_note_remove(&spool->note);
}

void spool_close_files(struct spool *spool)
{
	if (spool->reader != NULL) {
		mdb_txn_abort(spool->reader);
		spool->reader = NULL;
	}
	if (spool->env != NULL) {
		mdb_env_close(spool->env);
		spool->env = NULL;
	}
}

/* Tools look for it: it is there before LMDB's files are. */
static int make_readers_lock(const struct spool *spool)
{
	int fd = -1;

	int r = spool_lock_readers(spool->dir, LOCK_EX | LOCK_NB, &fd);
	if (r == 0) {
		close(fd);
	}
	return r == SPOOL_E_IN_USE ? 0 : r;
}

static const char *why(int r)
{
	return r == -EBUSY ? "its lock file is another file's: end the tools that read it, then "
			     "start again"
			   : strerror(-r);
}

static int open_checked(
	struct spool *spool, const struct spool_options *options, struct spool_error *error)
{
	int r = make_dir(spool->dir, error);
	if (r == 0) {
		r = take_lock(spool, error);
	}
	if (r == 0) {
		r = reserve_lock_file(spool, error);
	}
	if (r == 0 && !look_note_rely(&spool->note)) {
		r = spool_check(spool->dir, false, options->accept_lost, error);
		spool->has_lost = spool->adopts_rows = r == SPOOL_E_LOST;
		r = r == SPOOL_E_ABSENT || r == SPOOL_E_LOST ? 0 : r;
	}
	if (r != 0) {
		return r;
	}
	look_note_remove(&spool->note); /* until it is open */
	spool_forget_copy(spool);
	r = make_readers_lock(spool);
	if (r == 0) {
		r = file_birth(spool->dir, 0600);
	}
	if (r == 0) {
		r = open_env(spool);
	}
	if (r == 0) {
		r = load_committed(spool, options->edge);
	}
	if (r == 0) {
		r = sync_names(spool);
	}
	if (r != 0) {
		spool_error_set(error, "%s: the spool can't be opened: %s", spool->dir, why(r));
		return r == -EUCLEAN ? SPOOL_E_FOREIGN : r;
	}
	if (strcmp(spool->identity.edge, options->edge) != 0) {
		spool_error_set(error,
			"%s is the spool of edge \"%s\", not of \"%s\": give each edge a directory "
			"of its own",
			spool->dir, spool->identity.edge, options->edge);
		return SPOOL_E_FOREIGN;
	}
	r = spool_measure(spool);
	if (r == 0 && !spool->is_distrusted) {
		look_note_write(&spool->note, false);
	}
	return r;
}

int spool_new(
	const struct spool_options *options, struct spool **ret_spool, struct spool_error *error)
{
	struct spool *spool = calloc(1, sizeof *spool);
	if (spool == NULL) {
		return -ENOMEM;
	}
	spool->lock_fd = -1;
	spool->memory.window = options->event_id_window;
	spool->memory.producer_ttl_ms = options->producer_ttl_ms;
	spool->memory.sums = &spool->pending;
	buffer_init(&spool->row, ROW_SIZE_MAX);
	spool_index_init(&spool->index, options->quota_bytes, options->share_percent);
	spool->dir = strdup(options->dir);
	int r = spool->dir == NULL ? -ENOMEM : look_note_init(&spool->note, spool->dir);
	if (r == 0) {
		r = open_checked(spool, options, error);
	}
	if (r != 0) {
		spool_free(spool);
		return r;
	}
	*ret_spool = spool;
	return 0;
}

struct spool *spool_free(struct spool *spool)
{
	if (spool == NULL) {
		return NULL;
	}
	bool is_trusted = spool->env != NULL && look_note_holds(&spool->note);
	spool_close_files(spool);
	if (is_trusted) {
		look_note_write(&spool->note, true);
	}
	look_note_deinit(&spool->note);
	if (spool->lock_fd >= 0) {
		close(spool->lock_fd);
	}
	buffer_deinit(&spool->row);
	free(spool->dir);
	free(spool);
	return NULL;
}
