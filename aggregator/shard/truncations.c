#include "aggregator/shard/truncations.h"
#include "aggregator/view/pack.h"
#include <errno.h>
#include <stdlib.h>

enum {
	COLLECTED_ENOUGH = 1001,
	KEY_SIZE_SIZE = 2,
	KEYS_BYTES_MAX = 16 * 1024 * 1024,
};

struct truncation {
	uint8_t prefix[TRUNCATION_PREFIX_SIZE_MAX];
	size_t prefix_size;
	uint64_t log;
	uint8_t looked_at[ENTRY_KEY_SIZE_MAX +
			  1]; /* the last key, and a zero: the next key there can be */
	size_t looked_at_size; /* 0: none yet */
};

struct truncations {
	struct truncations_options options;
	struct truncation items[TRUNCATIONS_MAX];
	size_t count;
	struct buffer keys; /* of the rows that a step looks at, each behind its size */
};

int truncations_new(const struct truncations_options *options, struct truncations **ret_truncations)
{
	struct truncations *truncations = calloc(1, sizeof *truncations);

	if (truncations == NULL) {
		return -ENOMEM;
	}
	truncations->options = *options;
	buffer_init(&truncations->keys, KEYS_BYTES_MAX);
	*ret_truncations = truncations;
	return 0;
}

struct truncations *truncations_free(struct truncations *truncations)
{
	if (truncations != NULL) {
		buffer_deinit(&truncations->keys);
		free(truncations);
	}
	return NULL;
}

static struct slice prefix_of(const struct truncation *truncation)
{
	return slice_of(truncation->prefix, truncation->prefix_size);
}

/* The one of this prefix, a new one where there is none; NULL: no room. */
static struct truncation *get(struct truncations *truncations, struct slice prefix)
{
	for (size_t i = 0; i < truncations->count; i++) {
		if (slice_equal(prefix_of(&truncations->items[i]), prefix)) {
			return &truncations->items[i];
		}
	}
	if (truncations->count == TRUNCATIONS_MAX || prefix.size > TRUNCATION_PREFIX_SIZE_MAX) {
		return NULL;
	}
	struct truncation *truncation = &truncations->items[truncations->count++];
	*truncation = (struct truncation){.prefix_size = prefix.size};
	memcpy(truncation->prefix, prefix.bytes, prefix.size);
	return truncation;
}

static struct slice entry_key(
	const struct truncation *truncation, uint8_t ret_key[1 + TRUNCATION_PREFIX_SIZE_MAX])
{
	ret_key[0] = ENTRY_TRUNCATION;
	memcpy(ret_key + 1, truncation->prefix, truncation->prefix_size);
	return slice_of(ret_key, 1 + truncation->prefix_size);
}

int truncations_load(void *owner, struct slice key, struct slice value)
{
	struct unpack unpack = unpack_of(value);
	uint64_t log = unpack_u64(&unpack);

	if (key.size == 0 || key.bytes[0] != ENTRY_TRUNCATION) {
		return TRUNCATIONS_E_PASSED;
	}
	struct truncation *truncation = get(owner, slice_of(key.bytes + 1, key.size - 1));
	if (truncation == NULL || !unpack_is_whole(&unpack)) {
		return -EBADMSG;
	}
	truncation->log = log;
	return 0;
}

int truncations_begin(struct truncations *truncations, struct slice prefix, uint64_t log)
{
	struct truncation *truncation = get(truncations, prefix);
	uint8_t key[1 + TRUNCATION_PREFIX_SIZE_MAX], value[8];

	if (truncation == NULL) {
		return -ENOSPC;
	}
	if (log > truncation->log) {
		truncation->log = log;
		truncation->looked_at_size = 0; /* what stayed before may have to go now */
	}
	pack_big_endian(value, truncation->log, sizeof value);
	return entries_put(truncations->options.entries, entry_key(truncation, key),
		slice_of(value, sizeof value));
}

size_t truncations_count(const struct truncations *truncations)
{
	return truncations->count;
}

bool truncations_find(const struct truncations *truncations, struct slice key, uint64_t *ret_log)
{
	for (size_t i = 0; i < truncations->count; i++) {
		if (slice_begins_with(key, prefix_of(&truncations->items[i]))) {
			*ret_log = truncations->items[i].log;
			return true;
		}
	}
	return false;
}

/* ---- a step */

struct collecting {
	struct buffer *keys;
	size_t left;
};

static int collect(void *owner, struct slice key, struct slice value)
{
	struct collecting *collecting = owner;

	(void)value;
	buffer_append_byte(collecting->keys, (uint8_t)(key.size >> 8));
	buffer_append_byte(collecting->keys, (uint8_t)key.size);
	buffer_append(collecting->keys, key.bytes, key.size);
	return collecting->keys->error != 0 ? collecting->keys->error
	       : --collecting->left == 0    ? COLLECTED_ENOUGH
					    : 0;
}

static int drop(struct truncations *truncations, struct slice key, uint64_t log)
{
	const struct truncations_options *options = &truncations->options;
	struct slice value;
	int r = entries_get(options->entries, key, &value);

	return r == ENTRIES_E_ABSENT ? 0
	       : r < 0               ? r
				     : options->drop(options->owner, key, value, log);
}

static int drop_collected(struct truncations *truncations, struct truncation *truncation)
{
	struct unpack unpack = unpack_of(buffer_slice(&truncations->keys));
	int r = 0;

	while (r == 0 && unpack.rest.size > 0) {
		size_t size = (size_t)unpack_big_endian(&unpack, KEY_SIZE_SIZE);
		struct slice key = unpack_take(&unpack, size);
		r = drop(truncations, key, truncation->log);
		memcpy(truncation->looked_at, key.bytes, key.size);
		truncation->looked_at[key.size] = 0;
		truncation->looked_at_size = key.size + 1;
	}
	return r;
}

/* The first one is done. */
static int end(struct truncations *truncations)
{
	uint8_t key[1 + TRUNCATION_PREFIX_SIZE_MAX];
	int r = entries_delete(
		truncations->options.entries, entry_key(&truncations->items[0], key));

	if (r == 0) {
		truncations->count--;
		memmove(truncations->items, truncations->items + 1,
			truncations->count * sizeof *truncations->items);
	}
	return r;
}

int truncations_step(struct truncations *truncations, struct snapshot *snapshot, size_t rows_max)
{
	struct truncation *truncation = &truncations->items[0];
	struct collecting collecting = {&truncations->keys, rows_max};

	if (truncations->count == 0) {
		return 0;
	}
	buffer_clear(&truncations->keys);
	int walked = entries_walk(truncations->options.entries, snapshot, prefix_of(truncation),
		slice_of(truncation->looked_at, truncation->looked_at_size), collect, &collecting);
	if (walked != 0 && walked != COLLECTED_ENOUGH) {
		return walked;
	}
	int r = drop_collected(truncations, truncation);
	return r == 0 && walked == 0 ? end(truncations) : r;
}
