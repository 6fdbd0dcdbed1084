/* removals.h - blocks that were acknowledged and wait for the next commit to be deleted: ranges of indexes by lane,
 * neighbours merged. Pure. */
#pragma once
#include "proto/event.h"

struct removal {
	enum kind lane;
	uint64_t first, last; /* indexes of blocks, inclusive */
};

struct removals {
	struct removal *ranges; /* owned */
	size_t count;
	size_t capacity;
};

void removals_deinit(struct removals *removals); /* takes a zeroed one */
void removals_clear(struct removals *removals);
/* 0 or -ENOMEM: then nothing was added. */
int removals_add(struct removals *removals, enum kind lane, uint64_t first, uint64_t last);
/* The first `count` indexes at most, of one lane: for a disk so full that not even all deletions fit at once. There
 * must be some. */
struct removal removals_head(const struct removals *removals, uint64_t count);
/* What removals_head gave is done. */
void removals_drop_head(struct removals *removals, const struct removal *head);
