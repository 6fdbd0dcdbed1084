#include "edge/backlog.h"
#include <assert.h>
#include <string.h>

void backlog_init(struct backlog *backlog, int64_t now_ms)
{
	memset(backlog, 0, sizeof *backlog);
	backlog->ageing_ms = now_ms;
}

/* ---- ranges */

/* The index of the first range that begins at `first` or later. */
static uint32_t find(const struct backlog *backlog, uint64_t first)
{
	uint32_t low = 0, high = backlog->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (backlog->ranges[middle].first < first) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static void drop(struct backlog *backlog, uint32_t at)
{
	backlog->count--;
	memmove(&backlog->ranges[at], &backlog->ranges[at + 1],
		(backlog->count - at) * sizeof backlog->ranges[0]);
}

/* Ranges of different ages stay apart: they leave at different times. */
static bool are_one(const struct backlog *backlog, const struct backlog_range *lower,
	const struct backlog_range *upper)
{
	return lower->last + 1 == upper->first && lower->sent == upper->sent &&
	       (lower->first >= backlog->live_from) == (upper->first >= backlog->live_from);
}

static void add(struct backlog *backlog, struct backlog_range range)
{
	uint32_t at = find(backlog, range.first);

	if (at < backlog->count && are_one(backlog, &range, &backlog->ranges[at])) {
		range.last = backlog->ranges[at].last;
		drop(backlog, at);
	}
	if (at > 0 && are_one(backlog, &backlog->ranges[at - 1], &range)) {
		backlog->ranges[at - 1].last = range.last;
		return;
	}
	assert(backlog->count < BACKLOG_RANGES_MAX);
	memmove(&backlog->ranges[at + 1], &backlog->ranges[at],
		(backlog->count - at) * sizeof backlog->ranges[0]);
	backlog->ranges[at] = range;
	backlog->count++;
}

/* ---- growing old */

static void pass_tail(struct backlog *backlog)
{
	if (backlog->next < backlog->end) {
		add(backlog,
			(struct backlog_range){
				.first = backlog->next, .last = backlog->end - 1, .sent = false});
		backlog->next = backlog->end;
	}
}

void backlog_inherit(struct backlog *backlog, uint64_t end, uint64_t events)
{
	backlog->end = end;
	backlog->live_from = end;
	backlog->ageing = end;
	backlog->aged = end;
	backlog->spooled_events = events;
	backlog->old_events = events;
	pass_tail(backlog);
}

void backlog_grow(struct backlog *backlog, uint64_t end, uint64_t events)
{
	assert(end >= backlog->end);
	backlog->end = end;
	backlog->spooled_events = events;
}

static bool has_waited_too_long(const struct backlog *backlog)
{
	struct backlog_range live;

	return backlog_next(backlog, BACKLOG_LIVE, &live) && live.first < backlog->aged;
}

/* A tail that begins where a passed range ends makes it longer, and no new gap. */
static bool may_pass(const struct backlog *backlog)
{
	uint32_t gaps = 0;

	if (backlog->next >= backlog->end) {
		return true;
	}
	if (backlog->count == BACKLOG_RANGES_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < backlog->count; i++) {
		const struct backlog_range *range = &backlog->ranges[i];
		gaps += range->sent || range->last + 1 == backlog->next ? 0 : 1;
	}
	return gaps < BACKLOG_GAPS_MAX;
}

void backlog_look(struct backlog *backlog, int64_t now_ms)
{
	if (now_ms - backlog->ageing_ms >= BACKLOG_LIVE_MS) {
		backlog->aged = backlog->ageing;
		backlog->ageing = backlog->end;
		backlog->ageing_ms = now_ms;
	}
	if (has_waited_too_long(backlog) && may_pass(backlog)) {
		backlog->live_from = backlog->end;
		backlog->old_events = backlog->spooled_events;
		pass_tail(backlog);
	}
}

/* ---- sending */

bool backlog_next(
	const struct backlog *backlog, enum backlog_age age, struct backlog_range *ret_range)
{
	uint32_t at = age == BACKLOG_OLD ? 0 : find(backlog, backlog->live_from);

	if (at < backlog->count &&
		(age == BACKLOG_LIVE || backlog->ranges[at].first < backlog->live_from)) {
		*ret_range = backlog->ranges[at];
		return true;
	}
	if (age == BACKLOG_OLD || backlog->next >= backlog->end) {
		return false;
	}
	*ret_range =
		(struct backlog_range){.first = backlog->next, .last = UINT64_MAX, .sent = false};
	return true;
}

void backlog_take(struct backlog *backlog, uint64_t first, uint64_t last)
{
	if (first >= backlog->next) {
		assert(last < backlog->end);
		backlog->next = last + 1;
		return;
	}
	uint32_t at = find(backlog, first);
	assert(at < backlog->count && backlog->ranges[at].first == first);
	if (last < backlog->ranges[at].last) {
		backlog->ranges[at].first = last + 1;
	} else {
		drop(backlog, at);
	}
}

void backlog_skip(struct backlog *backlog, uint64_t first)
{
	if (first >= backlog->next) {
		backlog->next = backlog->end;
		return;
	}
	uint32_t at = find(backlog, first);
	assert(at < backlog->count && backlog->ranges[at].first == first);
	drop(backlog, at);
}

void backlog_return(struct backlog *backlog, uint64_t first, uint64_t last)
{
	add(backlog, (struct backlog_range){.first = first, .last = last, .sent = true});
}

void backlog_forget(struct backlog *backlog, uint64_t last, uint32_t events)
{
	if (last < backlog->live_from) {
		backlog->old_events -= events < backlog->old_events ? events : backlog->old_events;
	}
}
