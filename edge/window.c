#include "edge/window.h"

void window_init(struct window *window, int64_t now_ms)
{
	*window = (struct window){
		.bytes = WINDOW_MIN,
		.least_ms = INT64_MAX,
		.least_now_ms = INT64_MAX,
		.period_until_ms = now_ms + WINDOW_PERIOD_MS,
		.changed_ms = now_ms,
	};
}

void window_see(struct window *window, int64_t way_ms, int64_t now_ms)
{
	if (now_ms >= window->period_until_ms) {
		window->least_ms = window->least_now_ms;
		window->least_now_ms = INT64_MAX;
		window->period_until_ms = now_ms + WINDOW_PERIOD_MS;
		window->bytes = WINDOW_MIN;
		window->changed_ms = now_ms;
	}
	window->least_now_ms = way_ms < window->least_now_ms ? way_ms : window->least_now_ms;
}

/* To what would have queued for WINDOW_DELAY_MS, but by half at most: one late ACK proves little. */
static void shrink(struct window *window, int64_t queued_ms, int64_t now_ms)
{
	uint64_t fitting = window->bytes * WINDOW_DELAY_MS / (uint64_t)queued_ms;
	uint64_t half = window->bytes / 2;

	window->bytes = fitting > half ? fitting : half;
	window->bytes = window->bytes < WINDOW_MIN ? WINDOW_MIN : window->bytes;
	window->changed_ms = now_ms;
}

void window_fit(
	struct window *window, uint32_t bytes, uint64_t used, int64_t sent_ms, int64_t now_ms)
{
	int64_t least_ms =
		window->least_ms < window->least_now_ms ? window->least_ms : window->least_now_ms;
	int64_t queued_ms = now_ms - sent_ms - least_ms;

	if (sent_ms < window->changed_ms) {
		return;
	}
	if (queued_ms > WINDOW_DELAY_MS) {
		shrink(window, queued_ms, now_ms);
	} else if (queued_ms < WINDOW_DELAY_MS / 2 && used >= window->bytes / 2 &&
		   window->bytes < WINDOW_MAX) { /* what was not filled proved nothing */
		window->bytes += bytes;
	}
}
