/* http_reading.h - one request read: whether its head may come in, and what its body hands in at the desk. Pure: texts and
 * bytes come in, borrowed. */
#pragma once
#include "edge/additions.h"
#include "edge/submission.h"

struct line_batch;

/* Headers and the argument ?kind=; NULL where they did not come. */
struct http_said {
	const char *authorization;
	const char *type;
	const char *coding;
	const char *accept;
	const char *key;
	const char *kind;
};

struct http_refusal {
	unsigned status;
	const char *words;
	const char *header; /* one more of the answer, or NULL */
	const char *header_value;
};

/* false: refused, before its body is read. `token`: NULL where nobody needs one. */
bool http_head_is_taken(const struct http_said *said, const char *token,
	const struct additions *additions, struct http_refusal *ret_refusal);

/* All but detail and ticket of the submission. It points into the reading: not to be copied. */
struct http_reading {
	struct submission submission;
	char key[REQUEST_KEY_SIZE_MAX + 1];
	struct event_addition additions[ADDITIONS_MAX + 1];
};

/* What all requests of a source have in common; borrowed. */
struct http_reader {
	const struct additions *additions;
	struct line_batch
		*batch; /* NDJSON, FRAME_EVENTS_MAX: keeps the lines until the next request */
};

enum { HTTP_E_REFUSED = 1 /* as a whole, with 400 and the words */ };

/* Of a head that was taken. 0, HTTP_E_REFUSED with the words, or -errno. */
int http_reading_make(const struct http_reader *reader, const struct http_said *said,
	struct slice body, struct http_reading *ret_reading, const char **ret_words);
