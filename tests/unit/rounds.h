/* rounds.h - how often a test does what it repeats. Under TSan and valgrind all takes many times as long, and tests/lib/suites.py asks by
 * TILL_TEST_ROUNDS_PERCENT for a part of the rounds; no test is left out. */
#pragma once
#include <stdlib.h>

/* At least 1. */
static inline int rounds_of(int count)
{
	const char *percent = getenv("TILL_TEST_ROUNDS_PERCENT");
	int rounds = percent == NULL ? count : (int)(count * strtol(percent, NULL, 10) / 100);

	return rounds < 1 ? 1 : rounds;
}
