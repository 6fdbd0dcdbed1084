/* Whose turn it is: live blocks before old ones where that is configured, and the lanes one after the other. */
#include "edge/sender_internal.h"

/* Of credit and places: what old blocks may take when live ones go first. */
enum { OLD_SHARE_PERCENT = 75 };

/* Where live blocks go first, old ones leave some for them. */
static uint64_t share_of(const struct sender *sender, enum backlog_age age, uint64_t whole)
{
	return sender->live_first && age == BACKLOG_OLD ? whole / 100 * OLD_SHARE_PERCENT : whole;
}

/* Each piece that a range leaves in is one range more. With one in flight at a time they become fewer again. */
static bool has_place(
	const struct sender *sender, const struct sender_lane *lane, enum backlog_age age)
{
	return lane->in_flight == 0 ||
	       (lane->in_flight < share_of(sender, age, SENDER_FLIGHT_MAX) &&
		       lane->in_flight + lane->backlog.count < SENDER_RANGES_MAX - 1);
}

static bool has_window(
	const struct sender *sender, const struct sender_lane *lane, enum backlog_age age)
{
	return !sender->live_first || age == BACKLOG_LIVE ||
	       lane->old_unacked_bytes < lane->window.bytes;
}

/* A part of what throttle and window let pass, so that what is live waits for no more than that. 0: any. */
static uint32_t portion_of(
	const struct sender *sender, const struct sender_lane *lane, enum backlog_age age)
{
	uint32_t throttled = throttle_portion(&sender->throttle);

	if (age == BACKLOG_LIVE) {
		return 0;
	}
	if (!sender->live_first) {
		return throttled;
	}
	uint32_t portion = (uint32_t)(lane->window.bytes / WINDOW_PORTIONS);
	return throttled > 0 && throttled < portion ? throttled : portion;
}

/* Rule 9: with nothing in flight a lane may send whatever the credit says. */
static bool lane_may_send(
	const struct sender *sender, const struct sender_lane *lane, enum backlog_age age)
{
	bool has_credit =
		lane->in_flight == 0 ||
		(lane->unacked_bytes < share_of(sender, age, lane->credit) && !lane->starved[age]);

	return has_credit && has_place(sender, lane, age) && has_window(sender, lane, age);
}

/* A session with a codec has a thin link, where a batch of one event costs several times what it costs among others:
 * while a small one is on its way, what comes gathers, as Nagle's rule has it for TCP. Alone, nothing waits. */
static bool gathers(const struct sender *sender, const struct sender_lane *lane,
	const struct backlog_range *next)
{
	return sender->codec != CODEC_NONE && lane->small_in_flight > 0 && !next->sent;
}

/* Every block fits, whatever the share. */
static uint64_t room_of(
	const struct sender *sender, const struct sender_lane *lane, enum backlog_age age)
{
	uint64_t share = share_of(sender, age, lane->credit);
	uint64_t room = sender->batch_size_max;

	if (lane->in_flight > 0) {
		uint64_t left = share - lane->unacked_bytes;
		return left < room ? left : room;
	}
	if (sender->live_first && age == BACKLOG_OLD && share < room) {
		room = share > WIRE_BATCH_SIZE_LEAST ? share : WIRE_BATCH_SIZE_LEAST;
	}
	return room;
}

static void shorten(int64_t *wait_ms, int64_t other_ms)
{
	if (other_ms > 0 && other_ms < *wait_ms) {
		*wait_ms = other_ms;
	}
}

/* A back-off, the throttle of what is old, or the gathering of what is live and new. */
static int64_t pause_of(const struct sender *sender, const struct sender_lane *lane,
	const struct backlog_range *next, enum backlog_age age, int64_t now_ms)
{
	int64_t nack_ms = lane->resume_at_ms - now_ms;
	int64_t own_ms = 0;

	if (age == BACKLOG_OLD) {
		own_ms = throttle_wait_ms(&sender->throttle, now_ms);
	} else if (!next->sent) {
		own_ms = lane->small_left_ms + sender->gather_ms - now_ms;
	}
	return own_ms > nack_ms ? own_ms : nack_ms;
}

/* What this lane sends next, if it may; else how long it waits for that, where time decides it. */
static bool order_read(const struct sender *sender, enum backlog_age age, int64_t now_ms,
	struct sender_order *order)
{
	const struct sender_lane *lane = &sender->lanes[order->lane];
	struct backlog_range range;

	if (!backlog_next(&lane->backlog, age, &range)) {
		return false;
	}
	int64_t pause_ms = pause_of(sender, lane, &range, age, now_ms);
	shorten(&order->wait_ms, pause_ms);
	if (pause_ms > 0 || (age == BACKLOG_LIVE && gathers(sender, lane, &range)) ||
		!lane_may_send(sender, lane, age)) {
		return false;
	}
	order->act = SENDER_READ;
	order->age = age;
	order->first = range.first;
	order->last = range.last;
	order->again = range.sent;
	order->size_max = (uint32_t)room_of(sender, lane, age);
	order->size_enough = portion_of(sender, lane, age);
	return true;
}

/* In its order a lane sends what is old before what is live. */
static bool ask_lane(const struct sender *sender, enum backlog_age age, int64_t now_ms,
	struct sender_order *order)
{
	struct backlog_range range;

	if (!sender->live_first) {
		bool has_old =
			backlog_next(&sender->lanes[order->lane].backlog, BACKLOG_OLD, &range);
		age = has_old ? BACKLOG_OLD : BACKLOG_LIVE;
	}
	return order_read(sender, age, now_ms, order);
}

static bool ask_lanes(
	struct sender *sender, enum backlog_age age, int64_t now_ms, struct sender_order *order)
{
	for (uint32_t i = 0; i < LANE_COUNT; i++) {
		order->lane = (enum kind)((sender->turn + i) % LANE_COUNT);
		if (ask_lane(sender, age, now_ms, order)) {
			sender->turn = (uint32_t)order->lane + 1;
			return true;
		}
	}
	return false;
}

void sender_order_read(struct sender *sender, int64_t now_ms, struct sender_order *order)
{
	if (sender->live_run >= SENDER_LIVE_RUN && ask_lanes(sender, BACKLOG_OLD, now_ms, order)) {
		return;
	}
	if (!ask_lanes(sender, BACKLOG_LIVE, now_ms, order)) {
		ask_lanes(sender, BACKLOG_OLD, now_ms, order);
	}
}
