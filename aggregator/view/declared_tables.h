/* declared_tables.h - the [table.NAME] sections of a configuration (table.h), key by key, and where each was set. */
#pragma once
#include "aggregator/view/table.h"
#include "runtime/config.h"

enum { TABLE_KEYS = 2 }; /* key and columns */

/* Zero-initialised: none. */
struct declared_tables {
	struct table_declaration items[TABLES_MAX];
	char places[TABLES_MAX][TABLE_KEYS][sizeof((struct config_error *)0)->place];
	size_t count;
};

void declared_tables_deinit(struct declared_tables *tables);
/* One key of the table's section: 0, -EINVAL with the error, -ENOMEM. */
int declared_tables_set(struct declared_tables *tables, const char *name, const char *key,
	const char *value, struct config_error *error);
void declared_tables_print(const struct declared_tables *tables, FILE *out);
/* Adds them to a set of views: 0, -EINVAL with a sentence, in front of it where it stands; -ENOMEM. */
int declared_tables_add(const struct declared_tables *tables, struct view_set *views, char *error,
	size_t error_size);
/* The name of a table that is this one, or near enough to be meant; NULL: none is. */
const char *declared_tables_near(const struct declared_tables *tables, const char *name);
