/* mqtt_input.h - a stream of bytes cut into MQTT packets. Memory is bounded: one packet of at most packet_size_max is
 * held whole. Of a PUBLISH above that, only the first bytes are kept and the rest is skipped as it comes, so that it can
 * be set aside as a dead letter and still be acknowledged; any other packet above it is MQTT_E_SIZE.
 *
 *	room = mqtt_input_room(…)      where to read bytes to, and how many
 *	mqtt_input_add(…, n)           so many came
 *	while (mqtt_input_peek(…, &packet) == 0) { …; mqtt_input_drop(…); }
 *
 * Pure; one thread. */
#pragma once
#include "proto/mqtt.h"

struct mqtt_input {
	struct buffer buffer; /* what came and is not dropped yet */
	size_t packet_size_max;
	enum mqtt_version version; /* of the connection: 5 is stricter about lengths */
	size_t at; /* where the packet at the head begins */
	bool is_cut; /* the packet at the head is too large: only its first MQTT_KEPT_SIZE bytes are kept */
	size_t skip; /* bytes of it that are still to come, and to be thrown away */
};

struct mqtt_room {
	uint8_t *bytes;
	size_t size; /* > 0 */
};

/* packet_size_max: MQTT_PACKET_SIZE_LEAST … MQTT_PACKET_SIZE_MAX (limits.h), fixed header included. */
void mqtt_input_init(struct mqtt_input *input, size_t packet_size_max);
void mqtt_input_deinit(struct mqtt_input *input);
/* A new connection: forgets all bytes. */
void mqtt_input_clear(struct mqtt_input *input, enum mqtt_version version);

/* Moves what is held: packets from mqtt_input_peek end here. 0 or -ENOMEM. Call mqtt_input_peek first: there is always
 * room once it has said MQTT_E_MORE. */
int mqtt_input_room(struct mqtt_input *input, struct mqtt_room *ret_room);
void mqtt_input_add(struct mqtt_input *input, size_t size);
/* The packet at the head: 0, MQTT_E_MORE, or another MQTT_E_*: then the connection is of no more use. It stays at the
 * head, and its slices stay valid, until mqtt_input_drop or mqtt_input_room. */
int mqtt_input_peek(struct mqtt_input *input, struct mqtt_packet *ret_packet);
void mqtt_input_drop(struct mqtt_input *input);
