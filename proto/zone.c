/* zone.c - TZif (RFC 8536) into one table of transitions. The rule for the years past the file's last transition is
 * written out for 400 years more, after which the calendar, and so every rule, repeats itself: a look-up is one
 * binary search, whatever the year. */
#include "proto/zone.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/civil.h"
#include "proto/zone_rule.h"

enum {
	HEADER_SIZE = 44,
	TYPE_SIZE = 6,
	OFFSET_MAX = 26 * 3600, /* RFC 8536, 3.2: -25 … 26 hours */
	DAY = 86400,
	/* two years before the cycle, so that its first year begins in a state that the rule has made */
	RULE_YEARS = 402,
};
static const int64_t CYCLE = INT64_C(146097) * DAY; /* 400 years */
static const int64_t TIME_MAX = INT64_C(253402300800); /* the year 10000 */

struct transition {
	int64_t at; /* UTC seconds */
	int32_t offset; /* from then on */
};

struct zone {
	char *name;
	int32_t first_offset; /* before the first transition */
	size_t count;
	struct transition *transitions; /* rising */
	bool repeats;
	int64_t repeats_from; /* what is at or past this equals what is a number of cycles earlier */
};

/* One block of the file: a header's counts and the data behind it. */
struct block {
	uint8_t version;
	uint32_t time_size;
	uint32_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
	const uint8_t *times;
	const uint8_t *indexes;
	const uint8_t *types;
};

static uint32_t load_32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t load_time(const uint8_t *bytes, uint32_t size)
{
	if (size == 4) {
		return (int32_t)load_32(bytes);
	}
	return (int64_t)((uint64_t)load_32(bytes) << 32 | load_32(bytes + 4));
}

/* Takes one block off the front of `rest`. */
static bool read_block(struct slice *rest, uint32_t time_size, struct block *ret_block)
{
	const uint8_t *b = rest->bytes;

	if (rest->size < HEADER_SIZE || memcmp(b, "TZif", 4) != 0) {
		return false;
	}
	struct block block = {b[4], time_size, load_32(b + 20), load_32(b + 24), load_32(b + 28),
		load_32(b + 32), load_32(b + 36), load_32(b + 40), NULL, NULL, NULL};
	uint64_t size = HEADER_SIZE + (uint64_t)block.time_count * (time_size + 1) +
			(uint64_t)block.type_count * TYPE_SIZE + block.char_count +
			(uint64_t)block.leap_count * (time_size + 4) + block.standard_count +
			block.utc_count;
	if (size > rest->size) {
		return false;
	}
	block.times = b + HEADER_SIZE;
	block.indexes = block.times + (size_t)block.time_count * time_size;
	block.types = block.indexes + block.time_count;
	*rest = slice_of(b + size, rest->size - (size_t)size);
	*ret_block = block;
	return true;
}

static bool read_offset(const struct block *block, uint32_t type, int32_t *ret_offset)
{
	if (type >= block->type_count) {
		return false;
	}
	int32_t offset = (int32_t)load_32(block->types + (size_t)type * TYPE_SIZE);
	if (offset > OFFSET_MAX || offset < -OFFSET_MAX) {
		return false;
	}
	*ret_offset = offset;
	return true;
}

static int add_block(struct zone *zone, const struct block *block)
{
	/* leap seconds ("right/Europe/Berlin") would shift every time: such a file is none for POSIX clocks */
	if (block->leap_count > 0 || !read_offset(block, 0, &zone->first_offset)) {
		return ZONE_E_MALFORMED;
	}
	zone->transitions =
		malloc((block->time_count + 2 * (size_t)RULE_YEARS) * sizeof *zone->transitions);
	if (zone->transitions == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < block->time_count; i++) {
		struct transition *t = &zone->transitions[i];
		t->at = load_time(block->times + (size_t)i * block->time_size, block->time_size);
		if (!read_offset(block, block->indexes[i], &t->offset) ||
			(i > 0 && t->at <= t[-1].at)) {
			return ZONE_E_MALFORMED;
		}
	}
	zone->count = block->time_count;
	return 0;
}

/* Where two changes fall together, or cross, as in a summer time that never ends, the later rule wins. */
static void add_transition(struct zone *zone, int64_t after, int64_t at, int32_t offset)
{
	if (at <= after) {
		return;
	}
	if (zone->count > 0 && zone->transitions[zone->count - 1].at >= at) {
		zone->count--;
	}
	zone->transitions[zone->count++] = (struct transition){at, offset};
}

static void add_rule(struct zone *zone, const struct zone_rule *rule)
{
	bool is_empty = zone->count == 0;
	int64_t after = is_empty ? INT64_MIN : zone->transitions[zone->count - 1].at;

	if (!rule->has_summer) {
		/* the footer repeats what the last transition says; without any it is all there is */
		zone->first_offset = is_empty ? rule->offset : zone->first_offset;
		return;
	}
	if (after >= TIME_MAX) {
		return; /* nothing that till accepts comes after the file's own transitions */
	}
	int64_t year = after < 0 ? 1969 : civil_from_days(floor_divide(after, DAY)).year;
	for (int64_t y = year; y < year + RULE_YEARS; y++) {
		int64_t to_summer = 0;
		int64_t to_standard = 0;
		zone_rule_changes(rule, y, &to_summer, &to_standard);
		if (to_summer < to_standard) {
			add_transition(zone, after, to_summer, rule->summer_offset);
			add_transition(zone, after, to_standard, rule->offset);
		} else {
			add_transition(zone, after, to_standard, rule->offset);
			add_transition(zone, after, to_summer, rule->summer_offset);
		}
	}
	zone->repeats = true;
	/* a rule may reach 167 hours into the neighbouring year: the cycle begins well before one */
	zone->repeats_from = (civil_days(year + RULE_YEARS, 1, 1) - 14) * DAY;
}

/* "\n" TZ string "\n" */
static int add_footer(struct zone *zone, struct slice footer)
{
	struct zone_rule rule;

	if (footer.size < 2 || footer.bytes[0] != '\n' || footer.bytes[footer.size - 1] != '\n') {
		return ZONE_E_MALFORMED;
	}
	if (footer.size == 2) {
		return 0; /* no rule: the last offset goes on */
	}
	if (!zone_rule_parse(slice_of(footer.bytes + 1, footer.size - 2), &rule)) {
		return ZONE_E_MALFORMED;
	}
	add_rule(zone, &rule);
	return 0;
}

/* Transitions may change a name only; so that each one left is a change of offset, those go. */
static void drop_idle_transitions(struct zone *zone)
{
	int32_t offset = zone->first_offset;
	size_t kept = 0;

	for (size_t i = 0; i < zone->count; i++) {
		if (zone->transitions[i].offset != offset) {
			offset = zone->transitions[i].offset;
			zone->transitions[kept++] = zone->transitions[i];
		}
	}
	zone->count = kept;
}

static int parse(struct zone *zone, struct slice tzif)
{
	struct block block;
	struct slice rest = tzif;

	if (!read_block(&rest, 4, &block)) {
		return ZONE_E_MALFORMED;
	}
	if (block.version < '2') {
		return add_block(zone, &block);
	}
	if (!read_block(&rest, 8, &block)) {
		return ZONE_E_MALFORMED;
	}
	int r = add_block(zone, &block);
	return r != 0 ? r : add_footer(zone, rest);
}

int zone_new(const char *name, struct slice tzif, struct zone **ret_zone)
{
	struct zone *zone = calloc(1, sizeof *zone);
	int r = -ENOMEM;

	if (zone == NULL) {
		return -ENOMEM;
	}
	zone->name = strdup(name);
	if (zone->name == NULL) {
		goto out;
	}
	r = parse(zone, tzif);
	if (r != 0) {
		goto out;
	}
	drop_idle_transitions(zone);
	*ret_zone = zone;
	zone = NULL;
out:
	zone_free(zone);
	return r;
}

struct zone *zone_free(struct zone *zone)
{
	if (zone != NULL) {
		free(zone->name);
		free(zone->transitions);
		free(zone);
	}
	return NULL;
}

const char *zone_name(const struct zone *zone)
{
	return zone == NULL ? "UTC" : zone->name;
}

/* How much earlier the table shows what holds at this instant: whole cycles. */
static int64_t shift_into_table(const struct zone *zone, int64_t utc_seconds)
{
	if (!zone->repeats || utc_seconds < zone->repeats_from) {
		return 0;
	}
	return ((utc_seconds - zone->repeats_from) / CYCLE + 1) * CYCLE;
}

/* The last transition at or before an instant of the table; NULL when that is before all of them. */
static const struct transition *transition_before(const struct zone *zone, int64_t utc_seconds)
{
	size_t low = 0; /* what is below is not after the instant, what is from `high` on is */
	size_t high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (zone->transitions[middle].at <= utc_seconds) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low == 0 ? NULL : &zone->transitions[low - 1];
}

int32_t zone_offset_at(const struct zone *zone, int64_t utc_seconds)
{
	if (zone == NULL) {
		return 0;
	}
	const struct transition *t =
		transition_before(zone, utc_seconds - shift_into_table(zone, utc_seconds));
	return t == NULL ? zone->first_offset : t->offset;
}

int64_t zone_offset_since(const struct zone *zone, int64_t from, int64_t to)
{
	if (zone == NULL) {
		return from;
	}
	int64_t shift = shift_into_table(zone, to);
	const struct transition *t = transition_before(zone, to - shift);
	return t == NULL || t->at + shift < from ? from : t->at + shift;
}

/* Offsets stay within 26 hours, so a day before and after a local time, taken as UTC, surely lie on both sides of any
 * change near it. No zone has ever changed twice within two days. */
static void offsets_around(
	const struct zone *zone, int64_t local_seconds, int32_t *ret_before, int32_t *ret_after)
{
	*ret_before = zone_offset_at(zone, local_seconds - DAY);
	*ret_after = zone_offset_at(zone, local_seconds + DAY);
}

bool zone_to_utc(const struct zone *zone, int64_t local_seconds, int64_t *ret_utc_seconds)
{
	int32_t before = 0;
	int32_t after = 0;

	offsets_around(zone, local_seconds, &before, &after);
	if (zone_offset_at(zone, local_seconds - before) == before) {
		*ret_utc_seconds = local_seconds - before;
		return true;
	}
	if (zone_offset_at(zone, local_seconds - after) == after) {
		*ret_utc_seconds = local_seconds - after;
		return true;
	}
	return false;
}

int64_t zone_to_utc_or_skip(const struct zone *zone, int64_t local_seconds)
{
	int64_t utc = 0;
	int32_t before = 0;
	int32_t after = 0;

	if (zone_to_utc(zone, local_seconds, &utc)) {
		return utc;
	}
	offsets_around(zone, local_seconds, &before, &after);
	return zone_offset_since(zone, local_seconds - after, local_seconds - before);
}
