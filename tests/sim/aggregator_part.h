/* aggregator_part.h - the pipeline of a till-aggregator with its shard, counted sets, overlays and answers, over a
 * modelled store, worker and log. The store outlives the part. One thread. */
#pragma once
#include "tests/sim/world.h"

struct aggregator_part;

/* Store and views of a run. */
void aggregator_part_begin(void);
void aggregator_part_end(void);

struct aggregator_part *aggregator_part_new(void);
/* As kill -9 leaves it: what was committed is in the store. */
struct aggregator_part *aggregator_part_free(struct aggregator_part *part);
/* One round. 0, or a negative errno that ends it. */
int aggregator_part_round(struct aggregator_part *part);

/* All of the log is counted, and on disk. */
bool aggregator_part_is_settled(const struct aggregator_part *part);
/* Why it takes nothing any more; "": it does. */
const char *aggregator_part_broken(const struct aggregator_part *part);
/* A commit is on disk of which the loop has not heard. */
bool aggregator_part_is_untold(const struct aggregator_part *part);
uint64_t aggregator_part_shape(const struct aggregator_part *part);

/* Rows of a view, as an answer gives them: its first column, the number of events, their revenue in millionths. */
typedef void (*aggregator_row_fn)(
	void *owner, const char *name, uint64_t count, int64_t revenue_millionths);
void aggregator_part_each_row(
	struct aggregator_part *part, const char *view, aggregator_row_fn take, void *owner);

struct aggregator_books {
	uint64_t read, counted, rejected, duplicates, foreign, unreadable; /* of all partitions */
	uint64_t accepted[6], markers[6]; /* by lane, as the ledger has them */
	bool add_up;
};
struct aggregator_books aggregator_part_books(const struct aggregator_part *part);
