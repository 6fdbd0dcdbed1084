/* audit.h - after a run: is what the tills were told what was counted, to the cent, and do the books add up? */
#pragma once
#include <stdbool.h>

enum { AUDIT_WORDS_SIZE = 240 };

/* false with a sentence. The stage is drained. */
bool audit(char ret_words[AUDIT_WORDS_SIZE]);
