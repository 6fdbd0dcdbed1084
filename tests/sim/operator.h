/* operator.h - the aggregator of a run and the person in charge of it: starts it again, keeps backups and puts them back, has
 * it rebuild, and decides about what the log lacks, for which the ledger of the run is told. One thread. */
#pragma once
#include "tests/sim/aggregator_part.h"

void operator_begin(void);
void operator_end(void);
/* NULL: dead. */
struct aggregator_part *operator_aggregator(void);
/* One of the faults of aggregators, maybe. */
void operator_strike(void);
/* Starts what is dead; `now`: whenever it was to come back. */
void operator_raise(bool now);
void operator_turn(void);
/* A backup from before this is of no use any more: who has it must not put it back. */
void operator_drop_backup(void);
/* The topic is about to be deleted: no older backup is of any use. */
void operator_lose_topic(int topic);
/* Nobody is at work any more. */
void operator_rest(void);
/* Counts the whole log anew, after the run, and holds the canonical dump of that against what was there: false with a
 * sentence. Only where the log still has everything. */
bool operator_rebuild_is_equal(char *ret_words, size_t words_size);
