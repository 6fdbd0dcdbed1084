/* Names of errors and reasons. */
#include "proto/mqtt.h"

const char *mqtt_error_text(enum mqtt_error error)
{
	static const char *const texts[MQTT_ERROR_COUNT] = {
		[0] = "no error",
		[MQTT_E_MORE] = "the packet is not complete",
		[MQTT_E_TYPE] = "a type of packet that brokers do not send",
		[MQTT_E_FLAGS] = "a reserved bit is set",
		[MQTT_E_LENGTH] = "a length of more than four bytes, or longer than it need be",
		[MQTT_E_SHORT] = "a field reaches past the end of its packet",
		[MQTT_E_LONG] = "bytes are left over at the end of a packet",
		[MQTT_E_SIZE] = "a packet larger than is taken",
		[MQTT_E_QOS] = "QoS 3, or QoS 0 with DUP",
		[MQTT_E_PACKET_ID] = "packet id 0",
		[MQTT_E_TEXT] = "text that is not UTF-8, or has a NUL",
		[MQTT_E_TOPIC] = "a topic that is empty or has a wildcard",
		[MQTT_E_REASON] = "a reason code that this packet can not have",
		[MQTT_E_PROPERTY] = "a property that this packet can not have",
		[MQTT_E_PROPERTY_TWICE] = "a property is there twice",
		[MQTT_E_PROPERTY_VALUE] = "a property has a value that it can not have",
		[MQTT_E_PROPERTY_LENGTH] = "a property reaches past the end of its properties",
		[MQTT_E_TOPIC_ALIAS] = "a topic alias, which was not offered",
	};

	return texts[error];
}

uint8_t mqtt_error_reason(enum mqtt_error error)
{
	switch (error) {
	case MQTT_E_SIZE:
		return MQTT_PACKET_TOO_LARGE;
	case MQTT_E_TOPIC_ALIAS:
		return MQTT_TOPIC_ALIAS_INVALID;
	case MQTT_E_TYPE:
	case MQTT_E_PACKET_ID:
	case MQTT_E_TOPIC:
	case MQTT_E_PROPERTY_TWICE:
	case MQTT_E_PROPERTY_VALUE:
		return MQTT_PROTOCOL_ERROR;
	default:
		return MQTT_MALFORMED;
	}
}

const char *mqtt_reason_name(uint8_t reason)
{
	static const char *const names[] = {
		"unspecified error", /* 0x80 */
		"malformed packet",
		"protocol error",
		"implementation specific error",
		"unsupported protocol version",
		"client identifier not valid",
		"bad user name or password",
		"not authorized",
		"server unavailable",
		"server busy",
		"banned",
		"server shutting down",
		"bad authentication method",
		"keep alive timeout",
		"session taken over",
		"topic filter invalid",
		"topic name invalid",
		"packet identifier in use",
		"packet identifier not found",
		"receive maximum exceeded",
		"topic alias invalid",
		"packet too large",
		"message rate too high",
		"quota exceeded",
		"administrative action",
		"payload format invalid",
		"retain not supported",
		"QoS not supported",
		"use another server",
		"server moved",
		"shared subscriptions not supported",
		"connection rate exceeded",
		"maximum connect time",
		"subscription identifiers not supported",
		"wildcard subscriptions not supported",
	};

	if (reason == MQTT_SUCCESS) {
		return "success";
	}
	if (reason < 0x80 || reason - 0x80u >= sizeof names / sizeof *names) {
		return "unknown reason";
	}
	return names[reason - 0x80];
}
