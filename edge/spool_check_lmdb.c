/* LMDB trusts its files: a flipped bit in a branch page is a wild pointer. So before the edge opens them, a child reads
 * every node once; if it dies or finds nonsense, the edge refuses to start, and nothing is changed. */
#include "edge/spool_block.h"
#include "edge/spool_lmdb.h"
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHECK_OK = 0,
	CHECK_FOREIGN = 10, /* an LMDB file, but no spool */
	CHECK_VERSION = 11,
	CHECK_DAMAGED = 12,
	CHECK_NOT_LMDB = 13,
	CHECK_NO_MEMORY = 14,
	CHECK_REFUSED = 15, /* rights */
	NODE_SIZE_MIN = 8,
};

int spool_from_mdb(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return SPOOL_E_UNKNOWN;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return -EUCLEAN;
	default:
		return rc < 0 ? -EIO : -rc;
	}
}

void spool_error_set(struct spool_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
}

/* Touches both ends of a value: a file that was cut off faults here and not later. */
static unsigned touch(MDB_val value)
{
	const volatile uint8_t *bytes = value.mv_data;
	return value.mv_size == 0 ? 0 : (unsigned)bytes[0] + bytes[value.mv_size - 1];
}

/* A damaged tree may have loops: more entries than the file can hold end the walk. */
static int walk(MDB_txn *txn, MDB_dbi dbi, uint64_t entries_max)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	MDB_stat stat;
	uint64_t entries = 0;

	if (mdb_stat(txn, dbi, &stat) != 0 || mdb_cursor_open(txn, dbi, &cursor) != 0) {
		return CHECK_DAMAGED;
	}
	int rc;
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		(void)touch(key);
		(void)touch(value);
		if (++entries > entries_max) {
			break;
		}
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND && entries == stat.ms_entries ? CHECK_OK : CHECK_DAMAGED;
}

static int check_identity(MDB_txn *txn)
{
	MDB_dbi meta;
	MDB_val key = {sizeof SPOOL_KEY_IDENTITY - 1, SPOOL_KEY_IDENTITY};
	MDB_val value;
	struct spool_identity identity;

	int rc = mdb_dbi_open(txn, SPOOL_DB_META, 0, &meta);
	if (rc == 0) {
		rc = mdb_get(txn, meta, &key, &value);
	}
	if (rc != 0) {
		return rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE ? CHECK_FOREIGN : CHECK_DAMAGED;
	}
	switch (spool_identity_decode(slice_of(value.mv_data, value.mv_size), &identity)) {
	case 0:
		return CHECK_OK;
	case SPOOL_IDENTITY_E_VERSION:
		return CHECK_VERSION;
	case SPOOL_IDENTITY_E_FOREIGN:
		return CHECK_FOREIGN;
	default:
		return CHECK_DAMAGED;
	}
}

static int walk_all(MDB_txn *txn, uint64_t entries_max)
{
	static const char *const names[] = {SPOOL_DB_META, SPOOL_DB_BLOCKS, SPOOL_DB_CORRUPT,
		SPOOL_DB_PRODUCERS, SPOOL_DB_EVENT_IDS, SPOOL_DB_EVENT_ID_ORDER};
	enum { FREE_LIST = 0, MAIN = 1 };

	int r = walk(txn, FREE_LIST, entries_max);
	if (r == CHECK_OK) {
		r = walk(txn, MAIN, entries_max);
	}
	for (size_t i = 0; r == CHECK_OK && i < sizeof names / sizeof names[0]; i++) {
		MDB_dbi dbi;
		r = mdb_dbi_open(txn, names[i], 0, &dbi) == 0 ? walk(txn, dbi, entries_max)
							      : CHECK_DAMAGED;
	}
	return r;
}

static int check_txn(MDB_txn *txn, uint64_t entries_max)
{
	MDB_stat stat;
	enum { MAIN = 1 };

	if (mdb_stat(txn, MAIN, &stat) != 0) {
		return CHECK_DAMAGED;
	}
	if (stat.ms_entries == 0) {
		return CHECK_OK; /* killed between making the file and the first commit */
	}
	int r = check_identity(txn);
	return r == CHECK_OK ? walk_all(txn, entries_max) : r;
}

static int check_open_failed(int rc)
{
	switch (rc) {
	case ENOMEM:
		return CHECK_NO_MEMORY;
	case EACCES:
	case EPERM:
		return CHECK_REFUSED;
	default:
		return CHECK_NOT_LMDB;
	}
}

/* In the child. Without LMDB's lock when nobody else can be writing: then a crash leaves no reader behind. */
static int check_in_child(const char *dir, bool beside, uint64_t file_size)
{
	unsigned lock = beside ? 0 : MDB_NOLOCK;
	MDB_env *env;
	MDB_txn *txn;

	if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, SPOOL_DBS_MAX) != 0) {
		return CHECK_NO_MEMORY;
	}
	int rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS | lock, 0600);
	if (rc != 0) {
		return check_open_failed(rc);
	}
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0) {
		return CHECK_DAMAGED;
	}
	int r = check_txn(txn, file_size / NODE_SIZE_MIN + 1);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return r;
}

static void become_crashable(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		signal(signals[i], SIG_DFL);
	}
	(void)freopen("/dev/null", "w", stderr); /* LMDB's asserts speak of code, not of files */
}

static int explain(const char *dir, int status, struct spool_error *error)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : CHECK_DAMAGED;
	static const char advice[] =
		"Nothing was changed. Move the directory aside to start with an empty "
		"spool; what it holds may be saved with `till spool export`";

	switch (code) {
	case CHECK_OK:
		return 0;
	case CHECK_NO_MEMORY:
		spool_error_set(error, "%s: not enough memory to open the spool", dir);
		return -ENOMEM;
	case CHECK_REFUSED:
		spool_error_set(error, "%s: no right to read the spool", dir);
		return -EACCES;
	case CHECK_FOREIGN:
		spool_error_set(error, "%s/data.mdb is an LMDB file, but no spool of till. %s", dir,
			advice);
		return SPOOL_E_FOREIGN;
	case CHECK_VERSION:
		spool_error_set(error,
			"%s/data.mdb was written by a later version of till. Install that version, "
			"or move "
			"the directory aside",
			dir);
		return SPOOL_E_FOREIGN;
	case CHECK_NOT_LMDB:
		spool_error_set(error, "%s/data.mdb is no LMDB file that this machine can read. %s",
			dir, advice);
		return SPOOL_E_FOREIGN;
	default:
		spool_error_set(error, "%s/data.mdb is damaged. %s", dir, advice);
		return SPOOL_E_FOREIGN;
	}
}

int spool_check(const char *dir, bool beside, struct spool_error *error)
{
	char path[4096];
	struct stat file;
	int status = 0;

	snprintf(path, sizeof path, "%s/data.mdb", dir);
	if (stat(path, &file) < 0) {
		spool_error_set(error, "%s: no spool there (%s)", dir, strerror(errno));
		return errno == ENOENT || errno == ENOTDIR ? SPOOL_E_ABSENT : -errno;
	}
	if (file.st_size == 0) {
		return 0; /* killed at the first moment of its life */
	}
	pid_t child = fork();
	if (child < 0) {
		spool_error_set(error, "%s: can't fork to check it: %s", dir, strerror(errno));
		return -errno;
	}
	if (child == 0) {
		become_crashable();
		_exit(check_in_child(dir, beside, (uint64_t)file.st_size));
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return explain(dir, status, error);
}
