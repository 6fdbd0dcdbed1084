/* spool_marks_lmdb.h - private to the spool: what sources want to find again: rows as mark_row.h says. Every function works inside the caller's transaction. 0, SPOOL_E_*, or -errno. */
#pragma once
#include "edge/spool.h"
#include "edge/spool_sums.h"

struct MDB_txn;

int spool_marks_open(struct MDB_txn *txn, unsigned *ret_dbi);
/* The sum changes with the rows. */
int spool_marks_write(
	unsigned dbi, struct MDB_txn *txn, const struct idmap *marks, struct spool_sum *sum);
int spool_marks_each(unsigned dbi, struct MDB_txn *txn, const struct spool_mark_walk *walk);
