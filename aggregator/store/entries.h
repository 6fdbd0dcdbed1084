/* entries.h - what one shard keeps by key beside the rows of views, one value a key: rows of tables, rows that a change may
 * take back, baskets. Loaded from the store at first use, in memory while they change, forgotten again (who was not asked for
 * longest) once the store has what they say. They go into the same transaction as everything else. The loop's thread. */
#pragma once
#include "aggregator/books/stream.h"

/* The first byte of a key says whose it is; what follows is for its owner to lay out, in an order that walks want. Each owner says in
 * entry_forget.c what becomes of an entry in which somebody is named who is forgotten. */
enum entry_space {
	ENTRY_BASKET = 'b',
	ENTRY_CHANGED_ROW = 'c',
	ENTRY_TABLE_ROW = 't',
	ENTRY_TRUNCATION = 'u',
};

enum {
	ENTRIES_E_ABSENT = 1,
	ENTRY_KEY_SIZE_MAX = 480, /* LMDB takes 511 */
	ENTRY_VALUE_SIZE_MAX =
		256 * 1024, /* an event has 64 KiB at most, a row of a table hardly more */
};

struct entries;

struct entries_options {
	size_t clean_bytes_max; /* forget above this what the store has */
	uint8_t hash_key[16]; /* random: foreign keys must not choose their place */
	/* Reads the stored value of a key into `ret_value` (appends); 0, 1 when there is none, or a negative errno. */
	int (*load)(void *owner, struct slice key, struct buffer *ret_value);
	void *owner;
};

int entries_new(const struct entries_options *options, struct entries **ret_entries);
struct entries *entries_free(struct entries *entries);

/* The newest value, whether the store has it yet or not; borrowed until the next call. 0, ENTRIES_E_ABSENT, -ENOMEM, or what
 * `load` says. */
int entries_get(struct entries *entries, struct slice key, struct slice *ret_value);
/* The same of a key that will hardly be asked for again: what is loaded takes no place in memory. */
int entries_peek(struct entries *entries, struct slice key, struct slice *ret_value);
/* Replaces it. The value is not empty. 0, -EINVAL (past the limits above), -ENOMEM. */
int entries_put(struct entries *entries, struct slice key, struct slice value);
/* 0 or -ENOMEM; none there is no error. */
int entries_delete(struct entries *entries, struct slice key);

/* What is to be handed over: so many entries, of about so many bytes. */
size_t entries_changed_count(const struct entries *entries);
size_t entries_changed_bytes(const struct entries *entries);
/* Hands what changed to `put`, for commit number `commit`, at most `count_max` entries, who changed first first; a value of no bytes:
 * the key is to be deleted. Who changes again before the commit is handed over again, and the later value counts. Stops at the
 * first error. */
int entries_hand_over(struct entries *entries, uint64_t commit, size_t count_max,
	int (*put)(void *owner, struct slice key, struct slice value), void *owner);
/* Up to this commit the store has everything. */
void entries_committed(struct entries *entries, uint64_t commit);
/* Nothing is there that the store does not have. */
bool entries_are_written(const struct entries *entries);
/* Of what was written, `count_max` entries at most may be forgotten from now on. Whether there are more of them: with hundreds of
 * thousands nobody is to wait until all were looked at. */
bool entries_settle(struct entries *entries, size_t count_max);

/* Nothing in memory is believed any more: the store was changed beside it. All is written. */
void entries_forget(struct entries *entries);

/* ---- walks, in key order: what a snapshot has, and what it does not have yet */

typedef int (*entry_fn)(void *owner, struct slice key, struct slice value);
/* Entries whose key begins with `prefix`, from the first key >= `from` (which begins with it too, or is empty), until `each`
 * returns other than 0, which is returned. Nothing may be put meanwhile. 0, STORE_E_CORRUPT, -errno. */
struct snapshot;
int entries_walk(struct entries *entries, struct snapshot *snapshot, struct slice prefix,
	struct slice from, entry_fn each, void *owner);
