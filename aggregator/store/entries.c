#include "aggregator/store/entries.h"
#include "aggregator/store/store.h"
#include "aggregator/view/row_key.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	SLOTS_MIN = 1024,
	/* Looked at per call: what is asked for again and again must not make every look-up walk the list. */
	FORGET_TRIES = 4,
	/* Values that grow do so by some bytes. */
	VALUE_ALIGNMENT = 16,
	WALK_PASSED = INT_MAX, /* the walk is behind the prefix; no `each` returns it */
};

struct entry {
	struct entry *newer; /* among those that may be forgotten */
	struct entry *next_changed, *next_frozen;
	uint64_t hash;
	uint64_t
		frozen_in; /* the commit that carries its last frozen change; 0: none since it was loaded */
	uint8_t *value; /* behind the key while there is room; else owned */
	uint32_t value_size; /* 0: there is none */
	uint32_t value_room;
	uint32_t weight; /* its share of changed_bytes */
	uint32_t kept_weight; /* of kept_bytes */
	uint32_t key_size;
	bool is_changed; /* since it was last handed over */
	bool is_frozen; /* among those that were handed over and not looked at since the commit that carries them */
	bool is_kept; /* among those that may be forgotten */
	bool is_used; /* since it was last looked at in order to be forgotten */
	bool owns_value;
	uint8_t key[];
};

/* The hash beside it, so that who is not meant is not touched. */
struct slot {
	uint64_t hash;
	struct entry *entry; /* NULL: free */
};

struct entries {
	struct entries_options options;
	struct slot *slots; /* a power of two of them, three quarters full at most */
	size_t slot_count, count;
	/* What the store has, too. Who changes stays among them until his turn comes, and comes back with the commit. */
	struct entry *oldest, *newest;
	size_t kept_bytes;
	struct entry *changed,
		**changed_end; /* what is to be handed over; who changed first is first */
	size_t changed_count, changed_bytes;
	struct entry *frozen, **frozen_end; /* what the store may not have yet */
	size_t frozen_count;
	size_t unsettled; /* so many of them, the first, were there at the last commit */
	uint64_t handed_over, committed; /* numbers of commits */
	struct buffer scratch;
	/* Who looks a key up mostly comes back with it. */
	uint64_t last_hash;
	size_t last_key_size;
	uint8_t last_key[ENTRY_KEY_SIZE_MAX];
};

int entries_new(const struct entries_options *options, struct entries **ret_entries)
{
	struct entries *entries = calloc(1, sizeof *entries);
	if (entries == NULL) {
		return -ENOMEM;
	}
	entries->options = *options;
	entries->slot_count = SLOTS_MIN;
	entries->changed_end = &entries->changed;
	entries->frozen_end = &entries->frozen;
	buffer_init(&entries->scratch, ENTRY_VALUE_SIZE_MAX);
	entries->slots = calloc(SLOTS_MIN, sizeof *entries->slots);
	if (entries->slots == NULL) {
		entries_free(entries);
		return -ENOMEM;
	}
	*ret_entries = entries;
	return 0;
}

static void entry_free(struct entry *entry)
{
	if (entry->owns_value) {
		free(entry->value);
	}
	free(entry);
}

static void free_all(struct entries *entries)
{
	for (size_t i = 0; entries->slots != NULL && i < entries->slot_count; i++) {
		if (entries->slots[i].entry != NULL) {
			entry_free(entries->slots[i].entry);
		}
		entries->slots[i].entry = NULL;
	}
}

struct entries *entries_free(struct entries *entries)
{
	if (entries == NULL) {
		return NULL;
	}
	free_all(entries);
	buffer_deinit(&entries->scratch);
	free(entries->slots);
	free(entries);
	return NULL;
}

/* ---- the table */

static uint64_t hash_of(struct entries *entries, struct slice key)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	uint64_t hash;

	if (slice_equal(slice_of(entries->last_key, entries->last_key_size), key)) {
		return entries->last_hash;
	}
	crypto_shorthash(bytes, key.bytes, key.size, entries->options.hash_key);
	memcpy(&hash, bytes, sizeof hash);
	if (key.size <= sizeof entries->last_key) {
		memcpy(entries->last_key, key.bytes, key.size);
		entries->last_key_size = key.size;
		entries->last_hash = hash;
	}
	return hash;
}

static struct slice key_of(const struct entry *entry)
{
	return slice_of(entry->key, entry->key_size);
}

static size_t weigh(const struct entry *entry)
{
	return sizeof *entry + entry->key_size + entry->value_size;
}

static struct entry *find(struct entries *entries, struct slice key)
{
	uint64_t hash = hash_of(entries, key);
	size_t mask = entries->slot_count - 1;

	for (size_t i = hash & mask; entries->slots[i].entry != NULL; i = (i + 1) & mask) {
		struct entry *entry = entries->slots[i].entry;
		if (entries->slots[i].hash == hash && slice_equal(key_of(entry), key)) {
			entry->is_used = true;
			return entry;
		}
	}
	return NULL;
}

static void put_slot(struct slot *slots, size_t slot_count, struct entry *entry)
{
	size_t i = entry->hash & (slot_count - 1);

	while (slots[i].entry != NULL) {
		i = (i + 1) & (slot_count - 1);
	}
	slots[i] = (struct slot){entry->hash, entry};
}

/* Whoever stands behind the free slot, and would be missed there, moves up into it. */
static void free_slot(struct entries *entries, const struct entry *entry)
{
	size_t mask = entries->slot_count - 1;
	size_t hole = entry->hash & mask;

	while (entries->slots[hole].entry != entry) {
		hole = (hole + 1) & mask;
	}
	for (size_t i = (hole + 1) & mask; entries->slots[i].entry != NULL; i = (i + 1) & mask) {
		size_t from_home = (i - entries->slots[i].hash) & mask;
		if (from_home >= ((i - hole) & mask)) {
			entries->slots[hole] = entries->slots[i];
			hole = i;
		}
	}
	entries->slots[hole].entry = NULL;
}

static int grow(struct entries *entries)
{
	size_t count = entries->slot_count * 2;
	struct slot *slots = calloc(count, sizeof *slots);

	if (slots == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < entries->slot_count; i++) {
		if (entries->slots[i].entry != NULL) {
			put_slot(slots, count, entries->slots[i].entry);
		}
	}
	free(entries->slots);
	entries->slots = slots;
	entries->slot_count = count;
	return 0;
}

static void forget(struct entries *entries, struct entry *entry)
{
	free_slot(entries, entry);
	entries->count--;
	entry_free(entry);
}

/* From now on it may be forgotten. */
static void keep(struct entries *entries, struct entry *entry)
{
	entry->is_kept = true;
	entry->kept_weight = (uint32_t)weigh(entry);
	entries->kept_bytes += entry->kept_weight;
	entry->newer = NULL;
	*(entries->newest == NULL ? &entries->oldest : &entries->newest->newer) = entry;
	entries->newest = entry;
}

static struct entry *take_oldest(struct entries *entries)
{
	struct entry *entry = entries->oldest;

	entries->oldest = entry->newer;
	if (entries->oldest == NULL) {
		entries->newest = NULL;
	}
	entries->kept_bytes -= entry->kept_weight;
	entry->is_kept = false;
	return entry;
}

static void make_room(struct entries *entries)
{
	for (int i = 0; i < FORGET_TRIES && entries->oldest != NULL &&
			entries->kept_bytes > entries->options.clean_bytes_max;
		i++) {
		struct entry *entry = take_oldest(entries);
		if (entry->is_changed || entry->is_frozen) {
			continue;
		}
		if (entry->is_used) {
			entry->is_used = false;
			keep(entries, entry);
		} else {
			forget(entries, entry);
		}
	}
}

static size_t round_up(size_t size)
{
	return (size + VALUE_ALIGNMENT - 1) / VALUE_ALIGNMENT * VALUE_ALIGNMENT;
}

/* With this value, of which it has its own copy; size 0: none. NULL without memory. */
static struct entry *add(struct entries *entries, struct slice key, struct slice value)
{
	size_t room = round_up(value.size);

	make_room(entries);
	if (entries->count >= entries->slot_count / 4 * 3 && grow(entries) < 0) {
		return NULL;
	}
	struct entry *entry = malloc(sizeof *entry + key.size + room);
	if (entry == NULL) {
		return NULL;
	}
	*entry = (struct entry){.hash = hash_of(entries, key),
		.value = entry->key + key.size,
		.value_size = (uint32_t)value.size,
		.value_room = (uint32_t)room,
		.key_size = (uint32_t)key.size};
	memcpy(entry->key, key.bytes, key.size);
	if (value.size > 0) {
		memcpy(entry->value, value.bytes, value.size);
	}
	put_slot(entries->slots, entries->slot_count, entry);
	entries->count++;
	return entry;
}

/* ---- one entry */

static int load(struct entries *entries, struct slice key, struct slice *ret_value)
{
	buffer_clear(&entries->scratch);
	int r = entries->options.load(entries->options.owner, key, &entries->scratch);
	*ret_value = buffer_slice(&entries->scratch);
	return r < 0 ? r : 0;
}

int entries_get(struct entries *entries, struct slice key, struct slice *ret_value)
{
	struct entry *entry = find(entries, key);

	if (entry == NULL) {
		struct slice value;
		int r = load(entries, key, &value);
		if (r < 0) {
			return r;
		}
		entry = add(entries, key, value);
		if (entry == NULL) {
			return -ENOMEM;
		}
		keep(entries, entry);
	}
	*ret_value = slice_of(entry->value, entry->value_size);
	return entry->value_size == 0 ? ENTRIES_E_ABSENT : 0;
}

int entries_peek(struct entries *entries, struct slice key, struct slice *ret_value)
{
	const struct entry *entry = find(entries, key);
	struct slice value;
	int r = 0;

	if (entry == NULL) {
		r = load(entries, key, &value);
	} else {
		value = slice_of(entry->value, entry->value_size);
	}
	if (r < 0) {
		return r;
	}
	*ret_value = value;
	return value.size == 0 ? ENTRIES_E_ABSENT : 0;
}

static void note_change(struct entries *entries, struct entry *entry)
{
	if (!entry->is_changed) {
		entry->is_changed = true;
		entry->next_changed = NULL;
		*entries->changed_end = entry;
		entries->changed_end = &entry->next_changed;
		entries->changed_count++;
		entry->weight = 0;
	}
	size_t weight = weigh(entry);
	entries->changed_bytes += weight - entry->weight;
	entry->weight = (uint32_t)weight;
}

/* What is borrowed may be the value that is replaced. */
static int replace_in_new_room(struct entry *entry, struct slice value)
{
	size_t room = round_up(value.size);
	uint8_t *bytes = malloc(room);

	if (bytes == NULL) {
		return -ENOMEM;
	}
	memcpy(bytes, value.bytes, value.size);
	if (entry->owns_value) {
		free(entry->value);
	}
	entry->value = bytes;
	entry->value_size = (uint32_t)value.size;
	entry->value_room = (uint32_t)room;
	entry->owns_value = true;
	return 0;
}

static int replace(struct entry *entry, struct slice value)
{
	if (value.size > entry->value_room) {
		return replace_in_new_room(entry, value);
	}
	if (value.size > 0) {
		memmove(entry->value, value.bytes, value.size);
	}
	entry->value_size = (uint32_t)value.size;
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
		r = replace(entry, value);
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

static struct entry *take_changed(struct entries *entries)
{
	struct entry *entry = entries->changed;

	entries->changed = entry->next_changed;
	if (entries->changed == NULL) {
		entries->changed_end = &entries->changed;
	}
	entries->changed_count--;
	entries->changed_bytes -= entry->weight;
	entry->is_changed = false;
	return entry;
}

static void add_frozen(struct entries *entries, struct entry *entry)
{
	entry->is_frozen = true;
	entry->next_frozen = NULL;
	*entries->frozen_end = entry;
	entries->frozen_end = &entry->next_frozen;
	entries->frozen_count++;
}

static struct entry *take_frozen(struct entries *entries)
{
	struct entry *entry = entries->frozen;

	entries->frozen = entry->next_frozen;
	if (entries->frozen == NULL) {
		entries->frozen_end = &entries->frozen;
	}
	entries->frozen_count--;
	entry->is_frozen = false;
	return entry;
}

int entries_hand_over(struct entries *entries, uint64_t commit, size_t count_max,
	int (*put)(void *owner, struct slice key, struct slice value), void *owner)
{
	for (size_t i = 0; i < count_max && entries->changed != NULL; i++) {
		struct entry *entry = entries->changed;
		int r = put(owner, key_of(entry), slice_of(entry->value, entry->value_size));
		if (r < 0) {
			return r;
		}
		take_changed(entries);
		if (!entry->is_frozen) {
			add_frozen(entries, entry);
		}
		entry->frozen_in = commit;
		entries->handed_over = commit;
	}
	return 0;
}

void entries_committed(struct entries *entries, uint64_t commit)
{
	entries->committed = commit;
	entries->unsettled = entries->frozen_count;
}

bool entries_are_written(const struct entries *entries)
{
	return entries->changed == NULL && entries->handed_over <= entries->committed;
}

/* The store has it, or will have what changed since. What is no more needs no place. */
static void settle(struct entries *entries, struct entry *entry)
{
	if (entry->frozen_in > entries->committed) {
		add_frozen(entries, entry);
	} else if (entry->is_changed || entry->is_kept) {
		return;
	} else if (entry->value_size == 0) {
		forget(entries, entry);
	} else {
		keep(entries, entry);
	}
}

bool entries_settle(struct entries *entries, size_t count_max)
{
	for (size_t i = 0; i < count_max && entries->unsettled > 0; i++) {
		entries->unsettled--;
		settle(entries, take_frozen(entries));
	}
	return entries->unsettled > 0;
}

void entries_forget(struct entries *entries)
{
	assert(entries_are_written(entries));
	free_all(entries);
	entries->count = entries->kept_bytes = 0;
	entries->oldest = entries->newest = NULL;
	entries->frozen = NULL;
	entries->frozen_end = &entries->frozen;
	entries->frozen_count = entries->unsettled = 0;
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
	walk->items =
		calloc(entries->changed_count + entries->frozen_count + 1, sizeof *walk->items);
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
