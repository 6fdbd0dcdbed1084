/* states.h - the states that all runs of this process have reached: how many, and a sketch that can be joined with those of
 * other processes (HyperLogLog). One thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { STATES_SKETCH_SIZE = 4096 };

void states_reach(uint64_t state);
/* Exact up to two million, and no more than that. */
size_t states_count(void);
/* One place a byte: the most leading zeros, plus one, of the hashes that fell into it; a joined sketch has the greater ones. */
const uint8_t *states_sketch(void);
