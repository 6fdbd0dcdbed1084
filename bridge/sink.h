/* sink.h - records into Kafka, and what became of them. Nothing blocks; reports come when sink_serve is called.
 *
 * Two producers, both idempotent: the main one, and, made when first needed, one whose Kafka batches hold one record.
 * A record that failed goes through that one again, alone, because one bad record fails the whole batch it shared.
 * Every record that was taken is reported exactly once, unless sink_rebuild came between. One thread. */
#pragma once
#include "bridge/letter.h"
#include "bridge/topics.h"
#include "runtime/kafka_properties.h"

struct sink;

struct sink_record {
	enum kind lane; /* names the topic */
	int32_t partition;
	struct slice key;
	struct slice value; /* {NULL, 0} is an empty value, never a tombstone */
	const struct letter_header *headers;
	size_t header_count;
	uint64_t ticket; /* comes back in the report */
};

enum {
	SINK_E_FULL = 1, /* librdkafka's queue: nothing was taken */
	SINK_E_REFUSED, /* sink_error says librdkafka's name of it */
	SINK_E_DOWN, /* no producer at the moment: after a fatal error */
};

#define SINK_ERROR_CLUSTER "_OTHER_CLUSTER" /* among librdkafka's names, but ours */

struct sink_report {
	enum kind lane;
	uint64_t ticket;
	const char *error; /* NULL: delivered; else librdkafka's name */
	bool was_alone;
	struct slice key, value; /* of a failed one; borrowed for the call */
	const void *message; /* for sink_repeat */
};

struct sink_listener {
	void *owner;
	void (*reported)(void *owner, const struct sink_report *report);
	/* A producer has failed for good: sink_drop or sink_rebuild, but after sink_serve, not from within. */
	void (*failed)(void *owner, const char *error, const char *words);
	/* No broker can be reached, or they refuse us; for the health page. */
	void (*disconnected)(void *owner, const char *error, const char *words);
};

struct sink_options {
	const char *brokers;
	const struct kafka_properties *properties;
	const struct topics *topics; /* borrowed for the sink's life */
	struct sink_listener listener;
	/* librdkafka's log; called from any thread. */
	void (*log)(int level, const char *text);
};

/* 0, -errno, or -EINVAL with the error. Kafka need not be there. */
int sink_new(
	const struct sink_options *options, struct sink **ret_sink, struct config_error *error);
/* What is not yet delivered is given up, unreported. May take as long as librdkafka likes. */
struct sink *sink_free(struct sink *sink);
int sink_fd(const struct sink *sink);

/* Copies the record. 0 or SINK_E_*; -ENOMEM. */
int sink_put(struct sink *sink, const struct sink_record *record);
const char *sink_error(const struct sink *sink);
/* Sends a failed record again, alone, under the same ticket: from within `reported` only. As sink_put. */
int sink_repeat(struct sink *sink, const struct sink_report *report);
/* What is delivered by brokers of any other cluster than this counts as failed, with SINK_ERROR_CLUSTER: whoever sits
 * behind the same address. "" (so it begins): any. The producer asks for the id when it connects, before it sends. */
void sink_expect_cluster(struct sink *sink, const char *cluster_id);
/* When a producer last began a connection (monotonic; 0: never): what is delivered from then on may be another cluster's
 * until somebody has looked. */
int64_t sink_connected_ms(const struct sink *sink);
/* Hands out what has happened, up to a bounded number of reports. true when there may be more. */
bool sink_serve(struct sink *sink);
/* Throws both producers away (in a thread: that may hang) and starts anew. Old records are not reported any more. */
int sink_rebuild(struct sink *sink, struct config_error *error);
/* Both producers are thrown away; sink_put gives SINK_E_DOWN until sink_rebuild. */
void sink_drop(struct sink *sink);
