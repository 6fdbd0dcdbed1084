/* with_missing: what the table's rows are among the rows of the answer, where the view has nothing of them. */
#include "aggregator/answer/refinement.h"
#include "runtime/key_holder.h"
#include <errno.h>

/* Of rows as they are, too. */
static struct group_origin origin_of(const struct refinement *refinement, size_t group)
{
	return refinement_is_grouped(refinement)
		       ? refinement->origins[group]
		       : (struct group_origin){group, false, refinement->source->groups[group]};
}

/* Is this column the table's: of its key, or joined? */
static bool table_tells(const struct refinement *refinement, const struct group_origin *origin)
{
	const struct join *join = &refinement->join;
	bool tells = origin->group >= refinement->source->group_count;

	for (size_t i = 0; !tells && i < join->table->group_count; i++) {
		tells = join->groups[i] == origin->group;
	}
	return tells;
}

bool refinement_is_keyed_by_table(const struct refinement *refinement)
{
	const struct view *view = refinement->source;
	size_t count = view->group_count - view_ends_in_currency(view);
	bool fits = count == refinement->join.table->group_count;

	for (size_t i = 0; fits && i < count; i++) {
		fits = refinement->join.groups[i] == i;
	}
	return fits;
}

int refinement_make_missing(struct refinement *refinement, struct complaint *complaint)
{
	struct view *grouped = &refinement->grouped;
	bool tells_any = !refinement_is_grouped(refinement);

	for (size_t i = 0; refinement_is_grouped(refinement) && i < grouped->group_count; i++) {
		bool tells = table_tells(refinement, &refinement->origins[i]);
		tells_any |= tells;
		grouped->groups[i].is_optional |= !tells;
	}
	if (!tells_any) {
		complaint_set(complaint, REASON_BAD_REQUEST, "with_missing",
			"needs a column of the joined table in \"group_by\": of rows without one "
			"none "
			"is missing");
		return REASON_BAD_REQUEST;
	}
	return 0;
}

/* The table's row as a row of the view: what the table does not tell is absent. */
static bool read_values(const struct refinement *refinement, struct slice table_key,
	const struct row *table_row, struct group_value values[ROW_VALUES_MAX])
{
	const struct join *join = &refinement->join;
	struct group_value of_key[VIEW_GROUPS_MAX];
	enum group_type types[VIEW_GROUPS_MAX];

	for (size_t i = 0; i < join->table->group_count; i++) {
		types[i] = GROUP_TEXT;
	}
	if (!row_key_decode(table_key, table_row->longs, types, join->table->group_count, of_key)) {
		return false;
	}
	for (size_t i = 0; i < refinement->source->group_count; i++) {
		values[i] = (struct group_value){.type = GROUP_ABSENT};
	}
	for (size_t i = 0; i < join->table->group_count; i++) {
		values[join->groups[i]] = of_key[i];
	}
	join_set_values(join, refinement->source, table_row, values);
	return true;
}

/* Of another's store nothing may be said, least of all that it sold nothing. */
static bool is_visible(const struct refinement *refinement, const struct group_value *values)
{
	const struct group_value *edge = &values[0]; /* where only some stores' rows are seen */

	return refinement->stores == NULL || edge->type == GROUP_ABSENT ||
	       key_list_has(refinement->stores, edge->text.bytes, edge->text.size);
}

/* Conditions on the table's columns choose among its rows, all others only among those of the view. */
static bool admits(const struct refinement *refinement, const struct group_value *values)
{
	for (size_t i = 0; i < refinement->condition_count; i++) {
		const struct row_condition *condition = &refinement->conditions[i];
		if (!condition->is_measure && table_tells(refinement, &condition->origin) &&
			!refinement_holds(refinement, condition, values)) {
			return false;
		}
	}
	return true;
}

void refinement_blank(
	const struct refinement *refinement, struct group_value values[VIEW_GROUPS_MAX])
{
	for (size_t i = 0; i < refinement->result->group_count; i++) {
		struct group_origin origin = origin_of(refinement, i);
		if (!table_tells(refinement, &origin) &&
			!refinement_find_fixed(refinement, &origin, &values[i])) {
			values[i] = (struct group_value){.type = GROUP_ABSENT};
		}
	}
}

int refinement_make_zeros(const struct refinement *refinement, struct slice table_key,
	const struct row *table_row, struct group_value ret_values[VIEW_GROUPS_MAX])
{
	struct group_value values[ROW_VALUES_MAX];

	if (!read_values(refinement, table_key, table_row, values)) {
		return -EBADMSG;
	}
	if (!is_visible(refinement, values) || !admits(refinement, values)) {
		return MISSING_E_LEFT_OUT;
	}
	refinement_group(refinement, values, ret_values);
	refinement_blank(refinement, ret_values);
	return 0;
}
