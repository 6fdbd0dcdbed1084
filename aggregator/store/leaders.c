#include "aggregator/store/leaders.h"
#include <errno.h>
#include <stdlib.h>

enum { KEYS_SIZE_MAX = 2 * LEADERS_KEPT * 512 }; /* LMDB's largest keys */

int leaders_new(
	uint32_t view_id, size_t measure, money floor, size_t kept, struct leaders **ret_leaders)
{
	struct leaders *leaders = calloc(1, sizeof *leaders);

	if (leaders == NULL) {
		return -ENOMEM;
	}
	leaders->rows = malloc(2 * kept * sizeof *leaders->rows);
	if (leaders->rows == NULL) {
		free(leaders);
		return -ENOMEM;
	}
	leaders->view_id = view_id;
	leaders->measure = measure;
	leaders->floor = floor > 0 ? floor : 0;
	leaders->kept = kept;
	buffer_init(&leaders->keys, KEYS_SIZE_MAX);
	*ret_leaders = leaders;
	return 0;
}

struct leaders *leaders_free(struct leaders *leaders)
{
	if (leaders != NULL) {
		buffer_deinit(&leaders->keys);
		free(leaders->rows);
		free(leaders);
	}
	return NULL;
}

struct slice leaders_key(const struct leaders *leaders, size_t index)
{
	const struct leader *row = &leaders->rows[index];

	return slice_of(leaders->keys.bytes + row->key_at, row->key_size);
}

static int compare_rows(const void *a, const void *b)
{
	const struct leader *left = a, *right = b;

	return (left->number < right->number) - (left->number > right->number);
}

static void sort(struct leaders *leaders)
{
	if (leaders->count > 0) {
		qsort(leaders->rows, leaders->count, sizeof *leaders->rows, compare_rows);
	}
}

/* The keys of those that are left, and no others. */
static void gather_keys(struct leaders *leaders)
{
	struct buffer keys;

	buffer_init(&keys, KEYS_SIZE_MAX);
	for (size_t i = 0; i < leaders->count; i++) {
		struct slice key = leaders_key(leaders, i);
		leaders->rows[i].key_at = keys.size;
		buffer_append(&keys, key.bytes, key.size);
	}
	buffer_deinit(&leaders->keys);
	leaders->keys = keys;
}

static void cut(struct leaders *leaders)
{
	sort(leaders);
	leaders->floor = leaders->rows[leaders->kept].number;
	leaders->count = leaders->kept;
	while (leaders->count > 0 && leaders->rows[leaders->count - 1].number <= leaders->floor) {
		leaders->count--; /* as much as one that was cut */
	}
	gather_keys(leaders);
}

void leaders_add(struct leaders *leaders, struct slice key, money number)
{
	if (number <= leaders->floor || leaders->keys.error != 0) {
		return;
	}
	if (leaders->count == 2 * leaders->kept) {
		cut(leaders);
		leaders_add(leaders, key, number);
		return;
	}
	size_t key_at = leaders->keys.size;
	buffer_append(&leaders->keys, key.bytes, key.size);
	if (leaders->keys.error == 0) {
		leaders->rows[leaders->count++] =
			(struct leader){.number = number, .key_at = key_at, .key_size = key.size};
	}
}

int leaders_finish(struct leaders *leaders)
{
	sort(leaders);
	return leaders->keys.error == 0 ? 0 : -ENOMEM;
}
