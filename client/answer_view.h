/* answer_view.h - what an aggregator answered, read as far as every answer is alike: a map with "ok", and with "error"
 * when that is false. Pure. */
#pragma once
#include "proto/document.h"
#include "proto/limits.h"

/* The rows of an answer are at most ANSWER_SIZE_MAX; a node takes at least a byte. */
enum { ANSWER_FRAME_SIZE_MAX = ANSWER_SIZE_MAX + 64 * 1024, ANSWER_DEPTH_MAX = NESTING_MAX + 4 };

enum { ANSWER_VIEW_E_MALFORMED = 1 };

/* Borrows from the bytes and from the document they were read with. */
struct answer_view {
	struct slice bytes; /* as received, in the question's encoding */
	const struct node *root; /* a map */
	bool ok;
	struct slice error_code; /* when not ok; may be absent */
	struct slice error_message;
	int64_t retry_after_ms; /* of an error that passes; 0: none was named */
};

/* 0, ANSWER_VIEW_E_MALFORMED or -ENOMEM. */
int answer_view_read(struct document *document, struct slice bytes, struct answer_view *ret_answer);
