#include "proto/mqtt_cursor.h"

#include "proto/utf8.h"

struct slice mqtt_take_bytes(struct mqtt_cursor *cursor, size_t size)
{
	struct slice taken = {cursor->rest.bytes, size};

	if (cursor->error != 0 || size > cursor->rest.size) {
		mqtt_cursor_fail(cursor, MQTT_E_SHORT);
		return slice_of(NULL, 0);
	}
	if (size > 0) {
		cursor->rest = slice_of(cursor->rest.bytes + size, cursor->rest.size - size);
	}
	return taken;
}

static uint32_t take_integer(struct mqtt_cursor *cursor, size_t size)
{
	struct slice bytes = mqtt_take_bytes(cursor, size);
	uint32_t value = 0;

	for (size_t i = 0; i < bytes.size; i++) {
		value = value << 8 | bytes.bytes[i];
	}
	return value;
}

uint8_t mqtt_take_byte(struct mqtt_cursor *cursor)
{
	return (uint8_t)take_integer(cursor, 1);
}

uint16_t mqtt_take_two(struct mqtt_cursor *cursor)
{
	return (uint16_t)take_integer(cursor, 2);
}

uint32_t mqtt_take_four(struct mqtt_cursor *cursor)
{
	return take_integer(cursor, 4);
}

uint32_t mqtt_take_varint(struct mqtt_cursor *cursor)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift <= 21 && cursor->error == 0; shift += 7) {
		uint8_t byte = mqtt_take_byte(cursor);
		value |= (uint32_t)(byte & 0x7f) << shift;
		if (byte == 0 && shift > 0) {
			break; /* a last byte that adds nothing */
		}
		if (byte < 0x80) {
			return cursor->error == 0 ? value : 0;
		}
	}
	mqtt_cursor_fail(cursor, MQTT_E_LENGTH);
	return 0;
}

struct slice mqtt_take_binary(struct mqtt_cursor *cursor)
{
	return mqtt_take_bytes(cursor, mqtt_take_two(cursor));
}

struct slice mqtt_take_text(struct mqtt_cursor *cursor)
{
	struct slice text = mqtt_take_binary(cursor);

	if (cursor->error == 0 && !utf8_is_valid(text)) {
		mqtt_cursor_fail(cursor, MQTT_E_TEXT);
	}
	return text;
}

uint16_t mqtt_take_packet_id(struct mqtt_cursor *cursor)
{
	uint16_t id = mqtt_take_two(cursor);

	if (id == 0) {
		mqtt_cursor_fail(cursor, MQTT_E_PACKET_ID);
	}
	return id;
}

int mqtt_cursor_end(const struct mqtt_cursor *cursor)
{
	if (cursor->error != 0) {
		return cursor->error;
	}
	return cursor->rest.size > 0 ? MQTT_E_LONG : 0;
}
