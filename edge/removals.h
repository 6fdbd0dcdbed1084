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
