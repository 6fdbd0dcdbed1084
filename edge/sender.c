/* The life of a session:
 *
 *	DOWN -> CONNECTING -> GREETING -> IN_SESSION -> ENDING -> DOWN (next bridge) …     or STOPPED
 *
 * A block is in exactly one place: it waits (lane.backlog), is in flight, or is acknowledged. */
#include "edge/sender_internal.h"
#include <assert.h>
#include <stdio.h>

enum {
	FOREVER_MS = 60000,
	HOLD_MS = 10,
	/* Between BYE and closing: with linger 0 a socket that is closed at once sends nothing any more. */
	FAREWELL_MS = 50,
};

void sender_init(struct sender *sender, uint32_t bridge_count, int64_t now_ms)
{
	assert(bridge_count > 0 && bridge_count <= SENDER_BRIDGES_MAX);

	memset(sender, 0, sizeof *sender);
	sender->bridge_count = bridge_count;
	sender->retry_at_ms = now_ms;
	sender->down_since_ms = now_ms;
	sender->stuck_since_ms = -1;
	for (int i = 0; i < LANE_COUNT; i++) {
		backlog_init(&sender->lanes[i].backlog, now_ms);
	}
}

void sender_set_manners(struct sender *sender, bool live_first, int64_t drain_rate, int64_t now_ms)
{
	sender->live_first = live_first;
	throttle_init(&sender->throttle, drain_rate, now_ms);
}

void sender_set_cluster(
	struct sender *sender, const char *cluster, uint64_t topics_hash, const char *accept)
{
	snprintf(sender->cluster, sizeof sender->cluster, "%s", cluster);
	sender->topics_hash = topics_hash;
	snprintf(sender->accept_cluster, sizeof sender->accept_cluster, "%s",
		accept == NULL ? "" : accept);
}

void sender_set_codecs(struct sender *sender, uint32_t codecs)
{
	sender->offer.codecs = codecs;
}

void sender_set_gather(struct sender *sender, int64_t gather_ms)
{
	sender->gather_ms = gather_ms;
}

void sender_inherit(struct sender *sender, enum kind lane, uint64_t end, uint64_t events)
{
	backlog_inherit(&sender->lanes[lane].backlog, end, events);
}

void sender_set_end(struct sender *sender, enum kind lane, uint64_t end, uint64_t events)
{
	backlog_grow(&sender->lanes[lane].backlog, end, events);
}

static void enter(struct sender *sender, enum sender_state state, int64_t now_ms)
{
	sender->state = state;
	sender->began_ms = now_ms;
}

/* ---- ranges: in flight, waiting again, acknowledged */

static void feed_starved(struct sender_lane *lane)
{
	memset(lane->starved, 0, sizeof lane->starved);
}

static void land(struct sender *sender, const struct sender_range *range)
{
	struct sender_lane *lane = &sender->lanes[range->lane];

	lane->in_flight--;
	lane->small_in_flight -= range->is_small;
	lane->unacked_bytes -= range->bytes;
	lane->old_unacked_bytes -= range->age == BACKLOG_OLD ? range->bytes : 0;
	lane->unacked_events -= range->count;
	feed_starved(lane);
}

static void give_back(struct sender *sender, const struct sender_range *range)
{
	land(sender, range);
	backlog_return(&sender->lanes[range->lane].backlog, range->first, range->last);
}

static void give_back_all(struct sender *sender)
{
	for (uint32_t i = 0; i < sender->flight_count; i++) {
		give_back(sender, &sender->flight[i]);
	}
	sender->flight_count = 0;
}

static bool in_ranges(const struct wire_message *message, uint64_t number)
{
	for (size_t i = 0; i < message->ack.range_count; i++) {
		const struct wire_range *range = &message->ack.ranges[i];
		if (number >= range->first && number <= range->last) {
			return true;
		}
	}
	return false;
}

/* ---- the end of a session, and the next attempt */

/* Each other bridge at once, then all of them more and more slowly. What will not change by itself waits longest. */
static int64_t retry_delay_ms(const struct sender *sender)
{
	bool hopeless =
		sender->end == SENDER_END_CLUSTER || sender->end == SENDER_END_VERSION ||
		(sender->end == SENDER_END_BYE && (sender->bye_code == BYE_FORBIDDEN ||
							  sender->bye_code == BYE_WRONG_VERSION));

	if (sender->failures < sender->bridge_count) {
		return 0;
	}
	if (hopeless) {
		return SENDER_RETRY_MS_MAX;
	}
	uint32_t steps = sender->failures - sender->bridge_count;
	int64_t delay_ms = steps > 6 ? SENDER_RETRY_MS_MAX : (int64_t)SENDER_RETRY_MS_MIN << steps;
	delay_ms = delay_ms > SENDER_RETRY_MS_MAX ? SENDER_RETRY_MS_MAX : delay_ms;
	/* A chain's stores must not come back all in one moment: the session's random bits spread them. */
	return delay_ms + (int64_t)(sender->session % (uint64_t)(delay_ms / 4 + 1));
}

static void leave_session(struct sender *sender)
{
	give_back_all(sender);
	for (int i = 0; i < LANE_COUNT; i++) {
		sender->lanes[i].waiting = false;
		feed_starved(&sender->lanes[i]);
		sender->lanes[i].credit = 0;
	}
	sender->stuck_since_ms = -1;
}

static void end_session(
	struct sender *sender, enum sender_end end, enum bye_code farewell, int64_t now_ms)
{
	bool was_long = sender->state == SENDER_IN_SESSION &&
			now_ms - sender->began_ms > 2 * SENDER_SILENCE_MS;

	if (sender->state == SENDER_IN_SESSION) {
		sender->down_since_ms = now_ms;
	}
	leave_session(sender);
	sender->end = end;
	sender->ended++;
	sender->failures = was_long ? 1 : sender->failures + 1;
	sender->retry_at_ms = now_ms + retry_delay_ms(sender);
	sender->bridge = (sender->bridge + 1) % sender->bridge_count;
	sender->greet = false;
	sender->farewell = farewell != 0;
	sender->close_at_ms = now_ms;
	if (farewell != 0) {
		sender->bye_code = farewell;
	}
	enter(sender, SENDER_ENDING, now_ms);
}

static void end_with_words(struct sender *sender, enum sender_end end, struct slice words,
	enum bye_code farewell, int64_t now_ms)
{
	size_t size = words.size < sizeof sender->end_words - 1 ? words.size
								: sizeof sender->end_words - 1;
	if (size > 0) {
		memcpy(sender->end_words, words.bytes, size);
	}
	sender->end_words[size] = '\0';
	end_session(sender, end, farewell, now_ms);
}

static void end_plainly(
	struct sender *sender, enum sender_end end, enum bye_code farewell, int64_t now_ms)
{
	end_with_words(sender, end, slice_of(NULL, 0), farewell, now_ms);
}

static bool has_link(const struct sender *sender)
{
	return sender->state == SENDER_CONNECTING || sender->state == SENDER_GREETING ||
	       sender->state == SENDER_IN_SESSION;
}

static void number_from_one(struct sender *sender, uint64_t session, int64_t now_ms)
{
	sender->session = session;
	sender->next_number = 1;
	sender->heard_ms = now_ms;
	sender->owed_since_ms = now_ms;
	sender->hold_until_ms = now_ms;
}

void sender_connected(struct sender *sender, uint64_t session, int64_t now_ms)
{
	if (sender->state != SENDER_CONNECTING) {
		return; /* a second CONNECTED: the first one's DISCONNECTED ends it */
	}
	number_from_one(sender, session, now_ms);
	sender->greet = true;
	enter(sender, SENDER_GREETING, now_ms);
}

void sender_disconnected(struct sender *sender, int64_t now_ms)
{
	if (has_link(sender)) {
		end_plainly(sender,
			sender->state == SENDER_CONNECTING ? SENDER_END_UNREACHABLE
							   : SENDER_END_DISCONNECTED,
			0, now_ms);
	}
}

void sender_heard_garbage(struct sender *sender, int64_t now_ms)
{
	if (has_link(sender)) {
		end_plainly(sender, SENDER_END_BAD_FRAME, BYE_BAD_FRAME, now_ms);
	}
}

/* ---- what the bridge says */

static void take_credit(struct sender *sender, const uint64_t credit[LANE_COUNT])
{
	for (int i = 0; i < LANE_COUNT; i++) {
		sender->lanes[i].credit = credit[i];
		feed_starved(&sender->lanes[i]);
	}
}

static bool cluster_is_ours(const struct sender *sender)
{
	if (sender->accept_cluster[0] != '\0') {
		return strcmp(sender->offered_cluster, sender->accept_cluster) == 0;
	}
	return sender->cluster[0] == '\0' ||
	       (strcmp(sender->offered_cluster, sender->cluster) == 0 &&
		       sender->offered_hash == sender->topics_hash);
}

static void begin_session(struct sender *sender, const struct wire_message *message, int64_t now_ms)
{
	sender->batch_size_max = message->welcome.batch_size_max < BATCH_SIZE_MAX
					 ? message->welcome.batch_size_max
					 : BATCH_SIZE_MAX;
	sender->codec = message->welcome.codec;
	sender->report_ms = message->welcome.report_ms;
	sender->says_ages = message->welcome.takes_ages;
	take_credit(sender, message->welcome.credit);
	if (sender->counts.sessions > 0 && sender->bridge != sender->last_bridge) {
		sender->counts.failovers++;
	}
	sender->last_bridge = sender->bridge;
	sender->counts.sessions++;
	for (int i = 0; i < LANE_COUNT; i++) { /* another way */
		window_init(&sender->lanes[i].window, now_ms);
	}
	enter(sender, SENDER_IN_SESSION, now_ms);
}

static void hear_welcome(struct sender *sender, const struct wire_message *message, int64_t now_ms)
{
	if (message->welcome.version != WIRE_VERSION) {
		end_plainly(sender, SENDER_END_VERSION, BYE_WRONG_VERSION, now_ms);
		return;
	}
	if (!offer_has(&sender->offer, sender->bridge, message->welcome.codec, now_ms)) {
		end_plainly(sender, SENDER_END_BAD_FRAME, BYE_BAD_FRAME, now_ms);
		return;
	}
	snprintf(sender->offered_cluster, sizeof sender->offered_cluster, "%.*s",
		(int)message->welcome.cluster_id.size,
		(const char *)message->welcome.cluster_id.bytes);
	sender->offered_hash = message->welcome.topics_hash;
	if (!cluster_is_ours(sender)) {
		end_plainly(sender, SENDER_END_CLUSTER, BYE_SHUTTING_DOWN, now_ms);
		return;
	}
	begin_session(sender, message, now_ms);
}

/* Rule 8: what acknowledges is what this spool belongs to from now on. An accepted cluster is accepted once. */
static void adopt_cluster(struct sender *sender)
{
	if (strcmp(sender->cluster, sender->offered_cluster) == 0 &&
		sender->topics_hash == sender->offered_hash) {
		return;
	}
	memcpy(sender->cluster, sender->offered_cluster, sizeof sender->cluster);
	sender->topics_hash = sender->offered_hash;
	sender->accept_cluster[0] = '\0';
	sender->keep_cluster = true;
}

static void fit_window(struct sender *sender, const struct sender_range *range, int64_t now_ms)
{
	struct sender_lane *lane = &sender->lanes[range->lane];

	window_see(&lane->window, now_ms - range->sent_ms, now_ms);
	if (range->age == BACKLOG_OLD) {
		window_fit(&lane->window, range->bytes, range->used, range->sent_ms, now_ms);
	}
}

static int hear_ack(struct sender *sender, const struct wire_message *message,
	struct removals *removals, int64_t now_ms)
{
	uint32_t kept = 0;
	int r = 0;

	for (uint32_t i = 0; i < sender->flight_count; i++) {
		const struct sender_range range = sender->flight[i];
		if (r < 0 || !in_ranges(message, range.number)) {
			sender->flight[kept++] = range;
			continue;
		}
		r = removals_add(removals, range.lane, range.first, range.last);
		if (r < 0) {
			sender->flight[kept++] = range;
			continue;
		}
		land(sender, &range);
		fit_window(sender, &range, now_ms);
		backlog_forget(&sender->lanes[range.lane].backlog, range.last, range.count);
		sender->lanes[range.lane].waiting = false;
		sender->counts.batches_acked++;
		sender->counts.events_acked[range.lane] += range.count;
	}
	if (kept < sender->flight_count) {
		sender->failures = 0;
		sender->stuck_since_ms = -1;
		adopt_cluster(sender);
	}
	sender->flight_count = kept;
	take_credit(sender, message->ack.credit);
	return r;
}

static void hear_nack(struct sender *sender, const struct wire_message *message, int64_t now_ms)
{
	int64_t pause_ms = message->ack.retry_after_ms;
	uint32_t kept = 0;

	pause_ms = pause_ms < SENDER_NACK_MS_MIN ? SENDER_NACK_MS_MIN : pause_ms;
	for (uint32_t i = 0; i < sender->flight_count; i++) {
		const struct sender_range range = sender->flight[i];
		if (!in_ranges(message, range.number)) {
			sender->flight[kept++] = range;
			continue;
		}
		give_back(sender, &range);
		sender->lanes[range.lane].resume_at_ms = now_ms + pause_ms;
		sender->counts.batches_nacked[message->ack.code]++;
	}
	sender->flight_count = kept;
}

static void hear_state(struct sender *sender, const struct wire_message *message)
{
	for (int i = 0; i < LANE_COUNT; i++) {
		sender->lanes[i].waiting = message->state[i].waiting_ms >= 0;
	}
}

/* ---- waiting for Kafka, and moving to a bridge that does not */

static bool is_stuck(const struct sender *sender)
{
	for (int i = 0; i < LANE_COUNT; i++) {
		if (sender->lanes[i].in_flight > 0 && !sender->lanes[i].waiting) {
			return false;
		}
	}
	return sender->state == SENDER_IN_SESSION && sender->flight_count > 0;
}

static void note_stuck(struct sender *sender, int64_t now_ms)
{
	if (!is_stuck(sender)) {
		sender->stuck_since_ms = -1;
	} else if (sender->stuck_since_ms < 0) {
		sender->stuck_since_ms = now_ms;
	}
}

int64_t sender_stuck_since_ms(const struct sender *sender)
{
	return sender->stuck_since_ms;
}

bool sender_could_move(const struct sender *sender, const struct wire_message *message)
{
	return sender->stuck_since_ms >= 0 && message->type == WIRE_WELCOME &&
	       message->welcome.version == WIRE_VERSION &&
	       slice_equals_text(message->welcome.cluster_id, sender->offered_cluster) &&
	       message->welcome.topics_hash == sender->offered_hash;
}

void sender_move(struct sender *sender, const struct sender_move *move, int64_t now_ms)
{
	assert(sender_could_move(sender, move->welcome));

	leave_session(sender);
	sender->bridge = move->bridge;
	number_from_one(sender, move->session, now_ms);
	begin_session(sender, move->welcome, now_ms);
}

static void hear_bye(struct sender *sender, const struct wire_message *message, int64_t now_ms)
{
	sender->bye_code = message->bye.code;
	offer_heard_bye(&sender->offer, sender->bridge, message->bye.code, now_ms);
	if (message->bye.code == BYE_REPLACED) {
		sender->counts.id_conflicts++;
	}
	end_with_words(sender, SENDER_END_BYE, message->bye.words, 0, now_ms);
}

int sender_heard(struct sender *sender, const struct wire_message *message,
	struct removals *removals, int64_t now_ms)
{
	bool greeting = sender->state == SENDER_GREETING;
	bool in_session = sender->state == SENDER_IN_SESSION;
	bool any_session = message->type == WIRE_BYE && message->session == 0;
	int r = 0;

	if ((!greeting && !in_session) || (message->session != sender->session && !any_session)) {
		sender->counts.stale_frames++;
		return 0;
	}
	sender->heard_ms = now_ms;
	if (message->type == WIRE_BYE) {
		hear_bye(sender, message, now_ms);
	} else if (message->type == WIRE_WELCOME && greeting) {
		hear_welcome(sender, message, now_ms);
	} else if (message->type == WIRE_ACK && in_session) {
		r = hear_ack(sender, message, removals, now_ms);
	} else if (message->type == WIRE_NACK && in_session) {
		hear_nack(sender, message, now_ms);
	} else if (message->type == WIRE_STATE && in_session) {
		hear_state(sender, message);
	} else {
		sender->counts.stale_frames++;
	}
	note_stuck(sender, now_ms);
	return r;
}

/* ---- what to do next */

static bool is_silent(const struct sender *sender, int64_t now_ms, int64_t *ret_wait_ms)
{
	bool owed = sender->state == SENDER_GREETING ||
		    (sender->state == SENDER_IN_SESSION && sender->flight_count > 0);

	if (!owed) {
		return false;
	}
	int64_t since_ms =
		sender->heard_ms > sender->owed_since_ms ? sender->heard_ms : sender->owed_since_ms;
	int64_t left_ms = since_ms + SENDER_SILENCE_MS - now_ms;
	if (left_ms > 0 && left_ms < *ret_wait_ms) {
		*ret_wait_ms = left_ms;
	}
	return left_ms <= 0;
}

static void step_session(struct sender *sender, int64_t now_ms, struct sender_order *order)
{
	if (now_ms < sender->hold_until_ms) {
		order->wait_ms = sender->hold_until_ms - now_ms;
		return;
	}
	sender_order_read(sender, now_ms, order);
}

static void step_down(struct sender *sender, int64_t now_ms, struct sender_order *order)
{
	if (now_ms < sender->retry_at_ms) {
		order->wait_ms = sender->retry_at_ms - now_ms;
		return;
	}
	order->act = SENDER_OPEN;
	order->bridge = sender->bridge;
	enter(sender, SENDER_CONNECTING, now_ms);
}

static void step_ending(struct sender *sender, int64_t now_ms, struct sender_order *order)
{
	if (sender->farewell) {
		sender->farewell = false;
		sender->close_at_ms = now_ms + FAREWELL_MS;
		order->act = SENDER_SEND;
		order->message =
			(struct wire_message){.type = WIRE_BYE, .session = sender->session};
		order->message.bye.code = sender->bye_code;
		order->message.bye.words = slice_of_text(sender_end_name(sender->end));
		return;
	}
	if (now_ms < sender->close_at_ms) {
		order->wait_ms = sender->close_at_ms - now_ms;
		return;
	}
	order->act = SENDER_CLOSE;
	enter(sender, sender->stopping ? SENDER_STOPPED : SENDER_DOWN, now_ms);
}

static void step_greeting(struct sender *sender, int64_t now_ms, struct sender_order *order)
{
	if (sender->greet) {
		sender->greet = false;
		order->act = SENDER_SEND;
		order->message =
			(struct wire_message){.type = WIRE_HELLO, .session = sender->session};
		order->message.hello.version = WIRE_VERSION;
		order->message.hello.codecs = offer_codecs(&sender->offer, sender->bridge, now_ms);
	}
}

static void check_deadlines(struct sender *sender, int64_t now_ms, struct sender_order *order)
{
	if (sender->state == SENDER_CONNECTING) {
		int64_t left_ms = sender->began_ms + SENDER_CONNECT_MS - now_ms;
		order->wait_ms = left_ms;
		if (left_ms <= 0) {
			end_plainly(sender, SENDER_END_UNREACHABLE, 0, now_ms);
		}
	} else if (is_silent(sender, now_ms, &order->wait_ms)) {
		end_plainly(sender, SENDER_END_SILENCE, 0, now_ms);
	}
}

void sender_step(struct sender *sender, int64_t now_ms, struct sender_order *ret_order)
{
	*ret_order = (struct sender_order){.act = SENDER_WAIT, .wait_ms = FOREVER_MS};
	for (int i = 0; i < LANE_COUNT; i++) {
		backlog_look(&sender->lanes[i].backlog, now_ms);
	}
	check_deadlines(sender, now_ms, ret_order);
	switch (sender->state) {
	case SENDER_DOWN:
		step_down(sender, now_ms, ret_order);
		break;
	case SENDER_GREETING:
		step_greeting(sender, now_ms, ret_order);
		break;
	case SENDER_IN_SESSION:
		step_session(sender, now_ms, ret_order);
		break;
	case SENDER_ENDING:
		step_ending(sender, now_ms, ret_order);
		break;
	case SENDER_CONNECTING:
	case SENDER_STOPPED:
		break;
	}
}

/* ---- the answers to SENDER_READ */

void sender_sent(struct sender *sender, const struct sender_order *order,
	const struct sender_range *sent, int64_t now_ms)
{
	struct sender_lane *lane = &sender->lanes[order->lane];

	backlog_take(&lane->backlog, order->first, sent->last);
	sender->counts.batches_resent += order->again ? 1 : 0;
	if (order->age == BACKLOG_OLD) {
		sender->live_run = 0;
		throttle_take(&sender->throttle, sent->bytes, now_ms);
	} else {
		sender->live_run++;
	}
	if (sender->flight_count == 0) {
		sender->owed_since_ms = now_ms;
	}
	struct sender_range *range = &sender->flight[sender->flight_count++];
	*range = *sent;
	range->lane = order->lane;
	range->number = sender->next_number++;
	lane->in_flight++;
	range->is_small = order->age == BACKLOG_LIVE && sent->bytes < sender->batch_size_max / 2;
	lane->small_in_flight += range->is_small;
	if (order->age == BACKLOG_LIVE) {
		lane->small_left_ms = range->is_small ? now_ms : now_ms - sender->gather_ms;
	}
	lane->unacked_bytes += sent->bytes;
	lane->unacked_events += sent->count;
	lane->old_unacked_bytes += order->age == BACKLOG_OLD ? sent->bytes : 0;
	range->age = order->age;
	range->sent_ms = now_ms;
	range->used = lane->old_unacked_bytes;
	sender->counts.batches_sent++;
	note_stuck(sender, now_ms);
}

void sender_skipped(struct sender *sender, const struct sender_order *order)
{
	backlog_skip(&sender->lanes[order->lane].backlog, order->first);
}

void sender_starved(struct sender *sender, const struct sender_order *order)
{
	sender->lanes[order->lane].starved[order->age] = true;
}

void sender_held(struct sender *sender, int64_t now_ms)
{
	sender->hold_until_ms = now_ms + HOLD_MS;
}

bool sender_is_drained(const struct sender *sender)
{
	for (int i = 0; i < LANE_COUNT; i++) {
		if (!sender_lane_is_drained(&sender->lanes[i])) {
			return false;
		}
	}
	return true;
}

uint64_t sender_old_events(const struct sender *sender, enum kind lane_id)
{
	const struct sender_lane *lane = &sender->lanes[lane_id];
	struct backlog_range range;

	/* What was deleted late is still counted where a lane grew old: nothing left is nothing. */
	bool none = lane->in_flight == 0 && !backlog_next(&lane->backlog, BACKLOG_OLD, &range);
	return none ? 0 : lane->backlog.old_events;
}

void sender_stop(struct sender *sender, int64_t now_ms)
{
	bool greeted = sender->state == SENDER_GREETING || sender->state == SENDER_IN_SESSION;

	sender->stopping = true;
	if (sender->state == SENDER_DOWN) {
		enter(sender, SENDER_STOPPED, now_ms);
	} else if (has_link(sender)) {
		end_plainly(sender, SENDER_END_STOPPED, greeted ? BYE_SHUTTING_DOWN : 0, now_ms);
	}
}

uint32_t sender_unacked_batches(const struct sender *sender)
{
	return sender->flight_count;
}

const char *sender_end_name(enum sender_end end)
{
	static const char *const names[] = {
		[SENDER_END_NONE] = "none",
		[SENDER_END_UNREACHABLE] = "unreachable",
		[SENDER_END_DISCONNECTED] = "disconnected",
		[SENDER_END_SILENCE] = "silence",
		[SENDER_END_BYE] = "bye",
		[SENDER_END_BAD_FRAME] = "bad frame",
		[SENDER_END_VERSION] = "wrong version",
		[SENDER_END_CLUSTER] = "another cluster",
		[SENDER_END_STOPPED] = "stopped",
	};
	return names[end];
}
