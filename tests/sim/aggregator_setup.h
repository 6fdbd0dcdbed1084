/* aggregator_setup.h - how the aggregator of a run is configured. Each way is read and checked once a process. One thread. */
#pragma once
#include "aggregator/aggregator_config.h"
#include "tests/sim/aggregator_part.h"

/* For a start of a run with these features; `stages`: views beside the live ones. Never NULL; what differs from start to start (partitions, shards) is the caller's
 * to set in it. */
struct aggregator_config *aggregator_setup(
	const struct aggregator_part_features *features, bool stages);
