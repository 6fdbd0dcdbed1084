/* staged_answer.h - the answer to `staged` (PROTOCOL.md, 6.8): how far the views that are staged are, and what one of them says
 * otherwise than the live one. The loop's thread. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/desk/desk.h"

/* Something is staged. 0 or -errno. */
int staged_answer_write(struct desk *desk, const struct query *query,
	const struct freshness *freshness, struct buffer *reply);
