#include "edge/event_id_row.h"
#include "edge/spool_block.h"
#include "proto/checksum.h"
#include <assert.h>

static const char permanent_prefix[] = "dlq:";

bool event_id_is_permanent(struct slice id)
{
	size_t size = sizeof permanent_prefix - 1;
	return id.size >= size && memcmp(id.bytes, permanent_prefix, size) == 0;
}

struct slice event_id_own(
	struct slice producer, struct slice id, uint8_t out[EVENT_ID_OWN_SIZE_MAX])
{
	assert(producer.size <= PRODUCER_ID_SIZE_MAX && id.size <= EVENT_ID_SIZE_MAX);
	out[0] = '\0';
	out[1] = '\0';
	out[2] = (uint8_t)producer.size;
	memcpy(out + 3, producer.bytes, producer.size);
	memcpy(out + 3 + producer.size, id.bytes, id.size);
	return slice_of(out, 3 + producer.size + id.size);
}

static bool is_sealed(uint64_t order, size_t kept_size)
{
	return order == 0 && kept_size == 0;
}

size_t event_id_row_size(uint64_t order, struct slice kept)
{
	size_t seal_size = is_sealed(order, kept.size) ? EVENT_ID_SEAL_SIZE : 0;
	return EVENT_ID_ORDER_SIZE + seal_size + kept.size;
}

void event_id_row_encode(struct slice id, uint64_t order, struct slice kept, uint8_t *out)
{
	spool_put_u64(out, order);
	if (is_sealed(order, kept.size)) {
		spool_put_u32(out + EVENT_ID_ORDER_SIZE, checksum_crc32c(0, id.bytes, id.size));
	} else if (kept.size > 0) {
		memcpy(out + EVENT_ID_ORDER_SIZE, kept.bytes, kept.size);
	}
}

uint64_t event_id_row_order(struct slice row)
{
	return row.size < EVENT_ID_ORDER_SIZE ? 0 : spool_get_u64(row.bytes);
}

static bool has_seal(struct slice row)
{
	return row.size == EVENT_ID_ORDER_SIZE + EVENT_ID_SEAL_SIZE && event_id_row_order(row) == 0;
}

struct slice event_id_row_kept(struct slice row)
{
	bool has_none = row.size <= EVENT_ID_ORDER_SIZE || has_seal(row);
	return has_none ? slice_of(NULL, 0)
			: slice_of(row.bytes + EVENT_ID_ORDER_SIZE, row.size - EVENT_ID_ORDER_SIZE);
}

bool event_id_row_is_whole(struct slice id, struct slice row)
{
	if (row.size < EVENT_ID_ORDER_SIZE) {
		return false;
	}
	return !has_seal(row) || spool_get_u32(row.bytes + EVENT_ID_ORDER_SIZE) ==
					 checksum_crc32c(0, id.bytes, id.size);
}
