/* top and scan by columns: the best rows of a walk or a roll-up. */
#include "aggregator/answer/answer_refined.h"
#include <errno.h>

/* A column that rows are ordered by. */
struct order_column {
	bool is_measure;
	bool is_text;
	size_t index; /* of a joined column: behind the group fields */
};

struct ordering {
	struct answering *answering;
	struct order_column columns[QUERY_ORDERS_MAX];
	struct best best;
	struct row_key to; /* exclusive; size 0: open */
	struct buffer value;
	bool has_joined; /* a column of a joined table is among them */
};

static void rank_column(const struct order_column *column, const struct view *view,
	const struct group_value *values, const struct row *row, struct rank *ret_rank)
{
	*ret_rank = (struct rank){.is_present = true, .is_text = column->is_text};
	if (!column->is_measure) {
		ret_rank->is_present = values[column->index].type != GROUP_ABSENT;
		ret_rank->text = values[column->index].text;
		ret_rank->number = values[column->index].integer;
		return;
	}
	const struct cell *cell = &row->cells[column->index];
	ret_rank->is_present = measure_rank(
		&view->measures[column->index], row->event_count, cell, &ret_rank->number);
	if (ret_rank->is_present && column->is_text) {
		ret_rank->text = cell->stamp->text;
	}
}

static int order_row(void *owner, struct slice key, const struct row *row)
{
	struct ordering *ordering = owner;
	const struct view *view = ordering->answering->view;
	const struct refinement *refinement = ordering->answering->refinement;
	struct group_value values[ROW_VALUES_MAX];
	struct rank ranks[QUERY_ORDERS_MAX];

	if (ordering->to.size > 0 && row_key_compare(key, row_key_slice(&ordering->to)) >= 0) {
		return VISIT_END;
	}
	int r = group_values_read(view, key, row, values);
	if (r == 0 && ordering->has_joined) {
		r = join_values(ordering->answering->context, &refinement->shown, view, values);
	}
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < ordering->best.order_count; i++) {
		rank_column(&ordering->columns[i], view, values, row, &ranks[i]);
	}
	if (ordering->answering->shares != NULL) {
		r = shares_add(ordering->answering, values, row);
	}
	if (r != 0 || !best_wants(&ordering->best, ranks)) {
		return r;
	}
	buffer_clear(&ordering->value);
	row_write(view, row, &ordering->value);
	r = ordering->value.error;
	if (r == 0) {
		r = best_keep(&ordering->best, ranks, key, buffer_slice(&ordering->value));
	}
	return r == BEST_E_FULL ? answer_complain_of_size(ordering->answering) : r;
}

static int find_column(
	struct answering *answering, struct slice name, struct order_column *ret_column)
{
	const struct view *view = answering->view;

	for (size_t i = 0; i < view->group_count; i++) {
		if (slice_equals_text(name, view->groups[i].name)) {
			*ret_column = (struct order_column){
				false, group_field_type(&view->groups[i]) == GROUP_TEXT, i};
			return 0;
		}
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		if (slice_equals_text(name, view->measures[i].name)) {
			const char *type = measure_type_name(&view->measures[i]);
			*ret_column = (struct order_column){true, strcmp(type, "text") == 0, i};
			return 0;
		}
	}
	const struct measure *column = NULL;
	size_t value = 0;
	if (join_find_column(&answering->refinement->shown, view, name, &value, &column)) {
		bool is_text = operand_type_of(column->operand) == TYPE_TEXT;
		*ret_column = (struct order_column){false, is_text, value};
		return 0;
	}
	return view_refuse_column(view, "order_by", name, &answering->complaint);
}

/* `top` orders by one measure, `scan` by what order_by says. */
static int make_ordering(struct answering *answering, struct ordering *ordering)
{
	const struct query *query = answering->query;
	int r = 0;

	ordering->best.limit = query->limit;
	if (query->type == QUERY_TOP) {
		ordering->best.order_count = 1;
		ordering->best.is_ascending[0] = query->ascending;
		ordering->columns[0].is_measure = true;
		return top_find_measure(answering, &ordering->columns[0].index);
	}
	ordering->best.order_count = query->order_count;
	for (uint32_t i = 0; r == 0 && i < query->order_count; i++) {
		ordering->best.is_ascending[i] = query->order_by[i].ascending;
		r = find_column(answering, query->order_by[i].by, &ordering->columns[i]);
		ordering->has_joined |= r == 0 && !ordering->columns[i].is_measure &&
					ordering->columns[i].index >= answering->view->group_count;
	}
	return r;
}

/* Is what was written so far the part of the whole that was asked for? By the share as it is shown. */
static bool has_reached_share(const struct answering *answering)
{
	const struct shares *shares = answering->shares;
	money share = 0;

	return answering->query->until_share > 0 && answering->rows.count > 0 &&
	       money_share(shares->so_far, shares->whole, &share) &&
	       share >= answering->query->until_share;
}

/* The best rows, up to the one that reaches the share that was asked for. */
static int write_shares(struct answering *answering, struct best *best)
{
	int r = 0;

	best_sort(best);
	for (size_t i = 0; r == 0 && i < best->count && !has_reached_share(answering); i++) {
		struct row row;
		r = kept_row_read(answering->view, best_value(best->rows[i]), &row);
		if (r == 0) {
			r = row_list_add(answering, best_key(best->rows[i]), &row);
		}
	}
	answering->is_cut = answering->query->until_share > 0 && !has_reached_share(answering) &&
			    best->seen > best->count;
	return r;
}

static int answer_shares(struct answering *answering, struct ordering *ordering)
{
	struct shares shares = {.measure = ordering->columns[0].index};
	int r = shares_check_measure(answering, shares.measure);

	buffer_init(&shares.currency, ROW_TEXT_LONG_MAX);
	answering->shares = &shares;
	if (r == 0) {
		r = refined_each(answering, NULL, NULL, order_row, ordering);
	}
	if (r == 0) {
		r = write_shares(answering, &ordering->best);
	}
	answering->shares = NULL;
	buffer_deinit(&shares.currency);
	return r;
}

static int answer_best(struct answering *answering, struct ordering *ordering)
{
	struct scan_position position = {0};
	struct row_key from = {0};
	int r = scan_range(answering, &from, &position);

	ordering->to = position.to;
	if (r == 0) {
		r = refined_each(answering, &from, &position.to, order_row, ordering);
	}
	if (r == 0) {
		answering->is_cut = answering->query->type == QUERY_SCAN &&
				    ordering->best.seen > ordering->best.count;
		r = best_write(answering, &ordering->best);
	}
	return r;
}

int answer_ordered(struct answering *answering)
{
	struct ordering ordering = {.answering = answering};

	buffer_init(&ordering.value, ANSWER_SIZE_MAX);
	int r = make_ordering(answering, &ordering);
	if (r == 0) {
		r = answering->query->is_cumulative ? answer_shares(answering, &ordering)
						    : answer_best(answering, &ordering);
	}
	best_deinit(&ordering.best);
	buffer_deinit(&ordering.value);
	return r;
}
