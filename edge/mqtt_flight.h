/* mqtt_flight.h - what an MQTT session has taken and not yet answered, in the order in which it came: each with the
 * acknowledgement that it will have. An entry leaves at the head, when it is done: so acknowledgements go out in order,
 * and a repeat behind the original waits for it. Pure; one thread. */
#pragma once
#include "edge/mqtt_session.h"

enum mqtt_flight_type {
	MQTT_FLIGHT_ANSWER, /* nothing to be made durable: done from the start */
	MQTT_FLIGHT_DELIVER,
	MQTT_FLIGHT_RELEASE,
	MQTT_FLIGHT_FORGET,
	MQTT_FLIGHT_NOTE,
};

struct mqtt_flight_entry {
	enum mqtt_flight_type type;
	bool done;
	uint8_t ack; /* MQTT_PUBACK, MQTT_PUBREC, MQTT_PUBCOMP; 0: none, or the link that it came by is gone */
	uint8_t reason;
	uint8_t qos;
	uint16_t packet_id;
	uint32_t broker;
	size_t size; /* payload bytes held by the owner */
	uint64_t fingerprint; /* of the id, should it have to be remembered again */
};

struct mqtt_flight {
	struct mqtt_flight_entry entries[MQTT_PENDING_MAX]; /* a ring: number modulo its size */
	uint64_t first; /* number of the head; the first ever is 1 */
	uint64_t next; /* the number of the next entry */
	uint32_t undone;
	size_t undone_size;
};

void mqtt_flight_init(struct mqtt_flight *flight);
static inline bool mqtt_flight_is_full(const struct mqtt_flight *flight)
{
	return flight->next - flight->first == MQTT_PENDING_MAX;
}
static inline bool mqtt_flight_is_empty(const struct mqtt_flight *flight)
{
	return flight->next == flight->first;
}
/* Not when full. */
void mqtt_flight_add(struct mqtt_flight *flight, const struct mqtt_flight_entry *entry);
/* The entry, not done yet, of this number. */
const struct mqtt_flight_entry *mqtt_flight_find(const struct mqtt_flight *flight, uint64_t number);
void mqtt_flight_done(struct mqtt_flight *flight, uint64_t number);
/* The head, if it is done; else NULL. */
const struct mqtt_flight_entry *mqtt_flight_head(const struct mqtt_flight *flight);
void mqtt_flight_pop(struct mqtt_flight *flight);
/* The link is gone: nothing is acknowledged any more. */
void mqtt_flight_void_acks(struct mqtt_flight *flight);
