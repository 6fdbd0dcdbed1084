#include "aggregator/books/forgotten.h"
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(FORGOTTEN_KEY_SIZE == crypto_shorthash_siphashx24_KEYBYTES, "the key is SipHash's");
_Static_assert(FORGOTTEN_HASH_SIZE == crypto_shorthash_siphashx24_BYTES, "and so is its hash");

void forgotten_deinit(struct forgotten *forgotten)
{
	free(forgotten->items);
	*forgotten = (struct forgotten){0};
}

int forgotten_copy(const struct forgotten *from, struct forgotten *ret_forgotten)
{
	struct forgotten copy = *from;

	copy.items = malloc((from->count + 1) * sizeof *copy.items);
	if (copy.items == NULL) {
		return -ENOMEM;
	}
	if (from->count > 0) {
		memcpy(copy.items, from->items, from->count * sizeof *copy.items);
	}
	*ret_forgotten = copy;
	return 0;
}

void forgotten_hash(
	const struct forgotten *forgotten, struct slice user, uint8_t ret_hash[FORGOTTEN_HASH_SIZE])
{
	assert(forgotten->has_key);
	crypto_shorthash_siphashx24(ret_hash, user.bytes, user.size, forgotten->key);
}

/* Its place, or where it belongs. */
static size_t place_of(const struct forgotten *forgotten, const uint8_t hash[FORGOTTEN_HASH_SIZE])
{
	size_t low = 0, high = forgotten->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (memcmp(forgotten->items[middle].hash, hash, FORGOTTEN_HASH_SIZE) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

const struct tombstone *forgotten_find(
	const struct forgotten *forgotten, const uint8_t hash[FORGOTTEN_HASH_SIZE])
{
	size_t place = place_of(forgotten, hash);

	return place < forgotten->count &&
			       memcmp(forgotten->items[place].hash, hash, FORGOTTEN_HASH_SIZE) == 0
		       ? &forgotten->items[place]
		       : NULL;
}

static int make_place(struct forgotten *forgotten, size_t place)
{
	if (forgotten->count == FORGOTTEN_MAX) {
		return -ENOSPC;
	}
	struct tombstone *items = realloc(forgotten->items, (forgotten->count + 1) * sizeof *items);
	if (items == NULL) {
		return -ENOMEM;
	}
	memmove(&items[place + 1], &items[place], (forgotten->count - place) * sizeof *items);
	forgotten->items = items;
	forgotten->count++;
	return 0;
}

int forgotten_put(struct forgotten *forgotten, const struct tombstone *tombstone)
{
	size_t place = place_of(forgotten, tombstone->hash);

	if (forgotten_find(forgotten, tombstone->hash) == NULL) {
		int r = make_place(forgotten, place);
		if (r < 0) {
			return r;
		}
	} else {
		forgotten->in_force -= forgotten->items[place].until_ms == FORGOTTEN_FOR_EVER;
	}
	forgotten->items[place] = *tombstone;
	forgotten->in_force += tombstone->until_ms == FORGOTTEN_FOR_EVER;
	return 0;
}

bool tombstone_equal(const struct tombstone *a, const struct tombstone *b)
{
	return memcmp(a->hash, b->hash, sizeof a->hash) == 0 && a->when_ms == b->when_ms &&
	       a->until_ms == b->until_ms && strcmp(a->by, b->by) == 0;
}

static const struct tombstone *find_user(const struct forgotten *forgotten, struct slice user)
{
	uint8_t hash[FORGOTTEN_HASH_SIZE];

	if (forgotten->count == 0 || user.size == 0) {
		return NULL;
	}
	forgotten_hash(forgotten, user, hash);
	return forgotten_find(forgotten, hash);
}

struct standing forgotten_standing(
	const struct forgotten *forgotten, struct slice user, int64_t append_ms)
{
	const struct tombstone *tombstone = find_user(forgotten, user);

	if (tombstone == NULL) {
		return (struct standing){0};
	}
	return append_ms < tombstone->until_ms
		       ? (struct standing){.is_hidden = true}
		       : (struct standing){.epoch = (uint64_t)tombstone->until_ms};
}

bool forgotten_has(const struct forgotten *forgotten, struct slice user)
{
	const struct tombstone *tombstone = find_user(forgotten, user);

	return tombstone != NULL && tombstone->until_ms == FORGOTTEN_FOR_EVER;
}

void tombstone_encode(const struct tombstone *tombstone, struct buffer *buffer)
{
	pack_u64(buffer, (uint64_t)tombstone->when_ms);
	pack_u64(buffer, (uint64_t)tombstone->until_ms);
	pack_bytes(buffer, slice_of_text(tombstone->by));
}

bool tombstone_decode(struct slice hash, struct slice bytes, struct tombstone *ret_tombstone)
{
	struct unpack unpack = unpack_of(bytes);
	struct tombstone tombstone = {0};

	tombstone.when_ms = (int64_t)unpack_u64(&unpack);
	tombstone.until_ms = (int64_t)unpack_u64(&unpack);
	struct slice by = unpack_bytes(&unpack);
	if (!unpack_is_whole(&unpack) || hash.size != sizeof tombstone.hash ||
		by.size >= sizeof tombstone.by) {
		return false;
	}
	memcpy(tombstone.hash, hash.bytes, hash.size);
	if (by.size > 0) {
		memcpy(tombstone.by, by.bytes, by.size);
	}
	*ret_tombstone = tombstone;
	return true;
}

void forgotten_hash_text(
	const uint8_t hash[FORGOTTEN_HASH_SIZE], char ret_text[FORGOTTEN_HASH_TEXT_SIZE])
{
	for (size_t i = 0; i < FORGOTTEN_HASH_SIZE; i++) {
		snprintf(ret_text + 2 * i, 3, "%02x", hash[i]);
	}
}
