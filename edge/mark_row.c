#include "edge/mark_row.h"
#include "edge/spool_block.h"
#include "proto/checksum.h"

static uint32_t crc_of(struct slice key, struct slice value)
{
	uint32_t crc = checksum_crc32c(0, key.bytes, key.size);
	return checksum_crc32c(crc, value.bytes, value.size);
}

void mark_row_encode(struct slice key, struct slice value, uint8_t *out)
{
	spool_put_u32(out, crc_of(key, value));
	if (value.size > 0) {
		memcpy(out + MARK_ROW_CRC_SIZE, value.bytes, value.size);
	}
}

struct slice mark_row_decode(struct slice key, struct slice row)
{
	if (row.size < MARK_ROW_CRC_SIZE) {
		return slice_of(NULL, 0);
	}
	struct slice value = slice_of(row.bytes + MARK_ROW_CRC_SIZE, row.size - MARK_ROW_CRC_SIZE);
	return spool_get_u32(row.bytes) == crc_of(key, value) ? value : slice_of(NULL, 0);
}
