/* framing.h - cuts a producer's events frame into its events without decoding them.
 *
 * One map or an array of 1 … FRAME_EVENTS_MAX values. The whole frame's structure is checked here (lengths,
 * syntax, a hard depth far above NESTING_MAX so that one deep event is an invalid event, not a bad frame),
 * so that each event's extent is known even when the event itself does not fit. No recursion, no allocation. */
#pragma once
#include "proto/document.h"

struct framing {
	enum encoding encoding;
	struct slice rest; /* what is not yet handed out */
	uint32_t count; /* values in the frame: known at once for msgpack and JSON */
	uint32_t index; /* of the next value */
	bool is_array;
};

/* 0, or REASON_BAD_FRAME / REASON_TOO_LARGE with the complaint filled. */
int framing_open(struct framing *framing, struct slice frame, struct complaint *complaint);
/* The next value's bytes; false at the end. */
bool framing_next(struct framing *framing, struct slice *ret_value);
