/* backlog.h - which blocks of one lane wait to be sent, and which of them go next. Blocks are known by their index; a
 * block that waits is in one of two places:
 *
 *	ranges, sorted         the tail
 *	[....]  [..]  [.......] next ............ end
 *
 * The tail was never sent and is live. What can't be sent while it is live is passed over and becomes a range; so does
 * what was sent and came back. A block is live while it has index live_from or higher, and old below.
 *
 * Live is what waits for less than BACKLOG_LIVE_MS to twice that, whatever happened meanwhile: a new session, a bridge
 * that waits for Kafka, a link that is slower than the tills. When something live has waited longer, all that waits is
 * old from then on, and only what comes later is live. A short failover thus changes nothing.
 *
 * Each time that something is passed over while newer blocks were sent, the aggregator's counted set of the stream gets
 * one gap more, until the backlog is drained. BACKLOG_GAPS_MAX bounds that; past it, blocks leave in their order.
 * Pure; times are monotonic ms. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	BACKLOG_LIVE_MS = 10000,
	/* Ranges that were passed over. The aggregator takes 4,096 intervals of a stream; NACKs may need a thousand. */
	BACKLOG_GAPS_MAX = 64,
	/* All ranges: a thousand that came back, what was passed over, and room for one that is sent in pieces. */
	BACKLOG_RANGES_MAX = 1024 + 2 * BACKLOG_GAPS_MAX,
};

enum backlog_age { BACKLOG_LIVE, BACKLOG_OLD, BACKLOG_AGES };

struct backlog_range {
	uint64_t first, last; /* indexes of blocks, inclusive; some may be gone */
	bool sent; /* at least once */
};

struct backlog {
	uint64_t end; /* blocks below it are in the spool, or were */
	uint64_t next; /* where the tail begins */
	uint64_t live_from;
	uint64_t spooled_events; /* of the lane, when it grew last */
	uint64_t old_events; /* on disk, not acknowledged, below live_from */
	/* Blocks below `aged` have waited for BACKLOG_LIVE_MS at least, those below `ageing` since ageing_ms. */
	uint64_t aged;
	uint64_t ageing;
	int64_t ageing_ms;
	uint32_t count;
	struct backlog_range ranges[BACKLOG_RANGES_MAX]; /* by first */
};

void backlog_init(struct backlog *backlog, int64_t now_ms);
/* What an earlier process left in the spool: all of it is old. Before anything else. */
void backlog_inherit(struct backlog *backlog, uint64_t end, uint64_t events);
/* Blocks below `end` have been committed; `events` are on disk now. */
void backlog_grow(struct backlog *backlog, uint64_t end, uint64_t events);
/* Passes over what has waited too long. */
void backlog_look(struct backlog *backlog, int64_t now_ms);

/* The lowest blocks of that age that wait. false: there are none. */
bool backlog_next(
	const struct backlog *backlog, enum backlog_age age, struct backlog_range *ret_range);
/* Of the range that begins with `first`, all up to `last` was sent. */
void backlog_take(struct backlog *backlog, uint64_t first, uint64_t last);
/* There are no blocks in the range that begins with `first`. */
void backlog_skip(struct backlog *backlog, uint64_t first);
/* first … last were sent and wait again. */
void backlog_return(struct backlog *backlog, uint64_t first, uint64_t last);
/* `events` in blocks up to `last` were acknowledged. */
void backlog_forget(struct backlog *backlog, uint64_t last, uint32_t events);

static inline bool backlog_is_empty(const struct backlog *backlog)
{
	return backlog->count == 0 && backlog->next >= backlog->end;
}
