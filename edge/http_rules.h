/* http_rules.h - what HTTP's headers mean for events, and what becomes of events for HTTP. Pure. Headers are NULL where
 * they did not come. */
#pragma once
#include "edge/submission.h"

enum http_format {
	HTTP_FORMAT_ANY, /* nothing said: the first byte tells JSON from msgpack */
	HTTP_FORMAT_JSON,
	HTTP_FORMAT_NDJSON,
	HTTP_FORMAT_MSGPACK,
};

/* Of a Content-Type. false: none that is taken. */
bool http_format_read(const char *type, enum http_format *ret_format);
/* Of a Content-Encoding: none. */
bool http_coding_is_plain(const char *coding);
/* Of an Accept: msgpack is asked for; where it does not care, `sent` decides: what came is what goes. */
bool http_wants_msgpack(const char *accept, bool sent);
/* Of an Idempotency-Key: opaque, with or without the quotes of a structured field; "a" and a are the same. false: empty,
 * too long, or no text. */
bool http_key_read(const char *value, char ret_key[REQUEST_KEY_SIZE_MAX + 1]);
unsigned http_status_of(const struct submission_result *result);
