/* suggest.h - "did you mean …?" for names that are not known. Pure. */
#pragma once

struct suggestion {
	const char *word; /* what was given */
	const char *best; /* the nearest candidate that is near enough, else NULL; borrowed */
	unsigned distance; /* of best */
};

/* Starts with {.word = …}; offer it every candidate, then read best. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);
