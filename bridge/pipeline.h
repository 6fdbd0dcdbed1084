/* pipeline.h - the way of a batch: checked, into Kafka, and when Kafka has reported, into the session's outbox.
 *
 *   BATCH -> credit -> tracker_open -> checker -> sink ...... reports -> verdict -> tracker_report -> outbox
 *
 * Never waits. What can not be taken ends as NACK, and nothing ends as ACK that Kafka has not confirmed. One thread. */
#pragma once
#include "bridge/bridge_metrics.h"
#include "bridge/checker.h"
#include "bridge/lane.h"
#include "bridge/sessions.h"
#include "bridge/sink.h"
#include "proto/compression.h"
#include "proto/receipt.h"

struct pipeline_parts {
	const struct topics *topics; /* all borrowed */
	struct sessions *sessions;
	struct tracker *tracker;
	struct sink *sink;
	struct lane *lanes; /* LANE_COUNT */
	struct bridge_metrics *metrics;
	enum encoding encoding; /* of records */
	bool has_content_type;
};

struct pipeline {
	struct pipeline_parts parts;
	struct checker checker;
	struct decompressor *decompressor;
	struct complaint complaint; /* after PIPELINE_E_COMPRESSION */
	struct letter_headers headers;
	struct letter_header content_type;
	char receipt[RECEIPT_TEXT_SIZE]; /* for the batch's first record */
	size_t receipt_size; /* 0: none, or said already */
	struct buffer json, marker; /* records that are not just what came */
	struct slice edge; /* whose records these are: the key */
	int32_t partition;
	/* What the caller must see to after any call. */
	bool is_producer_lost; /* a fatal error: rebuild */
	bool is_topic_lost; /* look at the topics again */
	bool is_stopping; /* set by the caller: nothing more is taken */
	char why[LANE_WHY_SIZE];
	/* Time of this round of the loop, set by the caller. */
	int64_t now_ms, now_us, wall_ms;
};

int pipeline_init(struct pipeline *pipeline, const struct pipeline_parts *parts);
void pipeline_deinit(struct pipeline *pipeline);

/* The batch ends as NACK, and the frame's sender can not be trusted. */
enum {
	PIPELINE_E_COUNT = 1, /* it has not as many events as it says */
	PIPELINE_E_COMPRESSION, /* what it was compressed to is no such thing */
};

struct pipeline_batch {
	uint64_t number;
	enum kind lane;
	uint32_t count;
	struct slice events;
	uint32_t plain_size; /* of the events uncompressed; 0: they are not compressed */
	bool has_age;
	int64_t age_ms; /* of its oldest event, now */
};
/* 0, PIPELINE_E_COUNT, PIPELINE_E_COMPRESSION or -ENOMEM (then nothing was taken, and the session can not go on). */
int pipeline_take(
	struct pipeline *pipeline, struct session *session, const struct pipeline_batch *batch);
/* For sink_listener. */
void pipeline_reported(struct pipeline *pipeline, const struct sink_report *report);
/* All that is in flight ends as NACK: the producer is gone. */
void pipeline_fail_all(struct pipeline *pipeline, uint32_t retry_after_ms);
