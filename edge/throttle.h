/* throttle.h - so many bytes a second, as a bucket that fills with time: whoever finds something in it may send, however
 * much, and the next one waits until the debt is paid. Pure; one thread; times are monotonic ms. */
#pragma once
#include <stdint.h>

enum {
	/* What gathers in the bucket while nothing is sent: so much of a second's bytes may leave at once. */
	THROTTLE_BURST_MS = 250,
};
#define THROTTLE_RATE_MAX ((int64_t)1 << 40)

struct throttle {
	int64_t rate; /* bytes/s; 0: no bound */
	int64_t level; /* bytes × 1000 / s, so that no fraction is lost; below 0: a debt */
	int64_t at_ms; /* when `level` was */
};

/* rate: 0 … THROTTLE_RATE_MAX. */
void throttle_init(struct throttle *throttle, int64_t rate, int64_t now_ms);
/* 0: now; else not before so many ms. */
int64_t throttle_wait_ms(const struct throttle *throttle, int64_t now_ms);
void throttle_take(struct throttle *throttle, uint32_t bytes, int64_t now_ms);
/* What makes a good sending: not much more than a burst, so that what must not wait does not wait behind it. 0: any. */
uint32_t throttle_portion(const struct throttle *throttle);
