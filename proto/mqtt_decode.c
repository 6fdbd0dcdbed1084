#include <assert.h>

#include "proto/limits.h"
#include "proto/mqtt_property.h"

enum { FLAG_RETAIN = 1, FLAG_DUP = 8 };

/* A set of reason codes: those of a packet, in the order of MQTT 5's table 2-6. */
static bool is_one_of(uint8_t reason, struct slice allowed)
{
	return memchr(allowed.bytes, reason, allowed.size) != NULL;
}
#define ONE_OF(reason, ...)                                                                        \
	is_one_of(reason,                                                                          \
		slice_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})))

/* ---- CONNACK */

static bool is_connack_reason(uint8_t reason)
{
	return ONE_OF(reason, 0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
		0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f);
}

/* MQTT 3.1.1's return codes as MQTT 5's reason codes; 0xff: there is no such code. */
static uint8_t reason_of_code(uint8_t code)
{
	static const uint8_t reasons[] = {MQTT_SUCCESS, MQTT_UNSUPPORTED_VERSION,
		MQTT_CLIENT_ID_INVALID, MQTT_SERVER_UNAVAILABLE, MQTT_BAD_CREDENTIALS,
		MQTT_NOT_AUTHORIZED};

	return code < sizeof reasons ? reasons[code] : 0xff;
}

static void fill_connack(struct mqtt_connack *connack, const struct mqtt_properties *properties)
{
	connack->has_session_expiry = mqtt_has_property(properties, MQTT_SESSION_EXPIRY);
	connack->session_expiry_s = mqtt_property_number(properties, MQTT_SESSION_EXPIRY, 0);
	connack->has_keep_alive = mqtt_has_property(properties, MQTT_SERVER_KEEP_ALIVE);
	connack->keep_alive_s =
		(uint16_t)mqtt_property_number(properties, MQTT_SERVER_KEEP_ALIVE, 0);
	connack->receive_maximum =
		(uint16_t)mqtt_property_number(properties, MQTT_RECEIVE_MAXIMUM, UINT16_MAX);
	connack->packet_size_max =
		mqtt_property_number(properties, MQTT_MAXIMUM_PACKET_SIZE, UINT32_MAX);
	connack->topic_alias_maximum =
		(uint16_t)mqtt_property_number(properties, MQTT_TOPIC_ALIAS_MAXIMUM, 0);
	connack->qos_max = (uint8_t)mqtt_property_number(properties, MQTT_MAXIMUM_QOS, 2);
	connack->has_retain = mqtt_property_number(properties, MQTT_RETAIN_AVAILABLE, 1) != 0;
	connack->has_wildcards = mqtt_property_number(properties, MQTT_WILDCARDS_AVAILABLE, 1) != 0;
	connack->has_subscription_ids =
		mqtt_property_number(properties, MQTT_SUBSCRIPTION_IDS_AVAILABLE, 1) != 0;
	connack->has_shared = mqtt_property_number(properties, MQTT_SHARED_AVAILABLE, 1) != 0;
	connack->client_id = mqtt_property_text(properties, MQTT_ASSIGNED_CLIENT_ID);
	connack->reason_text = mqtt_property_text(properties, MQTT_REASON_STRING);
	connack->server_reference = mqtt_property_text(properties, MQTT_SERVER_REFERENCE);
}

int mqtt_connack_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_connack *ret_connack)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(packet->body);
	struct mqtt_properties properties = {.present = 0};
	uint8_t flags = mqtt_take_byte(&cursor);
	uint8_t reason = mqtt_take_byte(&cursor);
	/* A broker that speaks 3.1.1 only says so in its own form, to a client of 5 too. */
	bool is_old = version == MQTT_VERSION_3_1_1 || (packet->body.size == 2 && reason != 0);

	assert(packet->type == MQTT_CONNACK);
	if (is_old) {
		reason = reason_of_code(reason);
	} else {
		mqtt_take_properties(&cursor, MQTT_CONNACK, &properties);
	}
	int r = mqtt_cursor_end(&cursor);
	if (r != 0) {
		return r;
	}
	if (!is_connack_reason(reason)) {
		return MQTT_E_REASON;
	}
	if (flags > 1 || (flags == 1 && reason != 0)) {
		return MQTT_E_FLAGS;
	}
	*ret_connack = (struct mqtt_connack){.session_present = flags == 1, .reason = reason};
	fill_connack(ret_connack, &properties);
	return 0;
}

/* ---- PUBLISH */

static bool has_wildcard(struct slice topic)
{
	return topic.size > 0 && (memchr(topic.bytes, '+', topic.size) != NULL ||
					 memchr(topic.bytes, '#', topic.size) != NULL);
}

static uint8_t publish_qos(const struct mqtt_packet *packet)
{
	return packet->flags >> 1 & 3;
}

/* The properties and the payload of a packet whose end may have been skipped. `cursor` stands behind the packet id. */
static void split_publish(
	const struct mqtt_packet *packet, struct mqtt_cursor *cursor, struct mqtt_publish *publish)
{
	uint32_t size = mqtt_take_varint(cursor);
	size_t left = packet->body_size - (packet->body.size - cursor->rest.size);

	if (cursor->error != 0 || size > left) {
		mqtt_cursor_fail(cursor, MQTT_E_SHORT);
		return;
	}
	publish->payload_size = left - size;
	if (size > MQTT_PROPERTIES_SIZE_MAX) {
		publish->properties_cut = true;
		size_t kept = size < cursor->rest.size ? size : cursor->rest.size;
		mqtt_take_bytes(cursor, kept);
	} else {
		publish->properties = mqtt_take_bytes(cursor, size);
	}
	publish->payload = cursor->rest;
}

static int read_properties(struct mqtt_publish *publish)
{
	struct mqtt_properties properties;
	int r = mqtt_properties_check(publish->properties, MQTT_PUBLISH, &properties);

	if (r != 0) {
		return r;
	}
	if (mqtt_has_property(&properties, MQTT_TOPIC_ALIAS)) {
		return MQTT_E_TOPIC_ALIAS;
	}
	publish->is_text = mqtt_property_number(&properties, MQTT_PAYLOAD_FORMAT, 0) == 1;
	publish->has_expiry = mqtt_has_property(&properties, MQTT_MESSAGE_EXPIRY);
	publish->expiry_s = mqtt_property_number(&properties, MQTT_MESSAGE_EXPIRY, 0);
	publish->content_type = mqtt_property_text(&properties, MQTT_CONTENT_TYPE);
	publish->response_topic = mqtt_property_text(&properties, MQTT_RESPONSE_TOPIC);
	publish->correlation_data = mqtt_property_text(&properties, MQTT_CORRELATION_DATA);
	publish->subscription_id = mqtt_property_number(&properties, MQTT_SUBSCRIPTION_ID, 0);
	return has_wildcard(publish->response_topic) ? MQTT_E_TOPIC : 0;
}

static struct mqtt_publish publish_of_flags(const struct mqtt_packet *packet)
{
	return (struct mqtt_publish){
		.qos = publish_qos(packet),
		.dup = (packet->flags & FLAG_DUP) != 0,
		.retain = (packet->flags & FLAG_RETAIN) != 0,
	};
}

int mqtt_publish_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_publish *ret_publish)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(packet->body);
	struct mqtt_publish publish = publish_of_flags(packet);

	assert(packet->type == MQTT_PUBLISH && packet->body.size <= packet->body_size);
	if (publish.qos == 3 || (publish.qos == 0 && publish.dup)) {
		return MQTT_E_QOS;
	}
	publish.topic = mqtt_take_text(&cursor);
	publish.packet_id = publish.qos == 0 ? 0 : mqtt_take_packet_id(&cursor);
	if (version == MQTT_VERSION_5) {
		split_publish(packet, &cursor, &publish);
	} else {
		publish.payload = cursor.rest;
		publish.payload_size = packet->body_size - (packet->body.size - cursor.rest.size);
	}
	int r = cursor.error;
	if (r == 0) {
		r = read_properties(&publish);
	}
	if (r == 0 && (publish.topic.size == 0 || has_wildcard(publish.topic))) {
		r = MQTT_E_TOPIC;
	}
	if (r == 0) {
		*ret_publish = publish;
	}
	return r;
}

bool mqtt_publish_salvage(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_publish *ret_publish)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(packet->body);
	struct mqtt_publish publish = publish_of_flags(packet);

	publish.topic = mqtt_take_binary(&cursor);
	publish.packet_id = publish.qos == 0 ? 0 : mqtt_take_packet_id(&cursor);
	if (cursor.error != 0 || publish.qos == 3) {
		return false;
	}
	publish.payload = cursor.rest;
	publish.payload_size = packet->body_size - (packet->body.size - cursor.rest.size);
	if (version == MQTT_VERSION_5) {
		struct mqtt_publish split = publish;
		split_publish(packet, &cursor, &split);
		if (cursor.error == 0) {
			publish.payload = split.payload;
			publish.payload_size = split.payload_size;
		}
	}
	*ret_publish = publish;
	return true;
}

/* ---- SUBACK, the four acknowledgements, DISCONNECT, PINGRESP */

static bool is_subscription_reason(enum mqtt_type type, enum mqtt_version version, uint8_t reason)
{
	if (type == MQTT_UNSUBACK) {
		return ONE_OF(reason, 0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91);
	}
	if (version == MQTT_VERSION_3_1_1) {
		return ONE_OF(reason, 0, 1, 2, 0x80);
	}
	return ONE_OF(reason, 0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2);
}

static int decode_reasons(
	const struct mqtt_packet *packet, enum mqtt_version version, struct mqtt_suback *ret_suback)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(packet->body);
	struct mqtt_properties properties = {.present = 0};
	uint16_t packet_id = mqtt_take_packet_id(&cursor);

	if (version == MQTT_VERSION_5) {
		mqtt_take_properties(&cursor, packet->type, &properties);
	}
	for (size_t i = 0; i < cursor.rest.size && cursor.error == 0; i++) {
		if (!is_subscription_reason(packet->type, version, cursor.rest.bytes[i])) {
			mqtt_cursor_fail(&cursor, MQTT_E_REASON);
		}
	}
	if (cursor.error == 0) {
		*ret_suback = (struct mqtt_suback){packet_id, cursor.rest,
			mqtt_property_text(&properties, MQTT_REASON_STRING)};
	}
	return cursor.error;
}

int mqtt_suback_decode(
	const struct mqtt_packet *packet, enum mqtt_version version, struct mqtt_suback *ret_suback)
{
	struct mqtt_suback suback;
	int r = decode_reasons(packet, version, &suback);

	assert(packet->type == MQTT_SUBACK);
	if (r == 0 && suback.reasons.size == 0) {
		r = MQTT_E_SHORT;
	}
	if (r == 0) {
		*ret_suback = suback;
	}
	return r;
}

int mqtt_unsuback_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_suback *ret_unsuback)
{
	struct mqtt_suback unsuback;
	int r = decode_reasons(packet, version, &unsuback);

	assert(packet->type == MQTT_UNSUBACK);
	if (r == 0 && version == MQTT_VERSION_5 && unsuback.reasons.size == 0) {
		r = MQTT_E_SHORT;
	}
	if (r == 0 && version == MQTT_VERSION_3_1_1 && unsuback.reasons.size > 0) {
		r = MQTT_E_LONG;
	}
	if (r == 0) {
		*ret_unsuback = unsuback;
	}
	return r;
}

static bool is_ack_reason(enum mqtt_type type, uint8_t reason)
{
	if (type == MQTT_PUBREL || type == MQTT_PUBCOMP) {
		return ONE_OF(reason, 0x00, 0x92);
	}
	return ONE_OF(reason, 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99);
}

int mqtt_ack_decode(
	const struct mqtt_packet *packet, enum mqtt_version version, struct mqtt_ack *ret_ack)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(packet->body);
	struct mqtt_properties properties = {.present = 0};
	struct mqtt_ack ack = {.packet_id = mqtt_take_packet_id(&cursor)};

	assert(packet->type >= MQTT_PUBACK && packet->type <= MQTT_PUBCOMP);
	/* MQTT 5 may leave both out, or only the properties. */
	if (version == MQTT_VERSION_5 && cursor.rest.size > 0) {
		ack.reason = mqtt_take_byte(&cursor);
	}
	if (version == MQTT_VERSION_5 && cursor.rest.size > 0) {
		mqtt_take_properties(&cursor, packet->type, &properties);
	}
	int r = mqtt_cursor_end(&cursor);
	if (r == 0 && !is_ack_reason(packet->type, ack.reason)) {
		r = MQTT_E_REASON;
	}
	if (r == 0) {
		ack.reason_text = mqtt_property_text(&properties, MQTT_REASON_STRING);
		*ret_ack = ack;
	}
	return r;
}

static bool is_disconnect_reason(uint8_t reason)
{
	return ONE_OF(reason, 0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f,
		0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
		0xa0, 0xa1, 0xa2);
}

int mqtt_disconnect_decode(const struct mqtt_packet *packet, enum mqtt_version version,
	struct mqtt_disconnect *ret_disconnect)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(packet->body);
	struct mqtt_properties properties = {.present = 0};
	struct mqtt_disconnect disconnect = {.reason = MQTT_SUCCESS};

	assert(packet->type == MQTT_DISCONNECT);
	if (version == MQTT_VERSION_3_1_1) {
		return MQTT_E_TYPE; /* only clients say it */
	}
	if (cursor.rest.size > 0) {
		disconnect.reason = mqtt_take_byte(&cursor);
	}
	if (cursor.rest.size > 0) {
		mqtt_take_properties(&cursor, MQTT_DISCONNECT, &properties);
	}
	int r = mqtt_cursor_end(&cursor);
	if (r == 0 && !is_disconnect_reason(disconnect.reason)) {
		r = MQTT_E_REASON;
	}
	if (r == 0) {
		disconnect.reason_text = mqtt_property_text(&properties, MQTT_REASON_STRING);
		disconnect.server_reference =
			mqtt_property_text(&properties, MQTT_SERVER_REFERENCE);
		*ret_disconnect = disconnect;
	}
	return r;
}

int mqtt_pingresp_decode(const struct mqtt_packet *packet)
{
	assert(packet->type == MQTT_PINGRESP);
	return packet->body.size > 0 ? MQTT_E_LONG : 0;
}
