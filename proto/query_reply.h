/* query_reply.h - what the bytes of a query's reply say about how it went, for those who pass it on. Pure. */
#pragma once
#include "proto/event.h"
#include "proto/reason.h"

struct query_reply {
	struct slice bytes;
	enum encoding encoding;
	enum reason reason; /* REASON_NONE: ok */
	uint64_t retry_after_ms; /* of `busy`; 0: nothing is said of it */
};

/* Of a reply that answers or query_encode_error wrote: an error begins with its code. REASON_INTERNAL: an error with a
 * code that there is not. */
enum reason query_reply_reason(struct slice bytes);
/* Where an answer in JSON says how fresh it is: the value of its as_of. Empty: it does not. */
struct slice query_reply_as_of(struct slice json);
