/* live_message.h - one message of the live socket as bytes: rows are read when it is written. Logic only. */
#pragma once
#include "aggregator/live/live_streams.h"

struct live_draft {
	struct answer_context *context; /* borrowed, as is the next */
	const struct live_streams *streams;
	uint32_t view_id;
	enum live_task task;
	int64_t rate; /* hello says it */
	size_t keys_max; /* rows: of the keys that wait, at most so many */
};

/* Appends the payload. *ret_keys: rows and keys that it tells. 0, -EBADMSG when a row can't be read, -errno. */
int live_message_write(const struct live_draft *draft, enum encoding encoding,
	struct buffer *ret_payload, size_t *ret_keys);
/* The answer to a subscription that names no view. */
void live_message_write_unknown(
	const struct view_set *views, const struct live_topic *topic, struct buffer *ret_payload);
