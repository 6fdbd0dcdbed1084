/* watch.h - looks at Kafka from a thread of its own, because asking for metadata blocks: is it there, which cluster is
 * it, are our topics as they must be; and creates the missing ones. It uses a client of its own, so it goes on looking
 * when the producer is rebuilt. The loop gets one sight after the other through an eventfd. */
#pragma once
#include "bridge/topics.h"
#include "runtime/kafka_properties.h"

struct watch;

enum {
	WATCH_INTERVAL_MS = 5000, /* all is well */
	WATCH_RETRY_MS = 1000, /* something is missing */
	WATCH_TIMEOUT_MS = 3000, /* Kafka answers metadata within ms; a frozen broker never */
};

struct watch_options {
	const char *brokers;
	const struct kafka_properties *properties;
	const struct topics *topics; /* borrowed for the watch's life */
	/* librdkafka's log; called from any thread. */
	void (*log)(int level, const char *text);
};

/* 0 or -errno, -EINVAL with the error. The thread runs at once. */
int watch_new(
	const struct watch_options *options, struct watch **ret_watch, struct config_error *error);
/* Waits for the thread, at most about WATCH_TIMEOUT_MS. */
struct watch *watch_free(struct watch *watch);
int watch_fd(const struct watch *watch);
/* The newest sight that was not yet taken; false when there is none. */
bool watch_take(struct watch *watch, struct topics_sight *ret_sight);
/* Look again now. */
void watch_hurry(struct watch *watch);
