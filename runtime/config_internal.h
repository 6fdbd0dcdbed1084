/* config_internal.h - private to runtime/config*.c. Errors here are bare sentences; whoever knows the place puts it in front. */
#pragma once
#include "runtime/config.h"

/* Names of keys, and each half of "section.NAME". */
enum { CONFIG_NAME_SIZE_MAX = 40, CONFIG_SECTION_SIZE_MAX = 2 * CONFIG_NAME_SIZE_MAX + 1 };

/* 0, or -EINVAL with the error set ("no section [edg]; did you mean [edge]?"). */
int config_check_section(
	const struct config_schema *schema, const char *section, struct config_error *error);
/* The section's entry when it is not in the table by name: "view.*" or exactly "kafka". NULL: none. */
const struct config_section *config_find_section(
	const struct config_schema *schema, const char *section);

/* Parses what the option's type demands and checks the range. */
int config_parse_number(const struct config_option *option, const char *text, int64_t *ret_value,
	struct config_error *error);
enum { CONFIG_NUMBER_SIZE = 32 };
/* As it would be written in a file: "1 GiB", "30 d", "10 %". Returns out. */
const char *config_format_number(
	enum config_type type, int64_t value, char out[CONFIG_NUMBER_SIZE]);

/* Formats `prefix` and puts it in front of what the error says. */
void config_error_at(struct config_error *error, const char *prefix, ...)
	__attribute__((format(printf, 2, 3)));

/* Numbers that are required and not given. */
#define CONFIG_UNSET INT64_MIN
