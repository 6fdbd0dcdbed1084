#include "bridge/credit.h"

/* A full lane is delivered within some 100 ms when all is well. */
enum { BUSY_MS_MIN = 200, BUSY_MS_MAX = 10000 };

uint64_t credit_lane_bytes_max(enum kind lane)
{
	static const uint64_t sixteenths[LANE_COUNT] = {
		[KIND_ORDER] = 8,
		[KIND_CART] = 2,
		[KIND_VIEW] = 3,
		[KIND_ORDER_DLQ] = 1,
		[KIND_CART_DLQ] = 1,
		[KIND_VIEW_DLQ] = 1,
	};
	return CREDIT_TOTAL_BYTES / 16 * sixteenths[lane];
}

uint64_t credit_share(enum kind lane, size_t session_count)
{
	uint64_t share = credit_lane_bytes_max(lane) / (session_count == 0 ? 1 : session_count);
	if (share > CREDIT_SESSION_BYTES_MAX) {
		return CREDIT_SESSION_BYTES_MAX;
	}
	return share < BATCH_SIZE_MAX ? BATCH_SIZE_MAX : share;
}

bool credit_admits(const struct credit_use *use, enum kind lane, uint64_t bytes)
{
	if (use->batch_count >= CREDIT_BATCHES_MAX ||
		use->lane_bytes + bytes > credit_lane_bytes_max(lane)) {
		return false;
	}
	/* Twice: an edge may still use what it was told before others came. */
	return use->session_bytes == 0 ||
	       use->session_bytes + bytes <= 2 * credit_share(lane, use->session_count);
}

uint32_t credit_busy_ms(const struct credit_use *use, enum kind lane, uint64_t salt)
{
	uint64_t demand = (uint64_t)use->session_count * BATCH_SIZE_MAX;
	uint64_t wait_ms = BUSY_MS_MIN + BUSY_MS_MIN * demand / credit_lane_bytes_max(lane);
	if (wait_ms > BUSY_MS_MAX) {
		wait_ms = BUSY_MS_MAX;
	}
	return (uint32_t)(wait_ms / 2 + salt % wait_ms);
}
