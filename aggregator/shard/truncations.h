/* truncations.h - tables of a database that were truncated, while a shard has not let go of all their rows yet. A truncation has a
 * place in the database's log, as every row has: rows that were written before it go, a few at a time, and what comes meanwhile is
 * behind it and stays. That there is something to do is an entry, put in the transaction of the record that told of it and
 * deleted in that of the last row: whoever is killed in between goes on, and it ends as if all had gone at once.
 *
 *   key     'u', the beginning that the keys of all its rows have in common
 *   value   the place in the log
 *
 * The loop's thread. */
#pragma once
#include "aggregator/store/entries.h"

enum {
	TRUNCATIONS_MAX = 64, /* at once: more than sources and tables that can be declared */
	TRUNCATION_PREFIX_SIZE_MAX = 2 + EDGE_ID_SIZE_MAX,
};

struct truncations;

struct truncations_options {
	struct entries *entries; /* borrowed */
	/* Lets a row go if it was written before this place. It may change entries; key and value are borrowed until it does. 0
	 * or -errno. */
	int (*drop)(void *owner, struct slice key, struct slice value, uint64_t log);
	void *owner;
};

/* -ENOMEM. */
int truncations_new(
	const struct truncations_options *options, struct truncations **ret_truncations);
struct truncations *truncations_free(struct truncations *truncations);

/* At start: each entry from TRUNCATIONS_FIRST on, in order. 0, TRUNCATIONS_E_PASSED behind the last one, -EBADMSG. */
enum { TRUNCATIONS_E_PASSED = 1000 };
#define TRUNCATIONS_FIRST (slice_of("u", 1))
int truncations_load(void *truncations, struct slice key, struct slice value);

/* Whatever lies under this beginning of keys and was written before `log` is to go. 0, -ENOSPC, or what entries say. */
int truncations_begin(struct truncations *truncations, struct slice prefix, uint64_t log);
size_t truncations_count(const struct truncations *truncations);
/* Is the row of this key to go if it was written before *ret_log? */
bool truncations_find(const struct truncations *truncations, struct slice key, uint64_t *ret_log);
/* Looks at so many rows of the first one. The snapshot is of the shard's generation. 0, STORE_E_CORRUPT, or as `drop` and entries say. */
int truncations_step(struct truncations *truncations, struct snapshot *snapshot, size_t rows_max);
