/* spool_sums.h - what the rows of a spool's tables add up to. LMDB has no checksums: a row that is missing, or is as it was earlier,
 * leaves no trace in a tree but in such sums. They lie among the names of the tables, on a page that every
 * transaction writes anyway, and bear its number, so that a state of an earlier time is known as one, too. Pure. */
#pragma once
#include "proto/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum spool_table {
	SPOOL_TABLE_BLOCKS,
	SPOOL_TABLE_CORRUPT,
	SPOOL_TABLE_PRODUCERS,
	SPOOL_TABLE_EVENT_IDS,
	SPOOL_TABLE_MARKS,
	SPOOL_TABLES_SUMMED, /* those above */
	SPOOL_TABLE_META = SPOOL_TABLES_SUMMED,
	SPOOL_TABLE_EVENT_ID_ORDER, /* held against SPOOL_TABLE_EVENT_IDS */
	SPOOL_TABLE_COUNT,
};

struct spool_sum {
	uint64_t count; /* rows */
	uint64_t
		damaged; /* of them those that say so themselves: blocks without a readable header, marks */
	uint64_t
		hash_sum; /* modulo 2^64; of a block its key and header, which bears the events' checksum */
};

struct spool_sums {
	uint64_t transaction; /* LMDB's number of the one that wrote them */
	struct spool_sum tables[SPOOL_TABLES_SUMMED];
};

void spool_sum_add(
	struct spool_sum *sum, enum spool_table table, struct slice key, struct slice value);
/* The very bytes that were added. */
void spool_sum_subtract(
	struct spool_sum *sum, enum spool_table table, struct slice key, struct slice value);
/* false: rows are missing, or others are there than were written. Where more are damaged than before, their bytes are not what was
 * added, and only the count tells. */
bool spool_sum_fits(const struct spool_sum *told, const struct spool_sum *found);

/* u64 transaction; of each table u64 count, u64 damaged, u64 hash_sum; u32 CRC32C */
enum { SPOOL_SUMS_SIZE = 8 + SPOOL_TABLES_SUMMED * 3 * 8 + 4 };
void spool_sums_encode(const struct spool_sums *sums, uint8_t out[SPOOL_SUMS_SIZE]);
/* false: damaged. */
bool spool_sums_decode(struct slice bytes, struct spool_sums *ret_sums);
