/* pipeline_judge.h - private to pipeline*.c: what the log still has, held against what was read. */
#pragma once
#include "aggregator/log/pipeline.h"

/* A partition that the pipeline did not know; it starts at 0 and waits. 0 or -ENOMEM. */
int pipeline_add_partition(struct pipeline *pipeline, uint32_t topic, int32_t number,
	struct partition **ret_partition);
/* The partition's position changed: it is written by the next commit. */
void pipeline_touch(struct pipeline *pipeline, struct partition *partition);
/* A topic turned out to be another one of the same name: it is read from its start if that is accepted, else it is added
 * to what is missing. 0 or -ENOMEM. */
int pipeline_judge_recreated(struct pipeline *pipeline, uint32_t topic);
/* The store says from now on that this is missing. 0 or -ENOMEM. */
int pipeline_keep_gap(struct pipeline *pipeline, const char *text);
/* Is it of those that this program reads? */
bool pipeline_owns(const struct pipeline *pipeline, int32_t number);
/* The clock of rows that end moves by a record that pipeline->reading is of. */
void pipeline_follow_clock(
	struct pipeline *pipeline, const struct partition *partition, const struct record *record);
