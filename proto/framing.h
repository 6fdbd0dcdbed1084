/* framing.h - cuts a producer's events frame into its events without decoding them.
 *
 * One map or an array of 1 … FRAME_EVENTS_MAX values. The whole frame is walked through here, so that each event's
 * extent is known even when the event itself does not fit: in msgpack every head and length, in JSON brackets, quotes
 * and the commas between events. What is wrong within an event (its depth, a JSON word that is none) is left to the
 * decoder, and makes that one event invalid. No recursion, no allocation, no limit of depth. */
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
/* The size of the msgpack value at the start of `bytes`, 0 when it is cut short or none. */
size_t framing_extent(struct slice bytes);
