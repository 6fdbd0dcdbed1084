/* second_reader.h - another aggregator over the same topics, with a store and offsets of its own: a new one with as many shards
 * as it likes, two that share the partitions among them, or a copy of the first one's store that goes on by itself. It reads
 * after the first one, for they know nothing of each other; it dies and its disk fails as the first one's. One thread. */
#pragma once
#include "tests/sim/aggregator_part.h"

/* Draws whether there is one, and which. */
void second_reader_begin(void);
void second_reader_end(void);
/* The first one's store is copied now, maybe: the copy is what the second one begins with. */
void second_reader_copy(void);
/* After a run in which the log kept everything, and nobody is at work: reads all of it, and has the same totals as the first
 * one's store. false with a sentence. */
bool second_reader_is_equal(char *ret_words, size_t words_size);
