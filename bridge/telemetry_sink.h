/* telemetry_sink.h - gives what edges and the bridge report of themselves to Kafka, in the topic of telemetry. By a producer of its own, so that
 * nothing that becomes of a report (a topic that is missing, no rights, a full queue) ever touches an event. Nobody is
 * told what became of one: the next says more. One thread; nothing blocks. */
#pragma once
#include "proto/slice.h"
#include "runtime/kafka_properties.h"

struct telemetry_sink;

struct telemetry_sink_options {
	const char *brokers;
	const struct kafka_properties *properties; /* borrowed for telemetry_sink_new */
	const char *topic;
	/* librdkafka's log; called from any thread. */
	void (*log)(int level, const char *text);
};

/* 0, -errno, or -EINVAL with the error. Kafka need not be there. */
int telemetry_sink_new(const struct telemetry_sink_options *options,
	struct telemetry_sink **ret_herald, struct config_error *error);
struct telemetry_sink *telemetry_sink_free(struct telemetry_sink *sink);
/* Copies both. false: the queue is full, it is dropped. */
bool telemetry_sink_put(struct telemetry_sink *sink, struct slice key, struct slice report);
/* Hears what became of some: now and then, about once a second. */
void telemetry_sink_serve(struct telemetry_sink *sink);
/* Since the bridge began. */
struct telemetry_sink_counts {
	uint64_t delivered;
	uint64_t failed; /* dropped ones too */
};
struct telemetry_sink_counts telemetry_sink_counts(const struct telemetry_sink *sink);
