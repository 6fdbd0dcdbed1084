/* view.h - a view: a declaration of which kind of event, grouped by which fields, measuring what. Parsed from
 * `[view.NAME]` or from the canonical text that a store keeps. Also the order-preserving key encoding and the
 * measures' states: how one event changes a row, how two states merge, how a row is shown. Pure. */
#pragma once
#include "proto/event.h"
#include "proto/timestamp.h"

struct view; /* immutable once made */
struct view_set; /* views in the order of their names; a view's id is its place */

enum { VIEWS_MAX = 64 };

/* One `[view.NAME]` section, key by key: kind (one, or several of order, cart and view), group_by, measures, where, retain, zone.
 * view_set_add takes it. `baskets` is not for sections: basket_spans_write says it of all views of kind basket. */
struct view_declaration {
	char name[VIEW_NAME_SIZE_MAX + 1];
	char *kind, *group_by, *measures, *where, *retain, *zone,
		*baskets; /* owned; NULL: not given */
};
void view_declaration_deinit(struct view_declaration *declaration);

/* When a basket closes, and how long what comes for it later is known to be late. Another value is another view. */
struct basket_spans {
	int64_t horizon_ms, memory_ms; /* 0: there are no baskets */
};
enum { BASKET_HORIZON_MS_DEFAULT = 30 * 60 * 1000, BASKET_MEMORY_MS_DEFAULT = 24 * 60 * 60 * 1000 };
enum { BASKET_SPANS_TEXT_SIZE = 64 };
void basket_spans_write(struct basket_spans spans, char ret_text[BASKET_SPANS_TEXT_SIZE]);

/* How a zone's name becomes a zone: the caller's, because files are not ours. NULL: only UTC. */
typedef int (*view_zone_fn)(void *owner, const char *name, const struct zone **ret_zone);

int view_set_new(view_zone_fn zone_of, void *owner, struct view_set **ret_set);
struct view_set *view_set_free(struct view_set *set);
/* 0, or -EINVAL with a sentence that names the view, the key and, where it can, what was meant. */
int view_set_add(struct view_set *set, const struct view_declaration *declaration, char *error,
	size_t error_size);
/* What no event of the view's kinds has, such as currency = eur, is a typing error: 0, or -EINVAL with a sentence as above. Views of a
 * store are not asked: what was declared once goes on. */
int view_check_sense(const struct view *view, char *error, size_t error_size);
/* The canonical text of one view: equal texts, equal meaning. `view_set_add_text` reads it back. */
int view_set_add_text(
	struct view_set *set, struct slice name, struct slice text, char *error, size_t error_size);
size_t view_set_count(const struct view_set *set);
const struct view *view_set_at(const struct view_set *set, size_t id);
const struct view *view_set_find(const struct view_set *set, struct slice name); /* NULL: unknown */
/* A table is a view of its own kind, of the name "table.NAME" (table.h): its rows are records' newest, counted nowhere. */
bool view_is_table(const struct view *view);
const char *view_name(const struct view *view);
uint32_t view_id(const struct view *view);
const char *view_text(const struct view *view);
bool view_is_conserved(const struct view
		*view); /* no where: count + unmatched + expired = accepted, of all its kinds */
/* Can it take back what it counted? If not, *ret_what is the measure's name, or "retain", or "kind" of closed baskets. */
bool view_takes_back(const struct view *view, const char **ret_what);
/* Does it count events of this kind? (dead_letter: all three *.dlq kinds) */
bool view_counts_kind(const struct view *view, enum kind kind);
/* Does it count closed baskets? */
bool view_counts_baskets(const struct view *view);
/* What the views of kind basket say; all zero: there are none. */
struct basket_spans view_set_baskets(const struct view_set *set);
/* Can rows of several shards be added up? Not where distinct() counts what several edges may have in common. */
bool view_is_shardable(const struct view *view);
/* The text of deploy/views.conf as it was built in: INI sections [view.NAME], read unless the operator declares his own. */
const char *view_shipped_text(void);
