#include "aggregator/overlay/overlay_arena.h"
#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { CHUNK_SIZE = 256 * 1024, ALIGNMENT = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of bytes */
	alignas(ALIGNMENT) uint8_t bytes[];
};

size_t arena_round(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

void arena_deinit(struct arena *arena)
{
	while (arena->chunks != NULL) {
		struct arena_chunk *next = arena->chunks->next;
		free(arena->chunks);
		arena->chunks = next;
	}
	*arena = (struct arena){0};
}

int arena_reserve(struct arena *arena, size_t size)
{
	if (size <= arena->left) {
		return 0;
	}
	size_t chunk_size = size > CHUNK_SIZE ? arena_round(size) : CHUNK_SIZE;
	struct arena_chunk *chunk = malloc(sizeof *chunk + chunk_size);
	if (chunk == NULL) {
		return -ENOMEM;
	}
	chunk->next = arena->chunks;
	chunk->size = chunk_size;
	arena->chunks = chunk;
	arena->left = chunk_size;
	arena->bytes += sizeof *chunk + chunk_size;
	return 0;
}

void *arena_take(struct arena *arena, size_t size)
{
	size_t rounded = arena_round(size);

	assert(rounded <= arena->left);
	uint8_t *piece = arena->chunks->bytes + arena->chunks->size - arena->left;
	arena->left -= rounded;
	return piece;
}
