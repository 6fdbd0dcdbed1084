/* mqtt_event.h - what an order of the session hands in at the desk: a PUBLISH as events with what its topic says of them,
 * or as a dead letter; and the marks of QoS 2. Pure; slices are borrowed from settings, order and the struct itself. */
#pragma once
#include "edge/mqtt_config.h"
#include "edge/submission.h"

/* broker's address, NUL, client id, NUL, packet id */
enum {
	MQTT_MARK_KEY_SIZE = MQTT_ADDRESS_SIZE + MQTT_CLIENT_ID_SIZE_MAX + 4,
	MQTT_MARK_VALUE_SIZE = 8, /* the fingerprint */
};

/* Whose packet ids they are. */
struct mqtt_owner {
	const char *address;
	const char *client_id;
};

struct mqtt_event {
	struct submission submission;
	bool unmatched; /* its topic fits no pattern */
	struct event_addition additions[ADDITIONS_MAX + MQTT_NAMES_MAX + 1];
	struct submission_item item; /* a message that is no event */
	struct complaint complaint;
	struct source_mark mark;
	uint8_t mark_key[MQTT_MARK_KEY_SIZE];
	uint8_t mark_value[MQTT_MARK_VALUE_SIZE];
};

/* For MQTT_ORDER_DELIVER. The ticket is the order's number. */
void mqtt_event_make(const struct mqtt_settings *settings, const struct mqtt_owner *owner,
	const struct mqtt_order *order, struct mqtt_event *ret_event);

/* Returns the key's size. */
size_t mqtt_mark_key(
	const struct mqtt_owner *owner, uint16_t packet_id, uint8_t ret_key[MQTT_MARK_KEY_SIZE]);
void mqtt_mark_value(uint64_t fingerprint, uint8_t ret_value[MQTT_MARK_VALUE_SIZE]);
/* false: the key is another broker's or client's. A value that can't be read gives the fingerprint 0. */
bool mqtt_mark_read(const struct mqtt_owner *owner, struct slice key, struct slice value,
	uint16_t *ret_packet_id, uint64_t *ret_fingerprint);
