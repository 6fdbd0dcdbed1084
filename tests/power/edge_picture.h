/* edge_picture.h - all that a spool holds, as lines of text: blocks by lane, in order, with a checksum of their bytes,
 * producers with their last number, event ids, marks, Kafka's identity, what was set aside. What is asked for by name is
 * listed in `struct names`. */
#pragma once
#include "edge/spool.h"
#include "subject.h"

enum { PRODUCERS = 4, MARK_SIZE_MAX = 64, EVENT_ID_NAME_SIZE = 32 };

struct names {
	uint64_t event_ids; /* from 0 on, by the names of picture_event_id */
};

/* Every eighth is one that is kept for good. */
void picture_event_id(uint64_t number, char name[EVENT_ID_NAME_SIZE]);

/* What could not be read of it. */
struct defects {
	uint64_t blocks; /* set aside now */
	uint64_t rows; /* producers, event ids, marks */
};

/* Told of every block. */
struct block_listener {
	void *owner;
	void (*block)(void *owner, enum kind lane, uint64_t index, struct slice events);
};

/* Damaged blocks are set aside. 0 or what the spool answered. */
int picture_take(struct spool *spool, const struct names *names,
	const struct block_listener *listener, struct buffer *ret_picture,
	struct defects *ret_defects);
/* Is every line of `found` in `expected`, and are those that are not in `found` no more than the defects? */
bool picture_fits(struct slice expected, struct slice found, const struct defects *defects,
	char why[WHY_SIZE]);
void picture_difference(struct slice expected, struct slice found, char why[WHY_SIZE]);
