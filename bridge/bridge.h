/* bridge.h - till-bridge, wired: edges on one side, Kafka on the other. One loop, one thread; librdkafka has its own,
 * and one more looks at the topics. */
#pragma once
#include "bridge/bridge_config.h"

struct bridge;
struct program;

/* `config` is borrowed for the bridge's life. 0, or a negative errno with the error set. Kafka need not be there. */
int bridge_new(
	const struct bridge_config *config, struct bridge **ret_bridge, struct config_error *error);
/* Takes seconds where librdkafka does. */
struct bridge *bridge_free(struct bridge *bridge);
/* Tells that it is ready, then runs until SIGTERM or SIGINT, and what is in flight is confirmed or `drain` is over. */
int bridge_run(struct bridge *bridge, struct program *program);
