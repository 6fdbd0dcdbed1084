/* Rows that are rolled up: made by a walk, and looked up in what it made. */
#include "aggregator/answer/answer_refined.h"
#include <errno.h>
#include <stdlib.h>

int answer_complain_of_size(struct answering *answering)
{
	complaint_set(&answering->complaint, REASON_TOO_LARGE, "",
		"more than %d rows, or too large ones, would be held at once; narrow them by "
		"\"where\" "
		"or \"range\"",
		ANSWER_GROUPS_MAX);
	return REASON_TOO_LARGE;
}

static void append_long(struct buffer *longs, const struct group_value *value)
{
	if (value->type == GROUP_TEXT && row_text_is_long(value->text)) {
		buffer_append_byte(longs, (uint8_t)value->text.size);
		buffer_append_byte(longs, (uint8_t)(value->text.size >> 8));
		buffer_append(longs, value->text.bytes, value->text.size);
	}
}

int result_key_make(const struct view *result, const struct group_value *values,
	struct row_key *ret_key, struct buffer *ret_longs)
{
	buffer_clear(ret_longs);
	ret_key->size = 0;
	for (size_t i = 0; i < result->group_count; i++) {
		enum group_type type = group_field_type(&result->groups[i]);
		if (!row_key_append_of(ret_key, type, &values[i])) {
			return -EBADMSG;
		}
		append_long(ret_longs, &values[i]);
	}
	return ret_longs->error;
}

static bool is_wanted(const struct wanted *wanted, struct slice key)
{
	size_t low = 0, high = wanted->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (row_key_compare(row_key_slice(&wanted->keys[middle]), key) <= 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return wanted->keys == NULL ||
	       (low > 0 && slice_begins_with(key, row_key_slice(&wanted->keys[low - 1])));
}

/* What merges the rows of one period. */
struct merging {
	struct answering *answering;
	const struct period *period;
	const struct wanted *wanted;
	struct rollup *rollup;
	struct buffer longs;
};

static int merge_row(struct merging *merging, const struct group_value *values, struct row *row)
{
	const struct refinement *refinement = merging->answering->refinement;
	struct group_value own[VIEW_GROUPS_MAX];
	struct row_key key;

	refinement_group(refinement, values, own);
	int r = result_key_make(refinement->result, own, &key, &merging->longs);
	if (r < 0 || !is_wanted(merging->wanted, row_key_slice(&key))) {
		return r;
	}
	row->longs = buffer_slice(&merging->longs);
	r = rollup_add(merging->rollup, row_key_slice(&key), row);
	return r == ROLLUP_E_FULL ? answer_complain_of_size(merging->answering) : r;
}

static int merge_rows(struct merging *merging)
{
	const struct refinement *refinement = merging->answering->refinement;
	struct group_value values[ROW_VALUES_MAX];
	struct walk walk;
	struct row row;

	int r = refined_open_walk(merging->answering, merging->period, NULL, NULL, &walk);
	while (r == 0 &&
		(r = refined_next(&walk, refinement, merging->period, &row, values)) == 0) {
		r = merge_row(merging, values, &row);
	}
	walk_close(&walk);
	return r == WALK_E_END ? rollup_sort(merging->rollup) : r;
}

int rollup_make(struct answering *answering, const struct period *period,
	const struct wanted *wanted, struct rollup **ret_rollup)
{
	struct merging merging = {.answering = answering, .period = period, .wanted = wanted};
	int r = rollup_new(answering->view, &merging.rollup);

	if (r < 0) {
		return r;
	}
	buffer_init(&merging.longs, ROW_LONGS_SIZE_MAX);
	r = merge_rows(&merging);
	buffer_deinit(&merging.longs);
	if (r != 0) {
		rollup_free(merging.rollup);
		return r;
	}
	*ret_rollup = merging.rollup;
	return 0;
}

int rollup_make_answer(
	struct answering *answering, const struct wanted *wanted, struct rollup **ret_rollup)
{
	const struct refinement *refinement = answering->refinement;
	const struct wanted all = {.keys = NULL};
	struct rollup *rollup = NULL;

	/* What is missing is seen from all rows. */
	int r = rollup_make(
		answering, &refinement->period, refinement->with_missing ? &all : wanted, &rollup);
	if (r == 0 && refinement->with_missing) {
		r = missing_merge(answering, rollup);
	}
	if (r != 0) {
		rollup_free(rollup);
		return r;
	}
	*ret_rollup = rollup;
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return row_key_compare(row_key_slice(a), row_key_slice(b));
}

/* Keeps of keys that begin with one another the shortest. */
static void drop_longer(struct wanted *wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < wanted->count; i++) {
		if (kept == 0 || !slice_begins_with(row_key_slice(&wanted->keys[i]),
					 row_key_slice(&wanted->keys[kept - 1]))) {
			wanted->keys[kept++] = wanted->keys[i];
		}
	}
	wanted->count = kept;
}

/* The keys of the request, in its order; *ret_keys is the caller's to free. */
static int read_keys(struct answering *answering, struct row_key **ret_keys, size_t *ret_count)
{
	const struct query *query = answering->query;
	size_t count = query->keys == NULL ? 1 : query->keys->count;
	const struct node *node = query->keys == NULL ? query->key : node_first(query->keys);
	struct row_key *keys = calloc(count, sizeof *keys);
	int r = keys == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < count; i++, node = node_next(node)) {
		size_t value_count = 0;
		r = parse_key(answering, "key", node, &keys[i], &value_count);
		if (r == 0) {
			r = get_check_count(answering, value_count);
		}
	}
	*ret_keys = keys;
	*ret_count = count;
	return r;
}

static int list_wanted(
	struct answering *answering, const struct rollup *rollup, const struct row_key *prefix)
{
	int r = 0;

	for (size_t i = rollup_lower_bound(rollup, row_key_slice(prefix));
		r == 0 && i < rollup_count(rollup) &&
		slice_begins_with(rollup_key_at(rollup, i), row_key_slice(prefix));
		i++) {
		struct row row;
		r = kept_row_read(answering->view, rollup_value_at(rollup, i), &row);
		if (r == 0 && refinement_admits_row(answering->refinement, &row)) {
			r = row_list_add(answering, rollup_key_at(rollup, i), &row);
		}
	}
	return r;
}

static int get_rolled_up(struct answering *answering, const struct row_key *keys, size_t count)
{
	struct wanted wanted = {.keys = malloc(count * sizeof *keys), .count = count};
	struct rollup *rollup = NULL;

	if (wanted.keys == NULL) {
		return -ENOMEM;
	}
	memcpy(wanted.keys, keys, count * sizeof *keys);
	qsort(wanted.keys, count, sizeof *keys, compare_keys);
	drop_longer(&wanted);
	int r = rollup_make_answer(answering, &wanted, &rollup);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = list_wanted(answering, rollup, &keys[i]);
	}
	rollup_free(rollup);
	free(wanted.keys);
	return r;
}

int answer_get_groups(struct answering *answering)
{
	struct row_key *keys = NULL;
	size_t count = 0;
	int r = read_keys(answering, &keys, &count);

	if (r == 0) {
		r = get_rolled_up(answering, keys, count);
	}
	free(keys);
	return r;
}
