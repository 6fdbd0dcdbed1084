/* aggregator_setup.h - how the aggregator of a run is configured. Each way is read and checked once a process. One thread. */
#pragma once
#include "aggregator/aggregator_config.h"

/* With what others write into Kafka, or without. Never NULL; what differs from start to start (partitions, shards) is the caller's
 * to set in it. */
struct aggregator_config *aggregator_setup(bool has_database);
