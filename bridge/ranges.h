/* ranges.h - numbers of sendings as sorted, merged ranges: what goes into one ACK or NACK. Pure.
 * Room is reserved when a sending is taken, so that noting its end can not fail. */
#pragma once
#include "proto/wire.h"

struct ranges {
	struct wire_range *items; /* owned; rising, none touches the next */
	size_t count;
	size_t capacity;
};

void ranges_deinit(struct ranges *ranges); /* takes a zeroed one */
/* Room for `count` more numbers, however they lie. 0 or -ENOMEM. */
int ranges_reserve(struct ranges *ranges, size_t count);
/* A number that is there already changes nothing. There must be room. */
void ranges_add(struct ranges *ranges, uint64_t number);
/* Forgets the first `count` ranges. */
void ranges_drop(struct ranges *ranges, size_t count);
