/* get: rows by their keys. */
#include "aggregator/answer/answer_refined.h"
#include "aggregator/overlay/overlay_table.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int complain_of_count(struct answering *answering, size_t count)
{
	const struct view *view = answering->view;
	size_t needed = view->group_count - view_ends_in_currency(view);
	char names[COMPLAINT_SIZE_MAX / 2];
	size_t size = 0;

	names[0] = 0;
	for (size_t i = 0; i < needed && size < sizeof names; i++) {
		int n = snprintf(names + size, sizeof names - size, "%s%s", i == 0 ? "" : ", ",
			view->groups[i].name);
		size += n > 0 ? (size_t)n : 0;
	}
	complaint_set(&answering->complaint, REASON_BAD_KEY, "key",
		"a key of view %s needs %zu group value%s (%s)%s; %zu given; scan takes less",
		view->name, needed, needed == 1 ? "" : "s", names,
		view_ends_in_currency(view) ? ", and may have a currency" : "", count);
	return REASON_BAD_KEY;
}

int get_check_count(struct answering *answering, size_t count)
{
	const struct view *view = answering->view;

	return count == view->group_count ||
			       (count + 1 == view->group_count && view_ends_in_currency(view))
		       ? 0
		       : complain_of_count(answering, count);
}

/* Lists a row that was found by its key, unless it is not asked for. */
static int add_row(struct answering *answering, struct slice key, const struct row *row)
{
	const struct refinement *refinement = answering->refinement;
	struct group_value values[ROW_VALUES_MAX];

	if (refinement != NULL) {
		int r = group_values_read(answering->view, key, row, values);
		if (r == 0) {
			r = join_values(
				answering->context, &refinement->join, answering->view, values);
		}
		if (r < 0 || !refinement_admits_groups(refinement, values, &refinement->period)) {
			return r;
		}
		answering->found_count++;
		if (!refinement_admits_row(refinement, row)) {
			return 0;
		}
	}
	return row_list_add(answering, key, row);
}

static int get_row(struct answering *answering, struct slice key)
{
	struct row row;
	int r = layers_find_row(answering->context, answering->view, key, &row);

	if (r == STORE_E_ABSENT) {
		return 0;
	}
	return r < 0 ? r : add_row(answering, key, &row);
}

/* Every row whose key begins so, by a walk. It needs the active overlays in key order. */
static int walk_rows(struct answering *answering, const struct row_key *prefix)
{
	struct row_key to = *prefix;
	struct walk walk;
	struct row row;

	if (!row_key_successor(&to)) {
		to.size = 0;
	}
	int r = walk_open(&walk, answering->context, answering->view, row_key_slice(prefix),
		row_key_slice(&to));
	while (r == 0 && (r = walk_next(&walk)) == 0) {
		r = walk_row(&walk, &row);
		if (r == 0) {
			r = add_row(answering, row_key_slice(&walk.key), &row);
		}
	}
	walk_close(&walk);
	return r == WALK_E_END ? 0 : r;
}

/* The currencies that a shard's base has for these group values. */
static int add_base_currencies(struct answering *answering, struct snapshot *snapshot,
	struct slice prefix, struct currencies *currencies)
{
	struct row_cursor cursor;
	int r = row_cursor_open(snapshot, answering->view->id, prefix, &cursor);
	bool is_open = r == 0;

	while (r == 0 && cursor.key.size >= prefix.size &&
		slice_equal(slice_of(cursor.key.bytes, prefix.size), prefix)) {
		currencies_add(currencies, cursor.key, prefix.size);
		r = row_cursor_next(&cursor);
	}
	if (is_open) {
		row_cursor_close(&cursor);
	}
	return r == STORE_E_ABSENT ? 0 : r > 0 ? -EBADMSG : r;
}

static void add_overlay_currencies(
	const struct overlay *overlay, uint32_t view_id, struct currencies *currencies)
{
	if (overlay == NULL) {
		return;
	}
	const struct currencies *others = overlay_currencies(overlay, view_id);
	currencies->is_over |= others->is_over;
	for (size_t i = 0; i < others->count; i++) {
		currencies_add(currencies, slice_of(others->tails[i], CURRENCY_TAIL_SIZE), 0);
	}
}

static int find_currencies(
	struct answering *answering, struct slice prefix, struct currencies *currencies)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < answering->context->shard_count; i++) {
		const struct layers *layers = &answering->context->shards[i];
		add_overlay_currencies(layers->frozen, answering->view->id, currencies);
		add_overlay_currencies(layers->active, answering->view->id, currencies);
		r = add_base_currencies(answering, layers->snapshot, prefix, currencies);
	}
	return r;
}

static int compare_tails(const void *a, const void *b)
{
	return memcmp(a, b, CURRENCY_TAIL_SIZE);
}

/* The rows of all currencies, each looked up by its whole key: nothing must be sorted for that. */
static int get_rows(struct answering *answering, const struct row_key *prefix)
{
	struct currencies currencies = {.count = 0};
	struct row_key key = *prefix;
	int r = find_currencies(answering, row_key_slice(prefix), &currencies);

	if (r < 0) {
		return r;
	}
	if (currencies.is_over || key.size + CURRENCY_TAIL_SIZE > sizeof key.bytes) {
		return walk_rows(answering, prefix);
	}
	qsort(currencies.tails, currencies.count, CURRENCY_TAIL_SIZE, compare_tails);
	key.size += CURRENCY_TAIL_SIZE;
	for (size_t i = 0; r == 0 && i < currencies.count; i++) {
		memcpy(key.bytes + prefix->size, currencies.tails[i], CURRENCY_TAIL_SIZE);
		r = get_row(answering, row_key_slice(&key));
	}
	return r;
}

static int get_key(struct answering *answering, const struct node *array)
{
	const struct view *view = answering->view;
	struct row_key key;
	size_t count = 0;

	int r = parse_key(answering, "key", array, &key, &count);
	if (r != 0) {
		return r;
	}
	size_t found_before = answering->found_count;
	if (count == view->group_count) {
		r = get_row(answering, row_key_slice(&key));
	} else if (count + 1 == view->group_count && view_ends_in_currency(view)) {
		r = get_rows(answering, &key);
	} else {
		return complain_of_count(answering, count);
	}
	bool is_missing = r == 0 && answering->found_count == found_before;
	return is_missing && answering->refinement != NULL && answering->refinement->with_missing
		       ? missing_get(answering, &key)
		       : r;
}

int answer_get(struct answering *answering)
{
	const struct query *query = answering->query;
	int r = 0;

	if (query->keys == NULL) {
		return get_key(answering, query->key);
	}
	const struct node *key = node_first(query->keys);
	for (uint32_t i = 0; r == 0 && i < query->keys->count; i++, key = node_next(key)) {
		r = get_key(answering, key);
	}
	return r;
}
