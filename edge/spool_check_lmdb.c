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
	CHECK_ERRNO = 100, /* and an errno: the file was not seen, so nothing is said of it */
	NODE_SIZE_MIN = 8,
	KEY_SIZE_MAX = 511, /* LMDB's */

	MAIN = 1, /* LMDB's handle of the database of databases */
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

/* LMDB's own codes speak of the file, the system's (above 0) only of this look at it. */
static int finding_of(int rc)
{
	return rc > 0 ? CHECK_ERRNO + rc : CHECK_DAMAGED;
}

/* Touches both ends of a value: a file that was cut off faults here and not later. */
static void touch(MDB_val value)
{
	const volatile uint8_t *bytes = value.mv_data;

	if (value.mv_size > 0) {
		(void)bytes[0];
		(void)bytes[value.mv_size - 1];
	}
}

/* What the walk goes by. */
struct limits {
	uint64_t entries; /* more than the file can hold: the tree has a loop */
	uint64_t pages;
	size_t page_size;
};

/* LMDB's page: u64 number, u16 padding, u16 flags, u16 lower and u16 upper bound of what is free on it; for a large
 * value u32 pages instead of the bounds, then the value. A node: 8 bytes, key, value or the page that holds it; nodes
 * fill a page from its end, on even sizes, and a u16 for each from its start. */
enum { PAGE_HEADER_SIZE = 16, AT_FLAGS = 10, AT_LOWER = 12, AT_PAGES = 12, AT_UPPER = 14 };
enum { LEAF_FLAG = 2, OVERFLOW_FLAG = 4 };
enum { NODE_HEADER_SIZE = 8, INDEX_SIZE = 2, PAGE_NUMBER_SIZE = 8 };

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static bool is_large(MDB_val key, MDB_val value, size_t page_size)
{
	size_t node_max = ((page_size - PAGE_HEADER_SIZE) / 2 & ~(size_t)1) - INDEX_SIZE;
	return NODE_HEADER_SIZE + key.mv_size + value.mv_size > node_max;
}

/* Large values lie on pages of their own, whose count is only looked at when they are deleted: a wrong one would free
 * pages that others use. */
static bool large_value_is_sane(MDB_val key, MDB_val value, size_t page_size)
{
	const uint8_t *header = (const uint8_t *)value.mv_data - PAGE_HEADER_SIZE;
	uint32_t pages;

	if (!is_large(key, value, page_size)) {
		return true;
	}
	memcpy(&pages, header + AT_PAGES, sizeof pages);
	return get_u16(header + AT_FLAGS) == OVERFLOW_FLAG &&
	       pages == (PAGE_HEADER_SIZE + value.mv_size + page_size - 1) / page_size;
}

/* The leaf page that the walk is on, and the nodes met on it. */
struct leaf {
	const uint8_t *page; /* NULL before the first */
	size_t nodes;
	size_t bytes;
};

/* All nodes together must fill the page exactly: a wrong size would make a deletion move the wrong bytes. */
static bool leaf_is_sane(const struct leaf *leaf, size_t page_size)
{
	return leaf->page == NULL ||
	       (get_u16(leaf->page + AT_FLAGS) == LEAF_FLAG &&
		       get_u16(leaf->page + AT_LOWER) ==
			       PAGE_HEADER_SIZE + leaf->nodes * INDEX_SIZE &&
		       get_u16(leaf->page + AT_UPPER) == page_size - leaf->bytes);
}

/* false when the node is the first of a new page, and the old page does not add up. */
static bool leaf_add(struct leaf *leaf, MDB_val key, MDB_val value, size_t page_size)
{
	const uint8_t *page =
		(const uint8_t *)((uintptr_t)key.mv_data & ~(uintptr_t)(page_size - 1));
	size_t value_size = is_large(key, value, page_size) ? PAGE_NUMBER_SIZE : value.mv_size;

	if (page != leaf->page) {
		if (!leaf_is_sane(leaf, page_size)) {
			return false;
		}
		*leaf = (struct leaf){.page = page};
	}
	leaf->nodes++;
	leaf->bytes += (NODE_HEADER_SIZE + key.mv_size + value_size + 1) & ~(size_t)1;
	return true;
}

/* Found from the root, by its own key and as what follows the entry before it: the branches' keys are right, too, and
 * every search that can be made takes one of these ways. */
static bool is_found(MDB_cursor *probe, MDB_val before, MDB_val key, MDB_val value)
{
	MDB_txn *txn = mdb_cursor_txn(probe);
	uint8_t after[KEY_SIZE_MAX + 1] = {0};
	MDB_val at = key;
	MDB_val found;

	if (mdb_cursor_get(probe, &at, &found, MDB_SET_KEY) != 0 ||
		found.mv_data != value.mv_data) {
		return false;
	}
	if (before.mv_size == 0) {
		return true;
	}
	memcpy(after, before.mv_data, before.mv_size);
	at = (MDB_val){before.mv_size + 1, after};
	return mdb_cursor_renew(txn, probe) == 0 &&
	       mdb_cursor_get(probe, &at, &found, MDB_SET_RANGE) == 0 &&
	       found.mv_data == value.mv_data && found.mv_size == value.mv_size;
}

static bool entry_is_sane(
	MDB_cursor *probe, MDB_val before, MDB_val key, MDB_val value, size_t page_size)
{
	if (key.mv_size == 0 || key.mv_size >= KEY_SIZE_MAX) {
		return false;
	}
	touch(key);
	touch(value);
	return large_value_is_sane(key, value, page_size) && is_found(probe, before, key, value);
}

/* MDB_NOTFOUND after the last one. */
static int walk_entries(
	MDB_cursor *cursor, MDB_cursor *probe, const struct limits *limits, uint64_t *ret_entries)
{
	struct leaf leaf = {.page = NULL};
	MDB_val before = {0, NULL};
	MDB_val key;
	MDB_val value;
	int rc;

	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (++*ret_entries > limits->entries ||
			!entry_is_sane(probe, before, key, value, limits->page_size) ||
			!leaf_add(&leaf, key, value, limits->page_size)) {
			return MDB_CORRUPTED;
		}
		before = key;
	}
	return leaf_is_sane(&leaf, limits->page_size) ? rc : MDB_CORRUPTED;
}

static int walk(MDB_txn *txn, MDB_dbi dbi, const struct limits *limits)
{
	MDB_cursor *cursor = NULL;
	MDB_cursor *probe = NULL;
	MDB_stat stat;
	uint64_t entries = 0;

	int rc = mdb_stat(txn, dbi, &stat);
	if (rc == 0) {
		rc = mdb_cursor_open(txn, dbi, &cursor);
	}
	if (rc == 0) {
		rc = mdb_cursor_open(txn, dbi, &probe);
	}
	if (rc != 0) {
		return finding_of(rc);
	}
	rc = walk_entries(cursor, probe, limits, &entries);
	mdb_cursor_close(probe);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND && entries == stat.ms_entries ? CHECK_OK : finding_of(rc);
}

/* One record of the free list: how many, then page numbers, falling. LMDB hands them out unseen. */
static bool free_pages_are_sane(MDB_val value, uint64_t pages)
{
	const uint8_t *at = value.mv_data;
	size_t count;
	size_t page;
	size_t last = (size_t)-1;

	if (value.mv_size < sizeof count) {
		return false;
	}
	memcpy(&count, at, sizeof count);
	if (count > value.mv_size / sizeof count - 1) {
		return false;
	}
	for (size_t i = 1; i <= count; i++) {
		memcpy(&page, at + i * sizeof page, sizeof page);
		if (page < 2 || page >= pages || page >= last) { /* 0 and 1 are the meta pages */
			return false;
		}
		last = page;
	}
	return true;
}

static int walk_free_list(MDB_txn *txn, const struct limits *limits)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	uint64_t entries = 0;
	bool sane = true;
	enum { FREE_LIST = 0 };

	int rc = mdb_cursor_open(txn, FREE_LIST, &cursor);
	if (rc != 0) {
		return finding_of(rc);
	}
	while (sane && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		touch(value);
		sane = ++entries <= limits->entries && key.mv_size == sizeof(size_t) &&
		       large_value_is_sane(key, value, limits->page_size) &&
		       free_pages_are_sane(value, limits->pages);
	}
	mdb_cursor_close(cursor);
	return sane && rc == MDB_NOTFOUND ? CHECK_OK : finding_of(rc);
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
		return rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE ? CHECK_FOREIGN
								    : finding_of(rc);
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

static int walk_all(MDB_txn *txn, const struct limits *limits)
{
	static const char *const names[] = {SPOOL_DB_META, SPOOL_DB_BLOCKS, SPOOL_DB_CORRUPT,
		SPOOL_DB_PRODUCERS, SPOOL_DB_EVENT_IDS, SPOOL_DB_EVENT_ID_ORDER, SPOOL_DB_MARKS};

	int r = walk_free_list(txn, limits);
	if (r == CHECK_OK) {
		r = walk(txn, MAIN, limits);
	}
	for (size_t i = 0; r == CHECK_OK && i < sizeof names / sizeof names[0]; i++) {
		MDB_dbi dbi;
		int rc = mdb_dbi_open(txn, names[i], 0, &dbi);
		if (rc == 0) {
			r = walk(txn, dbi, limits);
		} else if (rc != MDB_NOTFOUND || strcmp(names[i], SPOOL_DB_MARKS) != 0) {
			r = finding_of(rc);
		}
	}
	return r;
}

static int check_txn(MDB_env *env, MDB_txn *txn, uint64_t file_size)
{
	MDB_stat stat;
	MDB_envinfo info;

	if (mdb_stat(txn, MAIN, &stat) != 0 || mdb_env_info(env, &info) != 0) {
		return CHECK_DAMAGED;
	}
	if (stat.ms_entries == 0) {
		return CHECK_OK; /* killed between making the file and the first commit */
	}
	struct limits limits = {.entries = file_size / NODE_SIZE_MIN + 1,
		.pages = info.me_last_pgno + 1,
		.page_size = stat.ms_psize};
	int r = check_identity(txn);
	return r == CHECK_OK ? walk_all(txn, &limits) : r;
}

/* In the child. Without LMDB's lock when nobody else can be writing: then a crash leaves no reader behind. */
static int check_in_child(const char *dir, bool beside, uint64_t file_size)
{
	unsigned lock = beside ? 0 : MDB_NOLOCK;
	MDB_env *env;
	MDB_txn *txn;

	int rc = mdb_env_create(&env);
	if (rc == 0) {
		rc = mdb_env_set_maxdbs(env, SPOOL_DBS_MAX);
	}
	if (rc == 0) {
		rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS | lock, 0600);
	}
	if (rc != 0) { /* EINVAL is LMDB's own word, too: a meta page that makes no sense */
		return rc < 0 || rc == EINVAL ? CHECK_NOT_LMDB : finding_of(rc);
	}
	rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (rc != 0) {
		return finding_of(rc);
	}
	int r = check_txn(env, txn, file_size);
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

/* A child that somebody killed (the kernel, for want of memory) found nothing either way. */
static int finding_of_status(int status)
{
	if (WIFEXITED(status)) {
		return WEXITSTATUS(status);
	}
	int number = WTERMSIG(status);
	bool is_killed = number == SIGKILL || number == SIGTERM || number == SIGINT;
	return is_killed ? CHECK_ERRNO + EINTR : CHECK_DAMAGED;
}

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

static int explain(const char *dir, int code, struct spool_error *error)
{
	static const char advice[] =
		"Nothing was changed. Move the directory aside to start with an empty "
		"spool; what it holds may be saved with `till spool export`";

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
	return explain(dir, finding_of_status(status), error);
}
