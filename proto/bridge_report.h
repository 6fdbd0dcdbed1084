/* bridge_report.h - what a bridge reports of itself: how much it took and passed on, what waits for Kafka, what failed. It lies in
 * the topic of telemetry, beside those of edges, the newest of each bridge. PROTOCOL.md, 4.6. Pure. */
#pragma once
#include "proto/event.h"

enum {
	BRIDGE_NAME_SIZE_MAX = EDGE_ID_SIZE_MAX, /* a name is as an edge's id */
	BRIDGE_PROGRAM_SIZE_MAX = 64,
	/* The commonest; a bridge knows some tens of kinds at most. */
	BRIDGE_ERRORS_MAX = 16,
	BRIDGE_ERROR_SIZE_MAX = 64,
	/* NAME/bridge: no key of an edge's report, which ends in digits. */
	BRIDGE_KEY_SIZE_MAX = BRIDGE_NAME_SIZE_MAX + 7,
};

/* Counted since the process began. */
enum bridge_count {
	BRIDGE_EVENTS, /* in batches that were taken; not the edges' dead letters */
	BRIDGE_LETTERS, /* of edges: events that these had refused */
	BRIDGE_DELIVERED, /* records of both that Kafka confirmed */
	BRIDGE_REJECTED, /* events that became dead letters here */
	BRIDGE_RETRIED, /* records sent to Kafka again, alone */
	BRIDGE_BATCHES, /* that came in a session */
	BRIDGE_ACKED, /* batches */
	BRIDGE_NACKED, /* batches that edges must send again */
	BRIDGE_EVENT_BYTES, /* of BRIDGE_EVENTS and BRIDGE_LETTERS */
	BRIDGE_WIRE_BYTES, /* what these were on the link */
	BRIDGE_COUNT_COUNT,
};
/* As reports and answers call it. */
const char *bridge_count_name(enum bridge_count count);

enum bridge_error_class {
	BRIDGE_ERROR_NACK, /* batches, by the code of the NACK */
	BRIDGE_ERROR_REJECTED, /* events, by the code of the dead letter */
	BRIDGE_ERROR_KAFKA, /* records, by librdkafka's name of the error */
	BRIDGE_ERROR_CLASS_COUNT,
};
const char *bridge_error_class_name(enum bridge_error_class class);

struct bridge_error {
	enum bridge_error_class class;
	struct slice name;
	uint64_t count;
};

struct bridge_report {
	struct slice bridge;
	uint64_t run; /* drawn at start: two bridges of one name differ in it */
	uint64_t number; /* of the report in its run, from 1 */
	struct slice program; /* "till-bridge 0.1.0" */
	int64_t started_ms, now_ms; /* by the bridge's clock */
	int64_t uptime_ms; /* by one that nobody sets */
	int64_t interval_ms; /* the next one comes no later */
	uint64_t edges; /* with a session now */
	uint64_t counts[BRIDGE_COUNT_COUNT];
	uint64_t waiting_batches, waiting_records, waiting_bytes; /* for Kafka's confirmation */
	int64_t waiting_ms; /* for how long the oldest of them has; 0: nothing waits */
	int64_t lanes_ms[KIND_COUNT]; /* for how long a lane has stood; 0: it flows */
	bool is_connected; /* to Kafka */
	bool is_stopping; /* the run's last report */
	bool is_cut; /* there are more errors than `errors` holds */
	struct bridge_error errors[BRIDGE_ERRORS_MAX]; /* names borrowed */
	uint32_t error_count;
};

/* Keeps the errors with the largest counts: one more, which may have no place. */
void bridge_report_add_error(struct bridge_report *report, const struct bridge_error *error);
/* As msgpack. The buffer's error tells of failure. */
void bridge_report_encode(const struct bridge_report *report, struct buffer *buffer);
/* Texts are borrowed from the bytes. 0, -ENOMEM, or a reason with the complaint. */
int bridge_report_decode(struct document *document, struct slice bytes,
	struct bridge_report *ret_report, struct complaint *complaint);
/* Returns the length; no NUL. */
size_t bridge_report_key(struct slice bridge, char ret_key[BRIDGE_KEY_SIZE_MAX]);
