/* overlay.h - what new events changed and the store does not hold yet: per view, deltas of rows by key.
 *
 *   events -> active overlay -> (freeze) frozen overlay -> one transaction -> store
 *
 * Answers are base + frozen + active. A delta is a measure state like a stored row's, so the same merge serves the
 * commit and the answer. One thread changes it; a frozen overlay is read by the committing thread and by answers. */
#pragma once
#include "aggregator/view.h"

struct overlay;
struct delta; /* one changed row */

int overlay_new(const struct view_set *views, struct overlay **ret_overlay);
struct overlay *overlay_free(struct overlay *overlay);

/* Counts one accepted event in every view of its kind. dead letters: `letter_code` is their reason code. 0, -ENOMEM.
 * All views or none. */
int overlay_apply(struct overlay *overlay, const struct event *event, struct slice letter_code);

size_t overlay_bytes(const struct overlay *overlay); /* memory in use: freeze when large */
size_t overlay_event_count(const struct overlay *overlay);
/* Per view since the overlay was made: Σcount (events in a row) and unmatched. */
uint64_t overlay_matched(const struct overlay *overlay, uint32_t view_id);
uint64_t overlay_unmatched(const struct overlay *overlay, uint32_t view_id);

/* Sorts what is not yet sorted, so that the walk below is in key order. Frozen overlays are sorted once. */
int overlay_sort(struct overlay *overlay);
size_t overlay_row_count(const struct overlay *overlay, uint32_t view_id);
/* The i-th changed row in key order (after overlay_sort). */
const struct delta *overlay_row_at(const struct overlay *overlay, uint32_t view_id, size_t index);
const struct delta *overlay_find(const struct overlay *overlay, uint32_t view_id, struct slice key);
/* The first row with key >= `key`: an index for overlay_row_at. */
size_t overlay_lower_bound(const struct overlay *overlay, uint32_t view_id, struct slice key);

struct slice delta_key(const struct delta *delta);
/* Exact distinct members that this delta saw: 128-bit hashes, each already mixed with view and row key, so that the
 * store keeps one flat set (view id, hash). */
size_t delta_member_count(const struct delta *delta);
const uint8_t *delta_member_at(const struct delta *delta, size_t index); /* 16 bytes */
/* base (a stored row's value, {NULL, 0} when there is none) + delta, with `new_members` of the delta's members not
 * counted before. Writes the row's new value. Deterministic bytes: equal multisets of events, equal bytes. */
int delta_merge(const struct view *view, struct slice base, const struct delta *delta,
	uint64_t new_members, struct buffer *ret_value);
