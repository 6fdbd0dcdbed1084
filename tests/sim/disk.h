/* disk.h - what an edge's spool has committed: it outlives the process, is copied for a backup or a clone, and is put back.
 * The modelled spool writes it whole or not at all. One thread. */
#pragma once
#include "tests/sim/world.h"

struct disk;

struct disk *disk_new(void);
struct disk *disk_copy(const struct disk *disk);
struct disk *disk_free(struct disk *disk);
bool disk_is_empty(const struct disk *disk); /* no event waits in it */
bool disk_knows_cluster(const struct disk *disk);
/* Flips a bit of one of its blocks, and tells the number of each sale in it ("e12"). false: there is none. */
bool disk_damage(struct disk *disk, void (*endanger)(size_t sale));
/* The edge died: with the planted bug its last commit may go, too. */
void disk_crash(struct disk *disk);
/* Runs that a stored counter has given: for the planted bug. */
uint64_t disk_next_run(struct disk *disk);
/* What waits in it gets another run and other seqs: for the planted bug. */
void disk_restamp(struct disk *disk);
