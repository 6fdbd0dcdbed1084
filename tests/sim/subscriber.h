/* subscriber.h - a reader of a view's stream, and of snapshots of it, by the rules of PROTOCOL.md, 6.7, and by no code of the
 * product: a SUB that loses messages, hears others late, joins again after a gap. In the end its replica is the view. One thread. */
#pragma once
#include "tests/sim/aggregator_part.h"

/* Draws what it reads. `is_in_play`: there is one. */
void subscriber_begin(const struct aggregator_part_features *features);
void subscriber_end(void);
/* Hears some of what has come, asks for a snapshot where it needs one. */
void subscriber_step(void);
/* After a run: does it hold the view? false with a sentence. */
bool subscriber_is_right(struct aggregator_part *part, char *ret_words, size_t words_size);
