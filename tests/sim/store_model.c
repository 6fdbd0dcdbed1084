/* store.h and commit.h in memory: one sorted array of (table, key) -> value. */
#include "tests/sim/store_model.h"
#include "aggregator/commit.h"
#include "aggregator/ledger.h"
#include "aggregator/pack.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <stdlib.h>

enum { KEY_SIZE_MAX = 512, VALUE_SIZE_MAX = 1024 * 1024 };

struct pair {
	uint8_t *key, *value; /* owned; the key begins with its table */
	size_t key_size, value_size;
};

struct store {
	const struct view_set *views; /* borrowed */
	struct store_root root;
	struct pair *pairs; /* owned */
	size_t count, capacity;
	uint64_t commit;
};

/* A snapshot is the store itself: nothing changes it while one is open. */
struct snapshot {
	struct store store;
};

/* A pair's key: table, for rows and members the view, then their own key. */
struct full_key {
	uint8_t bytes[KEY_SIZE_MAX];
	size_t size;
};

static void *must(void *memory)
{
	if (memory == NULL) {
		abort();
	}
	return memory;
}

static struct full_key key_of(enum store_table table, struct slice key)
{
	struct full_key full = {.size = 1 + key.size};

	full.bytes[0] = (uint8_t)table;
	if (full.size > sizeof full.bytes) {
		abort();
	}
	if (key.size > 0) {
		memcpy(full.bytes + 1, key.bytes, key.size);
	}
	return full;
}

static struct full_key key_of_view(enum store_table table, uint32_t view_id, struct slice key)
{
	struct full_key full = {.size = 2 + key.size};

	full.bytes[0] = (uint8_t)table;
	full.bytes[1] = (uint8_t)view_id;
	if (full.size > sizeof full.bytes) {
		abort();
	}
	if (key.size > 0) {
		memcpy(full.bytes + 2, key.bytes, key.size);
	}
	return full;
}

static int compare(const struct pair *pair, const struct full_key *key)
{
	size_t common = pair->key_size < key->size ? pair->key_size : key->size;
	int order = memcmp(pair->key, key->bytes, common);

	return order != 0 ? order : (pair->key_size > key->size) - (pair->key_size < key->size);
}

static size_t lower_bound(const struct store *store, const struct full_key *key)
{
	size_t low = 0, high = store->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare(&store->pairs[middle], key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct pair *find(const struct store *store, const struct full_key *key)
{
	size_t at = lower_bound(store, key);

	return at < store->count && compare(&store->pairs[at], key) == 0 ? &store->pairs[at] : NULL;
}

static struct pair *insert(struct store *store, const struct full_key *key)
{
	size_t at = lower_bound(store, key);

	if (store->count == store->capacity) {
		store->capacity = store->capacity * 2 + 64;
		store->pairs = must(realloc(store->pairs, store->capacity * sizeof *store->pairs));
	}
	struct pair *pair = &store->pairs[at];
	memmove(pair + 1, pair, (store->count - at) * sizeof *pair);
	*pair = (struct pair){.key = must(malloc(key->size)), .key_size = key->size};
	memcpy(pair->key, key->bytes, key->size);
	store->count++;
	return pair;
}

static void put(struct store *store, const struct full_key *key, struct slice value)
{
	struct pair *pair = find(store, key);

	if (pair == NULL) {
		pair = insert(store, key);
	}
	free(pair->value);
	pair->value = must(malloc(value.size + 1));
	pair->value_size = value.size;
	if (value.size > 0) {
		memcpy(pair->value, value.bytes, value.size);
	}
}

static void drop(struct store *store, const struct full_key *key)
{
	struct pair *pair = find(store, key);

	if (pair != NULL) {
		free(pair->key);
		free(pair->value);
		size_t after = store->count - (size_t)(pair - store->pairs) - 1;
		memmove(pair, pair + 1, after * sizeof *pair);
		store->count--;
	}
}

/* ---- life */

/* As a generation begins: of nothing read. */
static void put_empty_ledger(struct store *store)
{
	struct full_key key = key_of(TABLE_SUMMARY, SUMMARY_LEDGER);
	const struct ledger ledger = {0};
	struct buffer buffer;

	buffer_init(&buffer, VALUE_SIZE_MAX);
	ledger_encode(&ledger, &buffer);
	put(store, &key, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

struct store *store_model_new(const struct view_set *views)
{
	struct store *store = must(calloc(1, sizeof *store));

	store->views = views;
	store->root =
		(struct store_root){.shard_count = 1, .is_complete = true, .live = 1, .next = 2};
	put_empty_ledger(store);
	return store;
}

struct store *store_model_free(struct store *store)
{
	for (size_t i = 0; store != NULL && i < store->count; i++) {
		free(store->pairs[i].key);
		free(store->pairs[i].value);
	}
	if (store != NULL) {
		free(store->pairs);
		free(store);
	}
	return NULL;
}

const struct store_root *store_root(const struct store *store)
{
	return &store->root;
}

/* ---- committing */

static bool add_member(struct store *store, const struct view *view, const uint8_t *key)
{
	struct full_key full =
		key_of_view(TABLE_MEMBERS, view_id(view), slice_of(key, MEMBER_KEY_SIZE));

	if (find(store, &full) != NULL) {
		return false;
	}
	insert(store, &full);
	return true;
}

static void write_row(struct store *store, const struct view *view, const struct delta *delta)
{
	uint64_t new_members[VIEW_MEASURES_MAX] = {0};
	struct full_key key = key_of_view(TABLE_ROWS, view_id(view), delta_key(delta));
	struct buffer value;

	for (size_t i = 0; i < delta_member_count(delta); i++) {
		new_members[delta_member_measure(delta, i)] +=
			add_member(store, view, delta_member_at(delta, i));
	}
	const struct pair *old = find(store, &key);
	struct slice base = old == NULL ? slice_of(NULL, 0) : slice_of(old->value, old->value_size);
	buffer_init(&value, VALUE_SIZE_MAX);
	if (delta_merge(view, base, delta, new_members, &value) != 0) {
		abort();
	}
	put(store, &key, buffer_slice(&value));
	buffer_deinit(&value);
}

static void write_rows(struct store *store, const struct commit *commit)
{
	for (uint32_t id = 0; id < view_set_count(commit->views); id++) {
		for (size_t i = 0; i < overlay_row_count(commit->overlay, id); i++) {
			write_row(store, view_set_at(commit->views, id),
				overlay_row_at(commit->overlay, id, i));
		}
	}
}

static void write_puts(struct store *store, const struct commit *commit, bool offsets_only)
{
	struct commit_row row;
	size_t cursor = 0;

	while (commit_next(commit, &cursor, &row)) {
		struct full_key key = key_of(row.table, row.key);
		if (offsets_only && row.table != TABLE_OFFSETS) {
			continue;
		}
		if (row.is_deleted) {
			drop(store, &key);
		} else {
			put(store, &key, row.value);
		}
	}
}

void store_model_write_offsets(struct store *store, const struct commit *commit)
{
	write_puts(store, commit, true);
}

int store_commit(struct store *store, const struct commit *commit)
{
	if (world_fails(FAULT_STORE_FULL, 20000)) {
		return STORE_E_FULL;
	}
	bool is_unsure = world_fails(FAULT_STORE_FAILED, 4000);
	if (is_unsure && world_draw(2) == 0) {
		return -EIO;
	}
	write_rows(store, commit);
	write_puts(store, commit, false);
	store->commit = commit->number;
	world_note("store: commit %llu", (unsigned long long)commit->number);
	return is_unsure ? -EIO : 0;
}

/* ---- reading */

int snapshot_begin(struct store *store, uint32_t generation, struct snapshot **ret_snapshot)
{
	(void)generation;
	*ret_snapshot = (struct snapshot *)(void *)store;
	return 0;
}

struct snapshot *snapshot_end(struct snapshot *snapshot)
{
	(void)snapshot;
	return NULL;
}

uint64_t snapshot_commit(const struct snapshot *snapshot)
{
	return snapshot->store.commit;
}

static int get(const struct snapshot *snapshot, const struct full_key *key, struct slice *ret_value)
{
	const struct pair *pair = find(&snapshot->store, key);

	if (pair == NULL) {
		return STORE_E_ABSENT;
	}
	*ret_value = slice_of(pair->value, pair->value_size);
	return 0;
}

int snapshot_get(struct snapshot *snapshot, enum store_table table, struct slice key,
	struct slice *ret_value)
{
	struct full_key full = key_of(table, key);

	return get(snapshot, &full, ret_value);
}

int snapshot_row(
	struct snapshot *snapshot, uint32_t view_id, struct slice key, struct slice *ret_value)
{
	struct full_key full = key_of_view(TABLE_ROWS, view_id, key);

	return get(snapshot, &full, ret_value);
}

int snapshot_row_count(struct snapshot *snapshot, uint32_t view_id, uint64_t *ret_count)
{
	struct full_key first = key_of_view(TABLE_ROWS, view_id, slice_of(NULL, 0));
	struct full_key behind = key_of_view(TABLE_ROWS, view_id + 1, slice_of(NULL, 0));

	*ret_count = lower_bound(&snapshot->store, &behind) - lower_bound(&snapshot->store, &first);
	return 0;
}

int snapshot_find_member(
	struct snapshot *snapshot, uint32_t view_id, const uint8_t key[MEMBER_KEY_SIZE])
{
	struct slice value;
	struct full_key full = key_of_view(TABLE_MEMBERS, view_id, slice_of(key, MEMBER_KEY_SIZE));

	return get(snapshot, &full, &value);
}

int snapshot_walk(struct snapshot *snapshot, enum store_table table, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner)
{
	struct full_key first = key_of(table, from);
	const struct store *store = &snapshot->store;
	int r = 0;

	for (size_t i = lower_bound(store, &first); r == 0 && i < store->count; i++) {
		const struct pair *pair = &store->pairs[i];
		if (pair->key[0] != (uint8_t)table) {
			break;
		}
		r = each(owner, slice_of(pair->key + 1, pair->key_size - 1),
			slice_of(pair->value, pair->value_size));
	}
	return r;
}

static int show(struct row_cursor *cursor, size_t at)
{
	const struct store *store = &cursor->snapshot->store;
	const struct pair *pair = &store->pairs[at];

	if (at >= store->count || pair->key[0] != TABLE_ROWS || pair->key[1] != cursor->view_id) {
		return STORE_E_ABSENT;
	}
	cursor->key = slice_of(pair->key + 2, pair->key_size - 2);
	cursor->value = slice_of(pair->value, pair->value_size);
	return 0;
}

int row_cursor_open(struct snapshot *snapshot, uint32_t view_id, struct slice from,
	struct row_cursor *ret_cursor)
{
	struct full_key first = key_of_view(TABLE_ROWS, view_id, from);

	*ret_cursor = (struct row_cursor){.snapshot = snapshot, .view_id = view_id};
	return show(ret_cursor, lower_bound(&snapshot->store, &first));
}

int row_cursor_next(struct row_cursor *cursor)
{
	struct full_key here = key_of_view(TABLE_ROWS, cursor->view_id, cursor->key);

	return show(cursor, lower_bound(&cursor->snapshot->store, &here) + 1);
}

void row_cursor_close(struct row_cursor *cursor)
{
	(void)cursor;
}
