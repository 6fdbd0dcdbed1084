/* view_retain.h - when rows end. The clock is the broker's append time read so far, never the machine's: so which rows are
 * there, and how many events expired, follows from the set of records that were read, in whatever order. A row ends
 * when the bucket of its finest time column ended `retain` before the clock. Pure. */
#pragma once
#include "aggregator/view/view_plan.h"

enum { RETAIN_MS_LEAST = 60 * 1000 };

/* Rows whose bucket begins before this have ended; INT64_MIN: none has. */
int64_t view_cutoff(const struct view *view, int64_t clock_ms);
/* The bucket that says when the row of this key ends, and where it stands in the key. false: no such key. Only of views
 * with `retain`. */
bool view_key_bucket(
	const struct view *view, struct slice key, size_t *ret_offset, int64_t *ret_bucket);
bool view_key_has_ended(const struct view *view, struct slice key, int64_t cutoff);
