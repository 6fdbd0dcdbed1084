/* overlay_arena.h - memory that is taken piece by piece and given back all at once. Reserving comes first and may
 * fail; taking what was reserved can't, so that a change of several rows is all or nothing. */
#pragma once
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the newest first */
	size_t left; /* in the newest */
	size_t bytes; /* in use in total */
};

void arena_deinit(struct arena *arena); /* takes a zeroed one */
/* Afterwards pieces that together, each rounded up by arena_round, have `size` bytes can be taken. 0 or -ENOMEM. */
int arena_reserve(struct arena *arena, size_t size);
size_t arena_round(size_t size);
/* Aligned for any type; not cleared. */
void *arena_take(struct arena *arena, size_t size);
