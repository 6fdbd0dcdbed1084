/* record.h - what a Kafka record is: an event, a marker that the bridge left instead of one, somebody else's record, or
 * bytes that can't be read. Nothing here stops the aggregator; nothing is guessed. Pure. */
#pragma once
#include "aggregator/books/stream.h"
#include "proto/dead_letter.h"

/* As read; borrowed. */
struct record {
	/* Of struct topics. One of till's own has the number of the kind that it is for: orders of order, orders.dlq of
	 * order.dlq. */
	uint32_t topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* the broker's append time */
	struct slice key;
	struct slice value;
	struct slice headers[DLQ_HEADER_COUNT]; /* of dead letters; absent ones {NULL, 0} */
	struct slice receipt; /* RECEIPT_HEADER's value, of others; {NULL, 0}: absent */
};

enum record_class {
	RECORD_EVENT,
	RECORD_MARKER,
	RECORD_FOREIGN,
	RECORD_UNREADABLE,
	RECORD_CHANGE, /* of a row of a declared source */
};

struct row_change;

/* Borrows from the record, the document, and the reader of its source. */
struct reading {
	enum record_class class;
	struct stream_id stream; /* of events and markers */
	uint64_t seq;
	uint32_t checksum; /* CRC32C of key and value */
	struct event
		event; /* of events; of a dead letter: its certificate, time of receipt and kind */
	struct slice letter_code; /* of dead letters */
	struct complaint complaint; /* of foreign and unreadable ones: why */
	const struct row_change *row_change; /* of changes (row_change.h) */
	bool is_lone; /* of changes: nothing of their table comes from another partition */
};

/* A record of one of till's own topics. 0, or -ENOMEM. */
int record_read(
	struct document *document, const struct record *record, struct reading *ret_reading);
/* A record of a topic that holds events of this kind, as till writes them. Likewise. */
int record_read_event(struct document *document, enum kind kind, const struct record *record,
	struct reading *ret_reading);
/* Does what was decoded last bear any part of a certificate? */
bool record_has_certificate(const struct document *document);
