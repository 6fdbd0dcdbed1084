/* pieces.h - mutates inputs that are a row of pieces, back to back: cells, lines, packets, frames. Pieces are changed, left out,
 * doubled, swapped, moved, and new ones are put in. */
#pragma once
#include "tests/fuzz/mutate.h"

struct piece_kind {
	/* The size of the first piece of `rest`, which is not empty: 1 … rest.size. */
	size_t (*cut)(struct slice rest);
	mutator *change; /* of one piece */
	/* Writes a new piece, at most size_max bytes; its size, 0: none. */
	size_t (*make)(struct chance *chance, uint8_t *out, size_t size_max);
};

/* As a mutator. */
size_t pieces_mutate(const struct piece_kind *kind, struct chance *chance, uint8_t *data,
	size_t size, size_t size_max);
