#include "edge/mqtt_delivery.h"
#include <errno.h>
#include <stdlib.h>

enum {
	DELIVERY_E_HELD = 1, /* the session knows, and orders it again */
	/* Whether a message finds room is known after it was read whole, and room comes by acknowledgements from far. */
	FULL_RETRY_MS = 200,
};

struct now {
	int64_t monotonic_ms;
	int64_t wall_ms;
};

static int hand_in(
	struct mqtt_delivery *delivery, const struct submission *submission, const struct now *now)
{
	int r = PORT_E_FULL;

	if (!port_takes_more(delivery->port)) {
		mqtt_session_postponed(delivery->session, now->monotonic_ms);
		return DELIVERY_E_HELD;
	}
	if (!delivery->full || now->monotonic_ms >= delivery->retry_at_ms) {
		r = port_submit(delivery->port, submission, now->wall_ms);
		delivery->full = r == PORT_E_FULL;
		delivery->retry_at_ms = now->monotonic_ms + FULL_RETRY_MS;
	}
	if (r == PORT_E_FULL) {
		mqtt_session_held(delivery->session, now->monotonic_ms);
		return DELIVERY_E_HELD;
	}
	delivery->handed_in = true;
	return r == 0 ? mqtt_session_taken(delivery->session) : r;
}

static struct mqtt_owner owner_of(const struct mqtt_delivery *delivery, uint32_t broker)
{
	return (struct mqtt_owner){
		delivery->settings->brokers[broker].address, delivery->client_id};
}

static int deliver(
	struct mqtt_delivery *delivery, const struct mqtt_order *order, const struct now *now)
{
	struct mqtt_owner owner = owner_of(delivery, order->broker);

	mqtt_event_make(delivery->settings, &owner, order, &delivery->event);
	int r = hand_in(delivery, &delivery->event.submission, now);
	if (r == 0 && delivery->event.unmatched) {
		delivery->unmatched++;
	}
	return r;
}

static int release(
	struct mqtt_delivery *delivery, const struct mqtt_order *order, const struct now *now)
{
	struct mqtt_owner owner = owner_of(delivery, order->broker);
	uint8_t key[MQTT_MARK_KEY_SIZE];
	struct source_mark mark = {
		.key = slice_of(key, mqtt_mark_key(&owner, order->packet_id, key))};
	struct submission submission = {
		.marks = &mark,
		.mark_count = 1,
		.unattended = true,
		.ticket = order->number,
	};

	return hand_in(delivery, &submission, now);
}

static size_t count_ids(const struct mqtt_delivery *delivery, uint32_t broker)
{
	uint16_t id = 0;
	size_t count = 0;

	while ((id = mqtt_session_next_id(delivery->session, broker, id)) != 0) {
		count++;
	}
	return count;
}

/* All ids of the broker are deleted; mark 0 is put: it has a session of ours, with these subscriptions. */
static size_t list_marks(const struct mqtt_delivery *delivery, const struct mqtt_order *order,
	struct source_mark *marks, uint8_t *keys)
{
	struct mqtt_owner owner = owner_of(delivery, order->broker);
	uint16_t id = 0;
	size_t count = 0;

	do {
		id = mqtt_session_next_id(delivery->session, order->broker, id);
		marks[count].key = slice_of(keys, mqtt_mark_key(&owner, id, keys));
		if (id == 0) {
			marks[count].value = order->bytes;
		}
		keys += MQTT_MARK_KEY_SIZE;
		count++;
	} while (id != 0);
	return count;
}

static int forget(
	struct mqtt_delivery *delivery, const struct mqtt_order *order, const struct now *now)
{
	struct submission submission = {.unattended = true, .ticket = order->number};
	size_t count = count_ids(delivery, order->broker) + 1;
	struct source_mark *marks = calloc(count, sizeof *marks);
	uint8_t *keys = malloc(count * MQTT_MARK_KEY_SIZE);
	int r = marks == NULL || keys == NULL ? -ENOMEM : 0;

	if (r == 0) {
		submission.marks = marks;
		submission.mark_count = list_marks(delivery, order, marks, keys);
		r = hand_in(delivery, &submission, now);
	}
	free(keys);
	free(marks);
	return r;
}

static int note(
	struct mqtt_delivery *delivery, const struct mqtt_order *order, const struct now *now)
{
	struct mqtt_owner owner = owner_of(delivery, order->broker);
	uint8_t key[MQTT_MARK_KEY_SIZE];
	struct source_mark mark = {
		.key = slice_of(key, mqtt_mark_key(&owner, 0, key)), .value = order->bytes};
	struct submission submission = {
		.marks = &mark,
		.mark_count = 1,
		.unattended = true,
		.ticket = order->number,
	};

	return hand_in(delivery, &submission, now);
}

int mqtt_delivery_carry_out(struct mqtt_delivery *delivery, const struct mqtt_order *order,
	int64_t now_ms, int64_t wall_ms)
{
	const struct now now = {now_ms, wall_ms};
	int r = 0;

	switch (order->act) {
	case MQTT_ORDER_DELIVER:
		r = deliver(delivery, order, &now);
		break;
	case MQTT_ORDER_RELEASE:
		r = release(delivery, order, &now);
		break;
	case MQTT_ORDER_FORGET:
		r = forget(delivery, order, &now);
		break;
	case MQTT_ORDER_NOTE:
		r = note(delivery, order, &now);
		break;
	default:
		break;
	}
	return r < 0 ? r : 0;
}
