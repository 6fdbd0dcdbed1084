#include "aggregator/overlay/overlay_plan.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

_Static_assert(OVERLAY_HASH_KEY_SIZE == crypto_shorthash_KEYBYTES, "the key is SipHash's");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "and so is its hash");

uint64_t overlay_hash(const struct overlay *overlay, struct slice key)
{
	uint64_t hash = 0;

	crypto_shorthash((unsigned char *)&hash, key.bytes, key.size, overlay->hash_key);
	return hash;
}

/* Events that come one after the other are often of one row: then the last one is found without a look at the table. */
static void find_row(const struct overlay *overlay, struct plan *plan)
{
	struct slice key = row_key_slice(&plan->key);

	if (plan->delta != NULL && slice_equal(delta_key(plan->delta), key)) {
		return;
	}
	plan->hash = overlay_hash(overlay, key);
	plan->delta = table_find(plan->table, plan->hash, key);
}

static bool has_ended(const struct plan *plan)
{
	return plan->view->retain_ms > 0 &&
	       plan->values[plan->view->retain_group].integer < plan->table->cutoff;
}

static bool find_group(struct plan *plan, const struct event *event, struct slice letter_code)
{
	bool has_all = view_group_values(plan->view, event, letter_code, plan->values);

	plan->key.size = 0;
	plan->longs_size = 0;
	for (size_t i = 0; has_all && i < plan->view->group_count; i++) {
		const struct group_value *value = &plan->values[i];
		has_all = row_key_append(&plan->key, value);
		if (value->type == GROUP_TEXT && row_text_is_long(value->text)) {
			plan->longs_size += 2 + value->text.size;
		}
	}
	return has_all;
}

static enum plan_fate fate_of(const struct overlay *overlay, struct plan *plan,
	const struct event *event, struct slice letter_code)
{
	if (!view_admits(plan->view, event)) {
		return PLAN_LEFT_OUT;
	}
	if (!find_group(plan, event, letter_code)) {
		return PLAN_UNMATCHED;
	}
	if (overlay->standing.is_hidden && view_user_group(plan->view) >= 0) {
		return PLAN_HELD;
	}
	return has_ended(plan) ? PLAN_EXPIRED : PLAN_COUNTED;
}

void plan_row(struct overlay *overlay, struct plan *plan, const struct event *event,
	struct slice letter_code)
{
	plan->fate = fate_of(overlay, plan, event, letter_code);
	if (plan->fate == PLAN_COUNTED) {
		find_row(overlay, plan);
	}
}

struct slice stamp_text(
	const struct overlay *overlay, const struct measure *measure, const struct event *event)
{
	struct slice text = {0};

	if (overlay->standing.is_hidden && measure_tells_user(measure)) {
		return slice_of_text(FORGOTTEN_TEXT);
	}
	if (operand_type_of(measure->operand) == TYPE_TEXT) {
		operand_text(measure->operand, event, &text);
	}
	return text;
}

static size_t stamps_size(
	const struct overlay *overlay, const struct view *view, const struct event *event)
{
	size_t size = 0;

	for (size_t i = 0; view->has_stamps && i < view->measure_count; i++) {
		if (measure_is_stamped(&view->measures[i])) {
			size += arena_round(sizeof(struct kept_stamp) +
					    event->certificate.edge.size +
					    stamp_text(overlay, &view->measures[i], event).size);
		}
	}
	return size;
}

/* Room for one more bin in each histogram. What they outgrow stays in the arena: at most as much again. */
static size_t histograms_size(const struct view *view, const struct delta *delta)
{
	size_t size = 0;

	for (size_t i = 0; i < view->histogram_count; i++) {
		const struct bins *bins =
			delta == NULL ? NULL : delta->cells[view->histogram_owners[i]].bins;
		if (bins == NULL || bins->count == bins->capacity) {
			size += arena_round(bins_size(bins_capacity_after(bins)));
		}
	}
	return size;
}

static size_t delta_size(const struct plan *plan)
{
	const struct view *view = plan->view;

	return arena_round(sizeof(struct delta) + view->measure_count * sizeof(struct cell)) +
	       arena_round(plan->key.size + plan->longs_size) + arena_round(members_size(view));
}

/* Room in a row's list for what one event may add. */
static int reserve_list(struct overlay *overlay, struct delta *delta, size_t count)
{
	size_t needed = (size_t)delta->member_count + count;

	if (needed <= delta->member_capacity) {
		return 0;
	}
	size_t capacity = needed * 2;
	struct member *old = delta->owns_members ? delta->members : NULL;
	struct member *members = realloc(old, capacity * sizeof *members);
	if (members == NULL) {
		return -ENOMEM;
	}
	if (old == NULL) {
		memcpy(members, delta->members, delta->member_count * sizeof *members);
	}
	overlay->member_bytes +=
		(capacity - (old == NULL ? 0 : delta->member_capacity)) * sizeof *members;
	delta->members = members;
	delta->member_capacity = (uint32_t)capacity;
	delta->owns_members = true;
	return 0;
}

int plan_memory(
	struct overlay *overlay, struct plan *plan, const struct event *event, size_t *arena_size)
{
	size_t distinct_count = plan->view->distinct_count;
	int r = 0;

	*arena_size +=
		stamps_size(overlay, plan->view, event) + histograms_size(plan->view, plan->delta);
	if (plan->delta == NULL) {
		*arena_size += delta_size(plan);
		r = table_reserve_row(plan->table);
	} else if (distinct_count > 0) {
		r = reserve_list(overlay, plan->delta, distinct_count);
	}
	if (r == 0 && distinct_count > 0) {
		r = table_reserve_members(plan->table, distinct_count);
	}
	return r == 0 ? table_reserve_changed(plan->table) : r;
}
