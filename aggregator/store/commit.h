/* commit.h - one transaction of a store: everything that a frozen overlay and the records behind it changed, or
 * nothing. Runs on the committing thread, as do the walks that check what was written. */
#pragma once
#include "aggregator/store/store.h"
#include "aggregator/store/succession.h"
#include "proto/buffer.h"

/* Made on the loop's thread, then read only until it is written. */
struct commit {
	uint32_t generation;
	uint64_t number; /* of the generation's commits */
	const struct view_set *views; /* borrowed */
	struct overlay *overlay; /* owned */
	struct expiry *expiry; /* the shard's; NULL: rows that have ended stay */
	struct succession *
		successions; /* borrowed, led on as rows are written: whose leaders change with them */
	size_t succession_count;
	struct buffer puts; /* rows of the other tables, by commit_put and commit_delete */
};

void commit_init(struct commit *commit);
void commit_deinit(struct commit *commit);
/* The buffer's error tells of failure. */
void commit_put(
	struct commit *commit, enum store_table table, struct slice key, struct slice value);
void commit_delete(struct commit *commit, enum store_table table, struct slice key);

struct commit_row {
	enum store_table table;
	bool is_deleted; /* then it has no value */
	struct slice key, value; /* borrowed from the commit */
};
/* What was put and deleted, in that order. The cursor begins at 0; false at the end. */
bool commit_next(const struct commit *commit, size_t *cursor, struct commit_row *ret_row);

/* 0: it is on disk. STORE_E_FULL: nothing was written, the same commit may be tried again. STORE_E_CORRUPT: what it
 * changes can't be read, nothing was written. -errno: unknown; end the process and read the truth at the next start. */
int store_commit(struct store *store, const struct commit *commit);

/* Reads at most `rows_max` rows of a part of the live generation, all parts in turn for ever: checksums, and at a part's end what its
 * rows add up to. 0, or STORE_E_CORRUPT with a sentence, or -errno. */
int store_scrub(struct store *store, const struct view_set *views, size_t rows_max, char *ret_error,
	size_t error_size);
/* How many calls see all, if each may read a part to its end: rows and members of each view, and the other tables. */
size_t store_scrub_parts(const struct view_set *views);
/* Σ sizes of counted sets = accepted + rejected per kind of stream, and for each view that can be held against it
 * Σcount + unmatched + expired = accepted + rows that change. 0, or STORE_E_CORRUPT with a sentence, or -errno. */
int store_check_sums(struct store *store, uint32_t generation, const struct view_set *views,
	char *ret_error, size_t error_size);
/* Deletes at most `rows_max` rows of the generation that is dropped. *ret_is_empty when none is left. */
int store_drop_step(struct store *store, size_t rows_max, bool *ret_is_empty);
