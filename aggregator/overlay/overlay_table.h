/* overlay_table.h - the changed rows of one view: found by key, walked in key order, and the members that they saw.
 * As with the arena, reserving may fail and what was reserved can't. For overlay.c and the answers. */
#pragma once
#include "aggregator/overlay/overlay.h"
#include "aggregator/overlay/overlay_arena.h"
#include "aggregator/view/measure_row.h"

/* Is a member new to the layers below its overlay? Found when an answer asks first. */
enum verdict { MEMBER_UNKNOWN, MEMBER_NEW, MEMBER_OLD };

struct member {
	uint8_t key[MEMBER_KEY_SIZE];
	uint8_t measure;
	uint8_t verdict; /* only answers read and write it, on the loop's thread */
};

struct delta {
	uint64_t
		event_count; /* less than what the row had: wraps around, as do the cells' counts */
	const uint8_t *key; /* in the arena, as are longs and members while they are few */
	const uint8_t *longs;
	struct member *members;
	uint32_t member_count;
	uint32_t member_capacity;
	uint16_t key_size;
	uint16_t longs_size;
	bool owns_members; /* they outgrew the arena */
	bool is_noted; /* among the table's changed rows */
	struct cell cells[]; /* one a measure */
};

static inline struct slice delta_longs(const struct delta *delta)
{
	return slice_of(delta->longs, delta->longs_size);
}

/* Adds a delta to a row: new_members as for delta_merge. 0 or -EOVERFLOW. */
int row_merge_delta(const struct view *view, struct row *row, const struct delta *delta,
	const uint64_t new_members[VIEW_MEASURES_MAX]);

/* The currencies at the end of keys. Real ones are few; past the limit only a walk in key order finds them all. */
enum { CURRENCIES_MAX = 32, CURRENCY_TAIL_SIZE = CURRENCY_SIZE + 1 }; /* with the end of the text */

struct currencies {
	uint8_t tails[CURRENCIES_MAX][CURRENCY_TAIL_SIZE];
	size_t count;
	bool is_over; /* there are more, or some are no currencies */
};
/* Adds what follows `prefix_size` bytes of a key. */
void currencies_add(struct currencies *currencies, struct slice key, size_t prefix_size);

struct slot {
	uint64_t hash;
	struct delta *delta; /* NULL: free */
};

/* A row with the first bytes of its key beside it, so that most comparisons touch nothing else. */
struct place {
	uint64_t head;
	struct delta *delta;
};

struct table {
	struct slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	struct place *places;
	size_t place_capacity;
	size_t row_count;
	size_t sorted_count; /* places up to here are in key order, those behind in order of arrival */
	uint8_t (*members)[MEMBER_HASH_SIZE]; /* the set of their hashes; all zero: free */
	size_t member_slot_count;
	size_t member_count;
	uint64_t member_key[2]; /* secret odd factors: nobody can choose a member's place */
	struct currencies currencies; /* of views whose keys end in one */
	uint64_t matched;
	uint64_t unmatched;
	uint64_t held;
	bool is_watched; /* then rows that change are noted, each once until it is taken */
	struct delta **changed;
	size_t changed_count;
	size_t changed_capacity;
	uint64_t expired;
	int64_t cutoff; /* rows that begin before this have ended */
};

void table_deinit(struct table *table); /* takes a zeroed one */
size_t table_bytes(const struct table *table);

struct delta *table_find(const struct table *table, uint64_t hash, struct slice key);
/* Room for one more row. 0 or -ENOMEM. */
int table_reserve_row(struct table *table);
void table_insert(struct table *table, uint64_t hash, struct delta *delta);
const struct table *overlay_table(const struct overlay *overlay, uint32_t view_id);
const struct currencies *overlay_currencies(const struct overlay *overlay, uint32_t view_id);

/* Room for `count` more members. 0 or -ENOMEM. */
int table_reserve_members(struct table *table, size_t count);
/* false when it was there already. */
bool table_add_member(struct table *table, const uint8_t key[MEMBER_KEY_SIZE]);
bool table_has_member(const struct table *table, const uint8_t key[MEMBER_KEY_SIZE]);

/* Room to note one more row. 0 or -ENOMEM. */
int table_reserve_changed(struct table *table);
static inline void table_note(struct table *table, struct delta *delta)
{
	if (table->is_watched && !delta->is_noted) {
		delta->is_noted = true;
		table->changed[table->changed_count++] = delta;
	}
}
void table_watch(struct table *table, bool is_watched);

/* Brings the places into key order. 0 or -ENOMEM. */
int table_sort(struct table *table);
/* As overlay_list_rows: the places may be sorted meanwhile. */
int table_list_rows(const struct table *table, const struct delta *const **ret_rows);
/* The first place whose key is >= key; of a sorted table. */
size_t table_lower_bound(const struct table *table, struct slice key);
