#include "aggregator/view/table.h"
#include "aggregator/view/view_where.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct view_set {
	struct zone_source zones;
	size_t count;
	struct view *views[VIEWS_MAX]; /* by name */
};

void view_declaration_deinit(struct view_declaration *declaration)
{
	free(declaration->kind);
	free(declaration->group_by);
	free(declaration->measures);
	free(declaration->where);
	free(declaration->retain);
	free(declaration->zone);
	free(declaration->baskets);
	*declaration = (struct view_declaration){0};
}

int view_set_new(view_zone_fn zone_of, void *owner, struct view_set **ret_set)
{
	struct view_set *set = calloc(1, sizeof *set);

	if (set == NULL) {
		return -ENOMEM;
	}
	set->zones = (struct zone_source){zone_of, owner};
	*ret_set = set;
	return 0;
}

void view_deinit(struct view *view)
{
	free(view->zone_name);
	free(view->text);
	free(view->table);
}

static struct view *view_free(struct view *view)
{
	if (view != NULL) {
		view_deinit(view);
		free(view);
	}
	return NULL;
}

struct view_set *view_set_free(struct view_set *set)
{
	if (set == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < set->count; i++) {
		view_free(set->views[i]);
	}
	free(set);
	return NULL;
}

static void insert_view(struct view_set *set, struct view *view)
{
	size_t place = set->count++;

	while (place > 0 && strcmp(set->views[place - 1]->name, view->name) > 0) {
		set->views[place] = set->views[place - 1];
		place--;
	}
	set->views[place] = view;
	for (size_t i = place; i < set->count; i++) {
		set->views[i]->id = (uint32_t)i;
	}
}

int view_set_take(struct view_set *set, struct view *view, char *error, size_t error_size)
{
	int r = 0;

	if (set->count == VIEWS_MAX) {
		snprintf(error, error_size, "view %s: at most %d views", view->name, VIEWS_MAX);
		r = -EINVAL;
	} else if (view_set_find(set, slice_of_text(view->name)) != NULL) {
		snprintf(error, error_size, "view %s is declared twice", view->name);
		r = -EINVAL;
	}
	if (r < 0) {
		view_free(view);
		return r;
	}
	insert_view(set, view);
	return 0;
}

int view_set_add(struct view_set *set, const struct view_declaration *declaration, char *error,
	size_t error_size)
{
	struct view *view = calloc(1, sizeof *view);
	if (view == NULL) {
		return -ENOMEM;
	}
	int r = view_parse(declaration, &set->zones, view, error, error_size);
	if (r < 0) {
		view_free(view);
		return r;
	}
	return view_set_take(set, view, error, error_size);
}

size_t view_set_count(const struct view_set *set)
{
	return set->count;
}

const struct view *view_set_at(const struct view_set *set, size_t id)
{
	return set->views[id];
}

const struct view *view_set_find(const struct view_set *set, struct slice name)
{
	for (size_t i = 0; i < set->count; i++) {
		if (slice_equals_text(name, set->views[i]->name)) {
			return set->views[i];
		}
	}
	return NULL;
}

const char *view_name(const struct view *view)
{
	return view->name;
}

uint32_t view_id(const struct view *view)
{
	return view->id;
}

const char *view_text(const struct view *view)
{
	return view->text;
}

bool view_is_table(const struct view *view)
{
	return view->kind == VIEW_KIND_TABLE;
}

bool view_is_conserved(const struct view *view)
{
	return view->where.count == 0 && view->kind != VIEW_KIND_TABLE;
}

bool view_takes_back(const struct view *view, const char **ret_what)
{
	if (view_counts_baskets(view)) {
		*ret_what = "kind";
		return false;
	}
	if (view->retain_ms > 0) {
		*ret_what = "retain";
		return false;
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		if (!measure_takes_back(&view->measures[i])) {
			*ret_what = view->measures[i].name;
			return false;
		}
	}
	return true;
}

bool view_counts_kind(const struct view *view, enum kind kind)
{
	switch (kind) {
	case KIND_ORDER:
		return (view->kinds & OF_ORDER) != 0;
	case KIND_CART:
		return (view->kinds & OF_CART) != 0;
	case KIND_VIEW:
		return (view->kinds & OF_VIEW) != 0;
	default:
		return kind_is_dead_letter(kind) && (view->kinds & OF_LETTER) != 0;
	}
}

bool view_counts_baskets(const struct view *view)
{
	return view->kind == VIEW_KIND_BASKET;
}

struct basket_spans view_set_baskets(const struct view_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (view_counts_baskets(set->views[i])) {
			return set->views[i]->baskets;
		}
	}
	return (struct basket_spans){0};
}

static bool is_grouped_by_edge(const struct view *view)
{
	for (size_t i = 0; i < view->group_count; i++) {
		if (view->groups[i].source == GROUP_BY_EDGE) {
			return true;
		}
	}
	return false;
}

/* One edge lives in one shard, so what is distinct within an edge is distinct within the shards' sum. */
bool view_is_shardable(const struct view *view)
{
	if (is_grouped_by_edge(view)) {
		return true;
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		if (measure->op == MEASURE_DISTINCT && measure->operand.source != OPERAND_BASKET &&
			measure->operand.source != OPERAND_EDGE) {
			return false;
		}
	}
	return true;
}
