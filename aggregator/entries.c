#include "aggregator/entries.h"
#include "aggregator/row_key.h"
#include "aggregator/store.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	BUCKETS_MIN = 1024,
	/* Looked at per call: an entry that may not go yet must not make every look-up walk the list. */
	FORGET_TRIES = 4,
	WALK_PASSED = INT_MAX, /* the walk is behind the prefix; no `each` returns it */
};

struct entry {
	struct entry *chain, *newer, *older, *next_changed, *next_frozen;
	uint8_t *value; /* owned */
	size_t value_size; /* 0: there is none */
	size_t weight; /* its share of changed_bytes */
	bool is_changed; /* since the last freeze */
	uint64_t
		frozen_in; /* the commit that carries its last frozen change; 0: none since it was loaded */
	size_t key_size;
	uint8_t key[];
};

struct entries {
	struct entries_options options;
	struct entry **buckets; /* a power of two of them */
	size_t bucket_count;
	size_t count, bytes;
	struct entry *newest, *oldest; /* by use */
	struct entry *changed; /* what the next freeze hands over */
	size_t changed_count, changed_bytes;
	struct entry *frozen; /* what the store may not have yet */
	uint64_t committed;
	struct buffer scratch;
};

int entries_new(const struct entries_options *options, struct entries **ret_entries)
{
	struct entries *entries = calloc(1, sizeof *entries);
	if (entries == NULL) {
		return -ENOMEM;
	}
	entries->options = *options;
	entries->bucket_count = BUCKETS_MIN;
	buffer_init(&entries->scratch, ENTRY_VALUE_SIZE_MAX);
	entries->buckets = calloc(BUCKETS_MIN, sizeof(struct entry *));
	if (entries->buckets == NULL) {
		entries_free(entries);
		return -ENOMEM;
	}
	*ret_entries = entries;
	return 0;
}

static void entry_free(struct entry *entry)
{
	free(entry->value);
	free(entry);
}

struct entries *entries_free(struct entries *entries)
{
	if (entries == NULL) {
		return NULL;
	}
	for (struct entry *entry = entries->newest; entry != NULL;) {
		struct entry *older = entry->older;
		entry_free(entry);
		entry = older;
	}
	buffer_deinit(&entries->scratch);
	free(entries->buckets);
	free(entries);
	return NULL;
}

/* ---- the table */

static struct entry **bucket_of(const struct entries *entries, struct slice key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	size_t place;
	crypto_shorthash(hash, key.bytes, key.size, entries->options.hash_key);
	memcpy(&place, hash, sizeof place);
	return &entries->buckets[place & (entries->bucket_count - 1)];
}

static struct slice key_of(const struct entry *entry)
{
	return slice_of(entry->key, entry->key_size);
}

static size_t weigh(const struct entry *entry)
{
	return sizeof *entry + entry->key_size + entry->value_size;
}

static void use_unlink(struct entries *entries, struct entry *entry)
{
	*(entry->newer == NULL ? &entries->newest : &entry->newer->older) = entry->older;
	*(entry->older == NULL ? &entries->oldest : &entry->older->newer) = entry->newer;
}

static void use_link(struct entries *entries, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = entries->newest;
	*(entries->newest == NULL ? &entries->oldest : &entries->newest->newer) = entry;
	entries->newest = entry;
}

static void forget(struct entries *entries, struct entry *entry)
{
	struct entry **link = bucket_of(entries, key_of(entry));
	while (*link != entry) {
		link = &(*link)->chain;
	}
	*link = entry->chain;
	use_unlink(entries, entry);
	entries->count--;
	entries->bytes -= weigh(entry);
	entry_free(entry);
}

static void make_room(struct entries *entries)
{
	struct entry *entry = entries->oldest;
	for (int i = 0; i < FORGET_TRIES && entry != NULL; i++) {
		struct entry *newer = entry->newer;
		if (entries->bytes <= entries->options.clean_bytes_max) {
			return;
		}
		if (!entry->is_changed && entry->frozen_in <= entries->committed) {
			forget(entries, entry);
		}
		entry = newer;
	}
}

/* Twice as many buckets; when there is no memory for them, chains are longer, that is all. */
static void grow(struct entries *entries)
{
	size_t count = entries->bucket_count * 2;
	struct entry **buckets = calloc(count, sizeof(struct entry *));
	if (buckets == NULL) {
		return;
	}
	free(entries->buckets);
	entries->buckets = buckets;
	entries->bucket_count = count;
	for (struct entry *entry = entries->newest; entry != NULL; entry = entry->older) {
		struct entry **bucket = bucket_of(entries, key_of(entry));
		entry->chain = *bucket;
		*bucket = entry;
	}
}

static struct entry *find(struct entries *entries, struct slice key)
{
	struct entry *entry = *bucket_of(entries, key);
	while (entry != NULL && !slice_equal(key_of(entry), key)) {
		entry = entry->chain;
	}
	if (entry != NULL && entry != entries->newest) {
		use_unlink(entries, entry);
		use_link(entries, entry);
	}
	return entry;
}

/* With this value, of which it has its own copy; size 0: none. NULL without memory. */
static struct entry *add(struct entries *entries, struct slice key, struct slice value)
{
	make_room(entries);
	if (entries->count >= entries->bucket_count) {
		grow(entries);
	}
	struct entry *entry = calloc(1, sizeof *entry + key.size);
	if (entry == NULL) {
		return NULL;
	}
	if (value.size > 0) {
		entry->value = malloc(value.size);
		if (entry->value == NULL) {
			entry_free(entry);
			return NULL;
		}
		memcpy(entry->value, value.bytes, value.size);
	}
	entry->value_size = value.size;
	memcpy(entry->key, key.bytes, key.size);
	entry->key_size = key.size;
	struct entry **bucket = bucket_of(entries, key);
	entry->chain = *bucket;
	*bucket = entry;
	use_link(entries, entry);
	entries->count++;
	entries->bytes += weigh(entry);
	return entry;
}

/* ---- one entry */

int entries_get(struct entries *entries, struct slice key, struct slice *ret_value)
{
	struct entry *entry = find(entries, key);

	if (entry == NULL) {
		buffer_clear(&entries->scratch);
		int r = entries->options.load(entries->options.owner, key, &entries->scratch);
		if (r < 0) {
			return r;
		}
		entry = add(entries, key, buffer_slice(&entries->scratch));
	}
	if (entry == NULL) {
		return -ENOMEM;
	}
	*ret_value = slice_of(entry->value, entry->value_size);
	return entry->value_size == 0 ? ENTRIES_E_ABSENT : 0;
}

static void note_change(struct entries *entries, struct entry *entry)
{
	if (!entry->is_changed) {
		entry->is_changed = true;
		entry->next_changed = entries->changed;
		entries->changed = entry;
		entries->changed_count++;
		entry->weight = 0;
	}
	size_t weight = weigh(entry);
	entries->changed_bytes += weight - entry->weight;
	entry->weight = weight;
}

/* What is borrowed may be the value that is replaced. */
static int replace(struct entries *entries, struct entry *entry, struct slice value)
{
	uint8_t *bytes = NULL;

	if (value.size > 0) {
		bytes = malloc(value.size);
		if (bytes == NULL) {
			return -ENOMEM;
		}
		memcpy(bytes, value.bytes, value.size);
	}
	free(entry->value);
	entries->bytes += value.size - entry->value_size;
	entry->value = bytes;
	entry->value_size = value.size;
	return 0;
}

static int set(struct entries *entries, struct slice key, struct slice value)
{
	struct entry *entry = find(entries, key);
	int r = 0;

	if (entry == NULL) {
		entry = add(entries, key, value);
		r = entry == NULL ? -ENOMEM : 0;
	} else {
		r = replace(entries, entry, value);
	}
	if (r == 0) {
		note_change(entries, entry);
	}
	return r;
}

int entries_put(struct entries *entries, struct slice key, struct slice value)
{
	if (key.size == 0 || key.size > ENTRY_KEY_SIZE_MAX || value.size == 0 ||
		value.size > ENTRY_VALUE_SIZE_MAX) {
		return -EINVAL;
	}
	return set(entries, key, value);
}

int entries_delete(struct entries *entries, struct slice key)
{
	return set(entries, key, slice_of(NULL, 0));
}

/* ---- commits */

size_t entries_changed_count(const struct entries *entries)
{
	return entries->changed_count;
}

size_t entries_changed_bytes(const struct entries *entries)
{
	return entries->changed_bytes;
}

static bool is_unwritten(const struct entries *entries, const struct entry *entry)
{
	return entry->frozen_in > entries->committed;
}

int entries_freeze(struct entries *entries, uint64_t commit,
	int (*put)(void *owner, struct slice key, struct slice value), void *owner)
{
	while (entries->changed != NULL) {
		struct entry *entry = entries->changed;
		int r = put(owner, key_of(entry), slice_of(entry->value, entry->value_size));
		if (r < 0) {
			return r;
		}
		entries->changed = entry->next_changed;
		entries->changed_count--;
		entries->changed_bytes -= entry->weight;
		entry->is_changed = false;
		if (!is_unwritten(entries, entry)) {
			entry->next_frozen = entries->frozen;
			entries->frozen = entry;
		}
		entry->frozen_in = commit;
	}
	return 0;
}

void entries_committed(struct entries *entries, uint64_t commit)
{
	struct entry *entry = entries->frozen;

	entries->committed = commit;
	entries->frozen = NULL;
	while (entry != NULL) {
		struct entry *next = entry->next_frozen;
		if (is_unwritten(entries, entry)) {
			entry->next_frozen = entries->frozen;
			entries->frozen = entry;
		}
		entry = next;
	}
}

void entries_forget(struct entries *entries)
{
	assert(entries->changed == NULL && entries->frozen == NULL);
	while (entries->newest != NULL) {
		forget(entries, entries->newest);
	}
}

/* ---- walks */

/* Entries in memory that the snapshot may not have, in key order, merged into the walk over it. */
struct walk {
	const struct entry **items; /* owned */
	size_t count, at;
	struct slice prefix;
	entry_fn each;
	void *owner;
};

static int compare_entries(const void *left, const void *right)
{
	const struct entry *const *a = left, *const *b = right;
	return row_key_compare(key_of(*a), key_of(*b));
}

static void walk_add(struct walk *walk, const struct entry *entry, struct slice from)
{
	if (slice_begins_with(key_of(entry), walk->prefix) &&
		row_key_compare(key_of(entry), from) >= 0) {
		walk->items[walk->count++] = entry;
	}
}

static int walk_collect(struct walk *walk, const struct entries *entries, struct slice from)
{
	size_t count = entries->changed_count;

	for (const struct entry *entry = entries->frozen; entry != NULL;
		entry = entry->next_frozen) {
		count++;
	}
	walk->items = calloc(count + 1, sizeof *walk->items);
	if (walk->items == NULL) {
		return -ENOMEM;
	}
	for (const struct entry *entry = entries->changed; entry != NULL;
		entry = entry->next_changed) {
		walk_add(walk, entry, from);
	}
	for (const struct entry *entry = entries->frozen; entry != NULL;
		entry = entry->next_frozen) {
		if (!entry->is_changed) {
			walk_add(walk, entry, from);
		}
	}
	qsort(walk->items, walk->count, sizeof *walk->items, compare_entries);
	return 0;
}

/* Tells those in memory up to this key, which is the store's; {NULL, 0}: all. *ret_is_told: this key was among them. */
static int walk_until(struct walk *walk, struct slice key, bool *ret_is_told)
{
	*ret_is_told = false;
	while (walk->at < walk->count) {
		const struct entry *entry = walk->items[walk->at];
		int order = key.size == 0 ? -1 : row_key_compare(key_of(entry), key);
		if (order > 0) {
			break;
		}
		walk->at++;
		*ret_is_told = order == 0;
		int r = entry->value_size == 0 ? 0
					       : walk->each(walk->owner, key_of(entry),
							 slice_of(entry->value, entry->value_size));
		if (r != 0) {
			return r;
		}
	}
	return 0;
}

static int walk_stored(void *owner, struct slice key, struct slice value)
{
	struct walk *walk = owner;
	bool is_told = false;

	if (!slice_begins_with(key, walk->prefix)) {
		return WALK_PASSED;
	}
	int r = walk_until(walk, key, &is_told);
	return r != 0 || is_told ? r : walk->each(walk->owner, key, value);
}

int entries_walk(struct entries *entries, struct snapshot *snapshot, struct slice prefix,
	struct slice from, entry_fn each, void *owner)
{
	struct walk walk = {.prefix = prefix, .each = each, .owner = owner};
	bool is_told;

	from = from.size == 0 ? prefix : from;
	int r = walk_collect(&walk, entries, from);
	if (r == 0) {
		r = snapshot_walk(snapshot, TABLE_ENTRIES, from, walk_stored, &walk);
	}
	if (r == 0 || r == WALK_PASSED) {
		r = walk_until(&walk, slice_of(NULL, 0), &is_told);
	}
	free(walk.items);
	return r;
}
