/* LMDB trusts its files: a flipped bit in a branch page is a wild pointer. So before the edge opens them, a child reads every page
 * that is in use once; if it dies or finds nonsense, the edge refuses to start, and nothing is changed. */
#include "edge/spool_content.h"
#include "edge/spool_lmdb.h"
#include "runtime/file_map.h"
#include "runtime/look_child.h"
#include "runtime/page_walk.h"
#include <errno.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	CHECK_OK = 0,
	CHECK_FOREIGN = 10, /* an LMDB file, but no spool */
	CHECK_VERSION = 11,
	CHECK_DAMAGED = 12,
	CHECK_NOT_LMDB = 13,
	CHECK_LOST = 32, /* and a bit for each table whose rows don't add up */
	CHECK_ERRNO = 100, /* and an errno: the file was not seen, so nothing is said of it */
	CONTENT = 100, /* what spool_content.h says, behind what page_walk.h says */
	BESIDE_TRIES = 5,
	LOST_NAME_SIZE = 96,
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

/* ---- in the child */

static int take_table(void *owner, struct page_bytes name)
{
	return spool_content_table(owner, slice_of(name.bytes, name.size));
}

/* The walk has results of its own: those of the content come after them. */
static int take_row(void *owner, struct page_bytes key, struct page_bytes value)
{
	int r = spool_content_row(
		owner, slice_of(key.bytes, key.size), slice_of(value.bytes, value.size));
	return r > 0 ? r + CONTENT : r;
}

static int take_note(void *owner, struct page_bytes key, struct page_bytes value)
{
	int r = spool_content_note(
		owner, slice_of(key.bytes, key.size), slice_of(value.bytes, value.size));
	return r > 0 ? r + CONTENT : r;
}

static int code_of(const struct spool_content *content, int r)
{
	switch (r) {
	case 0:
		return CHECK_OK;
	case PAGE_WALK_E_FOREIGN:
		return CHECK_NOT_LMDB;
	case CONTENT + SPOOL_CONTENT_E_FOREIGN:
		return CHECK_FOREIGN;
	case CONTENT + SPOOL_CONTENT_E_VERSION:
		return CHECK_VERSION;
	case CONTENT + SPOOL_CONTENT_E_LOST:
		return CHECK_LOST | (int)spool_content_lost(content);
	default:
		return r < 0 ? CHECK_ERRNO - r : CHECK_DAMAGED;
	}
}

static uint64_t newest_transaction(const struct file_map *map)
{
	struct page_walk_newest newest = {0};
	size_t size = map->size < PAGE_WALK_HEAD_SIZE ? map->size : PAGE_WALK_HEAD_SIZE;

	return page_walk_newest(map->bytes, size, &newest) ? newest.transaction : 0;
}

static int check_bytes(const struct file_map *map, uint64_t transaction)
{
	bool beside = transaction != PAGE_WALK_NEWEST;
	struct spool_content content = {
		.is_read_only = beside, .transaction = beside ? 0 : newest_transaction(map)};
	const struct page_visitor visitor = {
		.owner = &content, .table = take_table, .row = take_row, .note = take_note};
	const struct page_walk_file file = {
		.bytes = map->bytes, .size = map->size, .transaction = transaction};
	const char *why = "";

	int r = page_walk(&file, &visitor, &why);
	if (r == 0) {
		r = spool_content_end(&content);
		r = r > 0 ? r + CONTENT : r;
	}
	return code_of(&content, r);
}

static int check_file(const char *path, uint64_t transaction)
{
	struct file_map map;

	int r = file_map_open(path, &map);
	if (r < 0) {
		return CHECK_ERRNO - r;
	}
	int code = check_bytes(&map, transaction);
	file_map_close(&map);
	return code;
}

/* LMDB's own codes speak of the file, the system's (above 0) only of this look at it. EINVAL is LMDB's own word, too: a meta page
 * that makes no sense. */
static int finding_of(int rc)
{
	return rc < 0 || rc == EINVAL ? CHECK_NOT_LMDB : CHECK_ERRNO + rc;
}

/* While a read transaction is open no page of it is written to; only its meta page may be, by the next transaction but one: then
 * there is a newer one to look at. */
static int check_beside(const char *dir, const char *path)
{
	MDB_env *env = NULL;
	MDB_txn *txn;
	int code = CHECK_DAMAGED;

	int rc = mdb_env_create(&env);
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(env, SPOOL_DBS_MAX);
	}
	if (rc == 0) {
		rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS, 0600);
	}
	bool is_still = rc == EROFS; /* nobody can be writing */
	for (int i = 0; rc == 0 && i < BESIDE_TRIES && code == CHECK_DAMAGED; i++) {
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
		if (rc == 0) {
			code = check_file(path, mdb_txn_id(txn));
			mdb_txn_abort(txn);
		}
	}
	mdb_env_close(env);
	if (is_still) {
		return check_file(path, PAGE_WALK_NEWEST);
	}
	return rc == 0 ? code : finding_of(rc);
}

struct look {
	const char *dir, *path;
	bool beside;
};

static int look(void *owner)
{
	const struct look *at = owner;
	return at->beside ? check_beside(at->dir, at->path)
			  : check_file(at->path, PAGE_WALK_NEWEST);
}

/* ---- in the edge */

static int not_seen(const char *dir, int code, struct spool_error *error)
{
	if (code == ENOMEM) {
		spool_error_set(error, "%s: not enough memory to open the spool", dir);
	} else if (code == EACCES || code == EPERM) {
		spool_error_set(error, "%s: no right to read the spool", dir);
	} else {
		spool_error_set(error, "%s: can't look at the spool: %s", dir, strerror(code));
	}
	return -code;
}

static const char advice[] = "Nothing was changed. Move the directory aside to start with an empty "
			     "spool; what it holds may be saved with `till spool export`";

/* In words of the operator's. */
static const char *const lost_rows[SPOOL_TABLES_SUMMED] = {
	[SPOOL_TABLE_BLOCKS] = "events",
	[SPOOL_TABLE_CORRUPT] = "set-aside",
	[SPOOL_TABLE_PRODUCERS] = "producers",
	[SPOOL_TABLE_EVENT_IDS] = "event-ids",
	[SPOOL_TABLE_MARKS] = "marks",
};

/* In the words that accept it: what is missing, and since when, so that they fit no other loss. */
static void name_lost(const char *path, int lost, char name[LOST_NAME_SIZE])
{
	struct file_map map;
	uint64_t transaction = 0;
	size_t size = 0;

	for (int i = 0; i < SPOOL_TABLES_SUMMED; i++) {
		if ((lost >> i & 1) != 0) {
			size += (size_t)snprintf(name + size, LOST_NAME_SIZE - size, "%s%s",
				size > 0 ? "," : "", lost_rows[i]);
		}
	}
	if (file_map_open(path, &map) == 0) {
		transaction = newest_transaction(&map);
		file_map_close(&map);
	}
	snprintf(name + size, LOST_NAME_SIZE - size, "@%llu", (unsigned long long)transaction);
}

static int judge_lost(
	const struct look *at, int lost, const char *accepted, struct spool_error *error)
{
	char name[LOST_NAME_SIZE] = "";

	name_lost(at->path, lost, name);
	if (at->beside) {
		spool_error_set(error,
			"%s/data.mdb is damaged: rows are missing, or are as they were earlier: %s",
			at->dir, name);
		return SPOOL_E_LOST;
	}
	if (accepted != NULL && strcmp(accepted, name) == 0) {
		return SPOOL_E_LOST;
	}
	spool_error_set(error,
		"%s/data.mdb is damaged: rows are missing, or are as they were earlier: %s. "
		"Nothing was "
		"changed. To go on with those that are there: --accept-lost %s; or move the "
		"directory aside",
		at->dir, name, name);
	return SPOOL_E_FOREIGN;
}

static int explain(const char *dir, int code, struct spool_error *error)
{
	if (code > CHECK_ERRNO) {
		return not_seen(dir, code - CHECK_ERRNO, error);
	}
	switch (code) {
	case CHECK_OK:
		return 0;
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

int spool_check(const char *dir, bool beside, const char *accepted, struct spool_error *error)
{
	char path[4096];
	struct stat file;
	struct look at = {dir, path, beside};

	snprintf(path, sizeof path, "%s/data.mdb", dir);
	if (stat(path, &file) < 0) {
		spool_error_set(error, "%s: no spool there (%s)", dir, strerror(errno));
		return errno == ENOENT || errno == ENOTDIR ? SPOOL_E_ABSENT : -errno;
	}
	if (file.st_size == 0) {
		return 0; /* killed at the first moment of its life */
	}
	int code = look_child_run(look, &at);
	if (code < 0 && code != -EINTR) {
		spool_error_set(error, "%s: can't fork to check it: %s", dir, strerror(-code));
		return code;
	}
	if (code < 0 || code == LOOK_CRASHED) {
		code = code < 0 ? CHECK_ERRNO - code : CHECK_DAMAGED;
	}
	bool is_lost = code < CHECK_ERRNO && (code & CHECK_LOST) != 0;
	return is_lost ? judge_lost(&at, code & ~CHECK_LOST, accepted, error)
		       : explain(dir, code, error);
}
