/* spool_reader.h - reads a spool without changing it: for `till spool list|show|verify|export`. Works beside a running
 * edge and on what a killed one left. One thread; never in the process that has the same spool open for writing.
 *
 *	struct spool_reader *reader = NULL;
 *	struct spool_error error;
 *	int r = spool_reader_new(dir, &reader, &error);      error.text says what is wrong and what to do
 *	while (r == 0 && (r = spool_reader_next(reader, &block)) == 0) { … }      then r is SPOOL_E_END
 *	spool_reader_free(reader);
 *
 * Blocks come in the order of lanes, then of their index; those that were set aside come last. Each call reads one
 * block in a transaction of its own, so that a slow terminal never keeps the edge from re-using pages; blocks that
 * are acknowledged meanwhile are simply no longer seen. */
#pragma once
#include "edge/spool_error.h"
#include "edge/spool_identity.h"
#include "proto/event.h"

enum spool_block_state {
	SPOOL_BLOCK_OK,
	SPOOL_BLOCK_CORRUPT, /* a checksum or the header is wrong; the edge will set it aside */
};

struct spool_block {
	enum kind lane;
	uint64_t index; /* rising within the lane */
	bool set_aside; /* it was corrupt when the edge wanted to send it: kept, never sent */
	enum spool_block_state state;
	/* The header: what it says is sure only where header_ok. */
	bool header_ok;
	uint64_t run;
	uint64_t first_seq;
	uint32_t count; /* events: seqs first_seq … first_seq + count - 1 */
	int64_t received_first_ms;
	int64_t received_last_ms;
	struct slice
		events; /* back to back, as they will be sent; cut with event_cut; until the next call */
	struct slice raw; /* the whole record as stored; until the next call */
};

struct spool_reader;

/* First the files are walked in a child process, for a damaged LMDB file can crash its reader.
 * 0, SPOOL_E_FOREIGN, SPOOL_E_ABSENT or -errno, with the error set. */
int spool_reader_new(const char *dir, struct spool_reader **ret_reader, struct spool_error *error);
struct spool_reader *spool_reader_free(struct spool_reader *reader);
const struct spool_identity *spool_reader_identity(const struct spool_reader *reader);
/* A sentence where rows of it are missing, "" where not: what is there is read all the same. */
const char *spool_reader_lost(const struct spool_reader *reader);
/* 0, SPOOL_E_END after the last one, or -errno. */
int spool_reader_next(struct spool_reader *reader, struct spool_block *ret_block);
