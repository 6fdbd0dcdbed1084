#include "aggregator/answer/table_walk.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	BATCH_FIRST = 64,
	BATCH_MAX = 8192,
	BATCH_BYTES_MAX = 1024 * 1024, /* of a shard, and one entry more */
	SIZES_SIZE = 8,
	BATCH_FULL =
		1000, /* what `each` returns: none of the store's conditions, which are small */
};

/* The store's conditions become errnos, as in answer_walk.c. */
static int from_store(int r)
{
	return r > 0 ? -EBADMSG : r;
}

/* ---- reading ahead */

static int read_ahead(void *owner, struct slice key, struct slice value)
{
	struct table_walk_shard *shard = owner;
	const uint32_t sizes[2] = {(uint32_t)key.size, (uint32_t)value.size};

	buffer_append(&shard->bytes, sizes, sizeof sizes);
	buffer_append(&shard->bytes, key.bytes, key.size);
	buffer_append(&shard->bytes, value.bytes, value.size);
	shard->count++;
	return shard->bytes.error;
}

struct reading_ahead {
	struct table_walk_shard *shard;
	size_t batch;
};

static int take_entry(void *owner, struct slice key, struct slice value)
{
	struct reading_ahead *ahead = owner;
	int r = read_ahead(ahead->shard, key, value);
	bool is_full =
		ahead->shard->count >= ahead->batch || ahead->shard->bytes.size >= BATCH_BYTES_MAX;

	return r < 0 ? r : is_full ? BATCH_FULL : 0;
}

/* From this key of the table on. */
static int fill(struct table_walk *walk, size_t index, struct slice from)
{
	struct table_walk_shard *shard = &walk->shards[index];
	const struct layers *layers = &walk->context->shards[index];
	struct reading_ahead ahead = {shard, walk->batch};
	struct table_key prefix, first;

	table_key_make(walk->table->id, slice_of(NULL, 0), &prefix);
	table_key_make(walk->table->id, from, &first);
	buffer_clear(&shard->bytes);
	shard->at = shard->count = 0;
	int r = entries_walk(layers->entries, layers->snapshot, table_key_slice(&prefix),
		table_key_slice(&first), take_entry, &ahead);
	shard->is_at_end = r == 0;
	walk->read_count += shard->count;
	return r == BATCH_FULL ? 0 : from_store(r);
}

static bool has_entry(const struct table_walk_shard *shard)
{
	return shard->count > 0;
}

static void entry_at(
	const struct table_walk_shard *shard, struct slice *ret_key, struct slice *ret_value)
{
	uint32_t sizes[2];
	const uint8_t *bytes = shard->bytes.bytes + shard->at;

	memcpy(sizes, bytes, sizeof sizes);
	*ret_key =
		slice_of(bytes + SIZES_SIZE + TABLE_KEY_HEAD_SIZE, sizes[0] - TABLE_KEY_HEAD_SIZE);
	*ret_value = slice_of(bytes + SIZES_SIZE + sizes[0], sizes[1]);
}

/* Past the entry; its bytes live until the shard is filled anew. */
static void step(struct table_walk_shard *shard)
{
	uint32_t sizes[2];

	memcpy(sizes, shard->bytes.bytes + shard->at, sizeof sizes);
	shard->at += SIZES_SIZE + sizes[0] + sizes[1];
	shard->count--;
}

/* ---- the walk */

int table_walk_open(struct table_walk *walk, struct answer_context *context,
	const struct view *table, struct slice from, struct slice to)
{
	int r = 0;

	walk->context = context;
	walk->table = table;
	walk->batch = BATCH_FIRST;
	walk->read_count = walk->renewals = 0;
	walk->renew = NULL;
	walk->key.size = 0;
	assert(to.size <= sizeof walk->to.bytes);
	walk->to.size = to.size;
	if (to.size > 0) {
		memcpy(walk->to.bytes, to.bytes, to.size);
	}
	walk->shards = calloc(context->shard_count, sizeof *walk->shards);
	if (walk->shards == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < context->shard_count; i++) {
		buffer_init(&walk->shards[i].bytes,
			BATCH_BYTES_MAX + ENTRY_KEY_SIZE_MAX + ENTRY_VALUE_SIZE_MAX + SIZES_SIZE);
	}
	for (size_t i = 0; r == 0 && i < context->shard_count; i++) {
		r = fill(walk, i, from);
	}
	return r;
}

void table_walk_close(struct table_walk *walk)
{
	for (size_t i = 0; walk->shards != NULL && i < walk->context->shard_count; i++) {
		buffer_deinit(&walk->shards[i].bytes);
	}
	free(walk->shards);
	walk->shards = NULL;
}

/* The key behind which nothing lies before the next one. */
static struct slice behind(const struct row_key *key, uint8_t ret_bytes[ROW_KEY_CAPACITY + 1])
{
	memcpy(ret_bytes, key->bytes, key->size);
	ret_bytes[key->size] = 0;
	return slice_of(ret_bytes, key->size + 1);
}

static int renew(struct table_walk *walk)
{
	struct answer_context *context = walk->context;

	if (context->renew == NULL || walk->read_count < ANSWER_RENEW_ROWS) {
		return 0;
	}
	walk->read_count = 0;
	walk->renewals++;
	if (walk->renew != NULL) {
		return walk->renew(walk->renew_owner);
	}
	return context->renew(context->renew_owner, context->shards, context->shard_count);
}

/* Shards whose entries are used up read on, behind the current row. */
static int refill(struct table_walk *walk)
{
	uint8_t bytes[ROW_KEY_CAPACITY + 1];
	int r = 0;

	for (size_t i = 0; r == 0 && i < walk->context->shard_count; i++) {
		struct table_walk_shard *shard = &walk->shards[i];
		if (has_entry(shard) || shard->is_at_end) {
			continue;
		}
		if (walk->batch < BATCH_MAX) {
			walk->batch *= 4;
		}
		r = renew(walk);
		if (r == 0) {
			r = fill(walk, i, behind(&walk->key, bytes));
		}
	}
	return r;
}

static struct slice smallest_key(const struct table_walk *walk)
{
	struct slice smallest = {NULL, 0};

	for (size_t i = 0; i < walk->context->shard_count; i++) {
		struct slice key, value;
		if (!has_entry(&walk->shards[i])) {
			continue;
		}
		entry_at(&walk->shards[i], &key, &value);
		if (smallest.bytes == NULL || row_key_compare(key, smallest) < 0) {
			smallest = key;
		}
	}
	return smallest;
}

/* Keeps the newer of what was found and what this value is. `has_any`: something was found. */
static int take_newer(const struct view *table, struct slice value, bool has_any,
	struct table_row *newest, struct row *columns)
{
	struct table_row other;
	int r = table_row_read(table, value, &other, NULL);

	if (r < 0 || (has_any && table_stand_order(&newest->stand, &other.stand) != CHANGE_NEWER)) {
		return r;
	}
	return table_row_read(table, value, newest, columns);
}

/* The newest of the current key, out of every shard that has it. */
static int gather(struct table_walk *walk)
{
	struct slice wanted = row_key_slice(&walk->key);
	bool has_any = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < walk->context->shard_count; i++) {
		struct slice key, value;
		if (!has_entry(&walk->shards[i])) {
			continue;
		}
		entry_at(&walk->shards[i], &key, &value);
		if (slice_equal(key, wanted)) {
			r = take_newer(walk->table, value, has_any, &walk->newest, &walk->row);
			has_any = true;
			step(&walk->shards[i]);
		}
	}
	return r;
}

int table_walk_next(struct table_walk *walk)
{
	int r;

	do {
		r = refill(walk);
		struct slice key = r == 0 ? smallest_key(walk) : slice_of(NULL, 0);
		if (r < 0) {
			return r;
		}
		if (key.bytes == NULL ||
			(walk->to.size > 0 &&
				row_key_compare(key, row_key_slice(&walk->to)) >= 0)) {
			return TABLE_WALK_E_END;
		}
		if (key.size > sizeof walk->key.bytes) {
			return -EBADMSG;
		}
		memcpy(walk->key.bytes, key.bytes, key.size);
		walk->key.size = key.size;
		r = gather(walk);
	} while (r == 0 && !walk->newest.is_there);
	return r;
}

/* ---- one row */

int table_find_row(struct answer_context *context, const struct view *table, struct slice key,
	struct row *ret_row)
{
	struct table_row newest = {.is_there = false};
	struct table_key entry;
	bool has_any = false;

	table_key_make(table->id, key, &entry);
	for (size_t i = 0; i < context->shard_count; i++) {
		struct slice value;
		int r = entries_get(context->shards[i].entries, table_key_slice(&entry), &value);
		if (r == ENTRIES_E_ABSENT) {
			continue;
		}
		if (r == 0) {
			r = take_newer(table, value, has_any, &newest, ret_row);
			has_any = true;
		}
		if (r != 0) {
			return from_store(r);
		}
	}
	return newest.is_there ? 0 : STORE_E_ABSENT;
}
