/* lane.h - does one lane's topic take records, and if not, since when and why: what STATE says. Pure. */
#pragma once
#include "proto/wire.h"

enum {
	/* Kafka normally answers within tens of ms; a lane that got nothing for so long waits. */
	LANE_STALL_MS = 2000,
	LANE_REFUSED_MS = 5000,
	LANE_WHY_SIZE = 200,
};

struct lane {
	bool is_open; /* the topic is there and as it must be */
	bool is_doubted; /* it refused a record, and has taken none since */
	int64_t shut_until_ms; /* monotonic: not open before, whatever it looks like */
	char why_closed[LANE_WHY_SIZE];
	int64_t progress_ms; /* monotonic: the last delivery, or when there was nothing to deliver */
	int64_t waiting_from_ms; /* monotonic; -1: not waiting */
	int64_t waiting_since_ms; /* wall clock */
	char why[LANE_WHY_SIZE];
};

void lane_init(struct lane *lane, int64_t now_ms);
/* What the topic was found to be. */
void lane_open(struct lane *lane, int64_t now_ms);
void lane_close(struct lane *lane, const char *why);
/* The topic refused a record, though it may look well (rights to write are not seen in metadata): closed for a while,
 * then tried again, and waiting until it takes one. */
void lane_refuse(struct lane *lane, const char *why, int64_t now_ms);
void lane_delivered(struct lane *lane, int64_t now_ms);

struct lane_sight {
	int64_t now_ms; /* monotonic */
	int64_t wall_ms;
	bool is_connected; /* Kafka can be reached */
	bool is_idle; /* nothing in flight */
};
/* Looks again whether the lane waits. Returns true when that changed. */
bool lane_look(struct lane *lane, const struct lane_sight *sight);
/* For STATE; the words are borrowed. */
struct wire_lane_state lane_state(const struct lane *lane, int64_t now_ms);
/* How long an edge should wait before it sends again what this lane could not take: longer the longer it stands. */
uint32_t lane_retry_after_ms(const struct lane *lane, int64_t now_ms);
