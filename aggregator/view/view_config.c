#include "aggregator/view/view_config.h"
#include "aggregator/view/zones.h"
#include "proto/event.h"
#include "runtime/zonefile.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct view_key {
	const char *key;
	size_t offset;
};

static const struct view_key view_keys[] = {
	{"kind", offsetof(struct view_declaration, kind)},
	{"group_by", offsetof(struct view_declaration, group_by)},
	{"measures", offsetof(struct view_declaration, measures)},
	{"where", offsetof(struct view_declaration, where)},
	{"retain", offsetof(struct view_declaration, retain)},
	{"zone", offsetof(struct view_declaration, zone)},
	{0},
};
_Static_assert(sizeof view_keys / sizeof view_keys[0] == VIEW_KEYS + 1, "a place for each key");

static char **text_of(struct view_declaration *declaration, const struct view_key *key)
{
	return (char **)((char *)declaration + key->offset);
}

static const char *const_text_of(
	const struct view_declaration *declaration, const struct view_key *key)
{
	return *(char *const *)((const char *)declaration + key->offset);
}

void view_config_deinit(struct view_config *views)
{
	for (size_t i = 0; i < views->count; i++) {
		view_declaration_deinit(&views->items[i]);
	}
	views->count = 0;
}

static struct view_declaration *find(struct view_config *views, const char *name)
{
	for (size_t i = 0; i < views->count; i++) {
		if (strcmp(views->items[i].name, name) == 0) {
			return &views->items[i];
		}
	}
	return NULL;
}

/* The declaration of this name, a new one where there is none. */
static struct view_declaration *declare(
	struct view_config *views, const char *name, struct config_error *error)
{
	struct view_declaration *declaration = find(views, name);

	if (declaration != NULL) {
		return declaration;
	}
	if (name[0] == '\0' || strlen(name) > VIEW_NAME_SIZE_MAX) {
		config_fail(error, "a view's name has 1 to %d characters", VIEW_NAME_SIZE_MAX);
		return NULL;
	}
	if (views->count == VIEWS_MAX) {
		config_fail(error, "more than %d views", VIEWS_MAX);
		return NULL;
	}
	declaration = &views->items[views->count++];
	*declaration = (struct view_declaration){.kind = NULL};
	snprintf(declaration->name, sizeof declaration->name, "%s", name);
	return declaration;
}

static int set_text(
	struct view_declaration *declaration, const struct view_key *key, const char *value)
{
	char **place = text_of(declaration, key);
	char *copy = strdup(value);

	if (copy == NULL) {
		return -ENOMEM;
	}
	free(*place);
	*place = copy;
	return 0;
}

static int refuse_key(const char *key, struct config_error *error)
{
	const char *names[VIEW_KEYS];

	for (size_t i = 0; i < VIEW_KEYS; i++) {
		names[i] = view_keys[i].key;
	}
	return config_fail_unknown(error, key, "a view", names, VIEW_KEYS);
}

int view_config_set(struct view_config *views, const char *section, const char *key,
	const char *value, struct config_error *error)
{
	struct view_declaration *declaration = declare(views, section + strlen("view."), error);

	if (declaration == NULL) {
		return -EINVAL;
	}
	for (const struct view_key *known = view_keys; known->key != NULL; known++) {
		if (strcmp(known->key, key) == 0) {
			char *place = views->places[declaration - views->items][known - view_keys];
			snprintf(place, sizeof views->places[0][0], "%s", error->place);
			return set_text(declaration, known, value);
		}
	}
	return refuse_key(key, error);
}

int view_config_set_baskets(struct view_config *views, const char *text)
{
	for (size_t i = 0; i < views->count; i++) {
		char *copy = strdup(text);
		if (copy == NULL) {
			return -ENOMEM;
		}
		free(views->items[i].baskets);
		views->items[i].baskets = copy;
	}
	return 0;
}

void view_config_print(const struct view_config *views, FILE *out)
{
	for (size_t i = 0; i < views->count; i++) {
		fprintf(out, "\n[view.%s]\n", views->items[i].name);
		for (const struct view_key *known = view_keys; known->key != NULL; known++) {
			const char *value = const_text_of(&views->items[i], known);
			if (value != NULL) {
				fprintf(out, "%s = %s\n", known->key, value);
			}
		}
	}
}

/* The line of the key that the complaint begins with, else of any that was given. */
static const char *place_of_complaint(
	const struct view_config *views, size_t view, const char *complaint)
{
	const char *place = "";
	char prefix[VIEW_NAME_SIZE_MAX + 32];

	for (size_t i = 0; i < VIEW_KEYS; i++) {
		const char *known = views->places[view][i];
		snprintf(prefix, sizeof prefix, "view %s: %s: ", views->items[view].name,
			view_keys[i].key);
		if (strncmp(complaint, prefix, strlen(prefix)) == 0 && known[0] != '\0') {
			return known;
		}
		place = place[0] == '\0' ? known : place;
	}
	return place;
}

/* The grammar reads no files; what else the system has for a zone is told here. */
static void suggest_zone(
	const struct view_declaration *declaration, char *complaint, size_t complaint_size)
{
	char about_zone[VIEW_NAME_SIZE_MAX + 32], meant[ZONE_NAME_SIZE_MAX + 1];

	snprintf(about_zone, sizeof about_zone, "view %s: zone: ", declaration->name);
	if (strncmp(complaint, about_zone, strlen(about_zone)) == 0 &&
		zonefile_suggest(declaration->zone, meant)) {
		snprintf(complaint, complaint_size,
			"%sunknown time zone \"%.80s\"; did you mean \"%s\"?", about_zone,
			declaration->zone, meant);
	}
}

int view_config_check(const struct view_config *config, const struct declared_tables *tables,
	view_check_fn check, const void *owner, struct config_error *error)
{
	char complaint[COMPLAINT_SIZE_MAX + VIEW_NAME_SIZE_MAX] = "";
	struct view_set *views = NULL;
	struct zones *zones = NULL;

	int r = zones_new(&zones);
	if (r == 0) {
		r = view_set_new(zones_find, zones, &views);
	}
	for (size_t i = 0; i < config->count && r == 0; i++) {
		r = view_set_add(views, &config->items[i], complaint, sizeof complaint);
		if (r == 0) {
			const struct view *view =
				view_set_find(views, slice_of_text(config->items[i].name));
			r = view_check_sense(view, complaint, sizeof complaint);
			r = r == 0 ? check(owner, view, complaint, sizeof complaint) : r;
		} else if (r == -EINVAL) {
			suggest_zone(&config->items[i], complaint, sizeof complaint);
		}
		if (r == -EINVAL) {
			const char *place = place_of_complaint(config, i, complaint);
			config_fail(
				error, "%s%s%s", place, place[0] == '\0' ? "" : ": ", complaint);
		}
	}
	if (r == 0) {
		r = declared_tables_add(tables, views, complaint, sizeof complaint);
		if (r == -EINVAL) {
			config_fail(error, "%s", complaint);
		}
	}
	view_set_free(views);
	zones_free(zones);
	return r;
}

/* ---- staging */

static int set_staged(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	return view_config_set(target, section, key, value, error);
}

static const struct config_option no_options[] = {{0}};
static const struct config_section staged_sections[] = {
	{.prefix = "view.", .set = set_staged, .help = "a view's declaration"},
	{0},
};
static const struct config_schema staged_schema = {
	.options = no_options,
	.sections = staged_sections,
	.target_size = sizeof(struct view_config),
};

static int add_copy(struct view_config *into, const struct view_config *from, size_t index,
	struct config_error *error)
{
	struct view_declaration *copy = declare(into, from->items[index].name, error);
	int r = copy == NULL ? -EINVAL : 0;

	if (copy != NULL) {
		memcpy(into->places[copy - into->items], from->places[index],
			sizeof from->places[index]);
	}
	for (const struct view_key *known = view_keys; known->key != NULL && r == 0; known++) {
		const char *value = const_text_of(&from->items[index], known);
		r = value == NULL ? 0 : set_text(copy, known, value);
	}
	return r;
}

int view_config_stage(const struct view_config *views, const char *path,
	struct view_config *ret_staged, struct config_error *error)
{
	int r = config_read_file(&staged_schema, ret_staged, path, error);

	if (r < 0) {
		return r == -ENOMEM ? r : -EINVAL;
	}
	if (ret_staged->count == 0) {
		return config_fail(error, "[aggregator] stage: %s declares no [view.NAME]", path);
	}
	for (size_t i = 0; i < views->count && r == 0; i++) {
		if (find(ret_staged, views->items[i].name) == NULL) {
			r = add_copy(ret_staged, views, i, error);
		}
	}
	return r;
}
