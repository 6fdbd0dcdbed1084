/* get, top, scan and bands of refined rows: a walk of the view, or of a part of it, whose rows are filtered, rolled up where
 * that is asked (answer_groups.c), and then listed, ordered (answer_ordered.c) or looked up. A get of rows as they are
 * stays a look-up. */
#include "aggregator/answer/answer_refined.h"
#include "aggregator/answer/gate.h"
#include <errno.h>
#include <stdlib.h>

int refined_open_walk(struct answering *answering, const struct period *period,
	const struct row_key *from, const struct row_key *to, struct walk *walk)
{
	struct row_key begin, end;

	refinement_key_range(answering->refinement, period, &begin, &end);
	if (from != NULL && row_key_compare(row_key_slice(from), row_key_slice(&begin)) > 0) {
		begin = *from;
	}
	if (to != NULL) {
		row_key_narrow_end(&end, to);
	}
	return walk_open(walk, answering->context, answering->refinement->source,
		row_key_slice(&begin), row_key_slice(&end));
}

int refined_next(struct walk *walk, const struct refinement *refinement,
	const struct period *period, struct row *row, struct group_value *values)
{
	int r;

	while ((r = walk_next(walk)) == 0) {
		r = walk_row(walk, row);
		if (r == 0) {
			r = group_values_read(
				refinement->source, row_key_slice(&walk->key), row, values);
		}
		if (r == 0) {
			r = join_values(
				walk->context, &refinement->join, refinement->source, values);
		}
		if (r != 0 || refinement_admits_groups(refinement, values, period)) {
			return r;
		}
	}
	return r;
}

static int walk_rows(struct answering *answering, const struct row_key *from,
	const struct row_key *to, row_visitor visit, void *owner)
{
	const struct refinement *refinement = answering->refinement;
	struct group_value values[ROW_VALUES_MAX];
	struct walk walk;
	struct row row;

	int r = refined_open_walk(answering, &refinement->period, from, to, &walk);
	while (r == 0 &&
		(r = refined_next(&walk, refinement, &refinement->period, &row, values)) == 0) {
		if (refinement_admits_row(refinement, &row)) {
			r = visit(owner, row_key_slice(&walk.key), &row);
		}
	}
	walk_close(&walk);
	return r == WALK_E_END ? 0 : r;
}

static int visit_rollup(struct answering *answering, const struct rollup *rollup, size_t first,
	row_visitor visit, void *owner)
{
	int r = 0;

	for (size_t i = first; r == 0 && i < rollup_count(rollup); i++) {
		struct row row;
		r = kept_row_read(answering->view, rollup_value_at(rollup, i), &row);
		if (r == 0 && refinement_admits_row(answering->refinement, &row)) {
			r = visit(owner, rollup_key_at(rollup, i), &row);
		}
	}
	return r == VISIT_END ? 0 : r;
}

int refined_each(struct answering *answering, const struct row_key *from, const struct row_key *to,
	row_visitor visit, void *owner)
{
	const struct wanted all = {.keys = NULL};
	struct rollup *rollup = NULL;

	if (!refinement_is_grouped(answering->refinement)) {
		return answering->refinement->with_missing
			       ? missing_each(answering, from, to, visit, owner)
			       : walk_rows(answering, from, to, visit, owner);
	}
	int r = rollup_make_answer(answering, &all, &rollup);
	if (r == 0) {
		size_t first = from == NULL ? 0 : rollup_lower_bound(rollup, row_key_slice(from));
		r = visit_rollup(answering, rollup, first, visit, owner);
	}
	rollup_free(rollup);
	return r;
}

/* One page of a scan. */
struct page {
	struct answering *answering;
	struct scan_position position;
	bool goes_on; /* from a cursor, whose own row was in the answer before */
	bool has_more;
};

static int add_to_page(void *owner, struct slice key, const struct row *row)
{
	struct page *page = owner;
	struct answering *answering = page->answering;
	struct slice to = row_key_slice(&page->position.to);

	if (to.size > 0 && row_key_compare(key, to) >= 0) {
		return VISIT_END;
	}
	if (page->goes_on && slice_equal(key, row_key_slice(&page->position.key))) {
		return 0;
	}
	page->goes_on = false;
	page->has_more = answering->rows.count == answering->query->limit;
	if (page->has_more) {
		return VISIT_END;
	}
	int r = row_list_add(answering, key, row);
	if (r == -EMSGSIZE && answering->rows.count > 0) {
		page->has_more = true;
		return VISIT_END;
	}
	memcpy(page->position.key.bytes, key.bytes, key.size);
	page->position.key.size = key.size;
	return r;
}

static int scan_in_order(struct answering *answering)
{
	struct page page = {.answering = answering, .goes_on = answering->query->cursor.size > 0};
	struct row_key from = {0};
	int r = scan_range(answering, &from, &page.position);

	if (r == 0) {
		r = refined_each(answering, &from, &page.position.to, add_to_page, &page);
	}
	if (r == 0 && page.has_more) {
		answering->next = cursor_write(answering, &page.position);
		r = answering->next == NULL ? -ENOMEM : 0;
	}
	return r;
}

static int find_rows(struct answering *answering)
{
	const struct query *query = answering->query;

	if (query->explain) {
		return answer_explain(answering);
	}
	if (query->type == QUERY_GET) {
		return refinement_is_grouped(answering->refinement) ? answer_get_groups(answering)
								    : answer_get(answering);
	}
	if (query->type == QUERY_BANDS) {
		return answer_bands(answering);
	}
	return query->type == QUERY_TOP || query->order_count > 0 ? answer_ordered(answering)
								  : scan_in_order(answering);
}

/* Rows of the earlier period, where they can't be looked up by their keys. */
static int find_earlier(struct answering *answering)
{
	const struct refinement *refinement = answering->refinement;
	const struct wanted all = {.keys = NULL};

	return refinement->compares && refinement_is_grouped(refinement) &&
			       !answering->query->explain
		       ? rollup_make(answering, &refinement->earlier, &all, &answering->earlier)
		       : 0;
}

/* The table that the request names beside its view. */
static int find_joined(struct answering *answering, const struct view **ret_table)
{
	const struct view_set *views = answering->context->views;
	struct slice name = answering->query->join;

	if (name.size > 0) {
		*ret_table = view_set_find(views, name);
		if (*ret_table == NULL) {
			return answer_complain_of_view(views, name, &answering->complaint);
		}
	}
	return 0;
}

int answer_refined(struct answering *answering)
{
	struct refined_view of = {.view = answering->view,
		.stores = gate_stores_of(answering->context->asker, answering->view),
		.event_ts = answering->context->freshness.event_ts};
	struct refinement refinement;
	int r = find_joined(answering, &of.joined);

	if (r != 0) {
		return r;
	}
	r = refinement_make(&refinement, &of, answering->query, &answering->complaint);
	if (r == 0) {
		answering->view = refinement.result;
		answering->refinement = &refinement;
		r = find_earlier(answering);
	}
	if (r == 0) {
		r = find_rows(answering);
	}
	answering->earlier = rollup_free(answering->earlier);
	answering->view = refinement.source;
	answering->refinement = NULL;
	refinement_deinit(&refinement);
	return r;
}
