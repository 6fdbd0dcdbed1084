/* store.h - one shard's totals on disk: an LMDB environment (only store_lmdb.c sees <lmdb.h>).
 *
 * What one transaction holds: changed rows, members, counted sets, offsets with anchors, books, the identity of cluster
 * and topics, views' row count, Σcount, unmatched and sum of row hashes. Every value ends in a CRC32C of key and value.
 * A store has generations: the live one, and while a rebuild runs a shadow. A generation's view set is fixed.
 *
 * Threads: snapshots on the loop's thread; store_commit on the committing thread; one commit at a time. */
#pragma once
#include "aggregator/overlay.h"

struct store;
struct snapshot;

enum {
	STORE_E_ABSENT = 1,
	STORE_E_CORRUPT, /* a checksum does not fit: never a guess */
	STORE_E_FOREIGN, /* not a till store, or of another version */
	STORE_E_FULL, /* nothing was written */
};

/* A read view of one generation at one commit. Ends within 250 ms. */
int snapshot_begin(struct store *store, uint32_t generation, struct snapshot **ret_snapshot);
struct snapshot *snapshot_end(struct snapshot *snapshot);
uint64_t snapshot_commit(const struct snapshot *snapshot);
/* The value without its checksum, borrowed until snapshot_end. 0, STORE_E_ABSENT, STORE_E_CORRUPT, -errno. */
int snapshot_row(
	struct snapshot *snapshot, uint32_t view_id, struct slice key, struct slice *ret_value);
bool snapshot_has_member(struct snapshot *snapshot, uint32_t view_id, const uint8_t hash[16]);

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
