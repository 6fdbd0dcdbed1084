/* counted.h - the set of seqs of one stream that were counted or seen rejected, as intervals: nearly always one. It
 * never slides and never forgets; past COUNTED_INTERVALS_MAX intervals it takes only what needs no new one. Pure. */
#pragma once
#include "proto/limits.h"
#include "proto/slice.h"

struct buffer;

enum {
	COUNTED_E_REPEATED = 1, /* the seq is in the set: a duplicate */
	COUNTED_E_FULL, /* it would need an interval too many; the set is unchanged */
	COUNTED_E_MALFORMED,
};

struct counted_interval {
	uint64_t first, last; /* inclusive */
};

/* Zero-initialised: empty. Intervals ascend and never touch. */
struct counted {
	struct counted_interval *intervals; /* owned */
	uint32_t count;
	uint32_t capacity;
	uint64_t size; /* seqs in the set */
};

void counted_deinit(struct counted *counted);
/* seq > 0. 0 when it was new, COUNTED_E_REPEATED, COUNTED_E_FULL, -ENOMEM. */
int counted_add(struct counted *counted, uint64_t seq);
bool counted_has(const struct counted *counted, uint64_t seq);
uint64_t counted_max(const struct counted *counted); /* 0: empty */

void counted_encode(const struct counted *counted, struct buffer *buffer);
/* Replaces what *counted holds. 0, COUNTED_E_MALFORMED (nothing changed), -ENOMEM. */
int counted_decode(struct slice bytes, struct counted *counted);
