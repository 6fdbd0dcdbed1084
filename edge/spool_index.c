#include "edge/spool_index.h"
#include <assert.h>

void spool_index_init(
	struct spool_index *index, uint64_t quota_bytes, const uint32_t share_percent[KIND_COUNT])
{
	*index = (struct spool_index){.quota_bytes = quota_bytes};
	for (int i = 0; i < KIND_COUNT; i++) {
		index->lane_quota_bytes[i] = quota_bytes / 100 * share_percent[i];
	}
}

static uint64_t block_cost(uint64_t size)
{
	return spool_cost(SPOOL_KEY_SIZE, SPOOL_BLOCK_HEADER_SIZE + size);
}

void spool_index_add(
	struct spool_index *index, enum kind lane, uint64_t at, uint32_t count, uint32_t size)
{
	struct spool_lane *to = &index->lanes[lane];
	uint64_t cost = block_cost(size);

	assert(at >= to->end);
	to->blocks++;
	to->events += count;
	to->bytes += cost;
	to->end = at + 1;
	index->bytes += cost;
}

void spool_index_subtract(struct spool_index *index, const struct spool_lane taken[KIND_COUNT])
{
	for (int i = 0; i < KIND_COUNT; i++) {
		struct spool_lane *from = &index->lanes[i];
		assert(from->blocks >= taken[i].blocks);
		assert(from->events >= taken[i].events);
		assert(from->bytes >= taken[i].bytes);
		from->blocks -= taken[i].blocks;
		from->events -= taken[i].events;
		from->bytes -= taken[i].bytes;
		index->bytes -= taken[i].bytes;
	}
}

void spool_index_reserve(struct spool_index *index, enum kind lane, uint64_t end)
{
	if (index->lanes[lane].end < end) {
		index->lanes[lane].end = end;
	}
}

void spool_index_reset(struct spool_index *index)
{
	memset(index->lanes, 0, sizeof index->lanes);
	index->bytes = 0;
}

static uint64_t lane_cost(const struct draft_lane *lane)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < lane->block_count; i++) {
		cost += block_cost(lane->blocks[i].size);
	}
	return cost;
}

enum spool_room spool_index_room(
	const struct spool_index *index, const struct draft *draft, enum kind *ret_lane)
{
	uint64_t cost_all = 0;

	if (index->short_of_disk) {
		return SPOOL_ROOM_DISK;
	}
	if (index->short_of_pages) {
		return SPOOL_ROOM_PAGES;
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		uint64_t cost = lane_cost(&draft->lanes[i]);
		if (cost > 0 && index->lanes[i].bytes + cost > index->lane_quota_bytes[i]) {
			*ret_lane = (enum kind)i;
			return SPOOL_ROOM_LANE;
		}
		cost_all += cost;
	}
	return index->bytes + cost_all > index->quota_bytes ? SPOOL_ROOM_QUOTA : SPOOL_ROOM_OK;
}
