/* draw.h - repeatable random numbers for tests (xorshift64*). */
#pragma once
#include <stdint.h>

struct draw {
	uint64_t state; /* not 0 */
};

static inline uint64_t draw_bits(struct draw *draw)
{
	draw->state ^= draw->state >> 12;
	draw->state ^= draw->state << 25;
	draw->state ^= draw->state >> 27;
	return draw->state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint32_t draw_below(struct draw *draw, uint32_t limit)
{
	return (uint32_t)((draw_bits(draw) >> 32) * limit >> 32);
}
