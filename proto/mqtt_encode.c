#include <assert.h>

#include "proto/mqtt_property.h"

enum {
	FLAGS_SUBSCRIBE = 2, /* and UNSUBSCRIBE */
	CONNECT_CLEAN = 0x02,
	CONNECT_PASSWORD = 0x40,
	CONNECT_USER = 0x80,
};

static void put_integer(struct buffer *buffer, uint32_t value, unsigned size)
{
	while (size-- > 0) {
		buffer_append_byte(buffer, (uint8_t)(value >> 8 * size));
	}
}

static void put_varint(struct buffer *buffer, size_t value)
{
	assert(value < 1u << 28);

	while (value >= 0x80) {
		buffer_append_byte(buffer, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	buffer_append_byte(buffer, (uint8_t)value);
}

static size_t binary_size(struct slice bytes)
{
	assert(bytes.size <= UINT16_MAX);
	return 2 + bytes.size;
}

static void put_binary(struct buffer *buffer, struct slice bytes)
{
	put_integer(buffer, (uint32_t)bytes.size, 2);
	buffer_append(buffer, bytes.bytes, bytes.size);
}

static void put_header(struct buffer *buffer, enum mqtt_type type, uint8_t flags, size_t size)
{
	buffer_append_byte(buffer, (uint8_t)(type << 4 | flags));
	put_varint(buffer, size);
}

/* ---- CONNECT */

static size_t connect_properties_size(const struct mqtt_connect *connect)
{
	return (connect->session_expiry_s != 0 ? 5u : 0u) +
	       (connect->receive_maximum != 0 ? 3u : 0u) +
	       (connect->packet_size_max != 0 ? 5u : 0u);
}

static void put_property(
	struct buffer *buffer, enum mqtt_property property, uint32_t value, unsigned size)
{
	if (value != 0) {
		buffer_append_byte(buffer, (uint8_t)property);
		put_integer(buffer, value, size);
	}
}

static void put_connect_properties(struct buffer *buffer, const struct mqtt_connect *connect)
{
	put_varint(buffer, connect_properties_size(connect));
	put_property(buffer, MQTT_SESSION_EXPIRY, connect->session_expiry_s, 4);
	put_property(buffer, MQTT_RECEIVE_MAXIMUM, connect->receive_maximum, 2);
	put_property(buffer, MQTT_MAXIMUM_PACKET_SIZE, connect->packet_size_max, 4);
}

static uint8_t connect_flags(const struct mqtt_connect *connect)
{
	return (uint8_t)((connect->clean ? CONNECT_CLEAN : 0) |
			 (connect->user.bytes != NULL ? CONNECT_USER : 0) |
			 (connect->password.bytes != NULL ? CONNECT_PASSWORD : 0));
}

void mqtt_connect_encode(const struct mqtt_connect *connect, struct buffer *buffer)
{
	static const uint8_t protocol[] = {0, 4, 'M', 'Q', 'T', 'T'};
	bool is_5 = connect->version == MQTT_VERSION_5;
	size_t size = sizeof protocol + 1 + 1 + 2 + binary_size(connect->client_id);

	assert(is_5 || connect->password.bytes == NULL || connect->user.bytes != NULL);
	size += is_5 ? 1 + connect_properties_size(connect) : 0;
	size += connect->user.bytes != NULL ? binary_size(connect->user) : 0;
	size += connect->password.bytes != NULL ? binary_size(connect->password) : 0;
	put_header(buffer, MQTT_CONNECT, 0, size);
	buffer_append(buffer, protocol, sizeof protocol);
	buffer_append_byte(buffer, (uint8_t)connect->version);
	buffer_append_byte(buffer, connect_flags(connect));
	put_integer(buffer, connect->keep_alive_s, 2);
	if (is_5) {
		put_connect_properties(buffer, connect);
	}
	put_binary(buffer, connect->client_id);
	if (connect->user.bytes != NULL) {
		put_binary(buffer, connect->user);
	}
	if (connect->password.bytes != NULL) {
		put_binary(buffer, connect->password);
	}
}

/* ---- the others */

void mqtt_subscribe_encode(enum mqtt_version version, uint16_t packet_id,
	const struct mqtt_filter *filters, size_t filter_count, struct buffer *buffer)
{
	bool is_5 = version == MQTT_VERSION_5;
	size_t size = 2 + (is_5 ? 1u : 0u);

	assert(packet_id != 0 && filter_count > 0);
	for (size_t i = 0; i < filter_count; i++) {
		size += binary_size(filters[i].text) + 1;
	}
	put_header(buffer, MQTT_SUBSCRIBE, FLAGS_SUBSCRIBE, size);
	put_integer(buffer, packet_id, 2);
	if (is_5) {
		put_varint(buffer, 0);
	}
	for (size_t i = 0; i < filter_count; i++) {
		unsigned handling = is_5 ? (unsigned)filters[i].retain_handling << 4 : 0;
		put_binary(buffer, filters[i].text);
		buffer_append_byte(buffer, (uint8_t)(filters[i].qos | handling));
	}
}

void mqtt_unsubscribe_encode(enum mqtt_version version, uint16_t packet_id,
	const struct slice *filters, size_t filter_count, struct buffer *buffer)
{
	bool is_5 = version == MQTT_VERSION_5;
	size_t size = 2 + (is_5 ? 1u : 0u);

	assert(packet_id != 0 && filter_count > 0);
	for (size_t i = 0; i < filter_count; i++) {
		size += binary_size(filters[i]);
	}
	put_header(buffer, MQTT_UNSUBSCRIBE, FLAGS_SUBSCRIBE, size);
	put_integer(buffer, packet_id, 2);
	if (is_5) {
		put_varint(buffer, 0);
	}
	for (size_t i = 0; i < filter_count; i++) {
		put_binary(buffer, filters[i]);
	}
}

void mqtt_ack_encode(enum mqtt_version version, enum mqtt_type type, uint16_t packet_id,
	uint8_t reason, struct buffer *buffer)
{
	bool has_reason = version == MQTT_VERSION_5 && reason != MQTT_SUCCESS;

	assert(type == MQTT_PUBACK || type == MQTT_PUBREC || type == MQTT_PUBCOMP);
	assert(packet_id != 0);
	put_header(buffer, type, 0, has_reason ? 3 : 2);
	put_integer(buffer, packet_id, 2);
	if (has_reason) {
		buffer_append_byte(buffer, reason);
	}
}

void mqtt_pingreq_encode(struct buffer *buffer)
{
	put_header(buffer, MQTT_PINGREQ, 0, 0);
}

void mqtt_disconnect_encode(enum mqtt_version version, uint8_t reason, struct buffer *buffer)
{
	bool has_reason = version == MQTT_VERSION_5 && reason != MQTT_SUCCESS;

	put_header(buffer, MQTT_DISCONNECT, 0, has_reason ? 1 : 0);
	if (has_reason) {
		buffer_append_byte(buffer, reason);
	}
}
