/* member.h - one thing that a distinct() counts once, as the store keeps it for ever:
 *
 *   8    its place: a commit writes every page that it touches, so members that come one after the other shall lie side
 *        by side, whatever their row
 *          text up to 16 bytes   its last 8, zeros before a shorter one: numbers rise at their end
 *          longer text           its first 8: UUIDv7, ULID and snowflake begin with the time
 *          basket                as the text of its order_id, whatever the edge
 *          number                its low 64 bits, big-endian
 *        in a view with `retain` the row's bucket, so that members end together (member_place_bucket)
 *   16   who it is: hash of measure, row key and member. The place follows from the member, so it tells none apart.
 *
 * Ids without any order, such as random UUIDs, lie anywhere: right, but dear. Pure. */
#pragma once
#include "aggregator/view/measure.h"

enum { MEMBER_PLACE_SIZE = 8, MEMBER_HASH_SIZE = 16, MEMBER_KEY_SIZE = 24 };

/* Puts the bucket in the member's place: in order of time. */
void member_place_bucket(int64_t bucket, uint8_t ret_key[MEMBER_KEY_SIZE]);
/* What measure number `index` of this row counts of the event. false when the event has no such field. */
bool member_key(const struct measure *measure, size_t index, struct slice row_key,
	const struct event *event, uint8_t ret_key[MEMBER_KEY_SIZE]);
/* Makes of it another member, the same for the same epoch (forgotten.h; not 0), in the same place. */
void member_key_of_epoch(uint8_t key[MEMBER_KEY_SIZE], uint64_t epoch);
