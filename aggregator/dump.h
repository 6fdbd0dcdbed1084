/* dump.h - `till-aggregator --dump`: every row of every view of a stopped store, as sorted lines of JSON, and each view's
 * sums. Equal multisets of events give equal dumps, byte for byte: that is how a rebuild is proved. */
#pragma once
#include "aggregator/aggregator_config.h"
#include <stdio.h>

/* 0, AGGREGATOR_E_* or -errno with a sentence. */
int dump_write(const struct aggregator_config *config, FILE *out, char *error, size_t error_size);
