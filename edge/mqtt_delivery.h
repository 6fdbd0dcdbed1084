/* mqtt_delivery.h - carries out what an MQTT session orders of the desk: DELIVER, RELEASE, FORGET, NOTE. Zero-initialise, then
 * fill in. One thread. */
#pragma once
#include "edge/mqtt_event.h"
#include "edge/port.h"

struct mqtt_delivery {
	struct port *port; /* all borrowed */
	struct mqtt_session *session;
	const struct mqtt_settings *settings;
	const char *client_id;
	bool handed_in; /* something; the owner takes it back */
	bool full; /* what came last found no room in the spool */
	int64_t retry_at_ms; /* then */
	uint64_t unmatched; /* messages whose topic fitted no pattern */
	struct mqtt_event event; /* of the order in hand */
};

/* Tells the session whether it was taken, is held, or had no turn. 0 or a negative errno that ends the program. */
int mqtt_delivery_carry_out(struct mqtt_delivery *delivery, const struct mqtt_order *order,
	int64_t now_ms, int64_t wall_ms);
