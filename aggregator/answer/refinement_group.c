/* Groups of a request: which columns a row of the answer has, and whether rows may be merged into it. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/refinement.h"
#include "aggregator/view/view_suggest.h"

bool group_origin_find(const struct view *view, struct slice name, struct group_origin *ret_origin)
{
	for (size_t i = 0; i < view->group_count; i++) {
		if (slice_equals_text(name, view->groups[i].name)) {
			*ret_origin = (struct group_origin){i, false, view->groups[i]};
			return true;
		}
	}
	const struct group_field *word = group_field_find(name);
	size_t finest = view_time_bucket(view);
	if (word == NULL || word->source != GROUP_BY_BUCKET || finest == GROUP_NONE ||
		!bucket_coarsens(view->groups[finest].bucket, word->bucket)) {
		return false;
	}
	*ret_origin = (struct group_origin){finest, true, *word};
	return true;
}

int view_refuse_column(
	const struct view *view, const char *key, struct slice name, struct complaint *complaint)
{
	const char *names[VIEW_GROUPS_MAX + VIEW_MEASURES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < view->group_count; i++) {
		names[count++] = view->groups[i].name;
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		names[count++] = view->measures[i].name;
	}
	const char *meant = suggest_word(name, names, count);
	complaint_set(complaint, REASON_UNKNOWN_FIELD, key,
		"view %s has no column \"%.*s\" for \"%s\"%s%s%s", view->name, (int)name.size,
		(const char *)name.bytes, key, meant == NULL ? "" : "; did you mean \"",
		meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
	return REASON_UNKNOWN_FIELD;
}

static bool keeps_group(const struct refinement *refinement, size_t group)
{
	for (size_t i = 0; i < refinement->grouped.group_count; i++) {
		const struct group_origin *origin = &refinement->origins[i];
		if (origin->group == group && !origin->is_coarser) {
			return true;
		}
	}
	return false;
}

/* Does what is counted tell the value of this group field? Then no two rows that differ in it count the same. */
static bool tells_group(struct operand operand, const struct group_field *group)
{
	switch (operand.source) {
	case OPERAND_BASKET:
		return group->source == GROUP_BY_EDGE ||
		       (group->source == GROUP_BY_FIELD && group->field == FIELD_ORDER_ID);
	case OPERAND_EDGE:
		return group->source == GROUP_BY_EDGE;
	case OPERAND_TEXT:
		return group->source == GROUP_BY_FIELD && group->field == operand.field;
	case OPERAND_TS:
		return group->source == GROUP_BY_BUCKET;
	case OPERAND_QUANTITY:
		return group->source == GROUP_BY_QUANTITY;
	default:
		return false;
	}
}

static int check_measure(const struct refinement *refinement, const struct measure *measure,
	struct complaint *complaint)
{
	const struct view *view = refinement->source;

	for (size_t i = 0; measure->op == MEASURE_DISTINCT && i < view->group_count; i++) {
		if (!keeps_group(refinement, i) &&
			!tells_group(measure->operand, &view->groups[i])) {
			complaint_set(complaint, REASON_BAD_REQUEST, "group_by",
				"%s of view %s counts each %s once a row, and rows that differ in "
				"%s may count the same: it can't be added up; declare a view with "
				"these groups",
				measure->name, view->name, operand_text_of(measure->operand),
				view->groups[i].name);
			return REASON_BAD_REQUEST;
		}
	}
	return 0;
}

static int check_measures(const struct refinement *refinement, struct complaint *complaint)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < refinement->source->measure_count; i++) {
		r = check_measure(refinement, &refinement->source->measures[i], complaint);
	}
	return r;
}

static bool is_currency(const struct group_field *group)
{
	return group->source == GROUP_BY_FIELD && group->field == FIELD_CURRENCY;
}

static bool measures_money(const struct view *view)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		if (strcmp(measure_type_name(&view->measures[i]), "money") == 0) {
			return true;
		}
	}
	return false;
}

static bool find_joined(
	const struct refinement *refinement, struct slice name, struct group_origin *ret_origin)
{
	const struct measure *column = NULL;
	size_t value = 0;

	if (!join_find_column(&refinement->join, refinement->source, name, &value, &column)) {
		return false;
	}
	*ret_origin = (struct group_origin){value, false,
		{.name = column->name,
			.source = GROUP_BY_COLUMN,
			.type = operand_type_of(column->operand),
			.is_optional = true}};
	return true;
}

static int add_group(struct refinement *refinement, struct slice name, struct complaint *complaint)
{
	struct view *grouped = &refinement->grouped;
	struct group_origin origin;

	if (!group_origin_find(refinement->source, name, &origin) &&
		!find_joined(refinement, name, &origin)) {
		return view_refuse_column(refinement->source, "group_by", name, complaint);
	}
	for (size_t i = 0; i < grouped->group_count; i++) {
		if (slice_equals_text(name, grouped->groups[i].name)) {
			complaint_set(complaint, REASON_BAD_REQUEST, "group_by",
				"\"%s\" is there twice", grouped->groups[i].name);
			return REASON_BAD_REQUEST;
		}
	}
	refinement->origins[grouped->group_count] = origin;
	grouped->groups[grouped->group_count++] = origin.field;
	return 0;
}

/* As in a declaration: amounts of different currencies are never added up. */
static int add_currency(struct refinement *refinement, struct complaint *complaint)
{
	const struct view *view = refinement->source;

	for (size_t i = 0; measures_money(view) && i < view->group_count; i++) {
		if (!is_currency(&view->groups[i]) || keeps_group(refinement, i)) {
			continue;
		}
		if (refinement->grouped.group_count == VIEW_GROUPS_MAX) {
			complaint_set(complaint, REASON_BAD_REQUEST, "group_by",
				"leaves no room for the currency, which view %s needs for its "
				"money",
				view->name);
			return REASON_BAD_REQUEST;
		}
		refinement->origins[refinement->grouped.group_count] =
			(struct group_origin){i, false, view->groups[i]};
		refinement->grouped.groups[refinement->grouped.group_count++] = view->groups[i];
	}
	return 0;
}

/* The view's own groups, in rows that are merged with others of another kind. */
static void copy_groups(struct refinement *refinement)
{
	refinement->grouped = *refinement->source;
	refinement->result = &refinement->grouped;
	for (size_t i = 0; i < refinement->source->group_count; i++) {
		refinement->origins[i] =
			(struct group_origin){i, false, refinement->source->groups[i]};
	}
}

static int make_groups(
	struct refinement *refinement, const struct node *list, struct complaint *complaint)
{
	const struct node *name = node_first(list);
	int r = 0;

	copy_groups(refinement);
	refinement->grouped.group_count = 0;
	for (uint32_t i = 0; r == 0 && i < list->count; i++, name = node_next(name)) {
		r = add_group(refinement, name->text, complaint);
	}
	if (r == 0) {
		r = add_currency(refinement, complaint);
	}
	return r != 0 ? r : check_measures(refinement, complaint);
}

/* Rows of a table are not sums. */
static int check_table(
	const struct view *view, const struct query *query, struct complaint *complaint)
{
	bool is_compared = query->compare.has_shift || query->compare.earlier.is_given;

	if (view->kind == VIEW_KIND_TABLE && (query->group_by != NULL || is_compared)) {
		const char *key = query->group_by != NULL ? "group_by" : "compare";
		complaint_set(complaint, REASON_BAD_REQUEST, key,
			"\"%s\" is of views: rows of a table can't be added up", key);
		return REASON_BAD_REQUEST;
	}
	return 0;
}

int refinement_make(struct refinement *refinement, const struct refined_view *of,
	const struct query *query, struct complaint *complaint)
{
	*refinement = (struct refinement){.source = of->view,
		.result = of->view,
		.stores = of->stores,
		.with_missing = query->with_missing && of->joined != NULL};
	int r = check_table(of->view, query, complaint);
	if (r == 0 && of->joined != NULL) {
		r = refinement_make_join(refinement, of->joined, complaint);
	}
	if (r == 0 && query->group_by != NULL) {
		r = make_groups(refinement, query->group_by, complaint);
	} else if (r == 0 && refinement->with_missing &&
		   !refinement_is_keyed_by_table(refinement)) {
		copy_groups(refinement);
	}
	if (r == 0 && refinement->with_missing) {
		r = refinement_make_missing(refinement, complaint);
	}
	refinement_show_join(refinement);
	refinement->source_bucket = view_time_bucket(of->view);
	refinement->result_bucket = view_time_bucket(refinement->result);
	if (r == 0) {
		r = refinement_make_conditions(refinement, query, complaint);
	}
	return r != 0 ? r : refinement_make_periods(refinement, query, of->event_ts, complaint);
}
