#include "proto/mqtt_property.h"

enum form { NO_PROPERTY, BYTE, TWO, FOUR, VARINT, TEXT, BINARY, PAIR };
enum { REPEATS = 1, NOT_ZERO = 2, BOOLEAN = 4 };

#define IN(type) (1u << (type))
#define IN_ACKS (IN(MQTT_PUBACK) | IN(MQTT_PUBREC) | IN(MQTT_PUBREL) | IN(MQTT_PUBCOMP))
#define IN_ANSWERS                                                                                 \
	(IN_ACKS | IN(MQTT_CONNACK) | IN(MQTT_SUBACK) | IN(MQTT_UNSUBACK) | IN(MQTT_DISCONNECT) |  \
		IN(MQTT_AUTH))

/* MQTT 5, table 2-4, as far as a broker sends it. */
static const struct rule {
	uint8_t form;
	uint8_t flags;
	uint16_t packets;
} rules[MQTT_PROPERTY_COUNT] = {
	[MQTT_PAYLOAD_FORMAT] = {BYTE, BOOLEAN, IN(MQTT_PUBLISH)},
	[MQTT_MESSAGE_EXPIRY] = {FOUR, 0, IN(MQTT_PUBLISH)},
	[MQTT_CONTENT_TYPE] = {TEXT, 0, IN(MQTT_PUBLISH)},
	[MQTT_RESPONSE_TOPIC] = {TEXT, 0, IN(MQTT_PUBLISH)},
	[MQTT_CORRELATION_DATA] = {BINARY, 0, IN(MQTT_PUBLISH)},
	[MQTT_SUBSCRIPTION_ID] = {VARINT, REPEATS | NOT_ZERO, IN(MQTT_PUBLISH)},
	[MQTT_SESSION_EXPIRY] = {FOUR, 0, IN(MQTT_CONNACK)},
	[MQTT_ASSIGNED_CLIENT_ID] = {TEXT, 0, IN(MQTT_CONNACK)},
	[MQTT_SERVER_KEEP_ALIVE] = {TWO, 0, IN(MQTT_CONNACK)},
	[MQTT_AUTHENTICATION_METHOD] = {TEXT, 0, IN(MQTT_CONNACK) | IN(MQTT_AUTH)},
	[MQTT_AUTHENTICATION_DATA] = {BINARY, 0, IN(MQTT_CONNACK) | IN(MQTT_AUTH)},
	[MQTT_RESPONSE_INFORMATION] = {TEXT, 0, IN(MQTT_CONNACK)},
	[MQTT_SERVER_REFERENCE] = {TEXT, 0, IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT)},
	[MQTT_REASON_STRING] = {TEXT, 0, IN_ANSWERS},
	[MQTT_RECEIVE_MAXIMUM] = {TWO, NOT_ZERO, IN(MQTT_CONNACK)},
	[MQTT_TOPIC_ALIAS_MAXIMUM] = {TWO, 0, IN(MQTT_CONNACK)},
	[MQTT_TOPIC_ALIAS] = {TWO, NOT_ZERO, IN(MQTT_PUBLISH)},
	[MQTT_MAXIMUM_QOS] = {BYTE, BOOLEAN, IN(MQTT_CONNACK)},
	[MQTT_RETAIN_AVAILABLE] = {BYTE, BOOLEAN, IN(MQTT_CONNACK)},
	[MQTT_USER_PROPERTY] = {PAIR, REPEATS, IN_ANSWERS | IN(MQTT_PUBLISH)},
	[MQTT_MAXIMUM_PACKET_SIZE] = {FOUR, NOT_ZERO, IN(MQTT_CONNACK)},
	[MQTT_WILDCARDS_AVAILABLE] = {BYTE, BOOLEAN, IN(MQTT_CONNACK)},
	[MQTT_SUBSCRIPTION_IDS_AVAILABLE] = {BYTE, BOOLEAN, IN(MQTT_CONNACK)},
	[MQTT_SHARED_AVAILABLE] = {BYTE, BOOLEAN, IN(MQTT_CONNACK)},
};

static uint32_t take_number(struct mqtt_cursor *cursor, enum form form)
{
	switch (form) {
	case BYTE:
		return mqtt_take_byte(cursor);
	case TWO:
		return mqtt_take_two(cursor);
	case FOUR:
		return mqtt_take_four(cursor);
	default:
		return mqtt_take_varint(cursor);
	}
}

static struct slice take_text(struct mqtt_cursor *cursor, enum form form)
{
	if (form == BINARY) {
		return mqtt_take_binary(cursor);
	}
	struct slice text = mqtt_take_text(cursor);
	if (form == PAIR) {
		mqtt_take_text(cursor);
	}
	return text;
}

static void take_property(struct mqtt_cursor *cursor, uint32_t id, struct mqtt_properties *to)
{
	const struct rule *rule = &rules[id];
	bool is_first = !mqtt_has_property(to, (enum mqtt_property)id);

	if (!is_first && (rule->flags & REPEATS) == 0) {
		mqtt_cursor_fail(cursor, MQTT_E_PROPERTY_TWICE);
		return;
	}
	to->present |= UINT64_C(1) << id;
	if (rule->form >= TEXT) {
		struct slice text = take_text(cursor, (enum form)rule->form);
		to->texts[id] = is_first ? text : to->texts[id];
		return;
	}
	uint32_t number = take_number(cursor, (enum form)rule->form);
	if (((rule->flags & NOT_ZERO) != 0 && number == 0) ||
		((rule->flags & BOOLEAN) != 0 && number > 1)) {
		mqtt_cursor_fail(cursor, MQTT_E_PROPERTY_VALUE);
	}
	to->numbers[id] = is_first ? number : to->numbers[id];
}

int mqtt_properties_check(
	struct slice bytes, enum mqtt_type type, struct mqtt_properties *ret_properties)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(bytes);

	ret_properties->present = 0;
	while (cursor.error == 0 && cursor.rest.size > 0) {
		uint32_t id = mqtt_take_varint(&cursor);
		if (cursor.error != 0) {
			break;
		}
		if (id >= MQTT_PROPERTY_COUNT || (rules[id].packets & IN(type)) == 0) {
			return MQTT_E_PROPERTY;
		}
		take_property(&cursor, id, ret_properties);
	}
	return cursor.error == MQTT_E_SHORT ? MQTT_E_PROPERTY_LENGTH : cursor.error;
}

void mqtt_take_properties(
	struct mqtt_cursor *cursor, enum mqtt_type type, struct mqtt_properties *ret_properties)
{
	struct slice bytes = mqtt_take_bytes(cursor, mqtt_take_varint(cursor));

	ret_properties->present = 0;
	if (cursor->error == 0) {
		cursor->error = mqtt_properties_check(bytes, type, ret_properties);
	}
}

uint32_t mqtt_property_number(
	const struct mqtt_properties *properties, enum mqtt_property property, uint32_t if_absent)
{
	return mqtt_has_property(properties, property) ? properties->numbers[property] : if_absent;
}

struct slice mqtt_property_text(
	const struct mqtt_properties *properties, enum mqtt_property property)
{
	return mqtt_has_property(properties, property) ? properties->texts[property]
						       : slice_of(NULL, 0);
}

/* The rest has been checked. */
bool mqtt_next_user_property(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
	struct mqtt_cursor cursor = mqtt_cursor_on(*rest);

	while (cursor.error == 0 && cursor.rest.size > 0) {
		uint32_t id = mqtt_take_varint(&cursor);
		if (cursor.error == 0 && id == MQTT_USER_PROPERTY) {
			struct slice name = mqtt_take_binary(&cursor);
			struct slice value = mqtt_take_binary(&cursor);
			if (cursor.error == 0) {
				*ret_name = name;
				*ret_value = value;
				*rest = cursor.rest;
				return true;
			}
		} else if (cursor.error == 0 && id < MQTT_PROPERTY_COUNT) {
			struct mqtt_properties ignored;
			ignored.present = 0;
			take_property(&cursor, id, &ignored);
		} else {
			break;
		}
	}
	return false;
}
