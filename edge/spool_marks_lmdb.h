/* spool_marks_lmdb.h - private to the spool: what sources want to find again. A row is CRC32C of key and value, then the
 * value. Every function works inside the caller's transaction. 0, SPOOL_E_*, or -errno. */
#pragma once
#include "edge/spool.h"

struct MDB_txn;

int spool_marks_open(struct MDB_txn *txn, unsigned *ret_dbi);
int spool_marks_write(unsigned dbi, struct MDB_txn *txn, const struct idmap *marks);
/* How many rows of all labels are damaged, in their names or values. */
int spool_marks_count_damaged(unsigned dbi, struct MDB_txn *txn, uint64_t *ret_count);
int spool_marks_each(unsigned dbi, struct MDB_txn *txn, const struct spool_mark_walk *walk);
