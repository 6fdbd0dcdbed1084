/* The first look at a store's file, in a child process: LMDB trusts what it reads, and a hostile or broken file may kill
 * the process that opens it. The child reads the root and the edges of every table, and its exit code is the finding. */
#include "aggregator/store_layout.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LOOK_SECONDS_MAX = 20, /* then the child is taken for lost in a broken file */
	CHILD_ERRNO = 64, /* and an errno: its exit code when it could not see the file */
	TABLES_MAX = 64,
};

/* The first and the last pair of a table. */
static int look_at_table(MDB_txn *txn, const char *name)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, data;
	MDB_dbi table;

	int r = store_from_lmdb(mdb_dbi_open(txn, name, 0, &table));
	if (r == 0) {
		r = store_from_lmdb(mdb_cursor_open(txn, table, &cursor));
	}
	for (int last = 0; last < 2 && r == 0; last++) {
		struct slice value;
		r = store_from_lmdb(
			mdb_cursor_get(cursor, &key, &data, last ? MDB_LAST : MDB_FIRST));
		if (r == 0 && !seal_open(slice_of(key.mv_data, key.mv_size),
				      slice_of(data.mv_data, data.mv_size), &value)) {
			r = STORE_E_CORRUPT;
		}
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r == STORE_E_ABSENT ? 0 : r; /* empty is fine */
}

/* Every table that the environment names. */
static int look_at_tables(MDB_txn *txn)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, data;
	MDB_dbi names;
	int count = 0;

	int r = store_from_lmdb(mdb_dbi_open(txn, NULL, 0, &names));
	if (r == 0) {
		r = store_from_lmdb(mdb_cursor_open(txn, names, &cursor));
	}
	while (r == 0) {
		char name[64];
		r = store_from_lmdb(
			mdb_cursor_get(cursor, &key, &data, count++ == 0 ? MDB_FIRST : MDB_NEXT));
		if (r != 0) {
			break;
		}
		if (count > TABLES_MAX || key.mv_size >= sizeof name) {
			r = STORE_E_FOREIGN;
			break;
		}
		snprintf(name, sizeof name, "%.*s", (int)key.mv_size, (char *)key.mv_data);
		r = look_at_table(txn, name);
	}
	if (cursor != NULL) {
		mdb_cursor_close(cursor);
	}
	return r == STORE_E_ABSENT ? 0 : r;
}

static size_t count_names(MDB_txn *txn)
{
	MDB_stat stat;
	MDB_dbi names;
	int rc = mdb_dbi_open(txn, NULL, 0, &names);
	return rc == 0 && mdb_stat(txn, names, &stat) == 0 ? stat.ms_entries : 0;
}

static int look(const char *dir)
{
	struct store_root root;
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi meta;

	int rc = mdb_env_create(&env);
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(env, TABLES_MAX);
	}
	if (rc == 0) {
		rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
	}
	if (rc == 0) {
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	}
	if (rc != 0) {
		return store_from_lmdb(rc);
	}
	int r = store_from_lmdb(mdb_dbi_open(txn, "meta", 0, &meta));
	if (r == 0) {
		r = store_read_root(txn, meta, &root);
	}
	if (r == STORE_E_ABSENT) {
		/* A store has its root from its first transaction on; before that there is nothing at all. */
		return count_names(txn) == 0 ? STORE_E_ABSENT : STORE_E_FOREIGN;
	}
	return r == 0 ? look_at_tables(txn) : r;
}

static _Noreturn void be_the_child(const char *dir)
{
	struct sigaction deadly = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (int signal = 1; signal < 32; signal++) {
		sigaction(signal, &deadly, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(LOOK_SECONDS_MAX);
	int r = look(dir);
	_exit(r >= 0 ? r : CHILD_ERRNO - r);
}

static bool is_unborn(const char *path)
{
	struct stat status;
	return stat(path, &status) != 0 ? errno == ENOENT : status.st_size == 0;
}

/* A child that somebody killed (the kernel, for want of memory) found nothing either way. */
static int finding_of_status(int status)
{
	if (!WIFEXITED(status)) {
		int number = WTERMSIG(status);
		bool is_killed = number == SIGKILL || number == SIGTERM || number == SIGINT;
		return is_killed ? -EINTR : STORE_E_CORRUPT;
	}
	int code = WEXITSTATUS(status);
	return code > CHILD_ERRNO ? CHILD_ERRNO - code : code;
}

int store_look(const char *dir)
{
	char path[4096];
	int status = 0;

	if (snprintf(path, sizeof path, "%s/data.mdb", dir) >= (int)sizeof path) {
		return -ENAMETOOLONG;
	}
	if (is_unborn(path)) {
		return STORE_E_ABSENT;
	}
	pid_t child = fork();
	if (child == 0) {
		be_the_child(dir);
	}
	if (child < 0) {
		return -errno;
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return finding_of_status(status);
}
