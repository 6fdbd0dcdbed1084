/* How one event changes the rows of all views of its kind: first every view plans, then every view counts. */
#include "aggregator/overlay/overlay_plan.h"
#include <errno.h>

/* No number of an event is above 10^9 x 10^18 micros < 2^90, so 2^32 events stay below 2^122: the sums of one overlay
 * can't overflow. A basket counts as its lines do, and of those 2^37 would be needed. Where overlays meet the store, row_merge checks. */
#define OVERLAY_EVENTS_MAX (UINT64_C(1) << 32)

static void copy_longs(const struct plan *plan, uint8_t *longs)
{
	for (size_t i = 0; i < plan->view->group_count; i++) {
		struct slice text = plan->values[i].text;
		if (plan->values[i].type == GROUP_TEXT && row_text_is_long(text)) {
			*longs++ = (uint8_t)text.size;
			*longs++ = (uint8_t)(text.size >> 8);
			memcpy(longs, text.bytes, text.size);
			longs += text.size;
		}
	}
}

static struct delta *insert_row(struct overlay *overlay, const struct plan *plan)
{
	const struct view *view = plan->view;
	size_t size = sizeof(struct delta) + view->measure_count * sizeof(struct cell);
	struct delta *delta = arena_take(&overlay->arena, size);
	uint8_t *key = arena_take(&overlay->arena, plan->key.size + plan->longs_size);

	memset(delta, 0, size);
	memcpy(key, plan->key.bytes, plan->key.size);
	delta->key = key;
	delta->key_size = (uint16_t)plan->key.size;
	if (plan->longs_size > 0) {
		copy_longs(plan, key + plan->key.size);
		delta->longs = key + plan->key.size;
		delta->longs_size = (uint16_t)plan->longs_size;
	}
	if (view->distinct_count > 0) {
		delta->members = arena_take(&overlay->arena, members_size(view));
		delta->member_capacity = (uint32_t)(view->distinct_count * MEMBERS_IN_ARENA);
	}
	table_insert(plan->table, plan->hash, delta);
	if (view_ends_in_currency(view)) {
		size_t tail_size = plan->values[view->group_count - 1].text.size + 1;
		currencies_add(
			&plan->table->currencies, delta_key(delta), plan->key.size - tail_size);
	}
	return delta;
}

static void keep_stamp(struct overlay *overlay, const struct measure *measure, struct cell *cell,
	const struct event *event)
{
	struct slice edge = event->certificate.edge;
	struct slice text = stamp_text(overlay, measure, event);
	struct kept_stamp *kept = (struct kept_stamp *)cell->stamp;

	if (kept == NULL || kept->capacity < edge.size + text.size) {
		size_t size = arena_round(sizeof *kept + edge.size + text.size);
		kept = arena_take(&overlay->arena, size);
		kept->capacity = size - sizeof *kept;
	}
	kept->stamp.ts_ms = event->ts_ms;
	kept->stamp.certificate = event->certificate;
	kept->stamp.certificate.edge = slice_of(kept->bytes, edge.size);
	kept->stamp.text = slice_of(kept->bytes + edge.size, text.size);
	memcpy(kept->bytes, edge.bytes, edge.size);
	if (text.size > 0) {
		memcpy(kept->bytes + edge.size, text.bytes, text.size);
	}
	cell->stamp = &kept->stamp;
}

/* first and last; an event without the field does not count. */
static void count_stamped(struct overlay *overlay, const struct measure *measure, struct cell *cell,
	const struct event *event)
{
	bool is_text = operand_type_of(measure->operand) == TYPE_TEXT;
	money number = 0;
	bool is_present = is_text ? stamp_text(overlay, measure, event).size > 0
				  : operand_number(measure->operand, event, &number);

	if (is_present && cell_yields_to(measure, cell, event->ts_ms, &event->certificate)) {
		keep_stamp(overlay, measure, cell, event);
		cell->number = number;
		cell->count = 1;
	}
}

static void grow_bins(struct overlay *overlay, struct cell *cell)
{
	const struct bins *old = cell->bins;
	size_t capacity = bins_capacity_after(old);
	struct bins *bins = arena_take(&overlay->arena, bins_size(capacity));

	bins->count = 0;
	bins->capacity = (uint32_t)capacity;
	if (old != NULL) {
		bins->count = old->count;
		memcpy(bins->items, old->items, old->count * sizeof old->items[0]);
	}
	cell->bins = bins;
}

/* What an event adds to a count; as unsigned numbers wrap around, that it goes away is to be added, too. */
static uint64_t step_of(const struct overlay *overlay)
{
	return overlay->takes_back ? UINT64_MAX : 1;
}

static void count_quantile(struct overlay *overlay, struct cell *cell, money number)
{
	int32_t bucket = histogram_bucket(number);
	uint64_t step = step_of(overlay);

	if (cell->bins == NULL || !bins_add(cell->bins, bucket, step)) {
		grow_bins(overlay, cell);
		bins_add(cell->bins, bucket, step);
	}
	cell->count += step;
}

/* `epoch`: the row was another one before he was forgotten, and what it counted is no member of this one. */
static void count_distinct(const struct plan *plan, struct delta *delta, size_t measure,
	const struct event *event, uint64_t epoch)
{
	struct member member = {.measure = (uint8_t)measure};

	if (!member_key(
		    &plan->view->measures[measure], measure, delta_key(delta), event, member.key)) {
		return;
	}
	if (epoch != 0 && view_user_group(plan->view) >= 0) {
		member_key_of_epoch(member.key, epoch);
	}
	if (plan->view->retain_ms > 0) {
		member_place_bucket(plan->values[plan->view->retain_group].integer, member.key);
	}
	if (table_add_member(plan->table, member.key)) {
		delta->members[delta->member_count++] = member;
		delta->cells[measure].count++;
	}
}

/* Quantiles that share a histogram leave it to the first of them. */
static bool shares_histogram(const struct view *view, size_t index)
{
	const struct measure *measure = &view->measures[index];

	return measure->op == MEASURE_QUANTILE &&
	       view->histogram_owners[measure->histogram] != index;
}

static void count_measure(
	struct overlay *overlay, const struct plan *plan, size_t index, const struct event *event)
{
	const struct measure *measure = &plan->view->measures[index];
	struct delta *delta = plan->delta;
	money number;

	if (measure->op == MEASURE_COUNT || measure->op == MEASURE_RATIO ||
		shares_histogram(plan->view, index) ||
		!view_measure_admits(plan->view, measure, event) ||
		(overlay->takes_back && !measure_takes_back(measure))) {
		return;
	}
	if (measure->op == MEASURE_COUNT_SOME) {
		delta->cells[index].count += step_of(overlay);
	} else if (measure->op == MEASURE_DISTINCT) {
		count_distinct(plan, delta, index, event, overlay->standing.epoch);
	} else if (measure_is_stamped(measure)) {
		count_stamped(overlay, measure, &delta->cells[index], event);
	} else if (!operand_number(measure->operand, event, &number)) {
		return; /* the event has no such field */
	} else if (measure->op == MEASURE_QUANTILE) {
		count_quantile(overlay, &delta->cells[index], number);
	} else if (overlay->takes_back) {
		cell_take(measure, &delta->cells[index], number);
	} else {
		cell_add(measure, &delta->cells[index], number);
	}
}

static void count_event(struct overlay *overlay, struct plan *plan, const struct event *event)
{
	if (plan->delta == NULL) {
		plan->delta = insert_row(overlay, plan);
	}
	plan->delta->event_count += step_of(overlay);
	plan->table->matched += step_of(overlay);
	table_note(plan->table, plan->delta);
	for (size_t i = 0; i < plan->view->measure_count; i++) {
		count_measure(overlay, plan, i, event);
	}
}

static void apply_plan(struct overlay *overlay, struct plan *plan, const struct event *event)
{
	switch (plan->fate) {
	case PLAN_COUNTED:
		count_event(overlay, plan, event);
		break;
	case PLAN_UNMATCHED:
		plan->table->unmatched += step_of(overlay);
		break;
	case PLAN_HELD:
		plan->table->held += step_of(overlay);
		break;
	case PLAN_EXPIRED:
		plan->table->expired += step_of(overlay);
		break;
	case PLAN_LEFT_OUT:
		break;
	}
}

static int apply(
	struct overlay *overlay, int list, const struct event *event, struct slice letter_code)
{
	struct plan *plans = overlay->plans[list];
	size_t count = overlay->plan_counts[list];
	size_t arena_size = 0;
	int r = overlay->event_count >= OVERLAY_EVENTS_MAX ? -EOVERFLOW : 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		plan_row(overlay, &plans[i], event, letter_code);
		if (plans[i].fate == PLAN_COUNTED) {
			r = plan_memory(overlay, &plans[i], event, &arena_size);
		}
	}
	if (r == 0) {
		r = arena_reserve(&overlay->arena, arena_size);
	}
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < count; i++) {
		apply_plan(overlay, &plans[i], event);
	}
	overlay->event_count++;
	return 0;
}

int overlay_apply(struct overlay *overlay, const struct event *event, struct slice letter_code)
{
	return overlay_apply_as(overlay, event, letter_code, (struct standing){0});
}

int overlay_apply_as(struct overlay *overlay, const struct event *event, struct slice letter_code,
	struct standing standing)
{
	overlay->standing = standing;
	overlay->takes_back = false;
	return apply(overlay, (int)event->kind, event, letter_code);
}

int overlay_take_back(struct overlay *overlay, const struct event *event, struct standing standing)
{
	overlay->standing = standing;
	overlay->takes_back = true;
	return apply(overlay, (int)event->kind, event, slice_of(NULL, 0));
}

int overlay_apply_basket(
	struct overlay *overlay, const struct event *event, struct standing standing)
{
	overlay->standing = standing;
	overlay->takes_back = false;
	return apply(overlay, PLANS_OF_BASKETS, event, slice_of(NULL, 0));
}
