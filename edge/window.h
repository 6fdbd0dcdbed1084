/* window.h - how many bytes of a lane's backlog may be on their way, so that live events find the queues before them
 * short: a thin link's, a slow Kafka's. The credit says what the bridge can hold, which is seconds or minutes of a thin link.
 *
 * The way of a sending (there, into Kafka, and its ACK back) above the shortest way seen is time in queues that we fill
 * ourselves (LEDBAT, RFC 6817). The window grows by what is acknowledged while that is short, and shrinks when it is longer
 * than WINDOW_DELAY_MS. Each period begins with a small window, so that the shortest way is seen anew: else a Kafka that
 * became slower would look like a queue for ever. Pure; times are monotonic ms. */
#pragma once
#include <stdint.h>

enum {
	WINDOW_MIN = 8 * 1024, /* a second of a modem; some ms of everything else */
	WINDOW_MAX = 64 * 1024 * 1024,
	WINDOW_DELAY_MS = 250,
	WINDOW_PERIOD_MS = 20000,
	/* A sending is a part of the window, so that there is always one to be acknowledged. */
	WINDOW_PORTIONS = 4,
};

struct window {
	uint64_t bytes;
	int64_t least_ms; /* the shortest way of the last period; of this one: */
	int64_t least_now_ms;
	int64_t period_until_ms;
	int64_t changed_ms; /* what left before this tells nothing of the window as it is */
};

void window_init(struct window *window, int64_t now_ms);
/* Any sending of the lane was acknowledged. */
void window_see(struct window *window, int64_t way_ms, int64_t now_ms);
/* One of the backlog, that left at sent_ms when `used` bytes were on their way with it. After window_see. */
void window_fit(
	struct window *window, uint32_t bytes, uint64_t used, int64_t sent_ms, int64_t now_ms);
