/* changed_keys.h - keys of one view's rows that changed and are still to be told: each once, in the order in which they
 * changed first, up to a bound. Rows are read when they are told, so keys are all that is kept. Pure. One thread. */
#pragma once
#include "proto/limits.h"
#include "proto/slice.h"

struct changed_keys;

enum { CHANGED_KEYS_HASH_KEY_SIZE = 16 };

struct changed_key {
	struct slice
		key; /* row_key.h, as are the longs; borrowed until the next call that changes the set */
	struct slice longs;
};

/* `hash_key` is random: foreign keys must not be able to choose their places. */
int changed_keys_new(
	const uint8_t hash_key[CHANGED_KEYS_HASH_KEY_SIZE], struct changed_keys **ret_keys);
struct changed_keys *changed_keys_free(struct changed_keys *keys);

/* false: it was there. Past LIVE_KEYS_MAX, LIVE_KEYS_SIZE_MAX, or without memory the set is over: it lets go of all keys and
 * takes none until it is cleared. */
bool changed_keys_add(struct changed_keys *keys, const struct changed_key *key);
bool changed_keys_are_over(const struct changed_keys *keys);
size_t changed_keys_count(const struct changed_keys *keys);
/* The i-th, the oldest first. */
struct changed_key changed_keys_at(const struct changed_keys *keys, size_t index);
/* Forgets the oldest. */
void changed_keys_drop(struct changed_keys *keys, size_t count);
void changed_keys_clear(struct changed_keys *keys);
