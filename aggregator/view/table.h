/* table.h - a table: the newest record of each key of a topic, as a row of columns. Declared as [table.NAME]:
 *
 *   key     = COLUMN [as NAME], …          1 to 4, always text, as ids are
 *   columns = COLUMN [TYPE] [as NAME], …   at most 16; TYPE is text (default), integer, money or time
 *
 * COLUMN is the record's, "in quotes" where it is no word; NAME is the row's. In a set of views a table is a view of its own
 * kind, of the name "table.NAME": its key are the group fields, its columns the measures, so that answers, rights, live
 * messages, rebuilds and dumps know it. Views are joined with it by the group fields that bear the names of its key. Pure. */
#pragma once
#include "aggregator/view/view_plan.h"
#include "proto/query.h"

#define TABLE_PREFIX QUERY_TABLE_PREFIX

enum {
	TABLES_MAX = 8, /* each is looked for with every record of its topics */
	TABLE_NAME_SIZE_MAX = VIEW_NAME_SIZE_MAX - (int)(sizeof TABLE_PREFIX - 1),
	TABLE_KEY_COLUMNS_MAX = VIEW_GROUP_FIELDS_MAX, /* what a view's row can be joined by */
	TABLE_COLUMNS_MAX = VIEW_MEASURES_MAX, /* a row of a table is read as a row of a view */
	TABLE_TEXT_SIZE_MAX = TEXT_SIZE_MAX, /* of a column: as of an event's text */
};

struct table_column {
	char source[VIEW_LITERAL_SIZE_MAX + 1]; /* in the record */
	char name[VIEW_NAME_SIZE_MAX + 1];
	enum operand_type type;
};

struct table_plan {
	size_t key_count, column_count; /* of view->groups and view->measures, in the same order */
	struct table_column keys[TABLE_KEY_COLUMNS_MAX];
	struct table_column columns[TABLE_COLUMNS_MAX];
};

/* One `[table.NAME]` section. */
struct table_declaration {
	char name[TABLE_NAME_SIZE_MAX + 1];
	char *key, *columns; /* owned; NULL: not given */
};
void table_declaration_deinit(struct table_declaration *declaration);

/* Fills `view`, all zero before; -EINVAL with a sentence that names table, key and what was meant, -ENOMEM. The caller frees
 * with view_deinit in any case. */
int table_parse(const struct table_declaration *declaration, struct view *view, char *error,
	size_t error_size);
/* As view_set_add and view_set_add_text. `name` is with its prefix. */
int view_set_add_table(struct view_set *set, const struct table_declaration *declaration,
	char *error, size_t error_size);
int view_set_add_table_text(
	struct view_set *set, struct slice name, struct slice text, char *error, size_t error_size);
/* Takes the view. */
int view_set_take(struct view_set *set, struct view *view, char *error, size_t error_size);
/* "users" of "table.users"; the view's own name when it is none. */
const char *view_short_name(const struct view *view);
/* The table of this name, without its prefix; NULL: unknown. */
const struct view *view_set_find_table(const struct view_set *set, struct slice name);
