/* staging.h - an operator of some runs who has views counted beside the live ones: names a file of views at a start or leaves it
 * out, accepts or drops what is staged, at random. Whatever he does, live totals stay what they are; what is staged when all is
 * read says the same. One thread. */
#pragma once
#include "tests/sim/aggregator_part.h"

void staging_begin(void);
bool staging_is_in_play(void);
/* By the next start. */
bool staging_is_wanted(void);
/* Asks for something, maybe; hears an answer. Once the faults are over, it ends what is staged, when all is read. */
void staging_step(struct aggregator_part *part);
/* What staged views said otherwise than live ones; "": nothing. */
const char *staging_complaint(void);
