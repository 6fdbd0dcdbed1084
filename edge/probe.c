/* IDLE -> CONNECTING -> GREETING -> PARTING -> IDLE. From CONNECTING and GREETING it parts as soon as the session is no
 * longer stuck: an ACK, a STATE without waiting, or its end. */
#include "edge/probe.h"
#include "edge/sender.h"
#include <assert.h>

enum {
	FOREVER_MS = 60000,
	FAREWELL_MS = 50, /* as the sender's */
};

static void enter(struct probe *probe, enum probe_state state, int64_t now_ms)
{
	probe->state = state;
	probe->began_ms = now_ms;
}

static void part(struct probe *probe, bool farewell, int64_t now_ms)
{
	probe->greet = false;
	probe->farewell = farewell;
	probe->close_at_ms = now_ms;
	enter(probe, PROBE_PARTING, now_ms);
}

/* The bridge may have a session of ours, or be about to: once HELLO is said, so is BYE. */
static bool has_greeted(const struct probe *probe)
{
	return probe->state == PROBE_GREETING && !probe->greet;
}

static bool is_asking(const struct probe *probe)
{
	return probe->state == PROBE_CONNECTING || probe->state == PROBE_GREETING;
}

static void take_no(struct probe *probe, bool farewell, int64_t now_ms)
{
	uint32_t steps = probe->refusals < 4 ? probe->refusals : 4;
	int64_t delay_ms = (int64_t)PROBE_RETRY_MS_MIN << steps;

	delay_ms = delay_ms > PROBE_RETRY_MS_MAX ? PROBE_RETRY_MS_MAX : delay_ms;
	/* As the sender's: a chain's stores must not ask all in one moment. */
	delay_ms += (int64_t)(probe->session % (uint64_t)(delay_ms / 4 + 1));
	probe->ask_at_ms = now_ms + delay_ms;
	probe->refusals++;
	part(probe, farewell, now_ms);
}

/* ---- what comes in */

void probe_connected(struct probe *probe, uint64_t session, int64_t now_ms)
{
	if (probe->state == PROBE_CONNECTING) {
		probe->session = session;
		probe->greet = true;
		enter(probe, PROBE_GREETING, now_ms);
	}
}

void probe_disconnected(struct probe *probe, int64_t now_ms)
{
	if (is_asking(probe)) {
		take_no(probe, false, now_ms);
	} else if (probe->state == PROBE_PARTING) {
		probe->farewell = false;
		probe->close_at_ms = now_ms;
	}
}

void probe_heard_garbage(struct probe *probe, int64_t now_ms)
{
	if (is_asking(probe)) {
		take_no(probe, has_greeted(probe), now_ms);
	} else {
		probe->stale_frames++;
	}
}

bool probe_heard(
	struct probe *probe, const struct wire_message *message, bool is_welcome, int64_t now_ms)
{
	bool is_bye = message->type == WIRE_BYE;
	bool is_ours = message->session == probe->session || (is_bye && message->session == 0);

	if (!has_greeted(probe) || !is_ours) {
		probe->stale_frames++;
		return false;
	}
	if (is_welcome) {
		return true;
	}
	take_no(probe, !is_bye, now_ms);
	return false;
}

void probe_moved(struct probe *probe, uint64_t session, int64_t now_ms)
{
	assert(probe->state == PROBE_GREETING);
	probe->session = session;
	probe->moved = true;
	probe->vain_moves++;
	probe->refusals = 0;
	part(probe, true, now_ms);
}

/* ---- what to do next */

static void step_idle(struct probe *probe, const struct probe_sight *sight, int64_t now_ms,
	struct probe_order *order)
{
	uint32_t doublings =
		probe->vain_moves < PROBE_VAIN_MOVES_MAX ? probe->vain_moves : PROBE_VAIN_MOVES_MAX;
	int64_t due_ms = sight->stuck_since_ms + ((int64_t)PROBE_PATIENCE_MS << doublings);

	if (sight->stuck_since_ms < 0) {
		probe->refusals = 0;
		probe->ask_at_ms = 0;
		probe->bridge = sight->bridge;
		return;
	}
	due_ms += (int64_t)(sight->session % PROBE_SPREAD_MS);
	due_ms = due_ms < probe->ask_at_ms ? probe->ask_at_ms : due_ms;
	if (now_ms < due_ms) {
		order->wait_ms = due_ms - now_ms;
		return;
	}
	probe->bridge = (probe->bridge + 1) % sight->bridge_count;
	if (probe->bridge == sight->bridge) {
		probe->bridge = (probe->bridge + 1) % sight->bridge_count;
	}
	probe->asked++;
	order->act = PROBE_OPEN;
	order->bridge = probe->bridge;
	enter(probe, PROBE_CONNECTING, now_ms);
}

static void step_asking(struct probe *probe, int64_t now_ms, struct probe_order *order)
{
	int64_t allowed_ms =
		probe->state == PROBE_CONNECTING ? SENDER_CONNECT_MS : SENDER_SILENCE_MS;

	if (probe->greet) {
		probe->greet = false;
		order->act = PROBE_SEND;
		order->message =
			(struct wire_message){.type = WIRE_HELLO, .session = probe->session};
		order->message.hello.version = WIRE_VERSION;
		return;
	}
	order->wait_ms = probe->began_ms + allowed_ms - now_ms;
}

static void step_parting(struct probe *probe, int64_t now_ms, struct probe_order *order)
{
	if (probe->farewell) {
		probe->farewell = false;
		probe->close_at_ms = now_ms + FAREWELL_MS;
		order->act = PROBE_SEND;
		order->message = (struct wire_message){.type = WIRE_BYE, .session = probe->session};
		order->message.bye.code = BYE_SHUTTING_DOWN;
		order->message.bye.words = slice_of_text(
			probe->moved ? "moved to a bridge that reaches Kafka" : "not needed");
		return;
	}
	if (now_ms < probe->close_at_ms) {
		order->wait_ms = probe->close_at_ms - now_ms;
		return;
	}
	probe->moved = false;
	order->act = PROBE_CLOSE;
	enter(probe, PROBE_IDLE, now_ms);
}

static void check(struct probe *probe, const struct probe_sight *sight, int64_t now_ms)
{
	int64_t asked_ms = now_ms - probe->began_ms;

	if (sight->acked != probe->acked) {
		probe->acked = sight->acked;
		probe->vain_moves = 0;
	}
	if (is_asking(probe) && sight->stuck_since_ms < 0) {
		part(probe, has_greeted(probe), now_ms);
	} else if (probe->state == PROBE_CONNECTING && asked_ms >= SENDER_CONNECT_MS) {
		take_no(probe, false, now_ms);
	} else if (probe->state == PROBE_GREETING && asked_ms >= SENDER_SILENCE_MS) {
		take_no(probe, has_greeted(probe), now_ms);
	}
}

void probe_step(struct probe *probe, const struct probe_sight *sight, int64_t now_ms,
	struct probe_order *ret_order)
{
	*ret_order = (struct probe_order){.act = PROBE_WAIT, .wait_ms = FOREVER_MS};
	if (sight->bridge_count < 2) {
		return;
	}
	check(probe, sight, now_ms);
	switch (probe->state) {
	case PROBE_IDLE:
		step_idle(probe, sight, now_ms, ret_order);
		break;
	case PROBE_CONNECTING:
	case PROBE_GREETING:
		step_asking(probe, now_ms, ret_order);
		break;
	case PROBE_PARTING:
		step_parting(probe, now_ms, ret_order);
		break;
	}
}
