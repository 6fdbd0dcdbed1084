#include "aggregator/answer/difference.h"
#include "aggregator/answer/answer_parts.h"
#include <errno.h>
#include <stdlib.h>

/* ---- what can be compared */

static bool same_zone(const struct view *live, const struct view *staged)
{
	const char *ours = live->zone_name == NULL ? "UTC" : live->zone_name;
	const char *theirs = staged->zone_name == NULL ? "UTC" : staged->zone_name;

	return strcmp(ours, theirs) == 0;
}

const char *difference_refuses(const struct view *live, const struct view *staged)
{
	bool is_same = live->group_count == staged->group_count;

	for (size_t i = 0; is_same && i < live->group_count; i++) {
		is_same = strcmp(live->groups[i].name, staged->groups[i].name) == 0;
	}
	if (!is_same) {
		return "it is grouped by other columns than the live one";
	}
	for (size_t i = 0; i < live->group_count; i++) {
		if (live->groups[i].source == GROUP_BY_BUCKET && !same_zone(live, staged)) {
			return "its buckets are of another zone than the live one's";
		}
	}
	return NULL;
}

static void pair_measures(struct difference *difference)
{
	const struct view *live = difference->live_view, *staged = difference->staged_view;

	for (size_t i = 0; i < live->measure_count; i++) {
		for (size_t j = 0; j < staged->measure_count; j++) {
			const struct measure *ours = &live->measures[i];
			const struct measure *theirs = &staged->measures[j];
			if (strcmp(ours->name, theirs->name) == 0 &&
				strcmp(measure_type_name(ours), measure_type_name(theirs)) == 0) {
				difference->pairs[difference->pair_count++] =
					(struct measure_pair){i, j};
			}
		}
	}
}

/* ---- sums */

static struct slice currency_of(const struct view *view, const struct group_value *values)
{
	int group = view_currency_group(view);
	bool has = group >= 0 && values[group].text.size <= ROW_TEXT_SHORT_MAX;

	return has ? values[group].text : slice_of("", 0);
}

static struct difference_sums *find_sums(struct difference *difference, struct slice currency)
{
	for (size_t i = 0; i < difference->sums_count; i++) {
		struct difference_sums *sums = &difference->sums[i];
		if (slice_equal(slice_of(sums->currency, sums->currency_size), currency)) {
			return sums;
		}
	}
	if (difference->sums_count == DIFFERENCE_CURRENCIES_MAX) {
		return NULL;
	}
	struct difference_sums *sums = &difference->sums[difference->sums_count++];
	memcpy(sums->currency, currency.bytes, currency.size);
	sums->currency_size = currency.size;
	return sums;
}

static money number_of(const struct view *view, size_t measure, const struct row *row)
{
	money number = 0;

	measure_rank(&view->measures[measure], row->event_count, &row->cells[measure], &number);
	return number;
}

/* `row` of one of the two. */
static int add_sums(
	struct difference *difference, bool is_staged, const struct row *row, struct slice currency)
{
	const struct view *view = is_staged ? difference->staged_view : difference->live_view;
	struct difference_sums *sums = find_sums(difference, currency);
	bool fits = true;

	for (size_t i = 0; sums != NULL && i < difference->pair_count; i++) {
		size_t measure =
			is_staged ? difference->pairs[i].staged : difference->pairs[i].live;
		money *sum = is_staged ? &sums->staged[i] : &sums->live[i];
		if (measure_adds_up(&view->measures[measure])) {
			fits &= money_add(sum, number_of(view, measure, row));
		}
	}
	return fits ? 0 : -EOVERFLOW;
}

/* ---- rows */

static bool cells_equal(const struct difference *difference, const struct measure_pair *pair,
	const struct row *live, const struct row *staged)
{
	const struct measure *ours = &difference->live_view->measures[pair->live];
	const struct measure *theirs = &difference->staged_view->measures[pair->staged];
	const struct cell *a = &live->cells[pair->live], *b = &staged->cells[pair->staged];
	money number = 0, other = 0;
	bool is_there = measure_rank(ours, live->event_count, a, &number);
	bool is_other_there = measure_rank(theirs, staged->event_count, b, &other);

	if (!is_there || !is_other_there) {
		return is_there == is_other_there;
	}
	return strcmp(measure_type_name(ours), "text") == 0
		       ? slice_equal(a->stamp->text, b->stamp->text)
		       : number == other;
}

static bool rows_equal(
	const struct difference *difference, const struct row *live, const struct row *staged)
{
	bool equal = true;

	for (size_t i = 0; equal && i < difference->pair_count; i++) {
		equal = cells_equal(difference, &difference->pairs[i], live, staged);
	}
	return equal;
}

static void write_measures(
	struct writer *writer, const char *key, const struct view *view, const struct row *row)
{
	write_key(writer, key);
	if (row == NULL) {
		write_nil(writer);
		return;
	}
	write_map(writer, (uint32_t)view->measure_count);
	for (size_t i = 0; i < view->measure_count; i++) {
		write_key(writer, view->measures[i].name);
		measure_write(writer, &view->measures[i], row->event_count, &row->cells[i]);
	}
}

/* One that is in both, or only in one: then the other is NULL. */
static int tell(struct difference *difference, struct slice key, const struct row *live,
	const struct row *staged)
{
	const struct row *either = live != NULL ? live : staged;
	struct writer writer;

	if (difference->told == difference->limit) {
		return 0;
	}
	writer_init(&writer, difference->encoding, &difference->rows);
	write_map(&writer, 3);
	write_key(&writer, "key");
	int r = row_key_write(&writer, difference->live_view, key, either->longs);
	write_measures(&writer, "live", difference->live_view, live);
	write_measures(&writer, "staged", difference->staged_view, staged);
	buffer_append(&difference->ends, &difference->rows.size, sizeof difference->rows.size);
	difference->told++;
	return r < 0                         ? r
	       : difference->rows.error != 0 ? difference->rows.error
					     : difference->ends.error;
}

static int add_side(
	struct difference *difference, bool is_staged, struct slice key, const struct row *row)
{
	const struct view *view = is_staged ? difference->staged_view : difference->live_view;
	struct group_value values[VIEW_GROUPS_MAX];
	int r = group_values_read(view, key, row, values);

	return r < 0 ? r : add_sums(difference, is_staged, row, currency_of(view, values));
}

/* `live` or `staged` is NULL where the other is without its like. */
static int compare_rows(struct difference *difference, struct slice key, const struct row *live,
	const struct row *staged)
{
	int r = live == NULL ? 0 : add_side(difference, false, key, live);

	if (r == 0 && staged != NULL) {
		r = add_side(difference, true, key, staged);
	}
	if (r != 0) {
		return r;
	}
	if (live != NULL && staged != NULL && rows_equal(difference, live, staged)) {
		difference->equal++;
		return 0;
	}
	difference->differing += live != NULL && staged != NULL;
	difference->only_live += staged == NULL;
	difference->only_staged += live == NULL;
	return tell(difference, key, live, staged);
}

/* ---- the two walks */

struct walks {
	struct walk live, staged;
	int live_end, staged_end; /* WALK_E_END: at the end */
};

static int step(struct walk *walk, int *ret_end)
{
	*ret_end = walk_next(walk);
	return *ret_end == WALK_E_END ? 0 : *ret_end;
}

/* <0: the live walk's key comes first; 0: both are at one. */
static int order_of(const struct walks *walks)
{
	if (walks->live_end != 0 || walks->staged_end != 0) {
		return walks->live_end - walks->staged_end;
	}
	return row_key_compare(row_key_slice(&walks->live.key), row_key_slice(&walks->staged.key));
}

/* Compares the rows at the smaller key, and goes on behind it. */
static int take_rows(struct difference *difference, struct walks *walks, int order)
{
	struct row live, staged;
	const struct row_key *key = order <= 0 ? &walks->live.key : &walks->staged.key;
	int r = order <= 0 ? walk_row(&walks->live, &live) : 0;

	if (r == 0 && order >= 0) {
		r = walk_row(&walks->staged, &staged);
	}
	if (r == 0) {
		r = compare_rows(difference, row_key_slice(key), order <= 0 ? &live : NULL,
			order >= 0 ? &staged : NULL);
	}
	if (r == 0 && order <= 0) {
		r = step(&walks->live, &walks->live_end);
	}
	if (r == 0 && order >= 0) {
		r = step(&walks->staged, &walks->staged_end);
	}
	return r;
}

static int compare_walks(struct difference *difference, struct walks *walks)
{
	int r = step(&walks->live, &walks->live_end);

	if (r == 0) {
		r = step(&walks->staged, &walks->staged_end);
	}
	for (size_t seen = 0; r == 0 && (walks->live_end == 0 || walks->staged_end == 0); seen++) {
		int order = order_of(walks);
		if (seen == DIFFERENCE_ROWS_MAX) {
			difference->next = order <= 0 ? walks->live.key : walks->staged.key;
			return 0;
		}
		r = take_rows(difference, walks, order);
	}
	return r;
}

int difference_make(struct difference *difference, struct slice from)
{
	struct slice open = slice_of(NULL, 0);
	struct walks walks = {.live_end = 0};

	buffer_init(&difference->rows, ANSWER_SIZE_MAX / 2);
	buffer_init(&difference->ends, ANSWER_SIZE_MAX);
	pair_measures(difference);
	difference->sums = calloc(DIFFERENCE_CURRENCIES_MAX, sizeof *difference->sums);
	if (difference->sums == NULL) {
		return -ENOMEM;
	}
	int r = walk_open(&walks.live, difference->live, difference->live_view, from, open);
	if (r == 0) {
		r = walk_open(
			&walks.staged, difference->staged, difference->staged_view, from, open);
		if (r == 0) {
			r = compare_walks(difference, &walks);
		}
		walk_close(&walks.staged);
	}
	walk_close(&walks.live);
	return r;
}

void difference_deinit(struct difference *difference)
{
	buffer_deinit(&difference->rows);
	buffer_deinit(&difference->ends);
	free(difference->sums);
	difference->sums = NULL;
}
