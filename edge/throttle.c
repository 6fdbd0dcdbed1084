#include "edge/throttle.h"
#include <assert.h>

/* level counts in bytes × ms/s: a rate of 1 byte/s adds 1 each ms. */
enum { LEVEL_A_BYTE = 1000 };

static int64_t level_max(const struct throttle *throttle)
{
	int64_t burst = throttle->rate * THROTTLE_BURST_MS;
	return burst > LEVEL_A_BYTE ? burst : LEVEL_A_BYTE;
}

static int64_t level_at(const struct throttle *throttle, int64_t now_ms)
{
	int64_t gone_ms = now_ms > throttle->at_ms ? now_ms - throttle->at_ms : 0;
	int64_t missing = level_max(throttle) - throttle->level;

	return gone_ms >= missing / throttle->rate + 1 ? level_max(throttle)
						       : throttle->level + gone_ms * throttle->rate;
}

void throttle_init(struct throttle *throttle, int64_t rate, int64_t now_ms)
{
	assert(rate >= 0 && rate <= THROTTLE_RATE_MAX);

	*throttle = (struct throttle){.rate = rate, .at_ms = now_ms};
	throttle->level = rate == 0 ? 0 : level_max(throttle);
}

int64_t throttle_wait_ms(const struct throttle *throttle, int64_t now_ms)
{
	if (throttle->rate == 0) {
		return 0;
	}
	int64_t level = level_at(throttle, now_ms);
	return level > 0 ? 0 : -level / throttle->rate + 1;
}

void throttle_take(struct throttle *throttle, uint32_t bytes, int64_t now_ms)
{
	if (throttle->rate == 0) {
		return;
	}
	throttle->level = level_at(throttle, now_ms) - (int64_t)bytes * LEVEL_A_BYTE;
	throttle->at_ms = now_ms;
}

uint32_t throttle_portion(const struct throttle *throttle)
{
	int64_t burst = throttle->rate * THROTTLE_BURST_MS / 1000;

	if (throttle->rate == 0) {
		return 0;
	}
	return burst < 1 ? 1 : burst > UINT32_MAX ? UINT32_MAX : (uint32_t)burst;
}
