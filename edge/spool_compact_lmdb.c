/* Giving space back: LMDB's file never shrinks, so what is in use is copied into a new file that takes the place of the
 * old one. Until the rename the old file is the spool, whatever happens; from the rename on the new one is, and both hold
 * the same, because nothing is committed between the copy and the opening.
 *
 * LMDB's lock file knows the number of the last transaction, and numbers begin anew in the copy: a reader that had the
 * old pair open would point a writer of the new file to the wrong root. So no tool may have the spool open meanwhile
 * (spool_lock_readers), and the lock file is made anew too. */
#include "edge/spool_lmdb.h"
#include "runtime/sync_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, NAME_SIZE_MAX = 64 };

static void path_of(const struct spool *spool, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", spool->dir, name);
}

int spool_lock_readers(const char *dir, int operation, int *ret_fd)
{
	char path[PATH_SIZE];
	bool is_writer = (operation & LOCK_EX) != 0;

	snprintf(path, sizeof path, "%s/readers.lock", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC | (is_writer ? O_CREAT : 0), 0600);
	if (fd < 0) {
		return -errno;
	}
	if (flock(fd, operation) < 0) {
		int code = errno;
		close(fd);
		return code == EWOULDBLOCK ? SPOOL_E_IN_USE : -code;
	}
	*ret_fd = fd;
	return 0;
}

void spool_forget_copy(const struct spool *spool)
{
	char path[PATH_SIZE];

	path_of(spool, SPOOL_FILE_COPY, path);
	(void)unlink(path);
}

/* ---- copying */

static int write_copy(const struct spool *spool)
{
	char path[PATH_SIZE];

	path_of(spool, SPOOL_FILE_COPY, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	int r = spool_from_mdb(mdb_env_copyfd2(spool->env, fd, MDB_CP_COMPACT));
	if (r == 0 && fsync(fd) < 0) {
		r = -errno;
	}
	close(fd);
	return r;
}

static bool vals_are_equal(MDB_val a, MDB_val b)
{
	return a.mv_size == b.mv_size && memcmp(a.mv_data, b.mv_data, a.mv_size) == 0;
}

/* Both in step, to the end. */
static int compare_rows(MDB_cursor *ours, MDB_cursor *copied)
{
	MDB_val key, value, copied_key, copied_value;

	for (;;) {
		int rc = mdb_cursor_get(ours, &key, &value, MDB_NEXT);
		int copied_rc = mdb_cursor_get(copied, &copied_key, &copied_value, MDB_NEXT);
		if (rc == MDB_NOTFOUND && copied_rc == MDB_NOTFOUND) {
			return 0;
		}
		if (rc != 0 || copied_rc != 0 || !vals_are_equal(key, copied_key) ||
			!vals_are_equal(value, copied_value)) {
			return SPOOL_E_CORRUPT;
		}
	}
}

static int compare_database(MDB_txn *ours, MDB_txn *copied, const char *name)
{
	MDB_dbi dbi, copied_dbi;
	MDB_cursor *cursor = NULL, *copied_cursor = NULL;

	int rc = mdb_dbi_open(ours, name, 0, &dbi);
	if (rc == 0) {
		rc = mdb_dbi_open(copied, name, 0, &copied_dbi);
	}
	if (rc == 0) {
		rc = mdb_cursor_open(ours, dbi, &cursor);
	}
	if (rc == 0) {
		rc = mdb_cursor_open(copied, copied_dbi, &copied_cursor);
	}
	int r = rc == 0 ? compare_rows(cursor, copied_cursor) : SPOOL_E_CORRUPT;
	if (copied_cursor != NULL) {
		mdb_cursor_close(copied_cursor);
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r;
}

static int compare_sums(MDB_txn *ours, MDB_txn *copied)
{
	MDB_val key = {sizeof SPOOL_KEY_SUMS - 1, SPOOL_KEY_SUMS};
	MDB_val value, copied_value;

	bool is_same = mdb_get(ours, SPOOL_DB_NAMES, &key, &value) == 0 &&
		       mdb_get(copied, SPOOL_DB_NAMES, &key, &copied_value) == 0 &&
		       vals_are_equal(value, copied_value);
	return is_same ? 0 : SPOOL_E_CORRUPT;
}

/* The keys of the database of databases are their names, but for that of the sums. */
static int compare_all(MDB_txn *ours, MDB_txn *copied)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int r = 0;

	if (mdb_cursor_open(ours, SPOOL_DB_NAMES, &cursor) != 0) {
		return SPOOL_E_CORRUPT;
	}
	while (r == 0 && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		char name[NAME_SIZE_MAX];
		snprintf(name, sizeof name, "%.*s", (int)key.mv_size, (const char *)key.mv_data);
		r = strcmp(name, SPOOL_KEY_SUMS) == 0 ? compare_sums(ours, copied)
						      : compare_database(ours, copied, name);
	}
	mdb_cursor_close(cursor);
	return r;
}

/* Of a few MiB; the copy is read through an environment of its own. */
static int compare_copy(struct spool *spool)
{
	char path[PATH_SIZE];
	MDB_env *env = NULL;
	MDB_txn *copied = NULL;

	path_of(spool, SPOOL_FILE_COPY, path);
	int rc = mdb_env_create(&env);
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(env, SPOOL_DBS_MAX);
	}
	if (rc == 0) {
		rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0600);
	}
	if (rc == 0) {
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &copied);
	}
	int r = rc == 0 ? spool_from_mdb(mdb_txn_renew(spool->reader)) : SPOOL_E_CORRUPT;
	if (r == 0) {
		r = compare_all(spool->reader, copied);
		mdb_txn_reset(spool->reader);
	}
	if (copied != NULL) {
		mdb_txn_abort(copied);
	}
	if (env != NULL) {
		mdb_env_close(env);
	}
	return r;
}

/* ---- changing places */

static int rename_copy(const struct spool *spool)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	path_of(spool, SPOOL_FILE_COPY, from);
	path_of(spool, SPOOL_FILE, to);
	return rename(from, to) < 0 ? -errno : 0;
}

static void drop_lock_file(const struct spool *spool)
{
	char path[PATH_SIZE];

	path_of(spool, SPOOL_FILE_LOCK, path);
	(void)unlink(path);
}

static int change_places(struct spool *spool, bool *ret_is_new)
{
	spool_close_files(spool);
	int r = rename_copy(spool);
	*ret_is_new = r == 0;
	if (r == 0) {
		drop_lock_file(spool);
		/* A commit into a file whose name is not on disk could be gone after a power failure. */
		r = sync_dir(spool->dir);
		if (r < 0) {
			return r; /* nobody knows which file the name means after a power failure */
		}
	}
	return spool_open_files(spool);
}

static int compact(struct spool *spool)
{
	bool is_new = false;

	int r = write_copy(spool);
	if (r == 0) {
		r = compare_copy(spool);
	}
	if (r != 0) {
		spool_forget_copy(spool);
		return r == -ENOMEM                   ? r
		       : r == -ENOSPC || r == -EDQUOT ? SPOOL_E_FULL
						      : SPOOL_E_CORRUPT;
	}
	r = change_places(spool, &is_new);
	if (r != 0) {
		return r < 0 ? r : -EIO;
	}
	if (!is_new) {
		spool_forget_copy(spool);
		return SPOOL_E_CORRUPT;
	}
	return spool_measure(spool);
}

int spool_compact(struct spool *spool)
{
	int fd = -1;

	int r = spool_lock_readers(spool->dir, LOCK_EX | LOCK_NB, &fd);
	if (r != 0) {
		return r < 0 ? SPOOL_E_CORRUPT : r;
	}
	r = compact(spool);
	close(fd);
	return r;
}
