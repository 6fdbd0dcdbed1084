/* live_ended.h - rows of a watched view that ended between two moments of the broker's clock (view_retain.h): who follows the view
 * is told that they are no more. Logic only: layers come in. The loop's thread, before the commit that deletes them is frozen. */
#pragma once
#include "aggregator/answer/answer.h"

enum {
	/* More rows than this were looked at: whoever listens must read anew. */
	LIVE_ENDED_E_MANY = 2,
	LIVE_ENDED_ROWS_MAX = 65536,
};

/* `each` hears of every row whose bucket began in [from, to): rows before `from` ended earlier, and were told then. 0,
 * LIVE_ENDED_E_MANY, -EBADMSG, -errno. */
int live_ended_each(struct answer_context *context, const struct view *view, int64_t from,
	int64_t to, void (*each)(void *owner, struct slice key, struct slice longs), void *owner);
