/* words.h - texts that mutators put in, and how. */
#pragma once
#include "tests/fuzz/mutate.h"

/* One of the list, written at `out`; its size, 0: no room. */
static inline size_t put_word(struct chance *chance, const char *const *words, uint32_t count,
	uint8_t *out, size_t size_max)
{
	const char *word = words[chance_draw(chance, count)];
	size_t size = strlen(word);

	if (size > size_max) {
		return 0;
	}
	memcpy(out, word, size);
	return size;
}

#define WORD_COUNT(words) ((uint32_t)(sizeof(words) / sizeof(words)[0]))
