#include "edge/idmap.h"
#include "proto/checksum.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	/* A round holds at most some ten thousand ids: chains stay short. */
	BUCKET_COUNT = 16384,
	ID_SIZE = 511, /* ids become LMDB's keys */
};

/* Ids of a round's events and replies of its producers: bounded by the round, this is the last resort. */
#define BYTES_MAX ((size_t)1 << 30)

int idmap_init(struct idmap *map, const uint8_t seed[16])
{
	*map = (struct idmap){0};
	map->heads = calloc(BUCKET_COUNT, sizeof *map->heads);
	if (map->heads == NULL) {
		return -ENOMEM;
	}
	buffer_init(&map->bytes, BYTES_MAX);
	memcpy(map->seed, seed, sizeof map->seed);
	return 0;
}

void idmap_deinit(struct idmap *map)
{
	buffer_deinit(&map->bytes);
	free(map->entries);
	free(map->heads);
	*map = (struct idmap){0};
}

static uint32_t bucket_of(const struct idmap *map, struct slice id)
{
	uint8_t seeded[sizeof map->seed + ID_SIZE];
	uint8_t hash[16];

	assert(id.size <= ID_SIZE);
	memcpy(seeded, map->seed, sizeof map->seed);
	memcpy(seeded + sizeof map->seed, id.bytes, id.size);
	checksum_hash128(slice_of(seeded, sizeof map->seed + id.size), hash);
	return (hash[0] | (uint32_t)hash[1] << 8) % BUCKET_COUNT;
}

static int grow(struct idmap *map)
{
	if (map->count < map->capacity) {
		return 0;
	}
	uint32_t capacity = map->capacity == 0 ? 256 : 2 * map->capacity;
	struct idmap_entry *entries = realloc(map->entries, capacity * sizeof *entries);
	if (entries == NULL) {
		return -ENOMEM;
	}
	map->entries = entries;
	map->capacity = capacity;
	return 0;
}

int idmap_add(struct idmap *map, struct slice id, struct slice value)
{
	if (grow(map) < 0) {
		return -ENOMEM;
	}
	size_t offset = map->bytes.size;
	buffer_append(&map->bytes, id.bytes, id.size);
	buffer_append(&map->bytes, value.bytes, value.size);
	if (map->bytes.error != 0) {
		buffer_truncate(&map->bytes, offset);
		return -ENOMEM;
	}
	uint32_t bucket = bucket_of(map, id);
	map->entries[map->count] = (struct idmap_entry){
		.next = map->heads[bucket],
		.bucket = bucket,
		.id_size = (uint32_t)id.size,
		.value_size = (uint32_t)value.size,
		.offset = offset,
	};
	map->count++;
	map->heads[bucket] = map->count;
	return 0;
}

const struct idmap_entry *idmap_find(const struct idmap *map, struct slice id)
{
	if (map->count == 0) {
		return NULL;
	}
	uint32_t at = map->heads[bucket_of(map, id)];
	while (at != 0) {
		const struct idmap_entry *entry = &map->entries[at - 1];
		if (slice_equal(idmap_id(map, entry), id)) {
			return entry;
		}
		at = entry->next;
	}
	return NULL;
}

void idmap_truncate(struct idmap *map, uint32_t count)
{
	assert(count <= map->count);

	while (map->count > count) {
		const struct idmap_entry *entry = &map->entries[map->count - 1];
		map->heads[entry->bucket] = entry->next;
		buffer_truncate(&map->bytes, entry->offset);
		map->count--;
	}
}
