/* spool_model.h - private to the edge's models: opens the modelled spool on a disk. */
#pragma once
#include "edge/spool.h"
#include "tests/sim/disk.h"

struct spool *spool_model_new(struct disk *disk, const char *edge, uint64_t quota_bytes);
/* Called after each commit. */
void spool_model_on_commit(struct spool *spool, void (*kept)(int number), int number);
