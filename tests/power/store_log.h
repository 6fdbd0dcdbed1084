/* store_log.h - a log in memory, some partitions of one topic, and what its records add up to: counted here by a loop over the
 * records, without anything of the aggregator. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/books/record.h"
#include "chance.h"
#include "subject.h"

enum { LOG_PARTITIONS = 4 };

/* The views that are asked. */
struct view_set *log_views(void);
void log_clear(void);
/* Orders of several edges, some of them twice, markers, and bytes that are no record. */
void log_append(struct chance *chance, int count);
int64_t log_end(int32_t partition);
struct record log_record(int32_t partition, int64_t offset);

/* Do the answers say what the records before `next` of each partition add up to? */
bool log_totals_fit(
	struct answer_context *context, const int64_t next[LOG_PARTITIONS], char why[WHY_SIZE]);
/* The last log_totals_fit was false because an answer was an error. */
bool log_was_refused(void);
