/* devbroker.h - a Kafka in memory for trials and tests: librdkafka's mock cluster. One thread; the cluster has its own. */
#pragma once
#include <stddef.h>

struct devbroker;

enum {
	DEVBROKER_BROKERS_MAX = 9,
	/* librdkafka keeps at most 5 MiB a partition: a thousand partitions are 5 GiB. */
	DEVBROKER_PARTITIONS_MAX = 1000,
};

int devbroker_new(int brokers, struct devbroker **ret_devbroker); /* 0 or -errno */
struct devbroker *devbroker_free(struct devbroker *devbroker);
/* -EINVAL when librdkafka refuses the name or the count. */
int devbroker_add_topic(struct devbroker *devbroker, const char *name, int partitions);
/* "127.0.0.1:4711,…"; lives as long as the devbroker. */
const char *devbroker_bootstrap(const struct devbroker *devbroker);
