/* view_config.h - the sections [view.NAME] of a configuration, or of a file of views to be staged. */
#pragma once
#include "aggregator/view/declared_tables.h"
#include "runtime/config.h"

enum { VIEW_KEYS = 6 };

struct view_config {
	struct view_declaration items[VIEWS_MAX];
	/* Where each key of a view was set, in the order of view_declaration; "": nowhere. */
	char places[VIEWS_MAX][VIEW_KEYS][sizeof((struct config_error *)0)->place];
	size_t count;
};

void view_config_deinit(struct view_config *views);
/* For config_section.set and .print. */
int view_config_set(struct view_config *views, const char *section, const char *key,
	const char *value, struct config_error *error);
/* Views of kind basket say how long baskets are open and known: each declaration has it. 0 or -ENOMEM. */
int view_config_set_baskets(struct view_config *views, const char *text);
void view_config_print(const struct view_config *views, FILE *out);
/* What else a view must be: -EINVAL with a complaint that begins as those of view_parse do, "view NAME: KEY: ". */
typedef int (*view_check_fn)(
	const void *owner, const struct view *view, char *complaint, size_t complaint_size);
/* What they declare, not only that they can be read: a mistake is told with its file and line. `tables` are beside
 * them. 0, -EINVAL, -errno. */
int view_config_check(const struct view_config *views, const struct declared_tables *tables,
	view_check_fn check, const void *owner, struct config_error *error);
/* All views as they would be with those of the file at `path`: its own, and those of `views` that it does not name. Not
 * checked yet.
 * 0, -EINVAL or -errno with the error set. */
int view_config_stage(const struct view_config *views, const char *path,
	struct view_config *ret_staged, struct config_error *error);
