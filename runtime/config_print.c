#include "runtime/config.h"
#include "runtime/config_internal.h"
#include <string.h>

static bool starts_section(const struct config_schema *schema, const struct config_option *option)
{
	return option == schema->options || strcmp(option[-1].section, option->section) != 0;
}

static void print_value(const struct config_option *option, const void *target, FILE *out)
{
	const void *place = (const char *)target + option->offset;
	char number[CONFIG_NUMBER_SIZE];

	switch (option->type) {
	case CONFIG_TEXT:
	case CONFIG_LIST: {
		const char *text = *(char *const *)place;
		fprintf(out, "%s = %s\n", option->key, text != NULL ? text : "");
		return;
	}
	case CONFIG_SECRET: /* a comment: what is printed here can be read as a file again */
		fprintf(out, "# %s = %s\n", option->key,
			*(char *const *)place != NULL ? "(hidden)" : "(not set)");
		return;
	case CONFIG_BOOL:
		fprintf(out, "%s = %s\n", option->key, *(const bool *)place ? "yes" : "no");
		return;
	default:
		fprintf(out, "%s = %s\n", option->key,
			config_format_number(option->type, *(const int64_t *)place, number));
		return;
	}
}

static void print_option(const struct config_option *option, const void *target, FILE *out)
{
	fprintf(out, "# %s\n", option->help);
	print_value(option, target, out);
}

void config_print_options(const struct config_schema *schema, const void *target, FILE *out)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		print_option(option, target, out);
	}
}

void config_print(const struct config_schema *schema, const void *target, FILE *out)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (starts_section(schema, option)) {
			fprintf(out, "%s[%s]\n", option == schema->options ? "" : "\n",
				option->section);
		}
		print_option(option, target, out);
	}
	for (const struct config_section *entry = schema->sections;
		entry != NULL && entry->prefix != NULL; entry++) {
		if (entry->print != NULL) {
			fputc('\n', out);
			entry->print(target, out);
		}
	}
}

static void print_option_help(const struct config_option *option, FILE *out)
{
	bool secret = option->type == CONFIG_SECRET;
	const char *value = option->default_text;

	fprintf(out, "  %s%s = %s\n        %s\n", option->key, secret ? "_file" : "",
		value == NULL    ? "(required)"
		: *value == '\0' ? "(empty)"
				 : value,
		option->help);
}

void config_print_options_help(const struct config_schema *schema, FILE *out)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		print_option_help(option, out);
	}
}

void config_print_help(const struct config_schema *schema, FILE *out)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (starts_section(schema, option)) {
			fprintf(out, "\n[%s]\n", option->section);
		}
		print_option_help(option, out);
	}
	for (const struct config_section *entry = schema->sections;
		entry != NULL && entry->prefix != NULL; entry++) {
		bool named = entry->prefix[strlen(entry->prefix) - 1] == '.';
		fprintf(out, "\n[%s%s]\n", entry->prefix, named ? "NAME" : "");
		if (entry->help != NULL) {
			fprintf(out, "        %s\n", entry->help);
		}
		if (entry->print_help != NULL) {
			entry->print_help(out);
		}
	}
}
