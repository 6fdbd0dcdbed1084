/* get: rows by their keys. */
#include "aggregator/answer_parts.h"
#include <stdio.h>

/* The view's last group value may be left out where it is the currency: that asks for all of them. */
static bool ends_in_currency(const struct view *view)
{
	const struct group_field *last = &view->groups[view->group_count - 1];

	return last->source == GROUP_BY_FIELD && last->field == FIELD_CURRENCY;
}

static int complain_of_count(struct answering *answering, size_t count)
{
	const struct view *view = answering->view;
	size_t needed = view->group_count - ends_in_currency(view);
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
		ends_in_currency(view) ? ", and may have a currency" : "", count);
	return REASON_BAD_KEY;
}

static int get_row(struct answering *answering, struct slice key)
{
	struct row row;
	int r = layers_find_row(answering->context, answering->view, key, &row);

	if (r == STORE_E_ABSENT) {
		return 0;
	}
	return r < 0 ? r : row_list_add(answering, key, &row);
}

/* Every row whose key begins so. */
static int get_rows(struct answering *answering, const struct row_key *prefix)
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
			r = row_list_add(answering, row_key_slice(&walk.key), &row);
		}
	}
	walk_close(&walk);
	return r == WALK_E_END ? 0 : r;
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
	if (count == view->group_count) {
		return get_row(answering, row_key_slice(&key));
	}
	if (count + 1 == view->group_count && ends_in_currency(view)) {
		return get_rows(answering, &key);
	}
	return complain_of_count(answering, count);
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
