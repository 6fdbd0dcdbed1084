/* mqtt_property.h - the properties of an MQTT 5 packet, checked and kept by their identifier. Inside the codec only. */
#pragma once
#include "proto/mqtt_cursor.h"

enum mqtt_property {
	MQTT_PAYLOAD_FORMAT = 0x01,
	MQTT_MESSAGE_EXPIRY = 0x02,
	MQTT_CONTENT_TYPE = 0x03,
	MQTT_RESPONSE_TOPIC = 0x08,
	MQTT_CORRELATION_DATA = 0x09,
	MQTT_SUBSCRIPTION_ID = 0x0b,
	MQTT_SESSION_EXPIRY = 0x11,
	MQTT_ASSIGNED_CLIENT_ID = 0x12,
	MQTT_SERVER_KEEP_ALIVE = 0x13,
	MQTT_AUTHENTICATION_METHOD = 0x15,
	MQTT_AUTHENTICATION_DATA = 0x16,
	MQTT_RESPONSE_INFORMATION = 0x1a,
	MQTT_SERVER_REFERENCE = 0x1c,
	MQTT_REASON_STRING = 0x1f,
	MQTT_RECEIVE_MAXIMUM = 0x21,
	MQTT_TOPIC_ALIAS_MAXIMUM = 0x22,
	MQTT_TOPIC_ALIAS = 0x23,
	MQTT_MAXIMUM_QOS = 0x24,
	MQTT_RETAIN_AVAILABLE = 0x25,
	MQTT_USER_PROPERTY = 0x26,
	MQTT_MAXIMUM_PACKET_SIZE = 0x27,
	MQTT_WILDCARDS_AVAILABLE = 0x28,
	MQTT_SUBSCRIPTION_IDS_AVAILABLE = 0x29,
	MQTT_SHARED_AVAILABLE = 0x2a,
	MQTT_PROPERTY_COUNT = 0x2b,
};

/* What is not present is not set. */
struct mqtt_properties {
	uint64_t present; /* bit (1 << identifier) */
	uint32_t numbers[MQTT_PROPERTY_COUNT]; /* of a property that may repeat: the first */
	struct slice texts[MQTT_PROPERTY_COUNT];
};

/* Properties without their length, of a packet of `type` that a broker sends. 0 or MQTT_E_*. */
int mqtt_properties_check(
	struct slice bytes, enum mqtt_type type, struct mqtt_properties *ret_properties);
/* With their length, off the cursor; errors stick there. */
void mqtt_take_properties(
	struct mqtt_cursor *cursor, enum mqtt_type type, struct mqtt_properties *ret_properties);

static inline bool mqtt_has_property(
	const struct mqtt_properties *properties, enum mqtt_property property)
{
	return (properties->present >> property & 1) != 0;
}
uint32_t mqtt_property_number(
	const struct mqtt_properties *properties, enum mqtt_property property, uint32_t if_absent);
struct slice mqtt_property_text(
	const struct mqtt_properties *properties, enum mqtt_property property);
