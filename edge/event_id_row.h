/* event_id_row.h - what lies under an event id in the spool: u64 its place in the window, 0 when it is kept for good, then what
 * was kept with it. Ids of the window stand in a second table, against which they can be held; one that is kept for good with
 * nothing else bears u32 CRC32C of the id instead (older ones don't). Pure. */
#pragma once
#include "proto/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum { EVENT_ID_ORDER_SIZE = 8, EVENT_ID_SEAL_SIZE = 4 };

size_t event_id_row_size(uint64_t order, struct slice kept);
void event_id_row_encode(struct slice id, uint64_t order, struct slice kept, uint8_t *out);
/* 0 for good. Of a row of less than EVENT_ID_ORDER_SIZE bytes: 0. */
uint64_t event_id_row_order(struct slice row);
/* What was kept with it. */
struct slice event_id_row_kept(struct slice row);
/* false: damaged, as far as the row itself tells. */
bool event_id_row_is_whole(struct slice id, struct slice row);
