/* fake_store.h - the reading side of store.h over sorted arrays in memory, and a commit as the store does it. It takes
 * the place of the LMDB one when a test is linked. Include it in one file of a test. */
#pragma once
#include "aggregator/store/store.h"
#include "sample_views.h"
#include <stdlib.h>

struct fake_row {
	uint32_t view_id;
	struct slice key, value; /* owned */
};

struct fake_member {
	uint32_t view_id;
	uint8_t key[MEMBER_KEY_SIZE];
};

/* A snapshot is the fake store itself: what changes it while it is read shows at once, as after a renewal. */
struct snapshot {
	struct fake_row *rows;
	size_t count, capacity;
	struct fake_member *members;
	size_t member_count, member_capacity;
	bool is_corrupt;
	bool are_members_corrupt;
	size_t open_cursors;
};

static inline struct slice keep_bytes(struct slice bytes)
{
	uint8_t *copy = malloc(bytes.size + 1);

	assert_non_null(copy);
	memcpy(copy, bytes.bytes, bytes.size);
	return slice_of(copy, bytes.size);
}

static inline void fake_deinit(struct snapshot *store)
{
	assert_int_equal(store->open_cursors, 0);
	for (size_t i = 0; i < store->count; i++) {
		free((void *)store->rows[i].key.bytes);
		free((void *)store->rows[i].value.bytes);
	}
	free(store->rows);
	free(store->members);
	*store = (struct snapshot){0};
}

static inline int compare_place(const struct fake_row *row, uint32_t view_id, struct slice key)
{
	if (row->view_id != view_id) {
		return row->view_id < view_id ? -1 : 1;
	}
	return row_key_compare(row->key, key);
}

/* The first row of this view with key >= `key`, or what comes behind the view. */
static inline size_t fake_lower_bound(
	const struct snapshot *store, uint32_t view_id, struct slice key)
{
	size_t low = 0, high = store->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_place(&store->rows[middle], view_id, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static inline void fake_put(
	struct snapshot *store, uint32_t view_id, struct slice key, struct slice value)
{
	size_t i = fake_lower_bound(store, view_id, key);

	if (i < store->count && compare_place(&store->rows[i], view_id, key) == 0) {
		free((void *)store->rows[i].value.bytes);
		store->rows[i].value = keep_bytes(value);
		return;
	}
	if (store->count == store->capacity) {
		store->capacity = store->capacity * 2 + 64;
		store->rows = realloc(store->rows, store->capacity * sizeof *store->rows);
		assert_non_null(store->rows);
	}
	memmove(&store->rows[i + 1], &store->rows[i], (store->count - i) * sizeof *store->rows);
	store->rows[i] = (struct fake_row){view_id, keep_bytes(key), keep_bytes(value)};
	store->count++;
}

static inline bool fake_add_member(struct snapshot *store, uint32_t view_id, const uint8_t *key)
{
	if (snapshot_find_member(store, view_id, key) == 0) {
		return false;
	}
	if (store->member_count == store->member_capacity) {
		store->member_capacity = store->member_capacity * 2 + 64;
		store->members =
			realloc(store->members, store->member_capacity * sizeof *store->members);
		assert_non_null(store->members);
	}
	struct fake_member *member = &store->members[store->member_count++];
	member->view_id = view_id;
	memcpy(member->key, key, sizeof member->key);
	return true;
}

static inline void fake_commit_row(
	struct snapshot *store, const struct view *view, const struct delta *delta)
{
	uint64_t new_members[VIEW_MEASURES_MAX] = {0};
	struct slice base = {0};
	struct buffer value;

	buffer_init(&value, 1 << 20);
	for (size_t i = 0; i < delta_member_count(delta); i++) {
		new_members[delta_member_measure(delta, i)] +=
			fake_add_member(store, view_id(view), delta_member_at(delta, i));
	}
	snapshot_row(store, view_id(view), delta_key(delta), &base);
	assert_int_equal(delta_merge(view, base, delta, new_members, &value), 0);
	fake_put(store, view_id(view), delta_key(delta), buffer_slice(&value));
	buffer_deinit(&value);
}

/* Everything that a sorted overlay changed. */
static inline void fake_commit(
	struct snapshot *store, const struct view_set *views, const struct overlay *overlay)
{
	for (uint32_t id = 0; id < view_set_count(views); id++) {
		for (size_t i = 0; i < overlay_row_count(overlay, id); i++) {
			fake_commit_row(
				store, view_set_at(views, id), overlay_row_at(overlay, id, i));
		}
	}
}

int snapshot_row(
	struct snapshot *snapshot, uint32_t view_id, struct slice key, struct slice *ret_value)
{
	size_t i = fake_lower_bound(snapshot, view_id, key);

	if (snapshot->is_corrupt) {
		return STORE_E_CORRUPT;
	}
	if (i == snapshot->count || compare_place(&snapshot->rows[i], view_id, key) != 0) {
		return STORE_E_ABSENT;
	}
	*ret_value = snapshot->rows[i].value;
	return 0;
}

int snapshot_summary(struct snapshot *snapshot, uint32_t view_id, struct view_summary *ret_summary)
{
	if (snapshot->is_corrupt) {
		return STORE_E_CORRUPT;
	}
	*ret_summary = (struct view_summary){
		.row_count = fake_lower_bound(snapshot, view_id + 1, slice_of(NULL, 0)) -
			     fake_lower_bound(snapshot, view_id, slice_of(NULL, 0)),
		.unmatched = 3,
		.expired = 4};
	return 0;
}

int snapshot_find_member(
	struct snapshot *snapshot, uint32_t view_id, const uint8_t key[MEMBER_KEY_SIZE])
{
	for (size_t i = 0; i < snapshot->member_count; i++) {
		const struct fake_member *member = &snapshot->members[i];
		if (member->view_id == view_id &&
			memcmp(member->key, key, sizeof member->key) == 0) {
			return 0;
		}
	}
	return snapshot->are_members_corrupt ? STORE_E_CORRUPT : STORE_E_ABSENT;
}

static inline int show_row(struct row_cursor *cursor, size_t i)
{
	const struct snapshot *store = cursor->snapshot;

	if (store->is_corrupt) {
		return STORE_E_CORRUPT;
	}
	if (i >= store->count || store->rows[i].view_id != cursor->view_id) {
		return STORE_E_ABSENT;
	}
	cursor->key = store->rows[i].key;
	cursor->value = store->rows[i].value;
	return 0;
}

/* There are no entries but those in memory. */
int snapshot_walk(struct snapshot *snapshot, enum store_table table, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner)
{
	(void)snapshot, (void)table, (void)from, (void)each, (void)owner;
	return 0;
}

int row_cursor_open(struct snapshot *snapshot, uint32_t view_id, struct slice from,
	struct row_cursor *ret_cursor)
{
	struct row_cursor cursor = {.snapshot = snapshot, .view_id = view_id};
	int r = show_row(&cursor, fake_lower_bound(snapshot, view_id, from));

	if (r == 0) {
		*ret_cursor = cursor;
		snapshot->open_cursors++;
	}
	return r;
}

int row_cursor_next(struct row_cursor *cursor)
{
	const struct snapshot *store = cursor->snapshot;

	return show_row(cursor, fake_lower_bound(store, cursor->view_id, cursor->key) + 1);
}

void row_cursor_close(struct row_cursor *cursor)
{
	assert_true(cursor->snapshot->open_cursors > 0);
	cursor->snapshot->open_cursors--;
}
