/* fuzz.h - what every libFuzzer target needs. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "proto/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* mutate.c's, where it is linked. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* The input in a heap block of exactly its size, so that ASan sees a read one byte past it. To be freed. */
static inline struct slice fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);

	if (copy == NULL) {
		abort();
	}
	if (size > 0) {
		memcpy(copy, data, size);
	}
	return slice_of(copy, size);
}

static inline void fuzz_free(struct slice copy)
{
	free((void *)copy.bytes);
}

/* What must hold; else the input is kept, and the words say what did not. */
#define fuzz_require(condition) fuzz_require_at((condition), #condition, __FILE__, __LINE__)

static inline void fuzz_require_at(bool holds, const char *condition, const char *file, int line)
{
	if (!holds) {
		fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
		abort();
	}
}
