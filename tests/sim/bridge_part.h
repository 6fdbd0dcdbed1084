/* bridge_part.h - a till-bridge with all of its wiring, over modelled sockets, loop, sink and watch. One thread. */
#pragma once
#include "tests/sim/world.h"

struct bridge_part;

void bridge_part_begin(void); /* a run */
struct bridge_part *bridge_part_new(int bridge);
/* As kill -9 leaves it: what its producers had under way may still reach Kafka. */
struct bridge_part *bridge_part_free(struct bridge_part *part);
/* One round of its loop. 0 or a negative errno that ends it. */
int bridge_part_round(struct bridge_part *part);
/* SIGTERM: it drains in the rounds that follow. */
int bridge_part_terminate(struct bridge_part *part);
bool bridge_part_has_stopped(const struct bridge_part *part);

/* For the models within: whose turn it is, and its way to the net. */
int bridge_part_current(void);
int bridge_part_send(int bridge, const void *peer, const void *bytes, size_t size);
