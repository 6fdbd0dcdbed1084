/* explain: what a query would do, in place of its rows. The words are fixed: PROTOCOL.md, 6.6. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/view/table.h"
#include <errno.h>

/* Rows are counted up to here, which takes a few milliseconds; past it the layers' own counts are the answer. */
enum { COUNTED_ROWS_MAX = 10000 };

struct plan {
	const char *access;
	uint64_t row_count;
	bool is_exact;
};

/* No fewer than there are: a row that several layers or shards have a part of counts for each. */
static int count_at_most(struct answering *answering, uint64_t *ret_count)
{
	const struct answer_context *context = answering->context;
	uint32_t id = answering->refinement->source->id;

	for (size_t i = 0; i < context->shard_count; i++) {
		const struct layers *layers = &context->shards[i];
		struct view_summary sums;
		int r = snapshot_summary(layers->snapshot, id, &sums);
		if (r != 0) {
			return r > 0 ? -EBADMSG : r;
		}
		*ret_count += sums.row_count + overlay_row_count(layers->active, id);
		if (layers->frozen != NULL) {
			*ret_count += overlay_row_count(layers->frozen, id);
		}
	}
	return 0;
}

static int count_walk(struct answering *answering, const struct row_key *from,
	const struct row_key *to, struct plan *plan)
{
	struct walk walk;
	int r = walk_open(&walk, answering->context, answering->refinement->source,
		row_key_slice(from), row_key_slice(to));

	while (r == 0 && plan->row_count < COUNTED_ROWS_MAX && (r = walk_next(&walk)) == 0) {
		plan->row_count++;
	}
	walk_close(&walk);
	plan->is_exact = r == WALK_E_END;
	if (r != 0) {
		return plan->is_exact ? 0 : r;
	}
	plan->row_count = 0;
	return count_at_most(answering, &plan->row_count);
}

static int make_plan(struct answering *answering, struct plan *plan)
{
	const struct refinement *refinement = answering->refinement;
	const struct query *query = answering->query;
	struct scan_position position = {0};
	struct row_key from = {0}, begin, end;

	if (query->type == QUERY_GET && !refinement_is_grouped(refinement)) {
		plan->access = "keys";
		plan->row_count = query->keys == NULL ? 1 : query->keys->count;
		return 0;
	}
	int r = scan_range(answering, &from, &position);
	if (r != 0) {
		return r;
	}
	refinement_key_range(refinement, &refinement->period, &begin, &end);
	if (!refinement_is_grouped(refinement)) {
		if (row_key_compare(row_key_slice(&from), row_key_slice(&begin)) > 0) {
			begin = from;
		}
		row_key_narrow_end(&end, &position.to);
	}
	plan->access = begin.size > 0 || end.size > 0 ? "key_range" : "full_walk";
	return count_walk(answering, &begin, &end, plan);
}

static const char *column_of(
	const struct refinement *refinement, const struct row_condition *condition)
{
	return condition->is_measure ? refinement->source->measures[condition->measure].name
				     : condition->origin.field.name;
}

static void write_filters(struct writer *writer, const struct refinement *refinement)
{
	write_key(writer, "filters");
	write_array(writer, (uint32_t)refinement->condition_count);
	for (size_t i = 0; i < refinement->condition_count; i++) {
		const struct row_condition *condition = &refinement->conditions[i];
		write_map(writer, 3);
		write_key(writer, "field");
		write_text(writer, slice_of_text(column_of(refinement, condition)));
		write_key(writer, "op");
		write_key(writer, query_op_name(condition->op));
		write_key(writer, "on");
		write_key(writer, condition->is_measure ? "measure" : "group");
	}
}

static void write_bound(
	struct writer *writer, const struct refinement *refinement, const char *key, int64_t bound)
{
	const struct group_field *group = &refinement->source->groups[refinement->source_bucket];

	write_key(writer, key);
	if (bound == INT64_MIN || bound == INT64_MAX) {
		write_nil(writer);
	} else {
		struct group_value value = {.type = GROUP_BUCKET, .integer = bound};
		group_value_write(writer, refinement->source, group, &value);
	}
}

static void write_period(struct writer *writer, const struct refinement *refinement,
	const char *key, bool is_given, const struct period *period)
{
	write_key(writer, key);
	if (!is_given) {
		write_nil(writer);
		return;
	}
	write_map(writer, 3);
	write_key(writer, "column");
	write_text(
		writer, slice_of_text(refinement->source->groups[refinement->source_bucket].name));
	write_bound(writer, refinement, "from", period->from);
	write_bound(writer, refinement, "to", period->to);
}

static void write_groups(struct writer *writer, const struct view *view)
{
	write_key(writer, "group_by");
	write_array(writer, (uint32_t)view->group_count);
	for (size_t i = 0; i < view->group_count; i++) {
		write_text(writer, slice_of_text(view->groups[i].name));
	}
}

/* Where the earlier rows come from. */
static const char *earlier_access(const struct refinement *refinement)
{
	return !refinement->compares               ? "none"
	       : refinement_is_grouped(refinement) ? "second_walk"
						   : "look_up";
}

static void write_plan(
	const struct answering *answering, const struct plan *plan, struct writer *writer)
{
	const struct refinement *refinement = answering->refinement;
	const struct query *query = answering->query;
	bool is_ordered = query->type == QUERY_TOP || query->order_count > 0;

	const struct view *joined = refinement->join.table;

	write_map(writer, 12 + (joined != NULL) + refinement->with_missing);
	if (joined != NULL) {
		write_key(writer, "join");
		write_text(writer, slice_of_text(view_short_name(joined)));
	}
	if (refinement->with_missing) {
		write_key(writer, "missing");
		write_key(writer, refinement_is_grouped(refinement) ? "by_group" : "by_key");
	}
	write_key(writer, "query");
	write_key(writer, query_type_name(query->type));
	write_key(writer, "view");
	write_text(writer, slice_of_text(refinement->source->name));
	write_key(writer, "shards");
	write_unsigned(writer, answering->context->shard_count);
	write_key(writer, "access");
	write_key(writer, plan->access);
	write_key(writer, "rows");
	write_unsigned(writer, plan->row_count);
	write_key(writer, "rows_are");
	write_key(writer, plan->is_exact ? "exact" : "at_most");
	write_filters(writer, refinement);
	write_period(writer, refinement, "range", query->range.is_given, &refinement->period);
	write_groups(writer, refinement->result);
	write_key(writer, "merge");
	write_key(writer, refinement_is_grouped(refinement) ? "by_group" : "none");
	write_key(writer, "order");
	write_key(writer, query->type == QUERY_GET ? "as_asked"
			  : is_ordered             ? "by_column"
						   : "by_key");
	write_key(writer, "earlier");
	write_key(writer, earlier_access(refinement));
}

int answer_explain(struct answering *answering)
{
	struct plan plan = {.access = ""};
	struct writer writer;
	int r = make_plan(answering, &plan);

	if (r == 0) {
		writer_init(&writer, answering->query->encoding, &answering->rows.bytes);
		write_plan(answering, &plan, &writer);
		r = answering->rows.bytes.error;
	}
	return r;
}
