#include "aggregator/view/view_suggest.h"
#include "runtime/suggest.h"

const char *suggest_word(struct slice word, const char *const *candidates, size_t count)
{
	struct suggestion suggestion = {.word = (const char *)word.bytes, .word_size = word.size};

	for (size_t i = 0; word.size > 0 && i < count; i++) {
		suggestion_offer(&suggestion, candidates[i]);
	}
	return suggestion.best;
}
