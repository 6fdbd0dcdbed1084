/* draw.h - randomness that a seed repeats: splitmix64, a good mixer for which every seed is as good as another. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

static inline uint64_t draw_mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static inline uint64_t draw_next(uint64_t *random)
{
	*random += UINT64_C(0x9e3779b97f4a7c15);
	return draw_mix(*random);
}

static inline uint32_t draw_below(uint64_t *random, uint32_t limit)
{
	return (uint32_t)(draw_next(random) % limit);
}

static inline bool draw_percent(uint64_t *random, uint32_t percent)
{
	return draw_below(random, 100) < percent;
}
