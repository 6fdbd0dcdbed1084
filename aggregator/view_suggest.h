/* view_suggest.h - "did you mean": the nearest of some words by edit distance. Pure. */
#pragma once
#include "proto/slice.h"

/* The nearest candidate, or NULL when none is near enough to be meant. Candidates are borrowed; on a tie the first wins. */
const char *suggest_word(struct slice word, const char *const *candidates, size_t count);
