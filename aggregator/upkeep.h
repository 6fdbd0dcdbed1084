/* upkeep.h - what a store needs besides commits, done on its writing thread when that has time: the self-check of the
 * sums, the slow walk over all rows, the emptying of a dropped generation. The loop's thread. */
#pragma once
#include "aggregator/shard/stores.h"

struct upkeep;

struct upkeep_options {
	struct stores *stores; /* borrowed */
	int64_t check_every_ms;
	/* A check or the walk found a mismatch; the sentence stays readable through upkeep_error. */
	void (*failed)(void *owner, const char *what);
	void *owner;
};

int upkeep_new(const struct upkeep_options *options, struct upkeep **ret_upkeep);
/* The workers must be idle. */
struct upkeep *upkeep_free(struct upkeep *upkeep);
/* From the owner's tick. `views` are those of the live generation. 0 or -errno. */
int upkeep_tick(
	struct upkeep *upkeep, const struct view_set *views, int64_t now_ms, int64_t *ret_wait_ms);
/* While held, nothing new is begun: for a switch. */
void upkeep_hold(struct upkeep *upkeep, bool held);
/* The last self-check's mismatch, "" when it found none; likewise the walk's, of whatever it ever found. */
const char *upkeep_check_error(const struct upkeep *upkeep);
const char *upkeep_scrub_error(const struct upkeep *upkeep);
/* After a switch: what was found is of rows that are gone. */
void upkeep_forget(struct upkeep *upkeep);
