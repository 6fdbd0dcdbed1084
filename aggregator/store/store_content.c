#include "aggregator/store/store_content.h"
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

	table_sum_add(&content->meta, sealed);
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
	view->matched += event_count_of(value);
	table_sum_add(&view->rows, sealed);
	return 0;
}

static int see_member(struct generation_content *generation, struct slice key, struct slice sealed)
{
	struct slice value;

	if (key.bytes[0] >= VIEWS_MAX) {
		return STORE_E_CORRUPT;
	}
	struct view_content *view = &generation->views[key.bytes[0]];
	view->is_damaged |= !seal_open(key, sealed, &value);
	table_sum_add(&view->members, sealed);
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
	if (slice_equal(key, SUMMARY_ENTRIES) || slice_equal(key, SUMMARY_OFFSETS)) {
		return 0; /* of before there were sums: store_sums_make */
	}
	if (key.size != SUMMARY_KEY_SIZE || key.bytes[key.size - 1] >= VIEWS_MAX ||
		!view_summary_decode(value, &summary)) {
		return STORE_E_CORRUPT;
	}
	struct view_content *view = &generation->views[key.bytes[key.size - 1]];
	view->told_rows = (struct table_sum){summary.row_count, summary.hash_sum};
	view->told_members = (struct table_sum){summary.member_count, summary.member_hash_sum};
	view->told_matched = summary.matched;
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
	if (content->table == TABLE_MEMBERS) {
		return see_member(generation, key, sealed);
	}
	if (content->table == TABLE_QUARANTINE) {
		return 0; /* for people to look at; nothing is counted by it */
	}
	if (!seal_open(key, sealed, &value)) {
		return STORE_E_CORRUPT;
	}
	table_sum_add(&generation->tables[content->table], sealed);
	switch (content->table) {
	case TABLE_SUMMARY:
		return see_summary(generation, key, value);
	case TABLE_STREAMS:
		return see_stream(generation, key, value);
	default:
		return 0;
	}
}

/* There is no other; one that was a table's name is none any more. */
int store_content_note(struct store_content *content, struct slice key, struct slice sealed)
{
	struct slice value;

	content->has_sums = slice_equals_text(key, "sums") && seal_open(key, sealed, &value) &&
			    store_sums_decode(value, &content->told);
	return content->has_sums ? 0 : STORE_E_CORRUPT;
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

/* A set of an earlier time would take what was counted since for new, and positions of one would have it told as what lies before them. */
static bool tables_fit(struct store_content *content, const struct generation_content *generation)
{
	const struct generation_sums *told = store_sums_find(&content->told, generation->number);

	for (int table = 0; told != NULL && table < TABLE_COUNT; table++) {
		if (table != TABLE_QUARANTINE &&
			!table_sum_equal(&told->tables[table], &generation->tables[table])) {
			return false;
		}
	}
	return told != NULL;
}

static bool view_fits(const struct view_content *view, bool is_summed)
{
	return !view->is_damaged && view->matched == view->told_matched &&
	       table_sum_equal(&view->rows, &view->told_rows) &&
	       (!is_summed || table_sum_equal(&view->members, &view->told_members));
}

static uint64_t damaged_views(const struct generation_content *generation, bool is_summed)
{
	uint64_t damaged = 0;
	for (int id = 0; id < VIEWS_MAX; id++) {
		damaged |= (uint64_t)!view_fits(&generation->views[id], is_summed) << id;
	}
	return damaged;
}

/* What is not there can't be told from what never was, but by the sums. */
static int judge(struct store_content *content, uint32_t number, uint64_t *ret_damaged_views)
{
	bool is_summed = content->root.is_summed;

	for (int i = 0; i < GENERATIONS_MAX && number != 0; i++) {
		const struct generation_content *generation = &content->generations[i];
		if (generation->number == number) {
			bool fits = sets_fit(generation) &&
				    (!is_summed || tables_fit(content, generation));
			*ret_damaged_views = damaged_views(generation, is_summed);
			return fits ? 0 : STORE_E_CORRUPT;
		}
	}
	return number == 0 ? 0 : STORE_E_CORRUPT;
}

/* A copy that was made small begins anew with transaction 1, whatever number the sums bear. */
static bool is_of_its_time(const struct store_content *content)
{
	return content->has_sums &&
	       (content->told.transaction == content->transaction || content->transaction == 1) &&
	       table_sum_equal(&content->told.meta, &content->meta);
}

int store_content_end(struct store_content *content, uint64_t *ret_damaged_views)
{
	uint64_t live = 0, shadow = 0;

	if (!content->has_tables) {
		return STORE_E_ABSENT;
	}
	if (!content->has_root) {
		return STORE_E_FOREIGN;
	}
	if (content->root.is_summed && !is_of_its_time(content)) {
		return STORE_E_CORRUPT;
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
