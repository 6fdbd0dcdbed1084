#include "aggregator/overlay/overlay_table.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SLOTS_MIN = 64 };

static struct slice key_of(const struct delta *delta)
{
	return slice_of(delta->key, delta->key_size);
}

/* Three quarters full is the most. */
static bool is_full(size_t count, size_t slot_count)
{
	return count >= slot_count / 4 * 3;
}

void table_deinit(struct table *table)
{
	for (size_t i = 0; i < table->row_count; i++) {
		if (table->places[i].delta->owns_members) {
			free(table->places[i].delta->members);
		}
	}
	free(table->slots);
	free(table->places);
	free(table->members);
	free(table->changed);
	*table = (struct table){0};
}

size_t table_bytes(const struct table *table)
{
	return table->slot_count * sizeof table->slots[0] +
	       table->place_capacity * sizeof table->places[0] +
	       table->member_slot_count * sizeof table->members[0] +
	       table->changed_capacity * sizeof table->changed[0];
}

struct delta *table_find(const struct table *table, uint64_t hash, struct slice key)
{
	if (table->slot_count == 0) {
		return NULL;
	}
	size_t mask = table->slot_count - 1;
	for (size_t i = hash & mask; table->slots[i].delta != NULL; i = (i + 1) & mask) {
		const struct slot *slot = &table->slots[i];
		if (slot->hash == hash && slice_equal(key_of(slot->delta), key)) {
			return slot->delta;
		}
	}
	return NULL;
}

static void put_slot(struct slot *slots, size_t slot_count, struct slot slot)
{
	size_t mask = slot_count - 1;
	size_t i = slot.hash & mask;

	while (slots[i].delta != NULL) {
		i = (i + 1) & mask;
	}
	slots[i] = slot;
}

static int grow_slots(struct table *table)
{
	size_t slot_count = table->slot_count == 0 ? SLOTS_MIN : table->slot_count * 2;
	struct slot *slots = calloc(slot_count, sizeof *slots);

	if (slots == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->slot_count; i++) {
		if (table->slots[i].delta != NULL) {
			put_slot(slots, slot_count, table->slots[i]);
		}
	}
	free(table->slots);
	table->slots = slots;
	table->slot_count = slot_count;
	return 0;
}

static int grow_places(struct table *table)
{
	size_t capacity = table->place_capacity == 0 ? SLOTS_MIN : table->place_capacity * 2;
	struct place *places = realloc(table->places, capacity * sizeof *places);

	if (places == NULL) {
		return -ENOMEM;
	}
	table->places = places;
	table->place_capacity = capacity;
	return 0;
}

int table_reserve_row(struct table *table)
{
	int r = 0;

	if (is_full(table->row_count, table->slot_count)) {
		r = grow_slots(table);
	}
	if (r == 0 && table->row_count == table->place_capacity) {
		r = grow_places(table);
	}
	return r;
}

int table_reserve_changed(struct table *table)
{
	if (!table->is_watched || table->changed_count < table->changed_capacity) {
		return 0;
	}
	size_t capacity = table->changed_capacity == 0 ? SLOTS_MIN : table->changed_capacity * 2;
	struct delta **changed = realloc(table->changed, capacity * sizeof(struct delta *));
	if (changed == NULL) {
		return -ENOMEM;
	}
	table->changed = changed;
	table->changed_capacity = capacity;
	return 0;
}

void table_watch(struct table *table, bool is_watched)
{
	table->is_watched = is_watched;
	for (size_t i = 0; !is_watched && i < table->changed_count; i++) {
		table->changed[i]->is_noted = false;
	}
	table->changed_count = is_watched ? table->changed_count : 0;
}

/* The first eight bytes as a number that compares as they do. */
static uint64_t head_of(struct slice key)
{
	uint64_t head = 0;

	for (size_t i = 0; i < sizeof head; i++) {
		head = head << 8 | (i < key.size ? key.bytes[i] : 0);
	}
	return head;
}

void table_insert(struct table *table, uint64_t hash, struct delta *delta)
{
	put_slot(table->slots, table->slot_count, (struct slot){hash, delta});
	table->places[table->row_count++] = (struct place){head_of(key_of(delta)), delta};
}

/* In memory only, so the machine's own byte order will do. */
static uint64_t word_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Multiply-shift under secret factors: members are hashes under a known key, so their places need a secret. */
static size_t member_place(const struct table *table, const uint8_t hash[MEMBER_HASH_SIZE])
{
	uint64_t mixed =
		word_at(hash) * table->member_key[0] + word_at(hash + 8) * table->member_key[1];

	return (size_t)(mixed >> 20) & (table->member_slot_count - 1);
}

static bool is_free(const uint8_t hash[MEMBER_HASH_SIZE])
{
	return (word_at(hash) | word_at(hash + 8)) == 0;
}

/* The member's place, or the free one where it belongs. */
static size_t find_member(const struct table *table, const uint8_t hash[MEMBER_HASH_SIZE])
{
	size_t i = member_place(table, hash);

	while (!is_free(table->members[i]) &&
		memcmp(table->members[i], hash, MEMBER_HASH_SIZE) != 0) {
		i = (i + 1) & (table->member_slot_count - 1);
	}
	return i;
}

static int grow_members(struct table *table)
{
	uint8_t(*old)[MEMBER_HASH_SIZE] = table->members;
	size_t old_count = table->member_slot_count;
	size_t count = old_count == 0 ? SLOTS_MIN : old_count * 2;
	void *members = calloc(count, sizeof table->members[0]);

	if (members == NULL) {
		return -ENOMEM;
	}
	table->members = members;
	table->member_slot_count = count;
	for (size_t i = 0; i < old_count; i++) {
		if (!is_free(old[i])) {
			memcpy(table->members[find_member(table, old[i])], old[i], sizeof old[i]);
		}
	}
	free(old);
	return 0;
}

int table_reserve_members(struct table *table, size_t count)
{
	while (is_full(table->member_count + count, table->member_slot_count)) {
		int r = grow_members(table);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

bool table_add_member(struct table *table, const uint8_t key[MEMBER_KEY_SIZE])
{
	const uint8_t *hash = key + MEMBER_PLACE_SIZE;
	uint8_t *place = table->members[find_member(table, hash)];

	if (!is_free(place)) {
		return false;
	}
	memcpy(place, hash, MEMBER_HASH_SIZE);
	table->member_count++;
	return true;
}

bool table_has_member(const struct table *table, const uint8_t key[MEMBER_KEY_SIZE])
{
	const uint8_t *hash = key + MEMBER_PLACE_SIZE;

	return table->member_slot_count > 0 && !is_free(table->members[find_member(table, hash)]);
}

static int compare_key(uint64_t head, struct slice key, const struct place *place)
{
	if (head != place->head) {
		return head < place->head ? -1 : 1;
	}
	return row_key_compare(key, key_of(place->delta));
}

static int compare_places(const void *a, const void *b)
{
	const struct place *place = a;

	return compare_key(place->head, key_of(place->delta), b);
}

/* Merges the sorted `tail` into the sorted places before it, from the back: no row moves twice. */
static void merge_tail(
	struct place *places, size_t count, const struct place *tail, size_t tail_count)
{
	size_t into = count + tail_count;

	while (tail_count > 0) {
		bool is_tail_greater =
			count == 0 || compare_places(&tail[tail_count - 1], &places[count - 1]) > 0;
		places[--into] = is_tail_greater ? tail[--tail_count] : places[--count];
	}
}

int table_sort(struct table *table)
{
	size_t tail_count = table->row_count - table->sorted_count;

	if (tail_count == 0) {
		return 0; /* there may be no places at all */
	}
	struct place *end = table->places + table->sorted_count;
	qsort(end, tail_count, sizeof *end, compare_places);
	if (table->sorted_count > 0) {
		struct place *tail = malloc(tail_count * sizeof *tail);
		if (tail == NULL) {
			return -ENOMEM;
		}
		memcpy(tail, end, tail_count * sizeof *tail);
		merge_tail(table->places, table->sorted_count, tail, tail_count);
		free(tail);
	}
	table->sorted_count = table->row_count;
	return 0;
}

/* From the slots: they don't change when the places do. */
static void list_places(const struct table *table, struct place *places)
{
	for (size_t i = 0; i < table->slot_count; i++) {
		struct delta *delta = table->slots[i].delta;
		if (delta != NULL) {
			*places++ = (struct place){head_of(key_of(delta)), delta};
		}
	}
}

int table_list_rows(const struct table *table, const struct delta *const **ret_rows)
{
	struct place *places = malloc((table->row_count + 1) * sizeof *places);
	const struct delta **rows = malloc((table->row_count + 1) * sizeof(struct delta *));

	if (places == NULL || rows == NULL) {
		free(places);
		free(rows);
		return -ENOMEM;
	}
	list_places(table, places);
	qsort(places, table->row_count, sizeof *places, compare_places);
	for (size_t i = 0; i < table->row_count; i++) {
		rows[i] = places[i].delta;
	}
	free(places);
	*ret_rows = rows;
	return 0;
}

size_t table_lower_bound(const struct table *table, struct slice key)
{
	size_t low = 0;
	size_t high = table->row_count;
	uint64_t head = head_of(key);

	assert(table->sorted_count == table->row_count);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_key(head, key, &table->places[middle]) > 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}
