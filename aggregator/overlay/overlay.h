/* overlay.h - what new events changed and the store does not hold yet: per view, deltas of rows by key.
 *
 *   events -> active overlay -> (freeze) frozen overlay -> one transaction -> store
 *
 * Answers are base + frozen + active. A delta is a measure state like a stored row's, so the same merge serves the
 * commit and the answer. One thread changes it; a frozen overlay is read by the committing thread and by answers. */
#pragma once
#include "aggregator/books/forgotten.h"
#include "aggregator/view/member.h"
#include "aggregator/view/view.h"

struct overlay;
struct delta; /* one changed row */

enum { OVERLAY_HASH_KEY_SIZE = 16 };

/* `views` is borrowed and must not change any more. `hash_key` is random bytes of the process: foreign keys must not
 * be able to choose their place in a hash table. */
int overlay_new(const struct view_set *views, const uint8_t hash_key[OVERLAY_HASH_KEY_SIZE],
	struct overlay **ret_overlay);
struct overlay *overlay_free(struct overlay *overlay);

/* Counts one accepted event in every view of its kind. dead letters: `letter_code` is their reason code. 0, -ENOMEM,
 * or -EOVERFLOW past 2^32 events (freeze before: up to there no sum of an overlay can overflow). All views or none. */
int overlay_apply(struct overlay *overlay, const struct event *event, struct slice letter_code);
/* The same of an event whose user was forgotten, once or now: where he would have a row he is held, where he would be named he
 * is not, and all that is not about him counts as ever. */
int overlay_apply_as(struct overlay *overlay, const struct event *event, struct slice letter_code,
	struct standing standing);
/* Likewise one event of a closed basket (baskets.h), in every view of kind basket. */
int overlay_apply_basket(
	struct overlay *overlay, const struct event *event, struct standing standing);

/* Takes back what was counted of an event, to the last cent: `standing` as it is now. What a view could not take back it
 * keeps (view_takes_back). Errors as above. */
int overlay_take_back(struct overlay *overlay, const struct event *event, struct standing standing);

size_t overlay_bytes(const struct overlay *overlay); /* memory in use: freeze when large */
size_t overlay_event_count(const struct overlay *overlay);
/* Rows and members that changed, over all views: each may cost the commit a page. */
size_t overlay_change_count(const struct overlay *overlay);
/* The broker's time read so far: from now on events of rows that have ended count as expired. Never goes back. true when
 * rows of a view ended by it. */
bool overlay_set_clock(struct overlay *overlay, int64_t clock_ms);
/* Rows of this view whose bucket begins before this have ended (view_retain.h). */
int64_t overlay_cutoff(const struct overlay *overlay, uint32_t view_id);
/* Per view since the overlay was made: Σcount (events in a row), unmatched, and expired on arrival; less what was taken back,
 * so they wrap around below 0. */
uint64_t overlay_matched(const struct overlay *overlay, uint32_t view_id);
uint64_t overlay_unmatched(const struct overlay *overlay, uint32_t view_id);
/* Events that would be in rows of somebody who was forgotten. */
uint64_t overlay_held(const struct overlay *overlay, uint32_t view_id);
uint64_t overlay_expired(const struct overlay *overlay, uint32_t view_id);

/* From now on notes which rows change in the views whose bit (1 << view id) is set, and forgets what it noted of others. */
void overlay_watch(struct overlay *overlay, uint64_t views);
/* Rows of a watched view that changed and were not yet taken. */
size_t overlay_changed_count(const struct overlay *overlay, uint32_t view_id);
/* Tells each of them, key and longs (row_key.h); then they count as unchanged. */
void overlay_take_changed(struct overlay *overlay, uint32_t view_id,
	void (*each)(void *owner, struct slice key, struct slice longs), void *owner);

/* Sorts what is not yet sorted, so that the walk below is in key order. The loop's thread, frozen or not. */
int overlay_sort(struct overlay *overlay);
int overlay_sort_view(struct overlay *overlay, uint32_t view_id); /* only this view's */
size_t overlay_row_count(const struct overlay *overlay, uint32_t view_id);
/* The i-th changed row in key order (after overlay_sort). */
const struct delta *overlay_row_at(const struct overlay *overlay, uint32_t view_id, size_t index);
const struct delta *overlay_find(const struct overlay *overlay, uint32_t view_id, struct slice key);
/* The first row with key >= `key`: an index for overlay_row_at. */
size_t overlay_lower_bound(const struct overlay *overlay, uint32_t view_id, struct slice key);
/* The rows of a frozen overlay, of which there are overlay_row_count, in key order for the committing thread: to sort tens of thousands
 * takes milliseconds, which nobody who asks shall wait for. Meanwhile the loop may do all of the above. 0 or -ENOMEM; the list is the
 * caller's to free. */
int overlay_list_rows(
	const struct overlay *overlay, uint32_t view_id, const struct delta *const **ret_rows);

/* Did any row of this view see this member? */
bool overlay_has_member(
	const struct overlay *overlay, uint32_t view_id, const uint8_t key[MEMBER_KEY_SIZE]);

struct slice delta_key(const struct delta *delta);
uint64_t delta_event_count(const struct delta *delta); /* likewise */
/* Exact distinct members that this delta saw (member.h): each already knows row and measure, so that the store keeps
 * one flat set (view id, member). */
size_t delta_member_count(const struct delta *delta);
const uint8_t *delta_member_at(const struct delta *delta, size_t index); /* MEMBER_KEY_SIZE bytes */
size_t delta_member_measure(const struct delta *delta, size_t index); /* whose distinct() it is */
/* What it adds to a measure that adds up (measure_adds_up): below 0 where more was taken back than came. */
money delta_number(const struct view *view, size_t measure, const struct delta *delta);
/* The next row from `from` on, in no order, that adds at least so much: an index for overlay_row_at; the number of rows at the end.
 * The loop's thread, frozen or not, as the next. */
size_t overlay_next_reaching(const struct overlay *overlay, const struct view *view, size_t measure,
	money least, size_t from);
/* What the row adds that adds most; at least 0. */
money overlay_greatest(const struct overlay *overlay, const struct view *view, size_t measure);
/* base (a stored row's value, {NULL, 0} when there is none) + delta. new_members[m]: how many of the delta's members
 * of measure m the store did not have. Appends the row's new value. Deterministic bytes: equal multisets of events,
 * equal bytes. 0, -EBADMSG when base is no row of this view, -EOVERFLOW when a sum leaves 128 bits, -ENOMEM. */
int delta_merge(const struct view *view, struct slice base, const struct delta *delta,
	const uint64_t new_members[VIEW_MEASURES_MAX], struct buffer *ret_value);
