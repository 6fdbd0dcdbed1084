#include "aggregator/view_suggest.h"

/* Longer words are not typing errors of names, which have at most 40 bytes. */
enum { WORD_SIZE_MAX = 48 };

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance with one row of the table: bytes inserted, removed or replaced. */
static size_t distance_between(struct slice a, struct slice b)
{
	size_t row[WORD_SIZE_MAX + 1];

	for (size_t j = 0; j <= b.size; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= a.size; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.size; j++) {
			size_t replaced = diagonal + (a.bytes[i - 1] != b.bytes[j - 1]);
			diagonal = row[j];
			row[j] = smallest(row[j] + 1, row[j - 1] + 1, replaced);
		}
	}
	return row[b.size];
}

const char *suggest_word(struct slice word, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t limit = word.size / 3 + 1; /* one slip in three letters */

	if (word.size == 0 || word.size > WORD_SIZE_MAX) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct slice candidate = slice_of_text(candidates[i]);
		if (candidate.size > WORD_SIZE_MAX) {
			continue;
		}
		size_t distance = distance_between(word, candidate);
		if (distance <= limit && distance < candidate.size) {
			nearest = candidates[i];
			limit = distance - (distance > 0);
			if (distance == 0) {
				break;
			}
		}
	}
	return nearest;
}
