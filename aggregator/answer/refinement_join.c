/* The table that a request joins: found by the names of its key, its columns beside the view's. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/view/table.h"

static size_t find_group(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->group_count; i++) {
		if (strcmp(view->groups[i].name, name) == 0) {
			return i;
		}
	}
	return GROUP_NONE;
}

static bool has_measure(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		if (strcmp(view->measures[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static int refuse(struct complaint *complaint, const struct view *view, const struct view *table,
	const char *column, const char *what)
{
	complaint_set(complaint, REASON_BAD_REQUEST, "join",
		"view %s can't be joined with %s: %s %s", view->name, view_short_name(table),
		column, what);
	return REASON_BAD_REQUEST;
}

/* A column of both would hide one of them. */
static int check_columns(
	const struct view *view, const struct view *table, struct complaint *complaint)
{
	for (size_t i = 0; i < table->measure_count; i++) {
		const char *name = table->measures[i].name;
		if (find_group(view, name) != GROUP_NONE || has_measure(view, name)) {
			return refuse(complaint, view, table, name,
				"is a column of both; declare it in the table \"as\" another name");
		}
	}
	return 0;
}

int refinement_make_join(
	struct refinement *refinement, const struct view *table, struct complaint *complaint)
{
	const struct view *view = refinement->source;

	refinement->join.table = table;
	for (size_t i = 0; i < table->group_count; i++) {
		size_t group = find_group(view, table->groups[i].name);
		if (group == GROUP_NONE || group_field_type(&view->groups[group]) != GROUP_TEXT) {
			return refuse(complaint, view, table, table->groups[i].name,
				"of its key is no group field of the view");
		}
		refinement->join.groups[i] = group;
	}
	return check_columns(view, table, complaint);
}

void refinement_show_join(struct refinement *refinement)
{
	const struct view *table = refinement->join.table;

	refinement->shown.table = table;
	for (size_t i = 0; table != NULL && i < table->group_count; i++) {
		refinement->shown.groups[i] = find_group(refinement->result, table->groups[i].name);
		if (refinement->shown.groups[i] == GROUP_NONE) {
			refinement->shown.table = NULL;
			return;
		}
	}
}

bool join_find_column(const struct join *join, const struct view *view, struct slice name,
	size_t *ret_value, const struct measure **ret_column)
{
	for (size_t i = 0; join->table != NULL && i < join->table->measure_count; i++) {
		if (slice_equals_text(name, join->table->measures[i].name)) {
			*ret_value = view->group_count + i;
			*ret_column = &join->table->measures[i];
			return true;
		}
	}
	return false;
}

void join_set_values(const struct join *join, const struct view *view, const struct row *row,
	struct group_value *values)
{
	for (size_t i = 0; i < join->table->measure_count; i++) {
		struct group_value *value = &values[view->group_count + i];
		bool is_text = operand_type_of(join->table->measures[i].operand) == TYPE_TEXT;
		*value = (struct group_value){.type = GROUP_ABSENT};
		if (row == NULL || row->cells[i].count == 0) {
			continue;
		}
		value->type = is_text ? GROUP_TEXT : GROUP_INTEGER;
		value->text = is_text ? row->cells[i].stamp->text : slice_of(NULL, 0);
		value->integer = (int64_t)row->cells[i].number;
	}
}
