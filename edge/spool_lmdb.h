/* spool_lmdb.h - private to the spool's *_lmdb.c files: names and helpers that they share. */
#pragma once
#include "edge/spool.h"
#include "edge/spool_memory_lmdb.h"
#include "edge/spool_sums.h"
#include "runtime/look_note.h"

struct MDB_txn;
struct MDB_env;
struct MDB_val;

/* Named databases. */
#define SPOOL_DB_META "meta" /* "identity" -> spool_identity_encode */
#define SPOOL_DB_BLOCKS "blocks" /* spool_key_encode -> block */
#define SPOOL_DB_CORRUPT "corrupt" /* the same, set aside */
#define SPOOL_DB_PRODUCERS "producers" /* name -> producer_row_encode */
#define SPOOL_DB_EVENT_IDS "event_ids" /* id -> u64 order, 0: for good */
#define SPOOL_DB_EVENT_ID_ORDER "event_id_order" /* u64 order -> id */
#define SPOOL_DB_MARKS                                                                             \
	"marks" /* a source's label, NUL, its key -> mark_row.h; absent in older spools */
#define SPOOL_KEY_IDENTITY "identity"
enum { SPOOL_DBS_MAX = 8 };
/* The database of their names, whose page every transaction writes: "sums" -> spool_sums_encode; absent in older spools. */
enum { SPOOL_DB_NAMES = 1 };
#define SPOOL_KEY_SUMS "sums"
/* Files of the directory: LMDB's two, and a copy that will take the place of the first. */
#define SPOOL_FILE "data.mdb"
#define SPOOL_FILE_LOCK "lock.mdb"
#define SPOOL_FILE_COPY "compact.mdb"

struct spool {
	char *dir; /* owned */
	int lock_fd;
	struct MDB_env *env;
	struct MDB_txn *reader; /* reset between uses */
	unsigned meta; /* LMDB's handles */
	unsigned blocks;
	unsigned corrupt_blocks;
	unsigned marks;
	struct spool_memory_db memory;
	struct spool_index index;
	struct spool_identity identity;
	struct spool_sums sums; /* as committed */
	struct spool_sums pending; /* of the transaction under way, if there is one */
	bool has_lost;
	bool adopts_rows; /* at the opening: the sums become those of what is there */
	struct spool_corrupt corrupt;
	struct buffer row; /* of the producer looked up last */
	struct look_note note;
	bool is_distrusted; /* something in it did not fit: the next start looks at all of it */
	uint64_t map_bytes;
	uint64_t free_bytes; /* within the file, when it was measured last */
	struct spool_space space;
	bool map_full;
};

/* The border: LMDB's codes stop here. 0, SPOOL_E_UNKNOWN for MDB_NOTFOUND, or a negative errno: -ENOSPC for a full
 * map, -EUCLEAN for a damaged or foreign file. */
int spool_from_mdb(int rc);
/* As long as the transaction lets it be. */
struct slice slice_of_val(struct MDB_val value);

/* Walks the whole environment in a child process. `beside`: an edge may be writing meanwhile. 0; SPOOL_E_LOST where rows are missing by the
 * very words that are `accepted` (NULL: none are), or `beside`, with the error set; SPOOL_E_FOREIGN, SPOOL_E_ABSENT or -errno, with the error set. */
int spool_check(const char *dir, bool beside, const char *accepted, struct spool_error *error);

/* What was found says that the file may be damaged, or nobody knows what was written to it. */
void spool_distrust(struct spool *spool);

void spool_error_set(struct spool_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Tools share a lock (LOCK_SH) while they have a spool open; who changes its files takes it alone (LOCK_EX | LOCK_NB).
 * *ret_fd is closed to let go. 0, SPOOL_E_IN_USE or -errno: -ENOENT where no edge has made the lock's file. */
int spool_lock_readers(const char *dir, int operation, int *ret_fd);
/* A copy that somebody was killed over. */
void spool_forget_copy(const struct spool *spool);
/* LMDB's environment, and what is known of its contents; both leave no half behind. */
int spool_open_files(struct spool *spool);
void spool_close_files(struct spool *spool);

/* Counts blocks and set-aside blocks anew, and sets aside those whose header can't be read. Their sums are taken from what is there if
 * `adopts`, or something had to be set aside or can't be read: then it is said, and what was added up before holds no longer. */
int spool_load_blocks(struct spool *spool, struct MDB_txn *txn, bool adopts);
/* Adds up what is there. */
int spool_sum_find(
	struct MDB_txn *txn, unsigned dbi, enum spool_table table, struct spool_sum *ret_sum);
/* SPOOL_E_UNKNOWN: a spool that has none. */
int spool_sums_read(struct MDB_txn *txn, struct spool_sums *ret_sums);
/* `pending`, as those of this transaction: the last thing that it writes. */
int spool_sums_write(struct spool *spool, struct MDB_txn *txn);
/* Of a spool of SPOOL_VERSION_WITHOUT_SUMS: `pending` becomes what is there. */
int spool_sums_find_all(struct spool *spool, struct MDB_txn *txn);
/* Moves one block from `blocks` to `corrupt`. */
int spool_move_aside(struct spool *spool, struct MDB_txn *txn, uint8_t key[SPOOL_KEY_SIZE]);
int spool_write_identity(
	struct spool *spool, struct MDB_txn *txn, const struct spool_identity *identity);
