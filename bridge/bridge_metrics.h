/* bridge_metrics.h - the numbers of till-bridge: every series by its exact name, registered once. */
#pragma once
#include "bridge/topics.h"
#include "bridge/tracker.h"

struct metric;
struct metrics;

/* Errors of librdkafka by name: each gets a series when it first happens; what does not fit is counted as "other". */
enum { FAILURE_SERIES_MAX = 64 };

struct failure_series {
	enum kind lane;
	char error[48];
	struct metric *metric;
};

struct bridge_metrics {
	struct metrics *metrics;
	const struct topics *topics;
	struct metric *sessions, *sessions_total, *sessions_forbidden;
	struct metric *batches_received, *batches_acked, *batches_nacked[NACK_CODE_COUNT];
	struct metric *batches_compressed, *compressed_bad, *event_bytes, *wire_bytes;
	struct metric *events_received[LANE_COUNT];
	struct metric *records_produced[LANE_COUNT], *records_delivered[LANE_COUNT];
	struct metric *records_retried;
	struct metric *events_rejected[REASON_COUNT];
	struct metric *unacked_batches, *unacked_records, *queue_bytes, *oldest_unacked;
	struct metric *producer_rebuilds, *reports_dropped, *acks_deferred;
	struct metric *edge_id_conflicts, *edge_id_conflict, *frames_bad;
	struct metric *frames_limited, *sessions_limited;
	struct metric *delivery_seconds, *ack_seconds, *batches_ageless;
	struct metric *kafka_connected;
	struct metric *telemetry_delivered, *telemetry_dropped;
	struct failure_series failures[FAILURE_SERIES_MAX];
	size_t failure_count;
};

/* 0 or -ENOMEM. Both are borrowed for the life of the struct. */
int bridge_metrics_init(
	struct bridge_metrics *set, struct metrics *metrics, const struct topics *topics);
void bridge_metrics_count_failure(struct bridge_metrics *set, enum kind lane, const char *error);
