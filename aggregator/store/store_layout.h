/* store_layout.h - private to the *_lmdb.c files: the inside of a store, without <lmdb.h>. A value's last four bytes
 * are the CRC32C of key and value, big-endian. */
#pragma once
#include "aggregator/store/commit.h"
#include "aggregator/store/expiry.h"
#include "aggregator/store/store_sums.h"
#include "aggregator/view/pack.h"
#include "aggregator/view/view_summary.h"
#include "runtime/look_note.h"
#include <stdatomic.h>

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

enum {
	SEAL_SIZE = 4,
	/* The database of the tables' names, whose page every transaction writes: "sums" -> store_sums_encode. */
	TABLE_OF_NAMES = 1,
	ROW_KEY_SIZE_MAX = 511, /* LMDB's */
};

struct generation {
	uint32_t number; /* 0: this place is free */
	unsigned tables[TABLE_COUNT]; /* MDB_dbi */
};

/* How far the slow walk over all rows has come, and the sums of what it saw. Commits that change a row behind it change
 * the sums too, so that they are right although the walk takes hours. */
struct scrub {
	uint32_t generation;
	uint32_t part; /* of those that store_scrub_parts counts */
	enum store_table table;
	uint32_t view_id; /* of a table of views */
	uint8_t key[ROW_KEY_SIZE_MAX]; /* the last row seen, in a table of views view id first */
	size_t key_size; /* 0: at the beginning of the part */
	struct table_sum sum;
	uint64_t matched; /* events in rows */
};

/* Has it seen this row already? Then its sums change with the row. */
bool scrub_has_passed(const struct scrub *scrub, const struct generation *generation,
	enum store_table table, struct slice key);

/* What a transaction changes beside the environment. */
struct upheld {
	struct store_sums sums;
	struct scrub scrub; /* the committing thread's */
};

struct store {
	struct MDB_env *env;
	struct look_note note;
	unsigned meta; /* MDB_dbi */
	struct store_root root;
	struct forgotten forgotten; /* the loop's */
	struct generation generations[GENERATIONS_MAX];
	struct snapshot *spare; /* one ended snapshot, for the next */
	atomic_ullong damaged_views; /* of the live generation; both threads' */
	struct upheld upheld; /* as committed; whose thread it is that writes */
	struct upheld pending; /* of the transaction under way, if there is one */
};

struct snapshot {
	struct store *store;
	struct MDB_txn *txn;
	const struct generation *generation;
	uint64_t commit;
};

int store_from_lmdb(int rc);
/* Begins a transaction that writes: `pending` is `upheld`. */
int store_txn_begin(struct store *store, struct MDB_txn **ret_txn);
/* Writes the sums and ends the transaction: `upheld` is `pending`. 0; STORE_E_FULL: nothing was written, it may be tried again; else unknown. */
int store_txn_commit(struct store *store, struct MDB_txn *txn);
const struct generation *store_generation(const struct store *store, uint32_t number);
int store_read_root(struct MDB_txn *txn, unsigned meta, struct store_root *ret_root);
int store_put_root(struct store *store, struct MDB_txn *txn, const struct store_root *root);
/* Into an empty one. */
int store_load_forgotten(struct MDB_txn *txn, unsigned meta, struct forgotten *forgotten);

/* 0, STORE_E_ABSENT, STORE_E_CORRUPT, -errno; the value without its seal. */
int sealed_get(struct MDB_txn *txn, unsigned table, struct slice key, struct slice *ret_value);
int sealed_put(struct MDB_txn *txn, unsigned table, struct slice key, struct slice value);
/* The value and its seal, as one: into as many bytes as both have. */
void seal_write(struct slice key, struct slice value, uint8_t *ret_sealed);
/* Cuts the seal off. false when it does not fit. */
bool seal_open(struct slice key, struct slice sealed, struct slice *ret_value);
uint32_t seal_of(struct slice key, struct slice value);

/* The store's key of a row or member: view id, then the view's own key. false when it is too long. */
bool row_key_of(uint32_t view_id, struct slice key, uint8_t ret_key[ROW_KEY_SIZE_MAX],
	struct slice *ret_slice);
/* TABLE_SUMMARY's key of a view: "view" and its id. */
enum { SUMMARY_KEY_SIZE = 5 };
struct slice summary_key(uint32_t view_id, uint8_t ret_key[SUMMARY_KEY_SIZE]);

/* A commit's transaction, in which rows that have ended are deleted. */
struct expiry_options {
	struct store *store;
	struct MDB_txn *txn;
	const struct generation *generation;
	const struct overlay *overlay; /* knows the cutoffs */
	uint64_t damaged_views; /* left alone */
};
/* Goes on deleting, at most EXPIRY_STEPS_MAX steps. 0, STORE_E_CORRUPT, STORE_E_FULL, -errno. */
int expiry_step(
	const struct expiry_options *options, const struct view_set *views, struct expiry *expiry);

/* A table that store_sums.h sums up, in the transaction that writes. */
struct summed_table {
	struct store *store;
	struct MDB_txn *txn;
	const struct generation *generation; /* NULL: of TABLE_META */
	enum store_table table;
};
/* Both change the sums, and those of the walk where it has passed. Deleting what is not there is no error. */
int summed_put(const struct summed_table *table, struct slice key, struct slice value);
int summed_delete(const struct summed_table *table, struct slice key);
/* The same by a cursor of the same transaction and table, for many rows; it stands there, then. */
int summed_cursor_open(const struct summed_table *table, struct MDB_cursor **ret_cursor);
int summed_put_at(const struct summed_table *table, struct MDB_cursor *cursor, struct slice key,
	struct slice value);
int summed_delete_at(const struct summed_table *table, struct MDB_cursor *cursor, struct slice key);

/* What was committed last, into `upheld`. STORE_E_CORRUPT: there are none, or not of what the root names, or of meta others. */
int store_sums_read(struct store *store, struct MDB_txn *txn);
/* Of a store that was written before there were any: `pending` becomes what is there, and summaries tell of members. */
int store_sums_make(struct store *store, struct MDB_txn *txn);
int store_sums_write(struct store *store, struct MDB_txn *txn);

/* Takes out of all entries whom `forgotten` names, as entry_forget says; adds to counts. */
int entries_forget_stored(struct store *store, struct MDB_txn *txn,
	const struct generation *generation, const struct forgotten *forgotten,
	struct forget_counts *counts);

/* How many members of each measure of each changed row were not in the store before. */
struct new_members {
	struct table_sum sum; /* of all of them */
	uint32_t (*counts)
		[VIEW_MEASURES_MAX]; /* owned; by the row's place in the list; NULL: the view counts none */
};
/* Rows of one view of an overlay. */
struct row_list {
	const struct delta *const *items;
	size_t count;
};
/* `table` is TABLE_MEMBERS. */
int members_write(const struct summed_table *table, uint32_t view_id, const struct row_list *rows,
	struct new_members *ret_members);
void members_of_row(
	const struct new_members *members, size_t row, uint64_t ret_counts[VIEW_MEASURES_MAX]);
void members_deinit(struct new_members *members);

/* "rows.3" */
enum { STORE_TABLE_NAME_SIZE = 32 };
void store_table_name(
	enum store_table table, uint32_t generation, char ret_name[STORE_TABLE_NAME_SIZE]);
/* 0, STORE_E_CORRUPT, STORE_E_FOREIGN. */
int store_root_decode(struct slice bytes, struct store_root *ret_root);

/* Reads the whole file in a child process. 0 with a bit for each view of the live generation that must not be read;
 * STORE_E_ABSENT (there is no store yet), STORE_E_CORRUPT, STORE_E_FOREIGN, -errno. */
int store_look(const char *dir, uint64_t *ret_damaged_views);
/* Something in the file is not what was written, or may not be: the next start looks at it whole. */
void store_distrust(const struct store *store);
