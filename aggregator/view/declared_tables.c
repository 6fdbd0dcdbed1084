#include "aggregator/view/declared_tables.h"
#include "aggregator/view/view_suggest.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *key;
	size_t offset;
} keys[TABLE_KEYS] = {
	{"key", offsetof(struct table_declaration, key)},
	{"columns", offsetof(struct table_declaration, columns)},
};

static char **place_of(struct table_declaration *declaration, size_t key)
{
	return (char **)((char *)declaration + keys[key].offset);
}

void declared_tables_deinit(struct declared_tables *tables)
{
	for (size_t i = 0; i < tables->count; i++) {
		table_declaration_deinit(&tables->items[i]);
	}
	tables->count = 0;
}

/* The declaration of this name, a new one where there is none. */
static struct table_declaration *declare(
	struct declared_tables *tables, const char *name, struct config_error *error)
{
	for (size_t i = 0; i < tables->count; i++) {
		if (strcmp(tables->items[i].name, name) == 0) {
			return &tables->items[i];
		}
	}
	if (name[0] == '\0' || strlen(name) > TABLE_NAME_SIZE_MAX) {
		config_fail(error, "a table's name has 1 to %d characters", TABLE_NAME_SIZE_MAX);
		return NULL;
	}
	if (tables->count == TABLES_MAX) {
		config_fail(error, "more than %d tables", TABLES_MAX);
		return NULL;
	}
	struct table_declaration *declaration = &tables->items[tables->count++];
	snprintf(declaration->name, sizeof declaration->name, "%s", name);
	return declaration;
}

int declared_tables_set(struct declared_tables *tables, const char *name, const char *key,
	const char *value, struct config_error *error)
{
	struct table_declaration *declaration = declare(tables, name, error);

	if (declaration == NULL) {
		return -EINVAL;
	}
	for (size_t i = 0; i < TABLE_KEYS; i++) {
		if (strcmp(keys[i].key, key) != 0) {
			continue;
		}
		char *copy = strdup(value);
		if (copy == NULL) {
			return -ENOMEM;
		}
		free(*place_of(declaration, i));
		*place_of(declaration, i) = copy;
		memcpy(tables->places[declaration - tables->items][i], error->place,
			sizeof error->place);
		return 0;
	}
	return config_fail_unknown(
		error, key, "a table", (const char *const[]){keys[0].key, keys[1].key}, TABLE_KEYS);
}

void declared_tables_print(const struct declared_tables *tables, FILE *out)
{
	for (size_t i = 0; i < tables->count; i++) {
		struct table_declaration declaration = tables->items[i];
		fprintf(out, "\n[table.%s]\n", declaration.name);
		for (size_t key = 0; key < TABLE_KEYS; key++) {
			if (*place_of(&declaration, key) != NULL) {
				fprintf(out, "%s = %s\n", keys[key].key,
					*place_of(&declaration, key));
			}
		}
	}
}

/* The line of the key that the complaint is about, else of any that was given. */
static const char *place_of_complaint(
	const struct declared_tables *tables, size_t table, const char *complaint)
{
	const char *place = "";
	char prefix[TABLE_NAME_SIZE_MAX + 32];

	for (size_t i = 0; i < TABLE_KEYS; i++) {
		const char *known = tables->places[table][i];
		snprintf(prefix, sizeof prefix, "table %s: %s: ", tables->items[table].name,
			keys[i].key);
		if (strncmp(complaint, prefix, strlen(prefix)) == 0 && known[0] != '\0') {
			return known;
		}
		place = place[0] == '\0' ? known : place;
	}
	return place;
}

int declared_tables_add(const struct declared_tables *tables, struct view_set *views, char *error,
	size_t error_size)
{
	char complaint[COMPLAINT_SIZE_MAX + VIEW_NAME_SIZE_MAX] = "";
	int r = 0;

	for (size_t i = 0; i < tables->count && r == 0; i++) {
		r = view_set_add_table(views, &tables->items[i], complaint, sizeof complaint);
		if (r == -EINVAL) {
			const char *place = place_of_complaint(tables, i, complaint);
			snprintf(error, error_size, "%s%s%s", place, place[0] == '\0' ? "" : ": ",
				complaint);
		}
	}
	return r;
}

const char *declared_tables_near(const struct declared_tables *tables, const char *name)
{
	const char *names[TABLES_MAX];

	for (size_t i = 0; i < tables->count; i++) {
		names[i] = tables->items[i].name;
	}
	return suggest_word(slice_of_text(name), names, tables->count);
}
