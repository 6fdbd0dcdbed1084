/* What becomes of an order: taken, held, durable, not kept. */
#include "edge/mqtt_session_internal.h"
#include <assert.h>

static void fill_entry(
	const struct mqtt_session *session, struct mqtt_flight_entry *entry, enum mqtt_act act)
{
	const struct mqtt_order *order = &session->current;

	*entry = (struct mqtt_flight_entry){
		.type = MQTT_FLIGHT_FORGET,
		.broker = session->broker,
		.packet_id = order->packet_id,
		.fingerprint = order->fingerprint,
	};
	if (act == MQTT_ORDER_NOTE) {
		entry->type = MQTT_FLIGHT_NOTE;
	} else if (act == MQTT_ORDER_RELEASE) {
		entry->type = MQTT_FLIGHT_RELEASE;
		entry->ack = MQTT_PUBCOMP;
	} else if (act == MQTT_ORDER_DELIVER) {
		entry->type = MQTT_FLIGHT_DELIVER;
		entry->qos = order->publish.qos;
		entry->ack = entry->qos == 0 ? 0 : entry->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC;
		entry->size = order->publish.payload.size;
	}
}

static int note_delivery(struct mqtt_session *session)
{
	const struct mqtt_order *order = &session->current;
	struct mqtt_ids *ids = &mqtt_session_broker(session)->ids;
	uint64_t known;

	if (order->publish.qos == 2) {
		session->counts.ids_reused += mqtt_ids_get(ids, order->packet_id, &known);
		int r = mqtt_ids_put(ids, order->packet_id, order->fingerprint);
		if (r < 0) {
			return r;
		}
	}
	session->counts.delivered += order->problem == MQTT_PROBLEM_NONE;
	session->counts.too_large += order->problem == MQTT_PROBLEM_TOO_LARGE;
	session->counts.malformed += order->problem == MQTT_PROBLEM_MALFORMED;
	mqtt_session_count_publish(session, &order->publish);
	return 0;
}

int mqtt_session_taken(struct mqtt_session *session)
{
	enum mqtt_act act = session->current.act;
	struct mqtt_flight_entry entry;

	assert(act >= MQTT_ORDER_DELIVER && act <= MQTT_ORDER_NOTE);
	if (act == MQTT_ORDER_DELIVER) {
		int r = note_delivery(session);
		if (r < 0) {
			return r;
		}
	} else if (act == MQTT_ORDER_RELEASE) {
		/* From here on a PUBLISH with this id is another message. */
		mqtt_ids_remove(&mqtt_session_broker(session)->ids, session->current.packet_id);
		session->counts.releases++;
	}
	fill_entry(session, &entry, act);
	mqtt_flight_add(&session->flight, &entry);
	if (act == MQTT_ORDER_DELIVER || act == MQTT_ORDER_RELEASE) {
		mqtt_input_drop(&session->input);
	}
	session->current.act = MQTT_ORDER_WAIT;
	return 0;
}

void mqtt_session_held(struct mqtt_session *session, int64_t now_ms)
{
	session->hold_until_ms = now_ms + MQTT_HOLD_MS;
}

void mqtt_session_postponed(struct mqtt_session *session, int64_t now_ms)
{
	session->hold_until_ms = now_ms + 1;
}

static void keep_noted(struct mqtt_broker *broker)
{
	struct buffer kept = broker->kept;

	broker->kept = broker->noted;
	broker->noted = kept;
}

/* A second one may be on its way behind it, of a connection that began meanwhile: by then ids may be new. */
static void forget(struct mqtt_session *session, struct mqtt_broker *broker)
{
	if (!broker->must_forget) {
		return;
	}
	keep_noted(broker);
	session->counts.forgotten_ids += broker->ids.count;
	mqtt_ids_deinit(&broker->ids);
	broker->must_forget = false;
	broker->known = true;
}

void mqtt_session_durable(struct mqtt_session *session, uint64_t number)
{
	const struct mqtt_flight_entry *entry = mqtt_flight_find(&session->flight, number);

	struct mqtt_broker *broker = &session->brokers[entry->broker];

	if (entry->type == MQTT_FLIGHT_FORGET) {
		forget(session, broker);
	} else if (entry->type == MQTT_FLIGHT_NOTE && broker->must_note) {
		broker->must_note = false;
		keep_noted(broker);
	}
	mqtt_flight_done(&session->flight, number);
}

/* As if it had never been taken: the ids are as the disk has them. */
static int take_back(struct mqtt_session *session, const struct mqtt_flight_entry *entry)
{
	struct mqtt_ids *ids = &session->brokers[entry->broker].ids;
	uint64_t known = 0;
	bool is_known = entry->packet_id != 0 && mqtt_ids_get(ids, entry->packet_id, &known);

	if (entry->type == MQTT_FLIGHT_RELEASE && !is_known) {
		return mqtt_ids_put(ids, entry->packet_id, entry->fingerprint);
	}
	if (entry->type == MQTT_FLIGHT_DELIVER) {
		session->counts.not_kept++;
		if (entry->qos == 2 && is_known && known == entry->fingerprint) {
			mqtt_ids_remove(ids, entry->packet_id);
		}
	}
	return 0;
}

int mqtt_session_not_kept(struct mqtt_session *session, uint64_t number, int64_t now_ms)
{
	static const struct mqtt_ending ending = {
		.end = MQTT_END_NOT_KEPT, .farewell = MQTT_SUCCESS, .stay = true};
	int r = take_back(session, mqtt_flight_find(&session->flight, number));

	if (r < 0) {
		return r;
	}
	mqtt_flight_done(&session->flight, number);
	if (mqtt_session_has_link(session)) {
		complaint_set(&session->words, REASON_NONE, NULL,
			"the spool could not keep what was received: the connection is closed so "
			"that it is sent again");
		mqtt_session_end(session, &ending, now_ms);
	}
	return 0;
}
