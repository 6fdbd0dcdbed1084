/* join: what a table says of a row, looked up when the question is answered. */
#include "aggregator/answer/answer_parts.h"

/* A table's key is a view's group values in the same encoding. */
static bool make_key(
	const struct join *join, const struct group_value *values, struct row_key *ret_key)
{
	ret_key->size = 0;
	for (size_t i = 0; i < join->table->group_count; i++) {
		if (!row_key_append(ret_key, &values[join->groups[i]])) {
			return false;
		}
	}
	return true;
}

int join_look_up(struct answer_context *context, const struct join *join,
	const struct group_value *values, struct row *ret_row, bool *ret_is_found)
{
	struct row_key key;

	*ret_is_found = false;
	if (join->table == NULL || !make_key(join, values, &key)) {
		return 0;
	}
	int r = table_find_row(context, join->table, row_key_slice(&key), ret_row);
	*ret_is_found = r == 0;
	return r == STORE_E_ABSENT ? 0 : r;
}

int join_values(struct answer_context *context, const struct join *join, const struct view *view,
	struct group_value *values)
{
	bool is_found = false;
	struct row row;

	if (join->table == NULL) {
		return 0;
	}
	int r = join_look_up(context, join, values, &row, &is_found);
	if (r == 0) {
		join_set_values(join, view, is_found ? &row : NULL, values);
	}
	return r;
}

/* A column that the rows are grouped by is there already. */
static bool is_shown(const struct answering *answering, const struct measure *column)
{
	const struct view *view = answering->view;

	for (size_t i = 0; i < view->group_count; i++) {
		if (strcmp(view->groups[i].name, column->name) == 0) {
			return false;
		}
	}
	return true;
}

uint32_t join_count_columns(const struct answering *answering)
{
	const struct view *table = answering->refinement->shown.table;
	uint32_t count = 0;

	for (size_t i = 0; i < table->measure_count; i++) {
		count += is_shown(answering, &table->measures[i]);
	}
	return count;
}

void join_write(const struct answering *answering, struct writer *writer, const struct row *row)
{
	const struct view *table = answering->refinement->shown.table;

	for (size_t i = 0; i < table->measure_count; i++) {
		if (is_shown(answering, &table->measures[i])) {
			write_key(writer, table->measures[i].name);
			measure_write(writer, &table->measures[i], 1, &row->cells[i]);
		}
	}
}
