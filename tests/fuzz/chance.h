/* chance.h - what a mutator draws: libFuzzer gives a seed, and the same seed must give the same output. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint32_t state; /* not 0 */
};

/* xorshift. 0 … below - 1; 0 where below is 0. */
static inline uint32_t chance_draw(struct chance *chance, uint32_t below)
{
	chance->state ^= chance->state << 13;
	chance->state ^= chance->state >> 17;
	chance->state ^= chance->state << 5;
	return below == 0 ? 0 : chance->state % below;
}

static inline bool chance_one_in(struct chance *chance, uint32_t count)
{
	return chance_draw(chance, count) == 0;
}
