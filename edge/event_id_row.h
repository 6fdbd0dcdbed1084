/* event_id_row.h - under what name an event id is remembered, and what lies under it in the spool: u64 its place in the
 * window, 0 when it is kept for good, then what was kept with it. Ids of the window stand in a second table, against which
 * they can be held; one that is kept for good with nothing else bears u32 CRC32C of the id instead (older ones don't).
 * Pure. */
#pragma once
#include "proto/limits.h"
#include "proto/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum {
	EVENT_ID_ORDER_SIZE = 8,
	EVENT_ID_SEAL_SIZE = 4,
	EVENT_ID_OWN_SIZE_MAX = 2 + 1 + PRODUCER_ID_SIZE_MAX + EVENT_ID_SIZE_MAX,
};

/* Of a replayed dead letter: kept for good. */
bool event_id_is_permanent(struct slice id);
/* A producer's own id, apart from those of the whole edge and of the requests, which begin with no or one NUL: two of them, u8 size of
 * the name, name, id. */
struct slice event_id_own(
	struct slice producer, struct slice id, uint8_t out[EVENT_ID_OWN_SIZE_MAX]);

size_t event_id_row_size(uint64_t order, struct slice kept);
void event_id_row_encode(struct slice id, uint64_t order, struct slice kept, uint8_t *out);
/* 0 for good. Of a row of less than EVENT_ID_ORDER_SIZE bytes: 0. */
uint64_t event_id_row_order(struct slice row);
/* What was kept with it. */
struct slice event_id_row_kept(struct slice row);
/* false: damaged, as far as the row itself tells. */
bool event_id_row_is_whole(struct slice id, struct slice row);
