#include "bridge/lane.h"
#include <stdio.h>

enum { RETRY_MS_MIN = 200, RETRY_MS_MAX = 5000 };

void lane_init(struct lane *lane, int64_t now_ms)
{
	*lane = (struct lane){.progress_ms = now_ms, .waiting_from_ms = -1};
	lane_close(lane, "the topic has not been looked at yet");
}

void lane_open(struct lane *lane, int64_t now_ms)
{
	lane->is_open = now_ms >= lane->shut_until_ms;
}

void lane_close(struct lane *lane, const char *why)
{
	lane->is_open = false;
	snprintf(lane->why_closed, sizeof lane->why_closed, "%s", why);
}

void lane_refuse(struct lane *lane, const char *why, int64_t now_ms)
{
	lane_close(lane, why);
	lane->is_doubted = true;
	lane->shut_until_ms = now_ms + LANE_REFUSED_MS;
}

void lane_delivered(struct lane *lane, int64_t now_ms)
{
	lane->progress_ms = now_ms;
	lane->is_doubted = false;
}

static const char *why_waiting(const struct lane *lane, const struct lane_sight *sight)
{
	if (!sight->is_connected) {
		return "Kafka can not be reached";
	}
	if (!lane->is_open || lane->is_doubted) {
		return lane->why_closed;
	}
	if (!sight->is_idle && sight->now_ms - lane->progress_ms >= LANE_STALL_MS) {
		return "Kafka does not confirm";
	}
	return NULL;
}

bool lane_look(struct lane *lane, const struct lane_sight *sight)
{
	bool was_waiting = lane->waiting_from_ms >= 0;
	if (sight->is_idle) {
		lane->progress_ms = sight->now_ms;
	}
	const char *why = why_waiting(lane, sight);
	if (why == NULL) {
		lane->waiting_from_ms = -1;
		return was_waiting;
	}
	snprintf(lane->why, sizeof lane->why, "%s", why);
	if (was_waiting) {
		return false;
	}
	lane->waiting_from_ms = sight->now_ms;
	lane->waiting_since_ms = sight->wall_ms;
	return true;
}

struct wire_lane_state lane_state(const struct lane *lane, int64_t now_ms)
{
	if (lane->waiting_from_ms < 0) {
		return (struct wire_lane_state){.waiting_ms = -1};
	}
	return (struct wire_lane_state){
		.waiting_ms = now_ms - lane->waiting_from_ms,
		.since_ms = lane->waiting_since_ms,
		.why = slice_of_text(lane->why),
	};
}

uint32_t lane_retry_after_ms(const struct lane *lane, int64_t now_ms)
{
	int64_t waiting_ms = lane->waiting_from_ms < 0 ? 0 : now_ms - lane->waiting_from_ms;
	int64_t wait_ms = RETRY_MS_MIN + waiting_ms / 2;
	return (uint32_t)(wait_ms > RETRY_MS_MAX ? RETRY_MS_MAX : wait_ms);
}
