/* store.h - one shard's totals on disk: an LMDB environment (only *_lmdb.c sees <lmdb.h>).
 *
 * What one transaction holds: changed rows, members, counted sets, offsets with anchors, books, the identity of cluster
 * and topics, views' row count, Σcount, unmatched and sum of row hashes, and what the rows of each other table add up to
 * (store_sums.h). Every value ends in a CRC32C of key and value.
 * Who was forgotten lies beside the generations, so a rebuild knows it. A store has generations: the live one, while a rebuild runs a shadow, and after it one that is being dropped. A
 * generation's view set is fixed.
 *
 * Threads: snapshots on the loop's thread; what commit.h declares on the committing thread, one call at a time. All
 * else on the loop's thread while the committing thread has nothing to do. */
#pragma once
#include "aggregator/books/forgotten.h"
#include "aggregator/overlay/overlay.h"
#include "aggregator/view/view_summary.h"

struct store;
struct snapshot;

enum {
	STORE_E_ABSENT = 1,
	STORE_E_CORRUPT, /* a checksum does not fit: never a guess */
	STORE_E_FOREIGN, /* not a till store, or of another version */
	STORE_E_FULL, /* nothing was written */
};

enum {
	STORE_ID_SIZE = 33,
	STORE_VERSION_WITHOUT_SUMS = 2,
	STORE_VERSION_WITHOUT_SUMS_FORGETFUL = 3,
	STORE_VERSION = 4,
	STORE_VERSION_FORGETFUL = 5,
};

/* What the environment says about itself. Generations are numbered from 1; 0: none. */
struct store_root {
	uint32_t shard;
	uint32_t shard_count;
	bool is_complete; /* all shards were made: one that is missing now was lost */
	bool is_forgetful; /* somebody was forgotten: a program that knows nothing of that must not open it */
	bool is_summed; /* as it was read: likewise, it has sums (store_sums.h). What is written has them */
	uint32_t live;
	uint32_t shadow;
	uint32_t dropping;
	uint32_t next; /* number of the next generation */
	char live_id[STORE_ID_SIZE]; /* as_of.store: hexadecimal */
	char shadow_id[STORE_ID_SIZE];
};

struct store_options {
	const char *dir; /* of this shard; must exist */
	int64_t map_size; /* bytes of address space, and so the largest size of the store; never changed */
};

/* Opens the environment, or makes an empty one (root all zero). A child process reads the whole file first, for LMDB trusts it. 0, STORE_E_CORRUPT, STORE_E_FOREIGN, STORE_E_FULL, -errno. */
int store_new(const struct store_options *options, struct store **ret_store);
struct store *store_free(struct store *store);
const struct store_root *store_root(const struct store *store);
/* A bit for each view of the live generation of which a row, or what its rows add up to, was found damaged: reading them is
 * STORE_E_CORRUPT, for a row that is missing could not be told from one that never was. */
uint64_t store_damaged_views(const struct store *store);
/* Bytes of the file that are in use or free for reuse. */
uint64_t store_size(struct store *store);

/* Makes an empty generation: the live one of a new store, else the shadow. 0, STORE_E_FULL, -errno. */
int store_create_generation(
	struct store *store, const struct store_root *root, const struct view_set *views);
/* Writes the root alone: roll forward, completion. */
int store_set_root(struct store *store, const struct store_root *root);
/* The shadow becomes the live one and the live one is dropped; that there is nothing left to drop is the caller's care. */
int store_switch(struct store *store);
/* The shadow is given up. */
int store_discard_shadow(struct store *store);
/* Takes the emptied tables of the dropped generation away. 0, STORE_E_FULL, -errno. */
int store_finish_drop(struct store *store);

/* The views that a generation was made with, into an empty set. 0, STORE_E_CORRUPT, -ENOMEM. */
int store_load_views(struct store *store, uint32_t generation, struct view_set *views);

/* Borrowed until the next store_forget. */
const struct forgotten *store_forgotten(const struct store *store);
/* What was taken out of the live generation: rows and the events in them, texts of first() and last(), records in the
 * quarantine whose bytes are hidden. */
struct forget_counts {
	uint64_t rows, events, texts, quarantined;
};
/* Brings the tombstones to what is wanted (none is ever taken away), and takes out of live and shadow whom new ones name, in one
 * transaction. Nothing may be frozen or active. `user`, where he is known, makes it quicker. All that is known already costs
 * nothing. 0; STORE_E_FULL, STORE_E_CORRUPT (a row can't be read: whose is it?): nothing was written; -errno. */
int store_forget(struct store *store, const struct forgotten *wanted, struct slice user,
	struct forget_counts *ret_counts);
/* The same in memory alone, where nobody new is to be hidden: for a shard without room, as shard 0 has it on disk and the next start
 * brings it to the others. 0 or -ENOMEM. */
int store_forget_in_memory(struct store *store, const struct forgotten *wanted);

/* A read view of one generation at one commit. Ends within 250 ms. */
int snapshot_begin(struct store *store, uint32_t generation, struct snapshot **ret_snapshot);
struct snapshot *snapshot_end(struct snapshot *snapshot);
uint64_t snapshot_commit(const struct snapshot *snapshot);
/* The value without its checksum, borrowed until snapshot_end. 0, STORE_E_ABSENT, STORE_E_CORRUPT, -errno. */
int snapshot_row(
	struct snapshot *snapshot, uint32_t view_id, struct slice key, struct slice *ret_value);
/* Events of those who were forgotten, that would be in rows of this view. 0, STORE_E_CORRUPT, -errno. */
int snapshot_held(struct snapshot *snapshot, uint32_t view_id, uint64_t *ret_count);
/* The sums of one view, without walking; rows that have ended and are not yet deleted are in them. Name and text are
 * borrowed until snapshot_end. 0, STORE_E_CORRUPT, -errno. */
int snapshot_summary(struct snapshot *snapshot, uint32_t view_id, struct view_summary *ret_summary);
/* Moves what rows that have ended and are not yet deleted add to these sums to `expired`, as deleting them will. It walks
 * all rows: for dumps. 0, STORE_E_CORRUPT, -errno. */
int snapshot_settle(struct snapshot *snapshot, const struct view *view, int64_t cutoff,
	struct view_summary *summary);
/* Is this member counted? 0, STORE_E_ABSENT, STORE_E_CORRUPT, -errno. */
int snapshot_find_member(
	struct snapshot *snapshot, uint32_t view_id, const uint8_t key[MEMBER_KEY_SIZE]);

/* Rows of one view in key order, from the first key >= `from`. */
struct row_cursor {
	struct snapshot *snapshot;
	uint32_t view_id;
	void *cursor;
	struct slice key, value; /* the current row; borrowed */
};
int row_cursor_open(struct snapshot *snapshot, uint32_t view_id, struct slice from,
	struct row_cursor *ret_cursor); /* 0, STORE_E_ABSENT, … */
int row_cursor_next(struct row_cursor *cursor); /* 0, STORE_E_ABSENT at the end */
void row_cursor_close(struct row_cursor *cursor);

/* What else a generation holds, each a flat table. */
enum store_table {
	TABLE_ROWS, /* view id, row key -> row */
	TABLE_MEMBERS, /* view id, member_key -> nothing */
	TABLE_STREAMS, /* stream_key -> stream_encode */
	TABLE_OFFSETS, /* position_key -> position_encode */
	TABLE_SUMMARY, /* SUMMARY_LEDGER -> ledger_encode; view id -> view_summary_encode */
	TABLE_QUARANTINE, /* number -> quarantine entry */
	TABLE_FINGERPRINTS, /* as fingerprints.h hands them over; made when an older store lacks it */
	TABLE_ENTRIES, /* as entries.h hands them over; likewise */
	TABLE_COUNT,
};
#define SUMMARY_LEDGER (slice_of("ledger", 6))
/* Of stores of before store_sums.h: u64 rows, u64 sum of their hashes. */
#define SUMMARY_ENTRIES (slice_of("entries", 7))
#define SUMMARY_OFFSETS (slice_of("offsets", 7))

int snapshot_get(struct snapshot *snapshot, enum store_table table, struct slice key,
	struct slice *ret_value);
/* A single value as the last commit left it, which is appended to `ret_value`: cheaper than a snapshot. As above. */
int store_get(struct store *store, uint32_t generation, enum store_table table, struct slice key,
	struct buffer *ret_value);
/* Calls `each` for every pair from the first key >= `from`, until it returns other than 0, which is returned; but STORE_E_ABSENT, as
 * at the end, as 0. */
int snapshot_walk(struct snapshot *snapshot, enum store_table table, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner);
