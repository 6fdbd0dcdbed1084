/* suggest.h - "did you mean …?" for names that are not known. Pure. */
#pragma once
#include <stddef.h>

struct suggestion {
	const char *word; /* what was given */
	size_t word_size; /* 0: it ends with a NUL */
	const char *
		best; /* the nearest candidate that is near enough, else NULL; borrowed, and ended as it was offered */
	size_t best_size;
	unsigned distance; /* of best */
};

/* Starts with {.word = …}; offer it every candidate, then read best. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);
/* The same of a text without a NUL behind it. */
void suggestion_offer_bytes(struct suggestion *suggestion, const char *candidate, size_t size);
