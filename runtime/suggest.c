#include "runtime/suggest.h"
#include <string.h>

enum { WORD_SIZE_MAX = 64 }; /* longer words are no typing errors of ours */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b: three rows of the usual table. */
static unsigned edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned rows[3][WORD_SIZE_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_size; j++) {
		above[j] = (unsigned)j;
	}
	for (size_t i = 1; i <= a_size; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_size; j++) {
			unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				row[j] = least(row[j], before[j - 2] + 1);
			}
		}
		unsigned *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_size];
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	suggestion_offer_bytes(suggestion, candidate, strlen(candidate));
}

void suggestion_offer_bytes(struct suggestion *suggestion, const char *candidate, size_t size)
{
	size_t word_size =
		suggestion->word_size > 0 ? suggestion->word_size : strlen(suggestion->word);

	if (word_size > WORD_SIZE_MAX || size > WORD_SIZE_MAX) {
		return;
	}
	unsigned distance = edit_distance(suggestion->word, word_size, candidate, size);
	/* One error in three letters, at most three: further away it would be a guess. */
	unsigned distance_max = least(3, (unsigned)(word_size > size ? word_size : size) / 3);
	if (distance > distance_max) {
		return;
	}
	if (suggestion->best == NULL || distance < suggestion->distance) {
		suggestion->best = candidate;
		suggestion->best_size = size;
		suggestion->distance = distance;
	}
}
