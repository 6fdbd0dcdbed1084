/* top: out of the rows that lead (answer_leaders.c), or by one walk over all rows, which finds out who leads. Where a row lies in one base only, its rank is read out of its value, and nothing else. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/best.h"
#include "aggregator/view/view_suggest.h"
#include <errno.h>

struct top {
	const struct view *view;
	size_t measure;
	struct best best;
	struct leaders *leaders; /* filled on the way; NULL: not */
	struct buffer value; /* of a row that had to be merged */
};

/* The current row's rank. *ret_is_read tells whether `row` was filled on the way. */
static int rank_row(const struct top *top, struct walk *walk, struct row *row, bool *ret_is_read,
	struct rank *ret_rank)
{
	const struct measure *measure = &top->view->measures[top->measure];
	struct slice value = walk_base_value(walk);
	uint64_t event_count = 0;
	struct cell cell;
	int r = 0;

	*ret_is_read = value.size == 0 || measure_is_stamped(measure) ||
		       measure->op == MEASURE_QUANTILE || measure->op == MEASURE_RATIO;
	if (*ret_is_read) {
		r = walk_row(walk, row);
		cell = row->cells[top->measure];
		event_count = row->event_count;
	} else {
		r = row_peek(top->view, value, top->measure, &event_count, &cell);
	}
	if (r == 0) {
		ret_rank->is_text = false;
		ret_rank->is_present = measure_rank(measure, event_count, &cell, &ret_rank->number);
	}
	return r;
}

static int consider_row(struct top *top, struct walk *walk)
{
	struct slice value = walk_base_value(walk);
	bool is_read = false;
	struct rank rank;
	struct row row;

	int r = rank_row(top, walk, &row, &is_read, &rank);
	if (r == 0 && top->leaders != NULL) {
		leaders_note(top->leaders, walk, top->measure, rank.number);
	}
	bool is_emptied = r == 0 && is_read && row.event_count == 0;
	if (r < 0 || is_emptied || !best_wants(&top->best, &rank)) {
		return r;
	}
	if (is_read) {
		buffer_clear(&top->value);
		row_write(top->view, &row, &top->value);
		value = buffer_slice(&top->value);
	}
	return top->value.error != 0
		       ? top->value.error
		       : best_keep(&top->best, &rank, row_key_slice(&walk->key), value);
}

static int find_best(struct top *top, struct answering *answering)
{
	struct walk walk;

	int r = walk_open(
		&walk, answering->context, top->view, slice_of(NULL, 0), slice_of(NULL, 0));
	walk.shows_emptied = top->leaders != NULL; /* not for the answer: it may have more again */
	while (r == 0 && (r = walk_next(&walk)) == 0) {
		r = consider_row(top, &walk);
		if (r == BEST_E_FULL) {
			walk_close(&walk);
			return answer_complain_of_size(answering);
		}
	}
	walk_close(&walk);
	return r == WALK_E_END ? 0 : r;
}

int best_write(struct answering *answering, struct best *best)
{
	int r = 0;

	best_sort(best);
	for (size_t i = 0; r == 0 && i < best->count; i++) {
		struct row row;
		r = kept_row_read(answering->view, best_value(best->rows[i]), &row);
		if (r == 0) {
			r = row_list_add(answering, best_key(best->rows[i]), &row);
		}
	}
	return r;
}

static bool is_numeric(const struct measure *measure)
{
	return strcmp(measure_type_name(measure), "text") != 0;
}

/* The measure that `by` names. */
int top_find_measure(struct answering *answering, size_t *ret_measure)
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

static int walk_top(struct answering *answering, size_t measure)
{
	const struct query *query = answering->query;
	struct top top = {.view = answering->view,
		.measure = measure,
		.best = {.limit = query->limit,
			.order_count = 1,
			.is_ascending = {query->ascending}},
		.leaders = leaders_begin(answering, measure)};

	buffer_init(&top.value, ANSWER_SIZE_MAX);
	int r = find_best(&top, answering);
	leaders_end(answering, top.leaders, r);
	if (r == 0) {
		r = best_write(answering, &top.best);
	}
	best_deinit(&top.best);
	buffer_deinit(&top.value);
	return r;
}

int answer_top(struct answering *answering)
{
	struct top_tally *tally = answering->context->tops;
	bool is_answered = false;
	size_t measure = 0;

	int r = top_find_measure(answering, &measure);
	if (r != 0 || answering->query->limit == 0) {
		return r;
	}
	if (leaders_may_answer(answering, measure)) {
		r = leaders_answer(answering, measure, &is_answered);
	}
	if (tally != NULL) {
		tally->by_leaders += is_answered;
		tally->by_walk += !is_answered;
	}
	return r != 0 || is_answered ? r : walk_top(answering, measure);
}
