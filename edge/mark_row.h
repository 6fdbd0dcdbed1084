/* mark_row.h - what lies under a source's mark: u32 CRC32C of key and value, then the value. Pure. */
#pragma once
#include "proto/slice.h"
#include <stdint.h>

enum { MARK_ROW_CRC_SIZE = 4 };

/* MARK_ROW_CRC_SIZE + value.size bytes. */
void mark_row_encode(struct slice key, struct slice value, uint8_t *out);
/* The value; {NULL, 0}: key or value is damaged. */
struct slice mark_row_decode(struct slice key, struct slice row);
