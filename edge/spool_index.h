/* spool_index.h - how much lies in the spool, by lane, and whether more may. Kept in memory beside the files, changed
 * only by what was committed. Pure. */
#pragma once
#include "edge/draft.h"

struct spool_lane {
	uint64_t blocks;
	uint64_t events;
	uint64_t bytes; /* what the blocks cost in LMDB: spool_cost */
	uint64_t end; /* index that the lane's next block gets */
};

struct spool_index {
	struct spool_lane lanes[KIND_COUNT];
	uint64_t bytes; /* of all lanes */
	uint64_t quota_bytes;
	uint64_t lane_quota_bytes[KIND_COUNT];
	/* Set by the spool: the map's pages or the file system run short, whatever the quota says. */
	bool short_of_pages;
	bool short_of_disk;
};

void spool_index_init(
	struct spool_index *index, uint64_t quota_bytes, const uint32_t share_percent[KIND_COUNT]);
/* The block must be the lane's last: index->lanes[].end moves past it. */
void spool_index_add(
	struct spool_index *index, enum kind lane, uint64_t at, uint32_t count, uint32_t size);
/* What left: blocks, events and bytes by lane; `end` is not looked at. */
void spool_index_subtract(struct spool_index *index, const struct spool_lane taken[KIND_COUNT]);
/* No block below `end` will be added. */
void spool_index_reserve(struct spool_index *index, enum kind lane, uint64_t end);
/* Nothing is there; the quotas stay. */
void spool_index_reset(struct spool_index *index);

/* What keeps the draft from being committed: SPOOL_ROOM_OK when nothing does. Lanes that the draft does not touch
 * don't matter: one that is full stops no other. */
enum spool_room {
	SPOOL_ROOM_OK,
	SPOOL_ROOM_QUOTA,
	SPOOL_ROOM_LANE, /* *ret_lane is the one */
	SPOOL_ROOM_PAGES,
	SPOOL_ROOM_DISK,
};
enum spool_room spool_index_room(
	const struct spool_index *index, const struct draft *draft, enum kind *ret_lane);
