#include "client/window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum lane_state { LANE_FREE, LANE_DUE, LANE_IN_AIR };

struct lane {
	enum lane_state state;
	int64_t due_ms; /* LANE_DUE: not before this moment */
	uint64_t order; /* of being put: frames are sent in this order */
	uint8_t *bytes; /* owned */
	struct window_frame frame;
};

struct window {
	uint32_t lane_count;
	struct lane lanes[WINDOW_LANES_MAX];
	uint32_t air[WINDOW_LANES_MAX]; /* lanes in the order in which their replies will come */
	uint32_t air_count;
	uint64_t last_n;
	uint64_t put_count;
	int64_t heard_ms; /* last reply, or when the oldest frame went into silent air */
};

int window_new(uint32_t lanes, struct window **ret_window)
{
	if (lanes == 0 || lanes > WINDOW_LANES_MAX) {
		return -EINVAL;
	}
	struct window *window = calloc(1, sizeof *window);
	if (window == NULL) {
		return -ENOMEM;
	}
	window->lane_count = lanes;
	*ret_window = window;
	return 0;
}

struct window *window_free(struct window *window)
{
	if (window == NULL) {
		return NULL;
	}
	for (uint32_t i = 0; i < window->lane_count; i++) {
		free(window->lanes[i].bytes);
	}
	free(window);
	return NULL;
}

static struct lane *free_lane(struct window *window)
{
	for (uint32_t i = 0; i < window->lane_count; i++) {
		if (window->lanes[i].state == LANE_FREE) {
			return &window->lanes[i];
		}
	}
	return NULL;
}

int window_put(struct window *window, struct slice events, uint64_t n, uint64_t tag)
{
	struct lane *lane = free_lane(window);
	if (lane == NULL) {
		return WINDOW_E_FULL;
	}
	if (events.size == 0 || (n != 0 && n <= window->last_n)) {
		return -EINVAL;
	}
	uint8_t *bytes = realloc(lane->bytes, events.size);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	memcpy(bytes, events.bytes, events.size);
	window->last_n = n != 0 ? n : window->last_n + 1;
	lane->bytes = bytes;
	lane->state = LANE_DUE;
	lane->due_ms = INT64_MIN;
	lane->order = window->put_count++;
	lane->frame = (struct window_frame){.lane = (uint32_t)(lane - window->lanes),
		.n = window->last_n,
		.tag = tag,
		.events = slice_of(bytes, events.size)};
	return 0;
}

bool window_next(const struct window *window, int64_t now_ms, struct window_frame *ret_frame)
{
	const struct lane *next = NULL;

	for (uint32_t i = 0; i < window->lane_count; i++) {
		const struct lane *lane = &window->lanes[i];
		if (lane->state == LANE_DUE && lane->due_ms <= now_ms &&
			(next == NULL || lane->order < next->order)) {
			next = lane;
		}
	}
	if (next == NULL) {
		return false;
	}
	*ret_frame = next->frame;
	return true;
}

void window_sent(struct window *window, uint32_t index, int64_t now_ms)
{
	struct lane *lane = &window->lanes[index];

	assert(lane->state == LANE_DUE);
	lane->state = LANE_IN_AIR;
	if (lane->frame.attempts++ == 0) {
		lane->frame.first_sent_ms = now_ms;
	}
	if (window->air_count == 0) {
		window->heard_ms = now_ms;
	}
	window->air[window->air_count++] = index;
}

/* What the edge refuses only for the moment. */
static bool is_for_now(const struct reply *reply)
{
	return reply->refusal.reason == REASON_SPOOL_FULL ||
	       reply->refusal.reason == REASON_SHUTTING_DOWN ||
	       (reply->refusal.reason != REASON_NONE && reply->retry_after_ms > 0);
}

/* A frame that was counted now is the highest of its producer, and a repeat is not above the highest. */
static bool answers(const struct reply *reply, const struct window_frame *frame)
{
	if (reply->refusal.reason != REASON_NONE || reply->last_n == 0) {
		return true;
	}
	return reply->repeated ? reply->last_n >= frame->n : reply->last_n == frame->n;
}

int window_reply(struct window *window, const struct reply *reply, int64_t now_ms,
	struct window_frame *ret_frame)
{
	if (window->air_count == 0) {
		return WINDOW_E_STRAY;
	}
	struct lane *lane = &window->lanes[window->air[0]];
	if (!answers(reply, &lane->frame)) {
		return WINDOW_E_STRAY;
	}
	window->air_count--;
	memmove(window->air, window->air + 1, window->air_count * sizeof window->air[0]);
	window->heard_ms = now_ms;
	if (is_for_now(reply)) {
		uint32_t wait_ms = reply->retry_after_ms;
		lane->state = LANE_DUE;
		lane->due_ms = now_ms + (wait_ms > 0 ? wait_ms : WINDOW_RETRY_MS_DEFAULT);
		return WINDOW_E_WAITING;
	}
	lane->state = LANE_FREE;
	*ret_frame = lane->frame;
	return 0;
}

void window_lost(struct window *window)
{
	for (uint32_t i = 0; i < window->air_count; i++) {
		struct lane *lane = &window->lanes[window->air[i]];
		lane->state = LANE_DUE;
		lane->due_ms = INT64_MIN;
	}
	window->air_count = 0;
}

uint32_t window_count(const struct window *window)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < window->lane_count; i++) {
		count += window->lanes[i].state != LANE_FREE;
	}
	return count;
}

bool window_is_full(const struct window *window)
{
	return window_count(window) == window->lane_count;
}

int64_t window_silent_since_ms(const struct window *window)
{
	return window->air_count == 0 ? -1 : window->heard_ms;
}

int64_t window_due_ms(const struct window *window)
{
	int64_t due_ms = INT64_MAX;

	for (uint32_t i = 0; i < window->lane_count; i++) {
		const struct lane *lane = &window->lanes[i];
		if (lane->state == LANE_DUE && lane->due_ms < due_ms) {
			due_ms = lane->due_ms;
		}
	}
	return due_ms;
}
