/* wire.h - edge to bridge: msgpack arrays, one frame each. Encode and decode, no state. The rules of sessions,
 * sendings and credit are in PROTOCOL.md, "Edge to bridge". Slices are borrowed from the frame. */
#pragma once
#include "proto/event.h"

enum {
	WIRE_VERSION = 1,
	WIRE_PROGRAM_SIZE_MAX = 64,
	WIRE_CLUSTER_SIZE_MAX = 128, /* Kafka's own have 22 */
	WIRE_CODECS_MAX = 8, /* in one HELLO, unknown ones included */
	WIRE_CODEC_NAME_SIZE_MAX = 16,
	/* No bridge may ask for smaller batches: the largest dead letter must fit. */
	WIRE_BATCH_SIZE_LEAST = 128 * 1024,
	/* A peer may not silence an edge for longer. */
	WIRE_RETRY_AFTER_MS_MAX = 60 * 60 * 1000,
	WIRE_REPORT_MS_MAX = 60 * 60 * 1000,
	/* What has lain in a spool for ten years is not older to anybody who looks at latencies. */
	WIRE_AGE_MS_MAX_DAYS = 3653,
};

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_WELCOME = 2,
	WIRE_BATCH = 3,
	WIRE_ACK = 4,
	WIRE_NACK = 5,
	WIRE_STATE = 6,
	WIRE_BYE = 7,
	WIRE_REPORT = 8,
};

/* Lanes are kinds. */
enum { LANE_COUNT = KIND_COUNT };

/* Inclusive numbers of sendings. Ranges of one message rise and don't overlap. */
struct wire_range {
	uint64_t first, last;
};

/* Among a HELLO's codecs: the edge would send REPORTs. */
#define WIRE_REPORTS (UINT32_C(1) << 31)
/* Likewise: its BATCHes would say how old they are. */
#define WIRE_AGES (UINT32_C(1) << 30)
#define WIRE_AGE_MS_MAX (WIRE_AGE_MS_MAX_DAYS * INT64_C(24) * 3600 * 1000)

/* How the events of a BATCH may be compressed. Sets of them are bits: 1 << codec. */
enum wire_codec {
	CODEC_NONE,
	CODEC_ZSTD,
	CODEC_COUNT,
};

enum nack_code {
	NACK_DELIVERY_FAILED = 1, /* Kafka refused or the report failed: send again */
	NACK_PRODUCER_REBUILT = 2,
	NACK_TOPIC_REFUSED = 3, /* missing or no rights: this lane waits */
	NACK_BUSY = 4, /* more than the credit */
};

enum bye_code {
	BYE_SHUTTING_DOWN = 1,
	BYE_NO_SESSION = 2,
	BYE_BAD_FRAME = 3,
	BYE_WRONG_VERSION = 4,
	BYE_REPLACED = 5, /* the same run said HELLO again */
	BYE_FORBIDDEN = 6, /* the key does not own this edge id */
	BYE_NOT_READY = 7, /* Kafka's cluster id is not yet known */
};

struct wire_lane_state {
	int64_t waiting_ms; /* -1: ok; else for how long it has been waiting */
	int64_t since_ms; /* wall clock of the start; 0 when ok */
	struct slice why; /* words, "" when ok */
};

struct wire_message {
	enum wire_type type;
	uint64_t
		session; /* 64 random bits, not 0; in BYE 0 is "whatever session this connection has" */
	union {
		struct {
			uint32_t version;
			struct slice edge;
			uint64_t run;
			struct slice program; /* "till-edge 0.1.0": for logs */
			uint32_t
				codecs; /* the set that the edge can send, WIRE_REPORTS, WIRE_AGES; decode: those known here */
		} hello;
		struct {
			uint32_t version;
			struct slice cluster_id;
			uint64_t topics_hash;
			uint64_t credit[LANE_COUNT]; /* bytes that may be unacknowledged */
			uint32_t batch_size_max;
			enum wire_codec codec; /* chosen from the edge's, or CODEC_NONE */
			uint32_t report_ms; /* the bridge takes a REPORT each so often; 0: none */
			bool takes_ages; /* of BATCHes */
		} welcome;
		struct {
			uint64_t number;
			enum kind lane;
			uint32_t count;
			struct slice events; /* back to back */
			uint32_t
				plain_size; /* of the events uncompressed; 0: they are not compressed */
			bool has_age; /* the two below are said */
			int64_t sent_ms; /* by a clock of the edge's that nobody sets */
			int64_t age_ms; /* how long before that its oldest event was received */
		} batch;
		struct {
			const struct wire_range
				*ranges; /* decode: the caller's array of WIRE_RANGES_MAX */
			uint32_t range_count;
			uint64_t credit[LANE_COUNT]; /* ACK only */
			enum nack_code code; /* NACK only */
			uint32_t retry_after_ms; /* NACK only */
		} ack;
		struct wire_lane_state state[LANE_COUNT];
		struct {
			struct slice bytes; /* telemetry_encode's */
		} report;
		struct {
			enum bye_code code;
			struct slice words;
		} bye;
	};
};

void wire_encode(const struct wire_message *message, struct buffer *buffer);
/* 0 or REASON_BAD_FRAME with the complaint. Another version of HELLO or WELCOME decodes as far as `version`: the
 * caller checks it. */
int wire_decode(struct slice frame, struct wire_range ranges[WIRE_RANGES_MAX],
	struct wire_message *ret_message, struct complaint *complaint);
const char *wire_codec_name(enum wire_codec codec);
const char *bye_code_name(enum bye_code code);
const char *nack_code_name(enum nack_code code);
