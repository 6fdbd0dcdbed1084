/* [source.NAME]: the type comes first, because it says what the other keys mean. */
#include "edge/source_table.h"
#include "edge/sources.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "source.";

static const struct source_type *find_type(const char *name)
{
	for (size_t i = 0; source_types[i] != NULL; i++) {
		if (strcmp(source_types[i]->name, name) == 0) {
			return source_types[i];
		}
	}
	return NULL;
}

/* "mqtt, http, tail or drop" */
static void name_types(char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; source_types[i] != NULL && used < size; i++) {
		const char *between = i == 0 ? "" : source_types[i + 1] == NULL ? " or " : ", ";
		int added =
			snprintf(out + used, size - used, "%s%s", between, source_types[i]->name);
		used += added > 0 ? (size_t)added : 0;
	}
}

/* It becomes part of keys, labels and file names. */
static bool name_is_valid(const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)name[i];
		if (!isalnum(c) && c != '-' && c != '_') {
			return false;
		}
	}
	return size > 0 && size < SOURCE_NAME_SIZE;
}

static int find_or_add(struct source_declarations *declarations, const char *name,
	struct source_declaration **ret_declaration, struct config_error *error)
{
	for (size_t i = 0; i < declarations->count; i++) {
		if (strcmp(declarations->of[i].name, name) == 0) {
			*ret_declaration = &declarations->of[i];
			return 0;
		}
	}
	if (!name_is_valid(name)) {
		return config_fail(error,
			"a source's name has 1 to %d letters, digits, - and _ (ASCII)",
			SOURCE_NAME_SIZE - 1);
	}
	if (declarations->count == SOURCES_DECLARED_MAX) {
		return config_fail(error, "more than %d sources", SOURCES_DECLARED_MAX);
	}
	struct source_declaration *declaration = &declarations->of[declarations->count++];
	snprintf(declaration->name, sizeof declaration->name, "%s", name);
	*ret_declaration = declaration;
	return 0;
}

static int set_type(
	struct source_declaration *declaration, const char *value, struct config_error *error)
{
	const struct source_type *type = find_type(value);
	char names[80];

	if (declaration->type != NULL && declaration->type == type) {
		return 0;
	}
	if (declaration->type != NULL) {
		return config_fail(error, "this source has the type %s", declaration->type->name);
	}
	if (type == NULL) {
		name_types(names, sizeof names);
		return config_fail(error, "\"%s\" is no type of source: %s", value, names);
	}
	declaration->config = calloc(1, type->schema->target_size);
	if (declaration->config == NULL) {
		config_fail(error, "out of memory");
		return -ENOMEM;
	}
	declaration->type = type;
	return config_init(type->schema, declaration->config, error);
}

int source_declare(struct source_declarations *declarations, const char *section, const char *key,
	const char *value, struct config_error *error)
{
	struct source_declaration *declaration = NULL;
	char names[80];

	int r = find_or_add(declarations, section + strlen(prefix), &declaration, error);
	if (r < 0) {
		return r;
	}
	if (strcmp(key, "type") == 0) {
		return set_type(declaration, value, error);
	}
	if (declaration->type == NULL) {
		name_types(names, sizeof names);
		return config_fail(error, "a source's first key is `type`: %s", names);
	}
	return config_apply(
		declaration->type->schema, declaration->config, "source", key, value, error);
}

bool source_declared_is_secret(
	const struct source_declarations *declarations, const char *section, const char *key)
{
	for (size_t i = 0; i < declarations->count; i++) {
		const struct source_declaration *declaration = &declarations->of[i];
		if (strcmp(declaration->name, section + strlen(prefix)) == 0) {
			return declaration->type != NULL &&
			       config_is_secret(declaration->type->schema, declaration->config,
				       "source", key);
		}
	}
	return false;
}

static int check(
	const struct source_declaration *declaration, bool insecure, struct config_error *error)
{
	const struct source_type *type = declaration->type;

	int r = config_finish(type->schema, declaration->config, error);
	return r == 0 && type->check != NULL ? type->check(declaration->config, insecure, error)
					     : r;
}

int source_declarations_check(
	struct source_declarations *declarations, bool insecure, struct config_error *error)
{
	for (size_t i = 0; i < declarations->count; i++) {
		const struct source_declaration *declaration = &declarations->of[i];
		struct config_error why = {0};
		int r = declaration->type == NULL ? config_fail(&why, "it has no `type`")
						  : check(declaration, insecure, &why);
		if (r < 0) {
			config_fail(error, "[source.%s] %.400s", declaration->name, why.text);
			return r;
		}
	}
	return 0;
}

void source_declarations_print(const struct source_declarations *declarations, FILE *out)
{
	for (size_t i = 0; i < declarations->count; i++) {
		const struct source_declaration *declaration = &declarations->of[i];
		fprintf(out, "%s[source.%s]\n", i == 0 ? "" : "\n", declaration->name);
		if (declaration->type != NULL) {
			fprintf(out, "type = %s\n", declaration->type->name);
			config_print_options(declaration->type->schema, declaration->config, out);
		}
	}
}

void source_declarations_deinit(struct source_declarations *declarations)
{
	for (size_t i = 0; i < declarations->count; i++) {
		struct source_declaration *declaration = &declarations->of[i];
		if (declaration->config != NULL) {
			config_deinit(declaration->type->schema, declaration->config);
			free(declaration->config);
		}
	}
	*declarations = (struct source_declarations){0};
}

void source_types_print_help(FILE *out)
{
	for (size_t i = 0; source_types[i] != NULL; i++) {
		fprintf(out, "\n[source.NAME] type = %s\n", source_types[i]->name);
		config_print_options_help(source_types[i]->schema, out);
	}
}
