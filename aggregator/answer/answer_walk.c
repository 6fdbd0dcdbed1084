#include "aggregator/answer/answer_walk.h"
#include "aggregator/answer/gate.h"
#include "aggregator/overlay/overlay_table.h"
#include "aggregator/view/view_retain.h"
#include <assert.h>
#include <errno.h>

_Static_assert(
	HISTOGRAM_PARTS_MAX >= 3 * SHARDS_MAX, "a row has a part in each layer of each shard");

/* The store's conditions become errnos: an absent row is handled where it is met, a corrupt one ends the answer. */
static int from_store(int r)
{
	return r > 0 ? -EBADMSG : r;
}

/* Is a member new to what lies below its overlay? The verdict is kept: a commit moves members from the frozen layer to
 * the base, so what lies below an overlay stays the same while it lives. */
static int judge_member(const struct view *view, const struct layers *layers,
	const struct overlay *below, struct member *member)
{
	if (member->verdict != MEMBER_UNKNOWN) {
		return 0;
	}
	if (below != NULL && overlay_has_member(below, view->id, member->key)) {
		member->verdict = MEMBER_OLD;
		return 0;
	}
	int r = snapshot_find_member(layers->snapshot, view->id, member->key);
	if (r != 0 && r != STORE_E_ABSENT) {
		return from_store(r);
	}
	member->verdict = r == 0 ? MEMBER_OLD : MEMBER_NEW;
	return 0;
}

static int count_new_members(const struct view *view, const struct layers *layers,
	const struct overlay *below, const struct delta *delta, uint64_t *ret_counts)
{
	memset(ret_counts, 0, VIEW_MEASURES_MAX * sizeof *ret_counts);
	for (size_t i = 0; i < delta->member_count; i++) {
		struct member *member = &delta->members[i];
		int r = judge_member(view, layers, below, member);
		if (r < 0) {
			return r;
		}
		ret_counts[member->measure] += member->verdict == MEMBER_NEW;
	}
	return 0;
}

static int merge_base(const struct view *view, struct slice value, struct row *row)
{
	struct row base;
	int r = row_read(view, value, &base);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		/* `base` ends here: what its stamps say must not. */
		if (measure_is_stamped(&view->measures[i]) && base.cells[i].stamp != NULL &&
			cell_yields_to(&view->measures[i], &row->cells[i], base.stamps[i].ts_ms,
				&base.stamps[i].certificate)) {
			row->stamps[i] = base.stamps[i];
			base.cells[i].stamp = &row->stamps[i];
			row->cells[i] = base.cells[i];
		}
	}
	return row_merge_row(view, row, &base);
}

static int merge_delta(const struct view *view, const struct layers *layers,
	const struct overlay *below, const struct delta *delta, struct row *row)
{
	uint64_t new_members[VIEW_MEASURES_MAX];

	if (delta == NULL) {
		return 0;
	}
	int r = count_new_members(view, layers, below, delta, new_members);
	return r < 0 ? r : row_merge_delta(view, row, delta, new_members);
}

/* Adds what one shard holds of a row; `value` {NULL, 0}: nothing in the base. */
static int merge_shard(const struct view *view, const struct layers *layers, struct slice value,
	const struct walk_shard *found, struct row *row)
{
	int r = value.size == 0 ? 0 : merge_base(view, value, row);

	if (r == 0) {
		r = merge_delta(view, layers, NULL, found->frozen, row);
	}
	if (r == 0) {
		r = merge_delta(view, layers, layers->frozen, found->active, row);
	}
	return r;
}

/* Rows that have ended are in no answer, deleted or not. All shards have one clock. */
static int64_t cutoff_of(const struct answer_context *context, const struct view *view)
{
	return overlay_cutoff(context->shards[0].active, view->id);
}

int layers_find_row(struct answer_context *context, const struct view *view, struct slice key,
	struct row *ret_row)
{
	bool is_found = false;

	if (view_is_table(view)) {
		return table_find_row(context, view, key, ret_row);
	}
	if (!gate_shows_row(gate_stores_of(context->asker, view), key) ||
		view_key_has_ended(view, key, cutoff_of(context, view))) {
		return STORE_E_ABSENT;
	}
	row_init(view, ret_row);
	for (size_t i = 0; i < context->shard_count; i++) {
		const struct layers *layers = &context->shards[i];
		struct walk_shard found = {.active = overlay_find(layers->active, view->id, key)};
		struct slice value = {0};
		int r = snapshot_row(layers->snapshot, view->id, key, &value);
		if (r == STORE_E_ABSENT) {
			value = slice_of(NULL, 0);
		} else if (r != 0) {
			return from_store(r);
		}
		if (layers->frozen != NULL) {
			found.frozen = overlay_find(layers->frozen, view->id, key);
		}
		r = merge_shard(view, layers, value, &found, ret_row);
		if (r < 0) {
			return r;
		}
		is_found |= value.size > 0 || found.frozen != NULL || found.active != NULL;
	}
	row_settle(view, ret_row);
	return is_found && ret_row->event_count > 0 ? 0 : STORE_E_ABSENT;
}

static void close_cursors(struct walk *walk)
{
	for (size_t i = 0; i < walk->opened_count; i++) {
		if (walk->shards[i].is_open) {
			row_cursor_close(&walk->shards[i].base);
		}
	}
	walk->opened_count = 0;
}

void walk_close(struct walk *walk)
{
	close_cursors(walk);
	if (view_is_table(walk->view)) {
		table_walk_close(&walk->table);
	}
}

static int seek_shard(struct walk *walk, size_t index, struct slice from)
{
	struct walk_shard *shard = &walk->shards[index];
	const struct layers *layers = &walk->context->shards[index];
	uint32_t id = walk->view->id;

	*shard = (struct walk_shard){0};
	walk->opened_count = index + 1;
	int r = row_cursor_open(layers->snapshot, id, from, &shard->base);
	shard->is_open = r == 0;
	if (r != 0 && r != STORE_E_ABSENT) {
		return from_store(r);
	}
	if (layers->frozen != NULL) {
		shard->frozen_at = overlay_lower_bound(layers->frozen, id, from);
	}
	shard->active_at = overlay_lower_bound(layers->active, id, from);
	return 0;
}

static int seek(struct walk *walk, struct slice from)
{
	int r = 0;

	walk->rows_left = ANSWER_RENEW_ROWS;
	for (size_t i = 0; r == 0 && i < walk->context->shard_count; i++) {
		r = seek_shard(walk, i, from);
	}
	return r;
}

/* The committing thread has its own order of what is frozen. */
static int sort_overlays(const struct answer_context *context, uint32_t view_id)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < context->shard_count; i++) {
		const struct layers *layers = &context->shards[i];
		if (layers->frozen != NULL) {
			r = overlay_sort_view(layers->frozen, view_id);
		}
		if (r == 0) {
			r = overlay_sort_view(layers->active, view_id);
		}
	}
	return r;
}

int walk_open(struct walk *walk, struct answer_context *context, const struct view *view,
	struct slice from, struct slice to)
{
	walk->context = context;
	walk->view = view;
	walk->cutoff = cutoff_of(context, view);
	walk->stores = gate_stores_of(context->asker, view);
	walk->shows_emptied = false;
	walk->is_at_row = false;
	walk->opened_count = 0;
	walk->key.size = 0;
	assert(to.size <= sizeof walk->to.bytes);
	walk->to.size = to.size;
	if (to.size > 0) {
		memcpy(walk->to.bytes, to.bytes, to.size);
	}
	if (view_is_table(view)) {
		return table_walk_open(&walk->table, context, view, from, to);
	}
	int r = sort_overlays(context, view->id);
	return r < 0 ? r : seek(walk, from);
}

static const struct delta *delta_at(const struct overlay *overlay, uint32_t view_id, size_t index)
{
	if (overlay == NULL || index >= overlay_row_count(overlay, view_id)) {
		return NULL;
	}
	return overlay_row_at(overlay, view_id, index);
}

/* Keeps in *smallest the smaller of two keys. */
static void choose_smaller(struct slice *smallest, struct slice key)
{
	if (smallest->bytes == NULL || row_key_compare(key, *smallest) < 0) {
		*smallest = key;
	}
}

static struct slice smallest_key(const struct walk *walk)
{
	struct slice smallest = {0};

	for (size_t i = 0; i < walk->context->shard_count; i++) {
		const struct walk_shard *shard = &walk->shards[i];
		const struct layers *layers = &walk->context->shards[i];
		const struct delta *frozen =
			delta_at(layers->frozen, walk->view->id, shard->frozen_at);
		const struct delta *active =
			delta_at(layers->active, walk->view->id, shard->active_at);
		if (shard->is_open) {
			choose_smaller(&smallest, shard->base.key);
		}
		if (frozen != NULL) {
			choose_smaller(&smallest, delta_key(frozen));
		}
		if (active != NULL) {
			choose_smaller(&smallest, delta_key(active));
		}
	}
	return smallest;
}

static const struct delta *delta_with_key(const struct delta *delta, struct slice key)
{
	return delta != NULL && slice_equal(delta_key(delta), key) ? delta : NULL;
}

/* Which layers hold the current row. */
static void gather(struct walk *walk)
{
	struct slice key = row_key_slice(&walk->key);
	uint32_t id = walk->view->id;

	for (size_t i = 0; i < walk->context->shard_count; i++) {
		struct walk_shard *shard = &walk->shards[i];
		const struct layers *layers = &walk->context->shards[i];
		shard->has_base = shard->is_open && slice_equal(shard->base.key, key);
		shard->frozen = delta_with_key(delta_at(layers->frozen, id, shard->frozen_at), key);
		shard->active = delta_with_key(delta_at(layers->active, id, shard->active_at), key);
	}
}

static int leave_row(struct walk *walk)
{
	for (size_t i = 0; i < walk->context->shard_count; i++) {
		struct walk_shard *shard = &walk->shards[i];
		shard->frozen_at += shard->frozen != NULL;
		shard->active_at += shard->active != NULL;
		if (!shard->has_base) {
			continue;
		}
		int r = row_cursor_next(&shard->base);
		if (r == STORE_E_ABSENT) {
			row_cursor_close(&shard->base);
			shard->is_open = false;
		} else if (r != 0) {
			return from_store(r);
		}
	}
	return 0;
}

int walk_renew(struct walk *walk)
{
	struct answer_context *context = walk->context;

	close_cursors(walk);
	int r = context->renew(context->renew_owner, context->shards, context->shard_count);
	if (r == 0) {
		r = seek(walk, row_key_slice(&walk->key));
	}
	if (r == 0) {
		gather(walk);
	}
	return r;
}

static int step(struct walk *walk)
{
	if (!walk->is_at_row) {
		return 0;
	}
	walk->is_at_row = false;
	if (walk->context->renew != NULL && --walk->rows_left == 0) {
		int r = walk_renew(walk);
		if (r < 0) {
			return r;
		}
	}
	return leave_row(walk);
}

static int to_next_row(struct walk *walk)
{
	int r = step(walk);
	if (r < 0) {
		return r;
	}
	struct slice key = smallest_key(walk);
	if (key.bytes == NULL ||
		(walk->to.size > 0 && row_key_compare(key, row_key_slice(&walk->to)) >= 0)) {
		return WALK_E_END;
	}
	if (key.size > sizeof walk->key.bytes) {
		return -EBADMSG;
	}
	memcpy(walk->key.bytes, key.bytes, key.size);
	walk->key.size = key.size;
	walk->is_at_row = true;
	gather(walk);
	return 0;
}

static uint64_t events_of(const struct delta *delta)
{
	return delta == NULL ? 0 : delta_event_count(delta);
}

/* Was all that was counted in the current row taken back? The base has no such row, but may have what goes. */
static bool is_emptied(const struct walk *walk)
{
	uint64_t count = 0;

	for (size_t i = 0; i < walk->context->shard_count; i++) {
		const struct walk_shard *shard = &walk->shards[i];
		uint64_t stored = 0;
		if (shard->has_base &&
			row_event_count(walk->view, shard->base.value, &stored) != 0) {
			return false; /* whoever reads it is told */
		}
		count += stored + events_of(shard->frozen) + events_of(shard->active);
	}
	return count == 0;
}

static bool shows_row(const struct walk *walk)
{
	struct slice key = row_key_slice(&walk->key);

	return gate_shows_row(walk->stores, key) &&
	       !view_key_has_ended(walk->view, key, walk->cutoff) &&
	       (walk->shows_emptied || !is_emptied(walk));
}

static int to_next_table_row(struct walk *walk)
{
	int r = table_walk_next(&walk->table);
	if (r == 0) {
		walk->key = walk->table.key;
	}
	return r == TABLE_WALK_E_END ? WALK_E_END : r;
}

int walk_next(struct walk *walk)
{
	int r;

	if (view_is_table(walk->view)) {
		return to_next_table_row(walk);
	}

	do {
		r = to_next_row(walk);
	} while (r == 0 && !shows_row(walk));
	return r;
}

/* A row's cells point to their stamps, which must be this row's. */
static int table_row_copy(const struct view *table, struct row *from, struct row *ret_row)
{
	row_init(table, ret_row);
	ret_row->event_count = from->event_count;
	ret_row->longs = from->longs;
	for (size_t i = 0; i < table->measure_count; i++) {
		if (from->cells[i].count > 0) {
			table_row_set(
				ret_row, i, from->stamps[i].text, (int64_t)from->cells[i].number);
		}
	}
	return 0;
}

int walk_row(struct walk *walk, struct row *ret_row)
{
	if (view_is_table(walk->view)) {
		return table_row_copy(walk->view, &walk->table.row, ret_row);
	}
	row_init(walk->view, ret_row);
	for (size_t i = 0; i < walk->context->shard_count; i++) {
		const struct walk_shard *shard = &walk->shards[i];
		struct slice value = shard->has_base ? shard->base.value : slice_of(NULL, 0);
		int r = merge_shard(walk->view, &walk->context->shards[i], value, shard, ret_row);
		if (r < 0) {
			return r;
		}
	}
	row_settle(walk->view, ret_row);
	return 0;
}

struct slice walk_base_value(const struct walk *walk)
{
	struct slice value = {0};
	size_t holders = 0;

	if (view_is_table(walk->view)) {
		return value; /* kept in another form than a view's rows */
	}
	for (size_t i = 0; i < walk->context->shard_count; i++) {
		const struct walk_shard *shard = &walk->shards[i];
		holders += (size_t)(shard->frozen != NULL) + (size_t)(shard->active != NULL);
		if (shard->has_base) {
			holders++;
			value = shard->base.value;
		}
	}
	return holders == 1 ? value : slice_of(NULL, 0);
}
