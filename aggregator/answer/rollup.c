/* A balanced tree: keys are other people's, and none of them can make it slow. */
#include "aggregator/answer/rollup.h"
#include "aggregator/view/row_key.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>

struct group {
	struct slice key; /* owned, in the same piece of memory */
	struct buffer value;
};

struct rollup {
	const struct view *view;
	void *tree; /* of struct group */
	size_t count;
	size_t size;
	struct group *
		last; /* rows come in the order of their keys, so the next is often of the same group */
	struct group **sorted;
	size_t sorted_count;
	struct buffer scratch;
	struct buffer incoming;
};

int rollup_new(const struct view *view, struct rollup **ret_rollup)
{
	struct rollup *rollup = calloc(1, sizeof *rollup);

	if (rollup == NULL) {
		return -ENOMEM;
	}
	rollup->view = view;
	buffer_init(&rollup->scratch, ROLLUP_SIZE_MAX);
	buffer_init(&rollup->incoming, ROLLUP_SIZE_MAX);
	*ret_rollup = rollup;
	return 0;
}

static void free_group(void *node)
{
	struct group *group = node;

	buffer_deinit(&group->value);
	free(group);
}

struct rollup *rollup_free(struct rollup *rollup)
{
	if (rollup != NULL) {
		tdestroy(rollup->tree, free_group);
		free(rollup->sorted);
		buffer_deinit(&rollup->scratch);
		buffer_deinit(&rollup->incoming);
		free(rollup);
	}
	return NULL;
}

static int compare_groups(const void *a, const void *b)
{
	return row_key_compare(((const struct group *)a)->key, ((const struct group *)b)->key);
}

static struct group *new_group(struct slice key)
{
	struct group *group = malloc(sizeof *group + key.size);

	if (group == NULL) {
		return NULL;
	}
	uint8_t *bytes = (uint8_t *)(group + 1);
	if (key.size > 0) {
		memcpy(bytes, key.bytes, key.size);
	}
	group->key = slice_of(bytes, key.size);
	buffer_init(&group->value, ROLLUP_SIZE_MAX);
	return group;
}

/* The group with this key, made where there is none. */
static int find_or_make(struct rollup *rollup, struct slice key, struct group **ret_group)
{
	struct group probe = {.key = key};
	struct group **place = tsearch(&probe, &rollup->tree, compare_groups);

	if (place == NULL) {
		return -ENOMEM;
	}
	if (*place != &probe) {
		*ret_group = *place;
		return 0;
	}
	struct group *made = rollup->count < ANSWER_GROUPS_MAX ? new_group(key) : NULL;
	if (made == NULL) {
		tdelete(&probe, &rollup->tree, compare_groups);
		return rollup->count < ANSWER_GROUPS_MAX ? -ENOMEM : ROLLUP_E_FULL;
	}
	*place = made;
	rollup->count++;
	rollup->size += sizeof *made + key.size;
	*ret_group = made;
	return 0;
}

/* A row of many shards may have as many parts of a histogram as a row can hold: added up, it is one. */
static int join_parts(struct rollup *rollup, const struct row *row, struct row *ret_row)
{
	buffer_clear(&rollup->incoming);
	row_write(rollup->view, row, &rollup->incoming);
	return rollup->incoming.error != 0
		       ? rollup->incoming.error
		       : row_read(rollup->view, buffer_slice(&rollup->incoming), ret_row);
}

static int merge(struct rollup *rollup, struct group *group, const struct row *row)
{
	struct row merged, joined;
	int r = row_read(rollup->view, buffer_slice(&group->value), &merged);

	if (r == 0 && rollup->view->histogram_count > 0) {
		r = join_parts(rollup, row, &joined);
		row = &joined;
	}
	if (r == 0) {
		r = row_merge_row(rollup->view, &merged, row);
	}
	if (r < 0) {
		return r;
	}
	buffer_clear(&rollup->scratch);
	row_write(rollup->view, &merged, &rollup->scratch);
	if (rollup->scratch.error != 0) {
		return rollup->scratch.error;
	}
	struct buffer old = group->value;
	group->value = rollup->scratch;
	rollup->scratch = old;
	return 0;
}

int rollup_add(struct rollup *rollup, struct slice key, const struct row *row)
{
	struct group *group = rollup->last;

	if (group == NULL || !slice_equal(group->key, key)) {
		int r = find_or_make(rollup, key, &group);
		if (r != 0) {
			return r;
		}
		rollup->last = group;
	}
	rollup->size -= group->value.size;
	if (group->value.size == 0) {
		row_write(rollup->view, row, &group->value);
	} else {
		int r = merge(rollup, group, row);
		if (r < 0) {
			return r;
		}
	}
	rollup->size += group->value.size;
	if (group->value.error != 0) {
		return group->value.error;
	}
	return rollup->size > ROLLUP_SIZE_MAX ? ROLLUP_E_FULL : 0;
}

struct slice rollup_find(const struct rollup *rollup, struct slice key)
{
	struct group probe = {.key = key};
	struct group *const *place = tfind(&probe, &rollup->tree, compare_groups);

	return place == NULL ? slice_of(NULL, 0) : buffer_slice(&(*place)->value);
}

static void collect(const void *node, VISIT visit, void *closure)
{
	struct rollup *rollup = closure;

	if (visit == postorder || visit == leaf) {
		rollup->sorted[rollup->sorted_count++] = *(struct group *const *)node;
	}
}

int rollup_sort(struct rollup *rollup)
{
	free(rollup->sorted);
	rollup->sorted_count = 0;
	rollup->sorted = malloc((rollup->count + 1) * sizeof *rollup->sorted);
	if (rollup->sorted == NULL) {
		return -ENOMEM;
	}
	twalk_r(rollup->tree, collect, rollup);
	return 0;
}

size_t rollup_count(const struct rollup *rollup)
{
	return rollup->count;
}

struct slice rollup_key_at(const struct rollup *rollup, size_t index)
{
	return rollup->sorted[index]->key;
}

struct slice rollup_value_at(const struct rollup *rollup, size_t index)
{
	return buffer_slice(&rollup->sorted[index]->value);
}

size_t rollup_lower_bound(const struct rollup *rollup, struct slice key)
{
	size_t low = 0, high = rollup->sorted_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (row_key_compare(rollup->sorted[middle]->key, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}
