#include "tests/sim/states.h"
#include <stdlib.h>

enum {
	SET_BITS = 22, /* a hash set of four million places */
	SKETCH_BITS = 12,
};
_Static_assert(STATES_SKETCH_SIZE == 1 << SKETCH_BITS, "as many places as its bits say");

static uint64_t *set;
static size_t count;
static uint8_t sketch[STATES_SKETCH_SIZE];

static uint64_t mix(uint64_t state)
{
	state = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	state = (state ^ (state >> 27)) * UINT64_C(0x94d049bb133111eb);
	return state ^ (state >> 31);
}

static void sketch_add(uint64_t hash)
{
	uint8_t *place = &sketch[hash >> (64 - SKETCH_BITS)];
	uint64_t rest = hash << SKETCH_BITS | 1 << (SKETCH_BITS - 1);
	uint8_t zeros = (uint8_t)(__builtin_clzll(rest) + 1);

	*place = zeros > *place ? zeros : *place;
}

void states_reach(uint64_t state)
{
	static uint64_t last;
	size_t mask = ((size_t)1 << SET_BITS) - 1;
	uint64_t hash = mix(state) | 1; /* 0 is an empty place */

	if (hash == last) {
		return; /* as most steps leave it */
	}
	last = hash;
	if (set == NULL) {
		set = calloc(mask + 1, sizeof *set);
	}
	sketch_add(hash);
	if (set == NULL || count > mask / 2) {
		return;
	}
	size_t at = (size_t)(hash >> 20) & mask;
	while (set[at] != 0 && set[at] != hash) {
		at = (at + 1) & mask;
	}
	count += set[at] == 0;
	set[at] = hash;
}

size_t states_count(void)
{
	return count;
}

const uint8_t *states_sketch(void)
{
	return sketch;
}
