#include "aggregator/store_content.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENT_COUNT_SIZE = 8, NAME_SIZE = 32 };

/* ---- tables */

static struct generation_content *place_of(struct store_content *content, uint32_t number)
{
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		struct generation_content *generation = &content->generations[i];
		if (generation->number == number || generation->number == 0) {
			generation->number = number;
			return generation;
		}
	}
	return NULL;
}

/* "rows.3": the name of a table, and the number of a generation. */
static bool parse_name(struct slice name, enum store_table *ret_table, uint32_t *ret_number)
{
	char text[NAME_SIZE], ours[NAME_SIZE];
	const char *dot;

	if (name.size >= sizeof text) {
		return false;
	}
	snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.bytes);
	dot = strchr(text, '.');
	uint32_t number = dot == NULL ? 0 : (uint32_t)strtoul(dot + 1, NULL, 10);
	for (int table = 0; table < TABLE_COUNT && number > 0; table++) {
		store_table_name((enum store_table)table, number, ours);
		if (strcmp(ours, text) == 0) {
			*ret_table = (enum store_table)table;
			*ret_number = number;
			return true;
		}
	}
	return false;
}

/* What is being dropped is read by nobody; what it holds need not add up. */
static bool is_read(const struct store_root *root, uint32_t number)
{
	return number == root->live || number == root->shadow;
}

int store_content_table(struct store_content *content, struct slice name)
{
	uint32_t number = 0;

	content->has_tables = true;
	content->generation = NULL;
	content->is_meta = slice_equals_text(name, "meta");
	if (!content->is_meta && parse_name(name, &content->table, &number)) {
		content->generation = place_of(content, number);
	}
	return 0;
}

/* ---- rows */

/* A tombstone that can't be read would bring a name back. */
static bool is_of_forgotten(struct slice key)
{
	return slice_equals_text(key, "forgotten key") ||
	       (key.size > 4 && memcmp(key.bytes, "gone", 4) == 0);
}

static int see_root(struct store_content *content, struct slice key, struct slice sealed)
{
	struct slice value;

	if (slice_equals_text(key, "root") || is_of_forgotten(key)) {
		if (!seal_open(key, sealed, &value)) {
			return STORE_E_CORRUPT;
		}
	}
	if (!slice_equals_text(key, "root")) {
		return 0;
	}
	content->has_root = true;
	return store_root_decode(value, &content->root);
}

/* A row's value begins with its number of events, little-endian. */
static uint64_t event_count_of(struct slice value)
{
	uint64_t count = 0;
	for (size_t i = EVENT_COUNT_SIZE; i-- > 0;) {
		count = count << 8 | value.bytes[i];
	}
	return count;
}

/* The bit may be in the key: then nobody knows which row is missing. */
static int see_view_row(
	struct generation_content *generation, struct slice key, struct slice sealed)
{
	struct slice value;

	if (key.bytes[0] >= VIEWS_MAX) {
		return STORE_E_CORRUPT;
	}
	struct view_content *view = &generation->views[key.bytes[0]];
	if (!seal_open(key, sealed, &value) || value.size < EVENT_COUNT_SIZE) {
		view->is_damaged = true;
		return 0;
	}
	view->row_count++;
	view->matched += event_count_of(value);
	view->hash_sum += row_hash(seal_of(key, value), value.size);
	return 0;
}

static int see_ledger(struct generation_content *generation, struct slice value)
{
	struct ledger ledger = {0};
	int r = ledger_decode(value, &ledger);

	memcpy(generation->told, ledger.tallies, sizeof generation->told);
	generation->has_ledger = true;
	ledger_deinit(&ledger);
	return r == -EBADMSG ? STORE_E_CORRUPT : r;
}

static int see_summary(struct generation_content *generation, struct slice key, struct slice value)
{
	struct view_summary summary;

	if (slice_equal(key, SUMMARY_LEDGER)) {
		return see_ledger(generation, value);
	}
	if (slice_equal(key, SUMMARY_ENTRIES)) {
		return entry_sums_decode(value, &generation->told_entries) ? 0 : STORE_E_CORRUPT;
	}
	if (slice_equal(key, SUMMARY_OFFSETS)) {
		generation->has_offset_sums = true;
		return entry_sums_decode(value, &generation->told_offsets) ? 0 : STORE_E_CORRUPT;
	}
	if (key.size != SUMMARY_KEY_SIZE || key.bytes[key.size - 1] >= VIEWS_MAX ||
		!view_summary_decode(value, &summary)) {
		return STORE_E_CORRUPT;
	}
	struct view_content *view = &generation->views[key.bytes[key.size - 1]];
	view->has_summary = true;
	view->told_row_count = summary.row_count;
	view->told_matched = summary.matched;
	view->told_hash_sum = summary.hash_sum;
	return 0;
}

static int see_stream(struct generation_content *generation, struct slice key, struct slice value)
{
	struct stream_sums sums;
	struct counted counted = {0};
	struct stream_id id;

	int r = stream_decode(value, &sums, &counted);
	bool fits = r == 0 && stream_key_parse(key, &id) && stream_sums_fit(&sums, &counted);
	counted_deinit(&counted);
	if (!fits) {
		return r < 0 ? r : STORE_E_CORRUPT;
	}
	generation->sets[id.kind].accepted += sums.accepted;
	generation->sets[id.kind].rejected += sums.rejected;
	return 0;
}

int store_content_row(struct store_content *content, struct slice key, struct slice sealed)
{
	struct generation_content *generation = content->generation;
	struct slice value;

	if (content->is_meta) {
		return see_root(content, key, sealed);
	}
	if (generation == NULL ||
		(content->has_root && !is_read(&content->root, generation->number))) {
		return 0;
	}
	if (content->table == TABLE_ROWS) {
		return see_view_row(generation, key, sealed);
	}
	if (content->table == TABLE_QUARANTINE) {
		return 0; /* for people to look at; nothing is counted by it */
	}
	if (!seal_open(key, sealed, &value)) {
		return STORE_E_CORRUPT;
	}
	switch (content->table) {
	case TABLE_SUMMARY:
		return see_summary(generation, key, value);
	case TABLE_STREAMS:
		return see_stream(generation, key, value);
	case TABLE_ENTRIES:
		entry_sums_add(&generation->entries, key, value);
		return 0;
	case TABLE_OFFSETS:
		entry_sums_add(&generation->offsets, key, value);
		return 0;
	default:
		return 0;
	}
}

/* ---- the sums */

static bool sets_fit(const struct generation_content *generation)
{
	for (int kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		if (generation->sets[kind].accepted != generation->told[kind].accepted ||
			generation->sets[kind].rejected != generation->told[kind].rejected) {
			return false;
		}
	}
	return generation->has_ledger;
}

static bool sums_equal(const struct entry_sums *a, const struct entry_sums *b)
{
	return a->count == b->count && a->hash_sum == b->hash_sum;
}

static bool entries_fit(const struct generation_content *generation)
{
	return sums_equal(&generation->entries, &generation->told_entries);
}

/* Positions of an earlier time beside rows of a later one: what was counted would be told as what lies before them. */
static bool offsets_fit(const struct generation_content *generation)
{
	return !generation->has_offset_sums ||
	       sums_equal(&generation->offsets, &generation->told_offsets);
}

static bool view_fits(const struct view_content *view)
{
	return !view->is_damaged && view->row_count == view->told_row_count &&
	       view->matched == view->told_matched && view->hash_sum == view->told_hash_sum;
}

static uint64_t damaged_views(const struct generation_content *generation)
{
	uint64_t damaged = 0;
	for (int id = 0; id < VIEWS_MAX; id++) {
		damaged |= (uint64_t)!view_fits(&generation->views[id]) << id;
	}
	return damaged;
}

/* The counted set or a summary that is not there can't be told from one that never was, but by the sums. */
static int judge(const struct store_content *content, uint32_t number, uint64_t *ret_damaged_views)
{
	for (int i = 0; i < GENERATIONS_MAX && number != 0; i++) {
		const struct generation_content *generation = &content->generations[i];
		if (generation->number == number) {
			*ret_damaged_views = damaged_views(generation);
			return sets_fit(generation) && entries_fit(generation) &&
					       offsets_fit(generation)
				       ? 0
				       : STORE_E_CORRUPT;
		}
	}
	return number == 0 ? 0 : STORE_E_CORRUPT;
}

int store_content_end(const struct store_content *content, uint64_t *ret_damaged_views)
{
	uint64_t live = 0, shadow = 0;

	if (!content->has_tables) {
		return STORE_E_ABSENT;
	}
	if (!content->has_root) {
		return STORE_E_FOREIGN;
	}
	int r = judge(content, content->root.live, &live);
	if (r == 0) {
		r = judge(content, content->root.shadow, &shadow);
	}
	if (r != 0 || shadow != 0) { /* a shadow is filled anew, from the start */
		return STORE_E_CORRUPT;
	}
	*ret_damaged_views = live;
	return 0;
}
