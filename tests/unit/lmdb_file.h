/* lmdb_file.h - rows of a file of LMDB's, changed behind the back of who owns it, for tests of what notices that. The file is copied
 * afterwards, for LMDB numbers the transactions of a copy anew: its own numbers don't tell. What fails ends the test. */
#pragma once
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_TABLES_MAX = 32, FILE_PATH_SIZE = 512 };

static inline MDB_env *open_file(const char *dir)
{
	MDB_env *env;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, FILE_TABLES_MAX), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	return env;
}

/* Closes it. */
static inline void copy_over(MDB_env *env, const char *dir)
{
	char copy[FILE_PATH_SIZE], file[FILE_PATH_SIZE];

	snprintf(copy, sizeof copy, "%s/copy.mdb", dir);
	snprintf(file, sizeof file, "%s/data.mdb", dir);
	int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(mdb_env_copyfd2(env, fd, MDB_CP_COMPACT), 0);
	close(fd);
	mdb_env_close(env);
	assert_int_equal(rename(copy, file), 0);
}

/* A value of no bytes: the row is taken away. No table: among their names. */
static inline void file_put(MDB_env *env, const char *table, MDB_val key, MDB_val value)
{
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(value.mv_size == 0 ? mdb_del(txn, dbi, &key, NULL)
					    : mdb_put(txn, dbi, &key, &value, 0),
		0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static inline void drop_table(const char *dir, const char *table)
{
	MDB_env *env = open_file(dir);
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_drop(txn, dbi, 1), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	copy_over(env, dir);
}
