#include <inttypes.h>
#include <stdio.h>

#include "edge/mqtt_session_internal.h"
#include "proto/checksum.h"

/* ---- CONNACK */

static void take_connack(struct mqtt_session *session, const struct mqtt_connack *connack)
{
	struct mqtt_connection *connection = &session->connection;
	struct mqtt_broker *broker = mqtt_session_broker(session);

	session->counts.sessions++;
	connection->connack_owed = false;
	connection->session_present = connack->session_present;
	connection->packet_size_max = connack->packet_size_max;
	if (connack->has_keep_alive && connack->keep_alive_s > 0) {
		connection->keep_alive_ms = connack->keep_alive_s * INT64_C(1000);
	}
	if (connack->has_session_expiry &&
		connack->session_expiry_s < session->options.session_expiry_s) {
		connection->session_expiry_s = connack->session_expiry_s;
		mqtt_session_tell(session, MQTT_TELL_EXPIRY);
	}
	if (!connack->session_present && broker->known) {
		session->counts.sessions_lost++;
		mqtt_session_tell(session, MQTT_TELL_SESSION_LOST);
	}
	/* A session that it has and we don't know of: mark 0 is put all the same. */
	bool is_unknown = !broker->known && broker->ids.count == 0;
	broker->must_forget |= !connack->session_present || is_unknown;
}

static enum mqtt_progress begin_session(struct mqtt_session *session, int64_t now_ms)
{
	bool ordered = false;
	int r = mqtt_session_note_filters(session, &ordered);

	if (r != 0) {
		session->output.error = r; /* which the step returns */
	}
	if (ordered) {
		mqtt_session_enter(session, MQTT_FORGETTING, now_ms);
		return MQTT_ORDERED;
	}
	mqtt_session_subscribe(session, false, now_ms);
	return MQTT_AGAIN;
}

static enum mqtt_progress hear_connack(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	struct mqtt_connack connack;
	int r = mqtt_connack_decode(packet, session->version, &connack);

	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
	} else if (connack.reason != MQTT_SUCCESS) {
		mqtt_session_end_refused(session, &connack, now_ms);
	} else {
		take_connack(session, &connack);
		mqtt_input_drop(&session->input);
		return begin_session(session, now_ms);
	}
	return MQTT_AGAIN;
}

/* ---- PUBLISH */

static uint64_t hash64(struct slice bytes)
{
	uint8_t hash[16];
	uint64_t value = 0;

	checksum_hash128(bytes, hash);
	for (int i = 0; i < 8; i++) {
		value = value << 8 | hash[i];
	}
	return value;
}

/* Of what a broker sends again as it was: neither DUP nor properties, of which the expiry runs. */
static uint64_t fingerprint(const struct mqtt_publish *publish)
{
	uint64_t of_topic = hash64(publish->topic);

	return hash64(publish->payload) ^ (of_topic << 1 | of_topic >> 63) ^ publish->payload_size;
}

static void answer(struct mqtt_session *session, uint8_t ack, uint16_t packet_id, uint8_t reason)
{
	const struct mqtt_flight_entry entry = {
		.type = MQTT_FLIGHT_ANSWER,
		.done = true,
		.ack = ack,
		.reason = reason,
		.packet_id = packet_id,
	};

	mqtt_flight_add(&session->flight, &entry);
}

static uint8_t ack_of_qos(uint8_t qos)
{
	static const uint8_t acks[] = {0, MQTT_PUBACK, MQTT_PUBREC};

	return acks[qos];
}

void mqtt_session_count_publish(struct mqtt_session *session, const struct mqtt_publish *publish)
{
	session->counts.publishes[publish->qos]++;
	session->counts.dups += publish->dup;
}

/* Answered without being delivered. */
static enum mqtt_progress pass_over(
	struct mqtt_session *session, const struct mqtt_publish *publish, uint64_t *count)
{
	if (mqtt_flight_is_full(&session->flight)) {
		return MQTT_IDLE;
	}
	(*count)++;
	mqtt_session_count_publish(session, publish);
	if (publish->qos > 0) {
		answer(session, ack_of_qos(publish->qos), publish->packet_id, MQTT_SUCCESS);
	}
	mqtt_input_drop(&session->input);
	return MQTT_AGAIN;
}

/* In MQTT 5 the broker was told which retained messages we want: what comes with RETAIN all the same is meant. In 3.1.1
 * it sends them at each SUBSCRIBE, and RETAIN is set in these alone. */
static bool is_unwanted_retained(
	const struct mqtt_session *session, const struct mqtt_publish *publish)
{
	if (!publish->retain || session->version == MQTT_VERSION_5) {
		return false;
	}
	return session->options.retained == MQTT_RETAINED_SKIP ||
	       (session->options.retained == MQTT_RETAINED_TAKE_NEW &&
		       session->connection.session_present);
}

static void tell_once(struct mqtt_session *session, bool *told, enum mqtt_tell tell)
{
	if (!*told) {
		*told = true;
		mqtt_session_tell(session, tell);
	}
}

static bool has_room(const struct mqtt_session *session, const struct mqtt_publish *publish)
{
	const struct mqtt_flight *flight = &session->flight;

	return !mqtt_flight_is_full(flight) &&
	       (flight->undone == 0 || flight->undone_size + publish->payload.size <=
					       session->options.pending_size_max);
}

static enum mqtt_progress order_delivery(
	struct mqtt_session *session, const struct mqtt_order *delivery)
{
	const struct mqtt_publish *publish = &delivery->publish;
	struct mqtt_connection *connection = &session->connection;
	uint64_t known;

	if (publish->qos == 2 &&
		mqtt_ids_get(&mqtt_session_broker(session)->ids, publish->packet_id, &known)) {
		if (known == delivery->fingerprint) {
			return pass_over(session, publish, &session->counts.repeats);
		}
		tell_once(session, &connection->told_reused, MQTT_TELL_REUSED);
	}
	if (is_unwanted_retained(session, publish)) {
		tell_once(session, &connection->told_retained, MQTT_TELL_RETAINED);
		return pass_over(session, publish, &session->counts.retained_skipped);
	}
	if (!has_room(session, publish)) {
		return MQTT_IDLE;
	}
	session->current = *delivery;
	return MQTT_ORDERED;
}

/* A message that no decoder takes would be sent for ever: after the first time it is acknowledged as a dead letter. */
static bool salvage(struct mqtt_session *session, const struct mqtt_packet *packet,
	struct mqtt_order *delivery, int64_t now_ms)
{
	bool readable = mqtt_publish_salvage(packet, session->version, &delivery->publish);

	if (readable && session->lenient) {
		delivery->problem = MQTT_PROBLEM_MALFORMED;
		return true;
	}
	mqtt_session_end_malformed(session, delivery->error, readable, now_ms);
	return false;
}

static enum mqtt_progress hear_publish(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	struct mqtt_order delivery = {.act = MQTT_ORDER_DELIVER};
	struct mqtt_publish *publish = &delivery.publish;
	int r = mqtt_publish_decode(packet, session->version, publish);

	if (r != 0) {
		delivery.error = (enum mqtt_error)r;
		if (!salvage(session, packet, &delivery, now_ms)) {
			return MQTT_AGAIN;
		}
	} else if (publish->properties_cut || publish->payload.size < publish->payload_size) {
		delivery.problem = MQTT_PROBLEM_TOO_LARGE;
	}
	/* More in flight than receive_maximum is a protocol error, and yet taken: mosquitto 2.0 counts a message of QoS 2 as
	 * done at PUBREC. It would do so again after each reconnect, and what is in flight is bounded without it. */
	delivery.packet_id = publish->packet_id;
	delivery.fingerprint = publish->qos == 2 ? fingerprint(publish) : 0;
	return order_delivery(session, &delivery);
}

/* ---- PUBREL */

static enum mqtt_progress hear_pubrel(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	struct mqtt_ack pubrel;
	uint64_t known = 0;
	int r = mqtt_ack_decode(packet, session->version, &pubrel);

	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
		return MQTT_AGAIN;
	}
	if (mqtt_flight_is_full(&session->flight)) {
		return MQTT_IDLE;
	}
	if (mqtt_ids_get(&mqtt_session_broker(session)->ids, pubrel.packet_id, &known)) {
		session->current = (struct mqtt_order){.act = MQTT_ORDER_RELEASE,
			.packet_id = pubrel.packet_id,
			.fingerprint = known};
		return MQTT_ORDERED;
	}
	session->counts.releases++;
	session->counts.releases_unknown++;
	answer(session, MQTT_PUBCOMP, pubrel.packet_id, MQTT_PACKET_ID_NOT_FOUND);
	mqtt_input_drop(&session->input);
	return MQTT_AGAIN;
}

/* ---- the others */

static void hear_pingresp(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	int r = mqtt_pingresp_decode(packet);

	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
		return;
	}
	session->connection.pingresp_owed = false;
}

static void hear_disconnect(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	struct mqtt_disconnect disconnect;
	int r = mqtt_disconnect_decode(packet, session->version, &disconnect);

	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
		return;
	}
	mqtt_session_end_disconnect(session, &disconnect, now_ms);
}

static void hear_out_of_place(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	static const char *const names[MQTT_TYPE_COUNT] = {
		[MQTT_CONNACK] = "CONNACK",
		[MQTT_PUBLISH] = "PUBLISH",
		[MQTT_PUBACK] = "PUBACK",
		[MQTT_PUBREC] = "PUBREC",
		[MQTT_PUBREL] = "PUBREL",
		[MQTT_PUBCOMP] = "PUBCOMP",
		[MQTT_SUBACK] = "SUBACK",
		[MQTT_UNSUBACK] = "UNSUBACK",
		[MQTT_PINGRESP] = "PINGRESP",
		[MQTT_DISCONNECT] = "DISCONNECT",
		[MQTT_AUTH] = "AUTH",
	};
	char words[80];

	snprintf(words, sizeof words, "%s %s", names[packet->type],
		session->state == MQTT_GREETING ? "before CONNACK"
						: "that answers nothing of ours");
	mqtt_session_end_protocol(session, MQTT_PROTOCOL_ERROR, words, now_ms);
}

/* The packet stays at the head of the input until what it ordered is taken. */
static enum mqtt_progress hear_in_session(
	struct mqtt_session *session, const struct mqtt_packet *packet, int64_t now_ms)
{
	switch (packet->type) {
	case MQTT_PUBLISH:
		return hear_publish(session, packet, now_ms);
	case MQTT_PUBREL:
		return hear_pubrel(session, packet, now_ms);
	case MQTT_SUBACK:
		mqtt_session_hear_suback(session, packet, now_ms);
		break;
	case MQTT_UNSUBACK:
		mqtt_session_hear_unsuback(session, packet, now_ms);
		break;
	case MQTT_PINGRESP:
		hear_pingresp(session, packet, now_ms);
		break;
	case MQTT_DISCONNECT:
		hear_disconnect(session, packet, now_ms);
		break;
	default:
		hear_out_of_place(session, packet, now_ms);
		break;
	}
	if (mqtt_session_has_link(session)) {
		mqtt_input_drop(&session->input);
	}
	return MQTT_AGAIN;
}

enum mqtt_progress mqtt_session_hear(struct mqtt_session *session, int64_t now_ms)
{
	struct mqtt_packet packet;
	int r = mqtt_input_peek(&session->input, &packet);

	session->connection.reading = r == MQTT_E_MORE;
	if (r == MQTT_E_MORE) {
		return MQTT_IDLE;
	}
	if (r != 0) {
		mqtt_session_end_malformed(session, (enum mqtt_error)r, false, now_ms);
		return MQTT_AGAIN;
	}
	if (session->state != MQTT_GREETING) {
		return hear_in_session(session, &packet, now_ms);
	}
	if (packet.type == MQTT_CONNACK) {
		return hear_connack(session, &packet, now_ms);
	}
	hear_out_of_place(session, &packet, now_ms);
	return MQTT_AGAIN;
}
