/* overlay_plan.h - what an event will do to each view, and whether there is memory for it. Planning changes no row, so
 * an event is counted in all its views or in none. For the overlay's own files. */
#pragma once
#include "aggregator/overlay/overlay_table.h"

/* Members of each distinct() that need no memory of their own: most rows see one or two between two commits. */
enum { MEMBERS_IN_ARENA = 2 };

/* What becomes of an event in one view. */
enum plan_fate {
	PLAN_LEFT_OUT, /* by `where` */
	PLAN_UNMATCHED, /* lacks a group field */
	PLAN_HELD, /* its row would name somebody who was forgotten */
	PLAN_EXPIRED, /* its row has ended */
	PLAN_COUNTED,
};

/* What an event will do to one view. */
struct plan {
	const struct view *view;
	struct table *table;
	struct delta *delta; /* the event's row, NULL: a new one; between events, the last one's */
	uint64_t hash; /* of a new row's key */
	enum plan_fate fate;
	struct row_key key;
	struct group_value values[VIEW_GROUPS_MAX];
	size_t longs_size;
};

enum { PLANS_OF_BASKETS = KIND_COUNT, PLAN_LISTS };

struct overlay {
	const struct view_set *views; /* borrowed */
	uint8_t hash_key[OVERLAY_HASH_KEY_SIZE];
	struct arena arena;
	size_t event_count;
	struct standing standing; /* of the event that is applied */
	bool takes_back; /* it goes, rather than comes */
	int64_t clock_ms;
	size_t retained_count; /* views whose rows end */
	size_t member_bytes; /* of the lists that outgrew the arena */
	struct table *tables; /* one a view, by id */
	struct plan *plans[PLAN_LISTS]; /* of each kind's views, and of those that count baskets */
	size_t plan_counts[PLAN_LISTS];
};

/* A stamp in the arena, with the bytes that it refers to. */
struct kept_stamp {
	struct stamp stamp;
	size_t capacity;
	uint8_t bytes[];
};

uint64_t overlay_hash(const struct overlay *overlay, struct slice bytes);
/* Which row the event belongs to. */
void plan_row(struct overlay *overlay, struct plan *plan, const struct event *event,
	struct slice letter_code);
/* Everything that the event will need in this view, but for the arena: its share is added to *arena_size. 0 or -ENOMEM. */
int plan_memory(
	struct overlay *overlay, struct plan *plan, const struct event *event, size_t *arena_size);
/* What a first() or last() of texts reads from the event; {NULL, 0}: nothing, or it reads numbers. */
struct slice stamp_text(
	const struct overlay *overlay, const struct measure *measure, const struct event *event);
/* Bins of each histogram that a new row has room for. */
enum { BINS_AT_FIRST = 2 };
static inline size_t bins_capacity_after(const struct bins *bins)
{
	return bins == NULL ? BINS_AT_FIRST : 2 * (size_t)bins->capacity;
}
/* The members that a new row brings in the arena: room for `distinct_count` x MEMBERS_IN_ARENA. */
static inline size_t members_size(const struct view *view)
{
	return view->distinct_count * MEMBERS_IN_ARENA * sizeof(struct member);
}
