#include "aggregator/overlay/overlay_plan.h"
#include "aggregator/view/view_retain.h"
#include <errno.h>
#include <stdlib.h>

static bool is_of_list(const struct view *view, int list)
{
	return list == PLANS_OF_BASKETS ? view_counts_baskets(view)
					: view_counts_kind(view, (enum kind)list);
}

static int make_plans(struct overlay *overlay, int list)
{
	size_t count = view_set_count(overlay->views);
	struct plan *plans = calloc(count + 1, sizeof *plans);

	if (plans == NULL) {
		return -ENOMEM;
	}
	overlay->plans[list] = plans;
	for (size_t i = 0; i < count; i++) {
		const struct view *view = view_set_at(overlay->views, i);
		if (is_of_list(view, list)) {
			plans[overlay->plan_counts[list]++] =
				(struct plan){.view = view, .table = &overlay->tables[i]};
		}
	}
	return 0;
}

static int make_tables(struct overlay *overlay)
{
	size_t count = view_set_count(overlay->views);

	overlay->tables = calloc(count + 1, sizeof *overlay->tables);
	if (overlay->tables == NULL) {
		return -ENOMEM;
	}
	for (uint8_t i = 0; i < count; i++) {
		overlay->tables[i].cutoff = INT64_MIN;
		overlay->retained_count += view_set_at(overlay->views, i)->retain_ms > 0;
		for (uint8_t j = 0; j < 2; j++) {
			const uint8_t label[] = {i, j};
			overlay->tables[i].member_key[j] =
				overlay_hash(overlay, slice_of(label, sizeof label)) | 1;
		}
	}
	return 0;
}

int overlay_new(const struct view_set *views, const uint8_t hash_key[OVERLAY_HASH_KEY_SIZE],
	struct overlay **ret_overlay)
{
	struct overlay *overlay = calloc(1, sizeof *overlay);

	if (overlay == NULL) {
		return -ENOMEM;
	}
	overlay->views = views;
	memcpy(overlay->hash_key, hash_key, sizeof overlay->hash_key);
	int r = make_tables(overlay);
	for (int list = 0; r == 0 && list < PLAN_LISTS; list++) {
		r = make_plans(overlay, list);
	}
	if (r < 0) {
		overlay_free(overlay);
		return r;
	}
	*ret_overlay = overlay;
	return 0;
}

struct overlay *overlay_free(struct overlay *overlay)
{
	if (overlay == NULL) {
		return NULL;
	}
	for (size_t i = 0; overlay->tables != NULL && i < view_set_count(overlay->views); i++) {
		table_deinit(&overlay->tables[i]);
	}
	for (size_t list = 0; list < PLAN_LISTS; list++) {
		free(overlay->plans[list]);
	}
	free(overlay->tables);
	arena_deinit(&overlay->arena);
	free(overlay);
	return NULL;
}

size_t overlay_bytes(const struct overlay *overlay)
{
	size_t bytes = sizeof *overlay + overlay->arena.bytes + overlay->member_bytes;

	for (size_t i = 0; i < view_set_count(overlay->views); i++) {
		bytes += table_bytes(&overlay->tables[i]);
	}
	return bytes;
}

size_t overlay_event_count(const struct overlay *overlay)
{
	return overlay->event_count;
}

bool overlay_set_clock(struct overlay *overlay, int64_t clock_ms)
{
	bool has_moved = false;

	if (clock_ms <= overlay->clock_ms) {
		return false;
	}
	overlay->clock_ms = clock_ms;
	for (size_t i = 0; overlay->retained_count > 0 && i < view_set_count(overlay->views); i++) {
		struct table *table = &overlay->tables[i];
		int64_t cutoff = view_cutoff(view_set_at(overlay->views, i), clock_ms);
		if (cutoff > table->cutoff) {
			table->cutoff = cutoff;
			has_moved = true;
		}
	}
	return has_moved;
}

int64_t overlay_cutoff(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].cutoff;
}

uint64_t overlay_matched(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].matched;
}

uint64_t overlay_unmatched(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].unmatched;
}

uint64_t overlay_held(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].held;
}

uint64_t overlay_expired(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].expired;
}

int overlay_sort(struct overlay *overlay)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < view_set_count(overlay->views); i++) {
		r = table_sort(&overlay->tables[i]);
	}
	return r;
}

int overlay_sort_view(struct overlay *overlay, uint32_t view_id)
{
	return table_sort(&overlay->tables[view_id]);
}

size_t overlay_change_count(const struct overlay *overlay)
{
	size_t count = 0;

	for (size_t i = 0; i < view_set_count(overlay->views); i++) {
		count += overlay->tables[i].row_count + overlay->tables[i].member_count;
	}
	return count;
}

size_t overlay_row_count(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].row_count;
}

const struct delta *overlay_row_at(const struct overlay *overlay, uint32_t view_id, size_t index)
{
	return overlay->tables[view_id].places[index].delta;
}

const struct delta *overlay_find(const struct overlay *overlay, uint32_t view_id, struct slice key)
{
	return table_find(&overlay->tables[view_id], overlay_hash(overlay, key), key);
}

int overlay_list_rows(
	const struct overlay *overlay, uint32_t view_id, const struct delta *const **ret_rows)
{
	return table_list_rows(&overlay->tables[view_id], ret_rows);
}

size_t overlay_lower_bound(const struct overlay *overlay, uint32_t view_id, struct slice key)
{
	return table_lower_bound(&overlay->tables[view_id], key);
}

bool overlay_has_member(
	const struct overlay *overlay, uint32_t view_id, const uint8_t key[MEMBER_KEY_SIZE])
{
	return table_has_member(&overlay->tables[view_id], key);
}

const struct table *overlay_table(const struct overlay *overlay, uint32_t view_id)
{
	return &overlay->tables[view_id];
}

const struct currencies *overlay_currencies(const struct overlay *overlay, uint32_t view_id)
{
	return &overlay->tables[view_id].currencies;
}

void overlay_watch(struct overlay *overlay, uint64_t views)
{
	for (size_t i = 0; i < view_set_count(overlay->views); i++) {
		table_watch(&overlay->tables[i], (views >> i & 1) != 0);
	}
}

size_t overlay_changed_count(const struct overlay *overlay, uint32_t view_id)
{
	return overlay->tables[view_id].changed_count;
}

void overlay_take_changed(struct overlay *overlay, uint32_t view_id,
	void (*each)(void *owner, struct slice key, struct slice longs), void *owner)
{
	struct table *table = &overlay->tables[view_id];

	for (size_t i = 0; i < table->changed_count; i++) {
		struct delta *delta = table->changed[i];
		delta->is_noted = false;
		each(owner, delta_key(delta), delta_longs(delta));
	}
	table->changed_count = 0;
}
