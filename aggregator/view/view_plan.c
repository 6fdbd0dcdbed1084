/* What one event is to a view: admitted or not, and its group values. */
#include "aggregator/view/view_plan.h"

static bool is_text(const struct group_field *field)
{
	return field->source == GROUP_BY_COLUMN
		       ? field->type == TYPE_TEXT
		       : field->source != GROUP_BY_QUANTITY && field->source != GROUP_BY_BUCKET;
}

enum group_type group_field_type(const struct group_field *field)
{
	if (is_text(field)) {
		return GROUP_TEXT;
	}
	if (field->is_optional) {
		return GROUP_OPTIONAL;
	}
	return field->source == GROUP_BY_BUCKET ? GROUP_BUCKET : GROUP_INTEGER;
}

bool view_ends_in_currency(const struct view *view)
{
	const struct group_field *last = &view->groups[view->group_count - 1];

	return last->source == GROUP_BY_FIELD && last->field == FIELD_CURRENCY;
}

static bool holds(enum comparison comparison, int order)
{
	switch (comparison) {
	case IS_EQUAL:
		return order == 0;
	case IS_UNEQUAL:
		return order != 0;
	case IS_LESS:
		return order < 0;
	case IS_AT_MOST:
		return order <= 0;
	case IS_GREATER:
		return order > 0;
	case IS_AT_LEAST:
		return order >= 0;
	}
	return false;
}

/* An absent field passes no condition. */
static bool passes(const struct condition *condition, const struct event *event)
{
	struct slice text;
	money number;

	if (operand_type_of(condition->operand) == TYPE_TEXT) {
		return operand_text(condition->operand, event, &text) &&
		       holds(condition->comparison,
			       row_key_compare(text, slice_of_text(condition->text)));
	}
	if (!operand_number(condition->operand, event, &number)) {
		return false;
	}
	return holds(
		condition->comparison, (number > condition->number) - (number < condition->number));
}

static bool passes_all(
	const struct view *view, struct condition_range where, const struct event *event)
{
	for (size_t i = 0; i < where.count; i++) {
		if (!passes(&view->conditions[where.first + i], event)) {
			return false;
		}
	}
	return true;
}

bool view_admits(const struct view *view, const struct event *event)
{
	return passes_all(view, view->where, event);
}

bool view_measure_admits(
	const struct view *view, const struct measure *measure, const struct event *event)
{
	return passes_all(view, measure->where, event);
}

static struct slice group_text(
	const struct group_field *group, const struct event *event, struct slice letter_code)
{
	switch (group->source) {
	case GROUP_BY_EDGE:
		return event->certificate.edge;
	case GROUP_BY_KIND:
		return slice_of_text(kind_name(event->kind));
	case GROUP_BY_CODE:
		return letter_code;
	default:
		break;
	}
	struct slice text = event->text[group->field];
	if (text.size == 0 && group->is_automatic) {
		return slice_of_text("XXX"); /* ISO 4217: no currency */
	}
	return text;
}

bool view_group_values(const struct view *view, const struct event *event, struct slice letter_code,
	struct group_value values[VIEW_GROUPS_MAX])
{
	for (size_t i = 0; i < view->group_count; i++) {
		const struct group_field *group = &view->groups[i];
		struct group_value *value = &values[i];
		bool is_present = true;

		value->type = group_field_type(group);
		if (value->type == GROUP_TEXT) {
			value->text = group_text(group, event, letter_code);
			is_present = value->text.size > 0;
		} else if (value->type == GROUP_INTEGER) {
			value->integer = event->quantity;
			is_present = event_has(event, FIELD_QUANTITY);
		} else {
			value->integer = timestamp_bucket(event->ts_ms, group->bucket, view->zone);
			is_present = event_has(event, FIELD_TS);
		}
		if (!is_present) {
			return false;
		}
	}
	return true;
}

int view_user_group(const struct view *view)
{
	for (size_t i = 0; i < view->group_count; i++) {
		if (view->groups[i].source == GROUP_BY_FIELD &&
			view->groups[i].field == FIELD_USER_ID) {
			return (int)i;
		}
	}
	return -1;
}

bool view_names_user(const struct view *view, struct slice user)
{
	for (size_t i = 0; i < view->condition_count; i++) {
		const struct condition *condition = &view->conditions[i];
		if (condition->operand.source == OPERAND_TEXT &&
			condition->operand.field == FIELD_USER_ID &&
			slice_equals_text(user, condition->text)) {
			return true;
		}
	}
	return false;
}
