/* view_plan.h - a view made ready for counting: what `struct view` holds. For the aggregator's own files only. */
#pragma once
#include "aggregator/view/measure.h"
#include "aggregator/view/row_key.h"
#include "aggregator/view/view.h"

enum {
	WHERE_CONDITIONS_MAX = 8, /* of one `where` */
	VIEW_CONDITIONS_MAX = 32, /* of a view and its measures together */
	VIEW_HISTOGRAMS_MAX = 4, /* in a row, each of HISTOGRAM_SIZE_MAX bytes at most */
	VIEW_LITERAL_SIZE_MAX = 128, /* ids are not longer */
	/* The declared ones and the currency that a money measure brings. */
	VIEW_GROUPS_MAX = VIEW_GROUP_FIELDS_MAX + 1,
};

enum view_kind {
	VIEW_KIND_ORDER,
	VIEW_KIND_CART,
	VIEW_KIND_VIEW,
	VIEW_KIND_DEAD_LETTER,
	VIEW_KIND_BASKET, /* closed baskets (baskets.h) */
	VIEW_KIND_TABLE,
};
const char *view_kind_name(enum view_kind kind);
/* Kinds of views as bits. */
enum {
	OF_ORDER = 1 << VIEW_KIND_ORDER,
	OF_CART = 1 << VIEW_KIND_CART,
	OF_VIEW = 1 << VIEW_KIND_VIEW,
	OF_LETTER = 1 << VIEW_KIND_DEAD_LETTER,
	OF_BASKET = 1 << VIEW_KIND_BASKET,
	OF_EVENT = OF_ORDER | OF_CART | OF_VIEW,
};

enum group_source {
	GROUP_BY_FIELD, /* a text field */
	GROUP_BY_QUANTITY,
	GROUP_BY_BUCKET, /* of ts */
	GROUP_BY_EDGE,
	GROUP_BY_KIND,
	GROUP_BY_CODE,
	GROUP_BY_COLUMN, /* of a table: no event has it */
};

struct group_field {
	const char *name; /* the column */
	enum group_source source;
	enum field field;
	enum bucket bucket;
	enum operand_type type; /* of GROUP_BY_COLUMN */
	bool is_automatic; /* currency, brought by a money measure */
	bool is_optional; /* of rows of an answer, which may lack it */
};
enum group_type group_field_type(const struct group_field *field);
/* What views can be grouped by, by its name: NULL when there is no such field. */
const struct group_field *group_field_find(struct slice name);

enum comparison { IS_EQUAL, IS_UNEQUAL, IS_LESS, IS_AT_MOST, IS_GREATER, IS_AT_LEAST };

struct table_plan;

struct condition {
	struct operand operand;
	enum comparison comparison;
	money number;
	char text[VIEW_LITERAL_SIZE_MAX + 1];
};

struct view {
	char name[VIEW_NAME_SIZE_MAX + 1];
	uint32_t id;
	enum view_kind kind; /* the first of them */
	unsigned kinds; /* whose events it counts: one, or several of OF_EVENT; of a table none */
	struct table_plan
		*table; /* owned; of VIEW_KIND_TABLE: what its rows are read by (table.h) */
	const struct zone *zone; /* borrowed; NULL is UTC */
	char *zone_name; /* owned; NULL: not given */
	struct basket_spans baskets; /* of kind basket */
	char *text; /* owned: the canonical text */
	size_t group_count;
	struct group_field groups[VIEW_GROUPS_MAX];
	size_t measure_count;
	struct measure measures[VIEW_MEASURES_MAX];
	size_t row_fixed_size; /* of a row's value: the part that has the same size in every row */
	int64_t retain_ms; /* 0: rows never end */
	size_t retain_group; /* whose bucket says when a row ends */
	size_t distinct_count; /* distinct() among the measures */
	size_t histogram_count;
	size_t histogram_owners[VIEW_HISTOGRAMS_MAX]; /* the first quantile() of each */
	bool has_ratios;
	bool has_stamps; /* a first() or last() that needs its certificate */
	struct condition_range where; /* the view's own */
	size_t condition_count; /* with those of its measures */
	struct condition conditions[VIEW_CONDITIONS_MAX];
};

/* Fills `view` from a declaration; -EINVAL with a sentence, -ENOMEM. The caller frees with view_deinit in any case. */
struct zone_source {
	view_zone_fn zone_of;
	void *owner;
};
int view_parse(const struct view_declaration *declaration, const struct zone_source *zones,
	struct view *view, char *error, size_t error_size);
/* "order", or "order, cart" of a view of several. */
enum { VIEW_KINDS_TEXT_SIZE = 32 };
void view_kinds_write(const struct view *view, char ret_text[VIEW_KINDS_TEXT_SIZE]);
static inline bool view_has_several_kinds(const struct view *view)
{
	return (view->kinds & (view->kinds - 1)) != 0;
}
/* The canonical text; the caller's to free; NULL without memory. */
char *view_write_text(const struct view *view);
void view_deinit(struct view *view);

/* The group field that is the user's id; -1: none. */
int view_user_group(const struct view *view);
/* Does a condition of it name this user? */
bool view_names_user(const struct view *view, struct slice user);
/* Is the currency the last group field? */
bool view_ends_in_currency(const struct view *view);
/* Does the event pass `where`? */
bool view_admits(const struct view *view, const struct event *event);
/* Does it pass the measure's own conditions? */
bool view_measure_admits(
	const struct view *view, const struct measure *measure, const struct event *event);
/* The event's group values; false when one is absent: the event is unmatched. */
bool view_group_values(const struct view *view, const struct event *event, struct slice letter_code,
	struct group_value values[VIEW_GROUPS_MAX]);
