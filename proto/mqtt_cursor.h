/* mqtt_cursor.h - MQTT's data types, read off the front of some bytes. Errors stick: after the first one every read
 * gives 0 or {NULL, 0}, so a decoder is straight lines and one look at `error`. Inside the codec only. */
#pragma once
#include "proto/mqtt.h"

struct mqtt_cursor {
	struct slice rest;
	int error; /* 0 or MQTT_E_* */
};

static inline struct mqtt_cursor mqtt_cursor_on(struct slice bytes)
{
	return (struct mqtt_cursor){.rest = bytes};
}

static inline void mqtt_cursor_fail(struct mqtt_cursor *cursor, enum mqtt_error error)
{
	if (cursor->error == 0) {
		cursor->error = error;
	}
}

struct slice mqtt_take_bytes(struct mqtt_cursor *cursor, size_t size);
uint8_t mqtt_take_byte(struct mqtt_cursor *cursor);
uint16_t mqtt_take_two(struct mqtt_cursor *cursor);
uint32_t mqtt_take_four(struct mqtt_cursor *cursor);
/* In its shortest form (MQTT 5 demands it). */
uint32_t mqtt_take_varint(struct mqtt_cursor *cursor);
struct slice mqtt_take_binary(struct mqtt_cursor *cursor);
struct slice mqtt_take_text(struct mqtt_cursor *cursor);
/* Not 0. */
uint16_t mqtt_take_packet_id(struct mqtt_cursor *cursor);
/* 0, or what is wrong; bytes that are left over are. */
int mqtt_cursor_end(const struct mqtt_cursor *cursor);
