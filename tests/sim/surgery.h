/* surgery.h - what administrators of Kafka do to it in a run: retention, topics made again, partitions added, another cluster
 * at the address. One thread. */
#pragma once

void surgery_begin(void);
/* One of them, maybe. */
void surgery_strike(void);
/* Ends what was begun, when its time is over. */
void surgery_step(void);
