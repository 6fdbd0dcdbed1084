#include "aggregator/shard/shard_baskets.h"
#include <errno.h>
#include <stdio.h>

enum {
	CLOSED_AT_ONCE_MAX = 128, /* some 200 µs, for which a question may wait */
	/* Entries of closed baskets that one step of the walk looks at, four for each that closed: it pays off, and no question
	 * waits long. */
	REVIEWED_LEAST = 500,
	REVIEWED_MAX = 1000,
	REVIEWED_EACH = 4,
	/* Entries of open baskets that one step of a start reads: about a millisecond. */
	LOADED_AT_ONCE_MAX = 4000,
	WALK_PAUSES = 1001,
};

/* What it is to views whose user was forgotten is as with any event: by his line's append time. */
static int give(void *owner, const struct event *event, const struct basket *basket)
{
	struct shard *shard = owner;
	struct standing standing = {.is_hidden = basket->is_hidden};

	if (!basket->is_hidden) {
		standing = forgotten_standing(
			store_forgotten(shard->options.store), basket->user, basket->user_ms);
	}
	return overlay_apply_basket(shard->active.overlay, event, standing);
}

/* ---- at start */

static int load_clock(void *owner, struct slice key, struct slice value)
{
	const struct shard *shard = owner;
	bool is_open = key.size > 1 && key.bytes[0] == ENTRY_BASKET && key.bytes[1] == BASKET_OPEN;

	return is_open ? WALK_PAUSES : baskets_load(shard->baskets, key, value);
}

struct loading {
	struct shard *shard;
	size_t left;
};

/* The next step begins behind it. */
static int load_open(void *owner, struct slice key, struct slice value)
{
	struct loading *loading = owner;
	struct basket_loading *at = &loading->shard->loading;

	int r = key.size <= BASKET_KEY_SIZE_MAX ? baskets_load(loading->shard->baskets, key, value)
						: -EBADMSG;
	if (r == 0) {
		memcpy(at->next, key.bytes, key.size);
		at->next[key.size] = 0;
		at->next_size = key.size + 1;
	}
	return r == 0 && --loading->left == 0 ? WALK_PAUSES : r;
}

/* One that is met here and was closed meanwhile, or opened anew, has a turn too many, which finds nothing to do. */
static int load_some(struct shard *shard)
{
	struct basket_loading *at = &shard->loading;
	struct loading loading = {.shard = shard, .left = LOADED_AT_ONCE_MAX};
	struct slice from = at->next_size == 0 ? BASKETS_OPEN : slice_of(at->next, at->next_size);

	int r = shard_walk_entries(shard, from, load_open, &loading);
	shard->is_loading = r == WALK_PAUSES;
	return r == BASKETS_E_PASSED || r == WALK_PAUSES ? 0 : r == STORE_E_CORRUPT ? -EBADMSG : r;
}

int shard_open_baskets(struct shard *shard)
{
	struct basket_spans spans = view_set_baskets(shard->options.views);
	const struct baskets_options options = {
		.entries = shard->entries,
		.books = &shard->ledger.baskets,
		.horizon_ms = spans.horizon_ms,
		.memory_ms = spans.memory_ms,
		.give = give,
		.owner = shard,
	};

	if (spans.horizon_ms == 0) {
		return 0;
	}
	int r = baskets_new(&options, &shard->baskets);
	shard->is_loading = true;
	shard->has_followed = true; /* a program that was killed may have left some to close */
	shard->review.closed = shard->ledger.baskets.closed;
	shard->baskets_before = shard->ledger.baskets;
	if (r == 0) {
		r = shard_walk_entries(shard, BASKETS_CLOCKS, load_clock, shard);
	}
	return r == WALK_PAUSES || r == BASKETS_E_PASSED ? 0 : r == -EBADMSG ? STORE_E_CORRUPT : r;
}

int shard_follow_baskets(struct shard *shard, const char *topic, const struct record *record,
	const struct reading *reading)
{
	if (shard->baskets == NULL || reading->stream.kind != KIND_ORDER) {
		return 0;
	}
	shard->has_followed = true;
	return baskets_follow(shard->baskets, topic, record->partition, record->timestamp_ms);
}

int shard_take_line(struct shard *shard, const struct event *event)
{
	return shard->baskets == NULL || event->kind != KIND_ORDER
		       ? 0
		       : baskets_take(shard->baskets, event);
}

/* ---- long ago */

struct reviewing {
	struct shard *shard;
	uint64_t left;
};

static int review(void *owner, struct slice key, struct slice value)
{
	struct reviewing *reviewing = owner;
	struct basket_review *at = &reviewing->shard->review;

	if (!slice_begins_with(key, BASKETS_CLOSED)) {
		return BASKETS_E_PASSED;
	}
	int r = baskets_review(reviewing->shard->baskets, key, value);
	if (r == 0) {
		memcpy(at->key, key.bytes, key.size);
		at->key_size = key.size;
	}
	return r == 0 && --reviewing->left == 0 ? WALK_PAUSES : r;
}

/* One step of the walk that never ends, when as many baskets have closed as make it worth while. */
static int review_some(struct shard *shard)
{
	struct basket_review *at = &shard->review;
	uint64_t owed = (shard->ledger.baskets.closed - at->closed) * REVIEWED_EACH;
	uint64_t count = owed > REVIEWED_MAX ? REVIEWED_MAX : owed;
	struct reviewing reviewing = {.shard = shard, .left = count};
	struct slice from = at->key_size == 0 ? BASKETS_CLOSED : slice_of(at->key, at->key_size);

	if (count < REVIEWED_LEAST) {
		return 0;
	}
	at->closed += count / REVIEWED_EACH;
	int r = shard_walk_entries(shard, from, review, &reviewing);
	if (r == 0 || r == BASKETS_E_PASSED) {
		at->key_size = 0;
		return 0;
	}
	return r == WALK_PAUSES ? 0 : r == STORE_E_CORRUPT ? -EBADMSG : r;
}

/* ---- now */

static int close_some(struct shard *shard)
{
	shard->has_followed = false;
	int r = baskets_close_due(shard->baskets, CLOSED_AT_ONCE_MAX, &shard->is_closing);
	return r == 0 && !shard->is_closing ? review_some(shard) : r;
}

static int step(struct shard *shard)
{
	int r = shard->is_loading ? load_some(shard) : 0;

	return r == 0 && !shard->is_loading ? close_some(shard) : r;
}

int shard_close_baskets(struct shard *shard, int64_t now_ms)
{
	size_t changed = entries_changed_count(shard->entries);

	shard->is_loading = shard->is_loading && !shard->is_broken;
	if (!(shard->is_loading || shard->has_followed || shard->is_closing) || shard->is_broken) {
		return 0;
	}
	int r = step(shard);
	if (r == -EBADMSG) {
		shard->is_broken = true;
		snprintf(shard->broken_why, sizeof shard->broken_why, "a basket can't be read");
		return 0;
	}
	if (entries_changed_count(shard->entries) != changed) {
		shard_touch(shard, now_ms);
	}
	return r;
}
