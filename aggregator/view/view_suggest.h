/* view_suggest.h - the nearest of some words (runtime/suggest.h). */
#pragma once
#include "proto/slice.h"

/* The nearest candidate, or NULL when none is near enough to be meant. Candidates are borrowed; on a tie the first wins. */
const char *suggest_word(struct slice word, const char *const *candidates, size_t count);
