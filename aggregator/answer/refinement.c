#include "aggregator/answer/refinement.h"
#include "aggregator/answer/answer_parts.h"
#include <stdlib.h>

void refinement_deinit(struct refinement *refinement)
{
	free(refinement->literals);
}

static int compare_literal(const struct row_condition *condition, const struct literal *value,
	const struct literal *literal)
{
	return condition->is_text
		       ? row_key_compare(value->text, literal->text)
		       : (value->number > literal->number) - (value->number < literal->number);
}

static bool is_among(const struct row_condition *condition, const struct literal *value)
{
	size_t low = 0, high = condition->literal_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_literal(condition, value, &condition->literals[middle]);
		if (order == 0) {
			return true;
		}
		if (order > 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return false;
}

static bool holds(const struct row_condition *condition, const struct literal *value)
{
	const struct literal *literal = condition->literals;

	switch (condition->op) {
	case QUERY_EQUAL:
		return compare_literal(condition, value, literal) == 0;
	case QUERY_UNEQUAL:
		return compare_literal(condition, value, literal) != 0;
	case QUERY_LESS:
		return compare_literal(condition, value, literal) < 0;
	case QUERY_AT_MOST:
		return compare_literal(condition, value, literal) <= 0;
	case QUERY_GREATER:
		return compare_literal(condition, value, literal) > 0;
	case QUERY_AT_LEAST:
		return compare_literal(condition, value, literal) >= 0;
	case QUERY_IN:
		return is_among(condition, value);
	case QUERY_PREFIX:
		return slice_begins_with(value->text, literal->text);
	}
	return false;
}

static struct group_value value_of(const struct refinement *refinement,
	const struct group_origin *origin, const struct group_value *values)
{
	struct group_value value = values[origin->group];

	if (origin->is_coarser && value.type != GROUP_ABSENT) {
		value.integer = timestamp_bucket(
			value.integer, origin->field.bucket, refinement->source->zone);
	}
	return value;
}

bool refinement_holds(const struct refinement *refinement, const struct row_condition *condition,
	const struct group_value *values)
{
	struct group_value value = value_of(refinement, &condition->origin, values);
	struct literal literal = {.text = value.text, .number = value.integer};

	return value.type != GROUP_ABSENT && holds(condition, &literal);
}

bool refinement_admits_groups(const struct refinement *refinement, const struct group_value *values,
	const struct period *period)
{
	if (refinement->source_bucket != GROUP_NONE) {
		int64_t start = values[refinement->source_bucket].integer;
		if (start < period->from || start >= period->to) {
			return false;
		}
	}
	for (size_t i = 0; i < refinement->condition_count; i++) {
		const struct row_condition *condition = &refinement->conditions[i];
		if (!condition->is_measure && !refinement_holds(refinement, condition, values)) {
			return false;
		}
	}
	return true;
}

static bool admits_measure(const struct refinement *refinement,
	const struct row_condition *condition, const struct row *row)
{
	const struct measure *measure = &refinement->result->measures[condition->measure];
	const struct cell *cell = &row->cells[condition->measure];
	struct literal value = {.number = 0};

	if (!measure_rank(measure, row->event_count, cell, &value.number)) {
		return false;
	}
	if (condition->is_text) {
		value.text = cell->stamp->text;
	}
	return holds(condition, &value);
}

bool refinement_admits_row(const struct refinement *refinement, const struct row *row)
{
	for (size_t i = 0; i < refinement->condition_count; i++) {
		const struct row_condition *condition = &refinement->conditions[i];
		if (condition->is_measure && !admits_measure(refinement, condition, row)) {
			return false;
		}
	}
	return true;
}

void refinement_group(const struct refinement *refinement, const struct group_value *values,
	struct group_value ret_values[VIEW_GROUPS_MAX])
{
	for (size_t i = 0; i < refinement->result->group_count; i++) {
		ret_values[i] = refinement_is_grouped(refinement)
					? value_of(refinement, &refinement->origins[i], values)
					: values[i];
	}
}

void refinement_shift(const struct refinement *refinement, const struct group_value *values,
	struct group_value ret_values[VIEW_GROUPS_MAX])
{
	const struct view *view = refinement->result;
	size_t finest = refinement->result_bucket;

	memcpy(ret_values, values, view->group_count * sizeof *values);
	if (finest == GROUP_NONE) {
		return;
	}
	int64_t shifted = span_shift(refinement->shift, -1, values[finest].integer, view->zone);
	for (size_t i = 0; i < view->group_count; i++) {
		const struct group_field *group = &view->groups[i];
		if (group->source == GROUP_BY_BUCKET &&
			(i == finest ||
				bucket_coarsens(view->groups[finest].bucket, group->bucket))) {
			ret_values[i].integer =
				timestamp_bucket(shifted, group->bucket, view->zone);
		}
	}
}

static bool is_same_column(const struct group_origin *a, const struct group_origin *b)
{
	return a->group == b->group && a->is_coarser == b->is_coarser &&
	       (!a->is_coarser || a->field.bucket == b->field.bucket);
}

bool refinement_find_fixed(const struct refinement *refinement, const struct group_origin *origin,
	struct group_value *ret_value)
{
	for (size_t i = 0; i < refinement->condition_count; i++) {
		const struct row_condition *condition = &refinement->conditions[i];
		if (!condition->is_measure && condition->op == QUERY_EQUAL &&
			is_same_column(&condition->origin, origin)) {
			*ret_value = (struct group_value){group_field_type(&origin->field),
				condition->literals->text, (int64_t)condition->literals->number};
			return true;
		}
	}
	return false;
}

static void append_bucket(struct row_key *key, int64_t start)
{
	row_key_append(key, &(struct group_value){.type = GROUP_BUCKET, .integer = start});
}

void refinement_key_range(const struct refinement *refinement, const struct period *period,
	struct row_key *ret_from, struct row_key *ret_to)
{
	struct group_origin origin = {.group = 0};
	struct group_value value;

	ret_from->size = 0;
	while (origin.group < refinement->source->group_count &&
		refinement_find_fixed(refinement, &origin, &value) &&
		row_key_append(ret_from, &value)) {
		origin.group++;
	}
	*ret_to = *ret_from;
	bool is_by_time = origin.group == refinement->source_bucket;
	if (is_by_time && period->from != INT64_MIN) {
		append_bucket(ret_from, period->from);
	}
	if (is_by_time && period->to != INT64_MAX) {
		append_bucket(ret_to, period->to);
	} else if (!row_key_successor(ret_to)) {
		ret_to->size = 0;
	}
}
