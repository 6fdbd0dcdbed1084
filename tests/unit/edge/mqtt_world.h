/* mqtt_world.h - an MQTT session with a clock, a link and a disk that the test moves by hand. */
#pragma once
#include "edge/mqtt_session.h"

enum { WORLD_TEXT_SIZE = 4096 };

struct world {
	struct mqtt_session *session;
	struct mqtt_session_options options;
	int64_t now_ms;
	struct mqtt_order order; /* the last one that is neither SEND nor TELL */
	struct buffer sent; /* all that went to the broker since world_sent */
	bool link_is_stuck; /* it takes nothing */
	char told[WORLD_TEXT_SIZE]; /* all words, one a line, since world_told */
};

/* One broker, one filter "stores/+/orders", QoS 2, MQTT 5 unless changed in `options` before world_begin. */
void world_init(struct world *world);
void world_begin(struct world *world);
void world_deinit(struct world *world);

/* Steps until an order that is neither SEND nor TELL; these are carried out. */
enum mqtt_act world_step(struct world *world);
/* Steps until `act`; fails the test on any other. */
void world_expect(struct world *world, enum mqtt_act act);
void world_pass(struct world *world, int64_t ms);
/* The broker says: hex, blanks ignored. The session must be reading. */
void world_hear(struct world *world, const char *hex);
void world_hear_bytes(struct world *world, struct slice bytes);
bool world_reads(struct world *world);
/* What was sent since the last call, as hex, must be this. */
void world_sent(struct world *world, const char *hex);
/* Was this said since the last call? Forgets it all. */
bool world_told(struct world *world, const char *words);
struct mqtt_session_view world_look(const struct world *world);

/* From OPEN through CONNACK and SUBACK until messages flow. */
void world_connect(struct world *world, bool session_present);
void world_come_up(struct world *world, bool session_present);
/* DELIVER is ordered and taken: its number. */
uint64_t world_take(struct world *world);
/* The spool has mark 0 of broker 0: a session with the filters of `options`. */
void world_know_session(struct world *world);
/* FORGET is ordered, taken and durable. */
void world_forget(struct world *world);
