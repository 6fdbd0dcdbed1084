/* producer.h - producer to edge: the header frame and the reply. Both in the encoding of the events frame. Pure. */
#pragma once
#include "proto/event.h"

struct producer_header {
	struct slice producer; /* <= PRODUCER_ID_SIZE_MAX */
	uint64_t n; /* rising; > 0 */
};
int producer_header_decode(struct document *document, struct slice bytes,
	struct producer_header *ret_header, struct complaint *complaint);
void producer_header_encode(
	const struct producer_header *header, enum encoding encoding, struct buffer *buffer);

struct reply_error {
	uint32_t index; /* of the event in its frame */
	struct complaint complaint;
};

enum { REPLY_ERRORS_MAX = 100 }; /* listed; the count in `invalid` is always whole */

struct reply {
	bool ok; /* every event was accepted (now or before) */
	uint32_t accepted;
	uint32_t invalid;
	uint32_t repeated_events; /* known by their event_id; left out when 0 */
	bool repeated; /* the whole frame: its n was counted before */
	uint64_t
		last_n; /* highest n counted of this producer; numbered frames only, else 0 and left out */
	bool durable;
	struct slice edge;
	uint64_t run;
	struct {
		uint64_t first, last; /* 0, 0: none of this kind; dead letters have their own */
	} seq[KIND_COUNT];
	struct reply_error *errors; /* borrowed; at most REPLY_ERRORS_MAX */
	uint32_t error_count;
	/* refused whole: reason set, nothing was appended */
	struct complaint refusal;
	uint32_t retry_after_ms; /* 0: left out */
};

void reply_encode(const struct reply *reply, enum encoding encoding, struct buffer *buffer);
/* For clients. `errors` has room for REPLY_ERRORS_MAX. */
int reply_decode(struct document *document, struct slice bytes, struct reply_error *errors,
	struct reply *ret_reply, struct complaint *complaint);
