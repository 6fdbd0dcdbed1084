/* top: one walk over all rows; a heap holds the best seen so far, its worst at the root. A row that can't enter the
 * heap is looked at and not copied. */
#include "aggregator/answer_parts.h"
#include "aggregator/view_suggest.h"
#include <errno.h>
#include <stdlib.h>

struct entry {
	bool is_present; /* rows without the measure come last */
	money rank;
	uint64_t number; /* in key order: ties */
	size_t key_size;
	struct buffer bytes; /* key and value */
};

struct top {
	const struct view *view;
	size_t measure;
	bool is_ascending;
	size_t limit;
	size_t count;
	struct entry *entries; /* a heap of `count` entries */
};

static bool is_worse(const struct top *top, const struct entry *a, const struct entry *b)
{
	if (a->is_present != b->is_present) {
		return !a->is_present;
	}
	if (a->is_present && a->rank != b->rank) {
		return top->is_ascending == (a->rank > b->rank);
	}
	return a->number > b->number;
}

static void swap_entries(struct entry *a, struct entry *b)
{
	struct entry other = *a;

	*a = *b;
	*b = other;
}

/* Moves an entry that may be better than its children down. */
static void sift_down(struct top *top, size_t i, size_t count)
{
	for (;;) {
		size_t worst = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
			if (is_worse(top, &top->entries[child], &top->entries[worst])) {
				worst = child;
			}
		}
		if (worst == i) {
			return;
		}
		swap_entries(&top->entries[i], &top->entries[worst]);
		i = worst;
	}
}

static void sift_up(struct top *top, size_t i)
{
	while (i > 0 && is_worse(top, &top->entries[i], &top->entries[(i - 1) / 2])) {
		swap_entries(&top->entries[i], &top->entries[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

/* Ends the heap: entries from best to worst. */
static void sort_entries(struct top *top)
{
	for (size_t count = top->count; count > 1; count--) {
		swap_entries(&top->entries[0], &top->entries[count - 1]);
		sift_down(top, 0, count - 1);
	}
}

/* The current row's rank. *ret_is_read tells whether `row` was filled on the way. */
static int rank_row(const struct top *top, struct walk *walk, struct row *row, bool *ret_is_read,
	struct entry *ret_entry)
{
	const struct measure *measure = &top->view->measures[top->measure];
	struct slice value = walk_base_value(walk);
	uint64_t event_count = 0;
	struct cell cell;
	int r = 0;

	*ret_is_read =
		value.size == 0 || measure_is_stamped(measure) || measure->op == MEASURE_QUANTILE;
	if (*ret_is_read) {
		r = walk_row(walk, row);
		cell = row->cells[top->measure];
		event_count = row->event_count;
	} else {
		r = row_peek(top->view, value, top->measure, &event_count, &cell);
	}
	if (r == 0) {
		ret_entry->is_present = measure_rank(measure, event_count, &cell, &ret_entry->rank);
	}
	return r;
}

/* Keeps the row in the entry, whose memory is used again. */
static int keep_row(struct top *top, struct walk *walk, const struct row *row, struct entry *entry)
{
	buffer_clear(&entry->bytes);
	buffer_append(&entry->bytes, walk->key.bytes, walk->key.size);
	entry->key_size = walk->key.size;
	if (row == NULL) {
		struct slice value = walk_base_value(walk);
		buffer_append(&entry->bytes, value.bytes, value.size);
	} else {
		row_write(top->view, row, &entry->bytes);
	}
	return entry->bytes.error;
}

static int consider_row(struct top *top, struct walk *walk, uint64_t number)
{
	struct entry entry = {.number = number};
	bool is_read = false;
	struct row row;

	int r = rank_row(top, walk, &row, &is_read, &entry);
	if (r < 0) {
		return r;
	}
	bool is_full = top->count == top->limit;
	if (is_full && !is_worse(top, &top->entries[0], &entry)) {
		return 0;
	}
	struct entry *place = is_full ? &top->entries[0] : &top->entries[top->count];
	entry.bytes = place->bytes;
	*place = entry;
	r = keep_row(top, walk, is_read ? &row : NULL, place);
	if (is_full) {
		sift_down(top, 0, top->count);
	} else {
		sift_up(top, top->count++);
	}
	return r;
}

static int find_best(struct top *top, struct answer_context *context)
{
	struct walk walk;
	uint64_t number = 0;

	int r = walk_open(&walk, context, top->view, slice_of(NULL, 0), slice_of(NULL, 0));
	while (r == 0 && (r = walk_next(&walk)) == 0) {
		r = consider_row(top, &walk, number++);
	}
	walk_close(&walk);
	return r == WALK_E_END ? 0 : r;
}

static int write_entries(struct top *top, struct answering *answering)
{
	int r = 0;

	sort_entries(top);
	for (size_t i = 0; r == 0 && i < top->count; i++) {
		const struct entry *entry = &top->entries[i];
		struct slice bytes = buffer_slice(&entry->bytes);
		struct row row;
		r = row_read(top->view,
			slice_of(bytes.bytes + entry->key_size, bytes.size - entry->key_size),
			&row);
		if (r == 0) {
			row_settle(top->view, &row);
			r = row_list_add(answering, slice_of(bytes.bytes, entry->key_size), &row);
		}
	}
	return r;
}

static bool is_numeric(const struct measure *measure)
{
	return strcmp(measure_type_name(measure), "text") != 0;
}

/* The measure that `by` names. */
static int find_measure(struct answering *answering, size_t *ret_measure)
{
	const struct view *view = answering->view;
	struct slice by = answering->query->by;
	const char *names[VIEW_MEASURES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		if (is_numeric(measure)) {
			names[count++] = measure->name;
		}
		if (slice_equals_text(by, measure->name) && is_numeric(measure)) {
			*ret_measure = i;
			return 0;
		}
	}
	const char *meant = suggest_word(by, names, count);
	complaint_set(&answering->complaint, REASON_UNKNOWN_FIELD, "by",
		"view %s has no number \"%.*s\" to order by%s%s%s", view->name, (int)by.size,
		(const char *)by.bytes, meant == NULL ? "" : "; did you mean \"",
		meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
	return REASON_UNKNOWN_FIELD;
}

static int make_entries(struct top *top)
{
	top->entries = calloc(top->limit, sizeof *top->entries);
	if (top->entries == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < top->limit; i++) {
		buffer_init(&top->entries[i].bytes, ANSWER_SIZE_MAX);
	}
	return 0;
}

static void free_entries(struct top *top)
{
	for (size_t i = 0; top->entries != NULL && i < top->limit; i++) {
		buffer_deinit(&top->entries[i].bytes);
	}
	free(top->entries);
}

int answer_top(struct answering *answering)
{
	struct top top = {.view = answering->view,
		.is_ascending = answering->query->ascending,
		.limit = answering->query->limit};

	int r = find_measure(answering, &top.measure);
	if (r != 0 || top.limit == 0) {
		return r;
	}
	r = make_entries(&top);
	if (r == 0) {
		r = find_best(&top, answering->context);
	}
	if (r == 0) {
		r = write_entries(&top, answering);
	}
	free_entries(&top);
	return r;
}
