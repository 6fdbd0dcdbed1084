/* idmap.h - short texts and what belongs to them, in the order of their coming, for one group commit. Entries leave
 * only from the end (a frame that is taken back), which a chained table does in one step each. Pure; the seed keeps
 * strangers from choosing ids that fall into one chain. */
#pragma once
#include "proto/buffer.h"

struct idmap_entry {
	uint32_t next; /* older entry of the chain, as index + 1; 0: none */
	uint32_t bucket;
	uint32_t id_size;
	uint32_t value_size;
	size_t offset; /* of the id in `bytes`; the value follows it */
};

struct idmap {
	struct buffer bytes;
	struct idmap_entry *entries; /* owned */
	uint32_t count;
	uint32_t capacity;
	uint32_t *heads; /* owned; newest entry of each chain as index + 1 */
	uint8_t seed[16];
};

int idmap_init(struct idmap *map, const uint8_t seed[16]);
void idmap_deinit(struct idmap *map); /* takes a zeroed one */
/* An id that is there already gets a second, newer entry, which hides the first. 0 or -ENOMEM. */
int idmap_add(struct idmap *map, struct slice id, struct slice value);
/* The newest entry; NULL when there is none. */
const struct idmap_entry *idmap_find(const struct idmap *map, struct slice id);
/* Back to an earlier count; 0 clears. */
void idmap_truncate(struct idmap *map, uint32_t count);

/* Borrowed until the next add. */
static inline struct slice idmap_id(const struct idmap *map, const struct idmap_entry *entry)
{
	return slice_of(map->bytes.bytes + entry->offset, entry->id_size);
}

static inline struct slice idmap_value(const struct idmap *map, const struct idmap_entry *entry)
{
	return slice_of(map->bytes.bytes + entry->offset + entry->id_size, entry->value_size);
}
