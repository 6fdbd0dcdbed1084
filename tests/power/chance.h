/* chance.h - numbers that look random and follow from a seed. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
	/* splitmix64 */
	uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 … bound - 1 */
static inline uint64_t chance_below(struct chance *chance, uint64_t bound)
{
	return chance_next(chance) % bound;
}

static inline bool chance_hits(struct chance *chance, unsigned percent)
{
	return chance_below(chance, 100) < percent;
}

static inline struct chance chance_of(uint64_t seed, uint64_t number)
{
	struct chance chance = {seed ^ number * UINT64_C(0xd1342543de82ef95)};
	(void)chance_next(&chance);
	return chance;
}
