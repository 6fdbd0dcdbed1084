/* receipts.h - when events were received that can be read in an answer now, or soon: held while no answer is given yet (the
 * start is not over), told when one is. Bounded: of very many the older of two stands for both. Pure. */
#pragma once
#include "proto/receipt.h"
#include <stddef.h>

enum { RECEIPTS_MAX = 1024 };

struct held_receipt {
	int64_t received_ms;
	uint64_t count;
};

/* Zero-initialised. */
struct receipts {
	size_t count;
	struct held_receipt items[RECEIPTS_MAX]; /* in the order of their coming */
};

void receipts_note(struct receipts *receipts, const struct receipt *receipt);
/* All can be read now: `told` hears of each how long it took, and they are forgotten. Receipts that lie ahead of now took 0. Returns of how many
 * events those are: the bridge's clock and ours are apart. */
uint64_t receipts_tell(struct receipts *receipts, int64_t wall_ms,
	void (*told)(void *owner, uint64_t latency_ms, uint64_t count), void *owner);
