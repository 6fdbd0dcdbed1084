/* suggest.h - "did you mean …?" for names that are not known. Pure. */
#pragma once
#include <stddef.h>

struct suggestion {
	const char *word; /* what was given */
	size_t word_size; /* 0: it ends with a NUL */
	const char *best; /* the nearest candidate that is near enough, else NULL; borrowed */
	unsigned distance; /* of best */
};

/* Starts with {.word = …}; offer it every candidate, then read best. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);
