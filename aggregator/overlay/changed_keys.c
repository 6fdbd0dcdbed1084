/* A queue of entries in arrays, and a table of places that points into it. What is dropped from the queue's front stays in the
 * arrays, and the table may point to it, until half of them is such waste: then all is packed anew. */
#include "aggregator/overlay/changed_keys.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

_Static_assert(CHANGED_KEYS_HASH_KEY_SIZE == crypto_shorthash_KEYBYTES, "the key is SipHash's");

enum { ENTRIES_MIN = 256 };

struct entry {
	uint64_t hash;
	uint32_t at; /* of its bytes: the key, then the longs */
	uint16_t key_size;
	uint16_t longs_size;
};

struct changed_keys {
	uint8_t hash_key[CHANGED_KEYS_HASH_KEY_SIZE];
	struct entry *entries;
	size_t head; /* the oldest that is not dropped */
	size_t tail;
	size_t capacity; /* of entries; the table has twice as many places. A power of two */
	uint32_t *places; /* index of an entry + 1; 0: free */
	uint8_t *bytes;
	size_t size;
	size_t bytes_capacity;
	bool is_over;
};

int changed_keys_new(
	const uint8_t hash_key[CHANGED_KEYS_HASH_KEY_SIZE], struct changed_keys **ret_keys)
{
	struct changed_keys *keys = calloc(1, sizeof *keys);
	if (keys == NULL) {
		return -ENOMEM;
	}
	memcpy(keys->hash_key, hash_key, sizeof keys->hash_key);
	*ret_keys = keys;
	return 0;
}

static void release(struct changed_keys *keys)
{
	free(keys->entries);
	free(keys->places);
	free(keys->bytes);
	keys->entries = NULL;
	keys->places = NULL;
	keys->bytes = NULL;
	keys->head = keys->tail = keys->capacity = 0;
	keys->size = keys->bytes_capacity = 0;
}

struct changed_keys *changed_keys_free(struct changed_keys *keys)
{
	if (keys != NULL) {
		release(keys);
		free(keys);
	}
	return NULL;
}

static struct changed_key key_of(const struct changed_keys *keys, const struct entry *entry)
{
	const uint8_t *bytes = keys->bytes + entry->at;

	return (struct changed_key){slice_of(bytes, entry->key_size),
		slice_of(bytes + entry->key_size, entry->longs_size)};
}

/* The place of this key, dropped or not, or the free one where it belongs. */
static uint32_t *find_place(const struct changed_keys *keys, uint64_t hash, struct slice key)
{
	size_t mask = 2 * keys->capacity - 1;
	size_t i = (size_t)hash & mask;

	while (keys->places[i] != 0) {
		const struct entry *entry = &keys->entries[keys->places[i] - 1];
		if (entry->hash == hash && slice_equal(key_of(keys, entry).key, key)) {
			break;
		}
		i = (i + 1) & mask;
	}
	return &keys->places[i];
}

/* Moves what is left to the front. */
static void pack(struct changed_keys *keys)
{
	size_t count = keys->tail - keys->head;
	uint32_t waste = keys->head > 0 ? keys->entries[keys->head].at : 0;

	if (keys->head == 0) {
		return;
	}
	memmove(keys->entries, keys->entries + keys->head, count * sizeof *keys->entries);
	memmove(keys->bytes, keys->bytes + waste, keys->size - waste);
	keys->size -= waste;
	for (size_t i = 0; i < count; i++) {
		keys->entries[i].at -= waste;
	}
	keys->head = 0;
	keys->tail = count;
}

/* Packs, and makes room for `capacity` entries. After a failure the set is of no more use. */
static int rebuild(struct changed_keys *keys, size_t capacity)
{
	pack(keys);
	struct entry *entries = realloc(keys->entries, capacity * sizeof *entries);
	if (entries == NULL) {
		return -ENOMEM;
	}
	keys->entries = entries;
	free(keys->places);
	keys->places = calloc(2 * capacity, sizeof *keys->places);
	if (keys->places == NULL) {
		return -ENOMEM;
	}
	keys->capacity = capacity;
	for (size_t i = 0; i < keys->tail; i++) {
		const struct entry *entry = &keys->entries[i];
		*find_place(keys, entry->hash, key_of(keys, entry).key) = (uint32_t)i + 1;
	}
	return 0;
}

static int reserve_entry(struct changed_keys *keys)
{
	if (keys->tail < keys->capacity) {
		return 0;
	}
	size_t capacity = keys->capacity == 0 ? ENTRIES_MIN : keys->capacity;
	bool is_waste = keys->head >= keys->tail / 2 && keys->capacity > 0;
	return rebuild(keys, is_waste || keys->capacity == 0 ? capacity : 2 * capacity);
}

static int reserve_bytes(struct changed_keys *keys, size_t size)
{
	size_t capacity = keys->bytes_capacity == 0 ? ENTRIES_MIN : keys->bytes_capacity;

	while (capacity < keys->size + size) {
		capacity *= 2;
	}
	if (capacity == keys->bytes_capacity) {
		return 0;
	}
	uint8_t *bytes = realloc(keys->bytes, capacity);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	keys->bytes = bytes;
	keys->bytes_capacity = capacity;
	return 0;
}

static bool has_room(const struct changed_keys *keys, size_t size)
{
	return keys->tail - keys->head < LIVE_KEYS_MAX && keys->size + size <= LIVE_KEYS_SIZE_MAX;
}

static void append(struct changed_keys *keys, uint64_t hash, const struct changed_key *key)
{
	keys->entries[keys->tail++] = (struct entry){
		.hash = hash,
		.at = (uint32_t)keys->size,
		.key_size = (uint16_t)key->key.size,
		.longs_size = (uint16_t)key->longs.size,
	};
	memcpy(keys->bytes + keys->size, key->key.bytes, key->key.size);
	keys->size += key->key.size;
	if (key->longs.size > 0) {
		memcpy(keys->bytes + keys->size, key->longs.bytes, key->longs.size);
		keys->size += key->longs.size;
	}
}

static void give_up(struct changed_keys *keys)
{
	release(keys);
	keys->is_over = true;
}

bool changed_keys_add(struct changed_keys *keys, const struct changed_key *key)
{
	uint64_t hash = 0;
	uint32_t *place = NULL;
	size_t size = key->key.size + key->longs.size;

	if (keys->is_over) {
		return false;
	}
	crypto_shorthash((unsigned char *)&hash, key->key.bytes, key->key.size, keys->hash_key);
	if (keys->capacity > 0) {
		place = find_place(keys, hash, key->key);
		if (*place > keys->head) {
			return false;
		}
	}
	if (!has_room(keys, size) || reserve_entry(keys) < 0 || reserve_bytes(keys, size) < 0) {
		give_up(keys);
		return true;
	}
	append(keys, hash, key);
	place = find_place(keys, hash, key->key); /* what was reserved may have moved it */
	*place = (uint32_t)keys->tail;
	return true;
}

bool changed_keys_are_over(const struct changed_keys *keys)
{
	return keys->is_over;
}

size_t changed_keys_count(const struct changed_keys *keys)
{
	return keys->tail - keys->head;
}

struct changed_key changed_keys_at(const struct changed_keys *keys, size_t index)
{
	return key_of(keys, &keys->entries[keys->head + index]);
}

/* An empty set of a moderate size keeps its memory: it is filled again a tenth of a second later. */
void changed_keys_drop(struct changed_keys *keys, size_t count)
{
	keys->head += count;
	if (keys->head == keys->tail && keys->capacity <= 16 * ENTRIES_MIN && keys->capacity > 0) {
		memset(keys->places, 0, 2 * keys->capacity * sizeof *keys->places);
		keys->head = keys->tail = keys->size = 0;
	} else if (keys->head == keys->tail) {
		release(keys);
	}
}

void changed_keys_clear(struct changed_keys *keys)
{
	release(keys);
	keys->is_over = false;
}
