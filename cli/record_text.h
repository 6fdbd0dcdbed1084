/* record_text.h - a record of one of till's topics as a line for people or as a JSON object. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/letter.h"

/* "orders/0@17  2026-11-21T12:00:01.123Z  order  berlin 4711:17  85123A x 6 @ 2.55 = 15.30 GBP  …". Dead letters (topics
 * that end in .dlq) with their reason; what is neither says so. `document` is scratch. 0 or -ENOMEM. */
int record_text_line(struct document *document, const char *topic,
	const struct topic_record *record, struct buffer *buffer);
/* {"topic":…,"partition":…,"offset":…,"timestamp_ms":…,"key":…,"headers":{…},"event":…}; `event` is the decoded value, or
 * `value`, base64, when it is neither msgpack nor JSON. */
int record_text_json(struct document *document, const char *topic,
	const struct topic_record *record, struct buffer *buffer);
bool record_is_dead_letter(const char *topic);
