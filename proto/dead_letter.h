/* dead_letter.h - an invalid event on its way to the dead-letter topic: the bytes as received, and why.
 * The edge spools it as one msgpack map (the "envelope": certificate with a kind *.dlq, reason, bytes); the bridge
 * turns the envelope into a Kafka record: value = the bytes, headers = the rest. Pure. */
#pragma once
#include "proto/event.h"

struct dead_letter {
	struct certificate
		certificate; /* of the dead letter, or, when the bridge refused, of the event */
	int64_t received_ms;
	struct slice source; /* "zmq", "push", … */
	struct slice refused_by; /* "edge" or "bridge" */
	enum reason reason;
	struct slice field;
	struct slice message;
	struct slice bytes; /* as received */
};

enum {
	/* The largest envelope. */
	DEAD_LETTER_SIZE_MAX = 128 * 1024,
	/* Bytes past these are cut, and the message then ends in " (truncated_from=N)". */
	DEAD_LETTER_BYTES_MAX = DEAD_LETTER_SIZE_MAX - 1024,
	DEAD_LETTER_SOURCE_SIZE_MAX = 192, /* a source's label, and a topic or path cut to fit */
	/* A complaint's sentence and the words of a cut. */
	DEAD_LETTER_MESSAGE_SIZE_MAX = COMPLAINT_SIZE_MAX + 48,
};

void dead_letter_encode(const struct dead_letter *letter, struct buffer *buffer);
int dead_letter_decode(struct document *document, struct slice bytes,
	struct dead_letter *ret_letter, struct complaint *complaint);

/* Kafka's headers, in this order. Values are text. */
enum dead_letter_header {
	DLQ_HEADER_EDGE,
	DLQ_HEADER_RUN,
	DLQ_HEADER_KIND,
	DLQ_HEADER_SEQ,
	DLQ_HEADER_RECEIVED_MS,
	DLQ_HEADER_SOURCE,
	DLQ_HEADER_REFUSED_BY,
	DLQ_HEADER_TOPIC,
	DLQ_HEADER_CODE,
	DLQ_HEADER_MESSAGE,
};
enum { DLQ_HEADER_COUNT = 10 };
const char *dead_letter_header_name(enum dead_letter_header header);
/* From Kafka's headers (absent ones {NULL, 0}) back to a letter, numbers parsed and checked: 0 or a reason. */
int dead_letter_from_headers(const struct slice values[DLQ_HEADER_COUNT], struct slice bytes,
	struct dead_letter *ret_letter, struct complaint *complaint);
