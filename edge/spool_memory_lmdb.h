/* spool_memory_lmdb.h - private to the spool: what it remembers of producers and event ids. Every function works inside
 * the caller's transaction. 0, SPOOL_E_*, or -errno. */
#pragma once
#include "edge/draft.h"
#include "edge/producers.h"
#include "edge/spool_sums.h"

struct MDB_txn;

struct spool_memory_db {
	unsigned producers; /* LMDB's handles */
	unsigned event_ids;
	unsigned event_id_order;
	struct spool_sums *sums; /* the spool's, of the transaction under way */
	uint64_t next_order; /* of the next event id; from 1 */
	uint64_t windowed; /* ids in the window, as of the last commit */
	uint64_t permanent; /* ids that are kept for good */
	uint64_t producer_count;
	uint32_t window;
	int64_t producer_ttl_ms;
	int64_t heard_last_ms; /* the largest used_ms of all producers, when the spool was opened */
	uint8_t sweep_key[PRODUCER_ID_SIZE_MAX]; /* the producer looked at last */
	size_t sweep_key_size;
};

int spool_memory_open(struct spool_memory_db *db, struct MDB_txn *txn, bool create);
/* Counts what is there; after each open and each commit. */
int spool_memory_count(struct spool_memory_db *db, struct MDB_txn *txn);
/* Looks through all producers for the one that was heard last: after each open. */
int spool_memory_look(struct spool_memory_db *db, struct MDB_txn *txn);
int spool_memory_write(struct spool_memory_db *db, struct MDB_txn *txn, const struct draft *draft);
/* Forgets some producers that were not heard of for producer_ttl. A few rows each time. */
int spool_memory_sweep(struct spool_memory_db *db, struct MDB_txn *txn, int64_t wall_ms);

/* row->reply is borrowed from the transaction. */
int spool_memory_producer(const struct spool_memory_db *db, struct MDB_txn *txn,
	struct slice producer, struct producer_row *ret_row);
/* *ret_value: what was kept with it, borrowed from the transaction. */
int spool_memory_event_id(const struct spool_memory_db *db, struct MDB_txn *txn,
	struct slice event_id, struct slice *ret_value);
