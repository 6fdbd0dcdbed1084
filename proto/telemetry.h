/* telemetry.h - what an edge reports of itself: how far it has numbered, what of that lies on its disk, how it is. It goes
 * to the bridge as REPORT and lies in the topic of telemetry, the newest of each run. PROTOCOL.md, "Telemetry". Pure. */
#pragma once
#include "proto/event.h"

enum {
	TELEMETRY_PROGRAM_SIZE_MAX = 64,
	/* A report's key: EDGE/RUN, so that a compacted topic keeps the newest of each run. */
	TELEMETRY_KEY_SIZE_MAX = EDGE_ID_SIZE_MAX + 1 + 20,
};

/* Seqs of one run that lie on the edge's disk: waiting, or set aside as damaged. */
struct telemetry_range {
	uint64_t run;
	enum kind kind;
	bool is_aside;
	uint64_t first, last; /* inclusive */
};

struct telemetry {
	struct slice edge;
	uint64_t run;
	uint64_t number; /* of the report in its run, from 1 */
	struct slice program; /* "till-edge 0.1.0" */
	int64_t started_ms, now_ms; /* by the edge's clock */
	int64_t interval_ms; /* the next one comes no later */
	/* What became of events since the process began: received = accepted + invalid + refused + repeated. */
	uint64_t received, accepted, invalid, refused, repeated;
	uint64_t spool_bytes, spool_max;
	uint64_t disk_room; /* of the disk, above its reserve */
	int64_t oldest_ms; /* when the oldest event on disk was received; 0: there is none */
	uint64_t numbered[KIND_COUNT]; /* the seq given last in this run */
	uint64_t aside_unknown; /* blocks set aside of which nothing can be read */
	bool is_stopping; /* the run's last report */
	bool is_cut; /* more lies on disk than `ranges` says */
	const struct telemetry_range *ranges; /* borrowed */
	uint32_t range_count;
};

/* As msgpack. The buffer's error tells of failure. */
void telemetry_encode(const struct telemetry *telemetry, struct buffer *buffer);
/* Texts are borrowed from the bytes, ranges from the array. 0, -ENOMEM, or a reason with the complaint. */
int telemetry_decode(struct document *document, struct slice bytes,
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX], struct telemetry *ret_telemetry,
	struct complaint *complaint);
/* Returns the length; no NUL. */
size_t telemetry_key(struct slice edge, uint64_t run, char ret_key[TELEMETRY_KEY_SIZE_MAX]);
