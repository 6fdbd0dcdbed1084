/* ledger_check.h - somebody asks the aggregator now and then, and in the end, what the ledger says of edges that report of
 * themselves (PROTOCOL.md, 4.4 and 6.2): where nothing was lost, nothing may be missing, and in the end nothing is on its way.
 * One thread. */
#pragma once
#include "tests/sim/aggregator_part.h"

void ledger_check_begin(void);
void ledger_check_step(void);
/* When all is drained: is it right? false with a sentence. */
bool ledger_check_end(struct aggregator_part *part, char *ret_words, size_t words_size);
