/* stage.h - the processes of a run and its disks: who is alive, who dies, who comes back, and whose turn it is. One thread. */
#pragma once
#include "tests/sim/bridge_part.h"
#include "tests/sim/edge_part.h"

void stage_begin(void);
void stage_end(void);
/* Time moves on, faults strike, everybody has a turn. */
void stage_step(void);
/* No more faults: everybody who is dead comes back. */
void stage_heal(void);
/* All that was taken is counted: nothing waits anywhere. */
bool stage_is_drained(void);

/* Every edge has a cluster that it keeps to, and so have the backups. */
bool stage_knows_cluster(void);
/* NULL: there is no such edge. */
const struct edge_part *stage_edge(int number);
