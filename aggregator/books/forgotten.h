/* forgotten.h - who was forgotten, as a store keeps it: tombstones under keyed hashes of user ids. The key is random and lies
 * in the same store, so a tombstone is a name to nobody who has not both the store and a list of ids to try.
 *
 * A tombstone says of each event of its user whether he is hidden in it, by the broker's append time of its record and nothing
 * else. So equal logs and equal tombstones give equal rows, whenever they are counted:
 *
 *   in force   all of them, those that are still to come too
 *   revoked    those whose record was appended before `until_ms`; the others count under his name again
 *
 * Pure. */
#pragma once
#include "aggregator/view/pack.h"

enum {
	FORGOTTEN_KEY_SIZE = 16,
	FORGOTTEN_HASH_SIZE = 16,
	FORGOTTEN_HASH_TEXT_SIZE = 2 * FORGOTTEN_HASH_SIZE + 1,
	FORGOTTEN_BY_SIZE = 64, /* a key's name */
	FORGOTTEN_MAX =
		100000, /* tombstones: 10 MiB of memory; they are looked through by halves */
};

/* What first() and last() of user_id tell of somebody who was forgotten. */
#define FORGOTTEN_TEXT "(forgotten)"

#define FORGOTTEN_FOR_EVER INT64_MAX

struct tombstone {
	uint8_t hash[FORGOTTEN_HASH_SIZE];
	int64_t when_ms; /* of the last word on him, by the wall clock */
	int64_t until_ms; /* FORGOTTEN_FOR_EVER: in force */
	char by[FORGOTTEN_BY_SIZE]; /* whose word it was */
};

/* Zero-initialised: nobody. */
struct forgotten {
	bool has_key;
	uint8_t key[FORGOTTEN_KEY_SIZE];
	struct tombstone *items; /* owned; by hash */
	size_t count;
	size_t in_force;
};

/* How one event stands to what was forgotten. All zero: as any other. */
struct standing {
	bool is_hidden; /* he is not in the rows that it changes */
	uint64_t epoch; /* not 0: he was hidden before, and counts again since */
};

void forgotten_deinit(struct forgotten *forgotten);
/* A copy into an empty one. 0 or -ENOMEM. */
int forgotten_copy(const struct forgotten *from, struct forgotten *ret_forgotten);
void forgotten_hash(const struct forgotten *forgotten, struct slice user,
	uint8_t ret_hash[FORGOTTEN_HASH_SIZE]);
/* NULL: he never was. Borrowed until the next change. */
const struct tombstone *forgotten_find(
	const struct forgotten *forgotten, const uint8_t hash[FORGOTTEN_HASH_SIZE]);
/* Adds or replaces. 0, -ENOMEM, -ENOSPC past FORGOTTEN_MAX. */
int forgotten_put(struct forgotten *forgotten, const struct tombstone *tombstone);
bool tombstone_equal(const struct tombstone *a, const struct tombstone *b);

/* `user` empty: nobody. `append_ms` is the record's. */
struct standing forgotten_standing(
	const struct forgotten *forgotten, struct slice user, int64_t append_ms);
/* Is he hidden in all events? */
bool forgotten_has(const struct forgotten *forgotten, struct slice user);

/* As the store keeps one, under its hash. */
void tombstone_encode(const struct tombstone *tombstone, struct buffer *buffer);
bool tombstone_decode(struct slice hash, struct slice bytes, struct tombstone *ret_tombstone);
/* Hexadecimal. */
void forgotten_hash_text(
	const uint8_t hash[FORGOTTEN_HASH_SIZE], char ret_text[FORGOTTEN_HASH_TEXT_SIZE]);
