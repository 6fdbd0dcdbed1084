/* The schema at work: defaults, one value at a time, what is required. */
#include "runtime/config.h"
#include "runtime/config_internal.h"
#include "runtime/suggest.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char file_suffix[] = "_file";

int config_fail(struct config_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

void config_error_at(struct config_error *error, const char *prefix, ...)
{
	char words[sizeof error->text];
	va_list arguments;

	memcpy(words, error->text, sizeof words);
	va_start(arguments, prefix);
	int size = vsnprintf(error->text, sizeof error->text, prefix, arguments);
	va_end(arguments);
	if (size >= 0 && size < (int)sizeof error->text) {
		snprintf(error->text + size, sizeof error->text - size, "%s", words);
	}
}

int config_fail_unknown(struct config_error *error, const char *key, const char *what,
	const char *const *known, size_t count)
{
	struct suggestion suggestion = {.word = key};
	char list[sizeof error->text / 2] = "";

	for (size_t i = 0, size = 0; i < count; i++) {
		suggestion_offer(&suggestion, known[i]);
		int n = snprintf(
			list + size, sizeof list - size, "%s%s", i == 0 ? "" : ", ", known[i]);
		size += n > 0 && size + (size_t)n < sizeof list ? (size_t)n : 0;
	}
	return suggestion.best != NULL
		       ? config_fail(error, "unknown key; did you mean \"%s\"?", suggestion.best)
		       : config_fail(error, "unknown key; %s has %s", what, list);
}

static bool is_text(enum config_type type)
{
	return type == CONFIG_TEXT || type == CONFIG_LIST || type == CONFIG_SECRET;
}

static void *place_of(const struct config_option *option, void *target)
{
	return (char *)target + option->offset;
}

static int set_text(const struct config_option *option, void *target, const char *value,
	struct config_error *error)
{
	char **place = place_of(option, target);
	const char *usual = option->default_text;
	char *copy = NULL;

	/* Whoever gave it a default counts on a text, if only an empty one. */
	if (*value != '\0' || (usual != NULL && *usual != '\0')) {
		copy = strdup(value);
		if (copy == NULL) {
			config_fail(error, "out of memory");
			return -ENOMEM;
		}
	}
	free(*place);
	*place = copy;
	return 0;
}

static int set_value(const struct config_option *option, void *target, const char *value,
	struct config_error *error)
{
	if (is_text(option->type)) {
		return set_text(option, target, value, error);
	}
	if (option->type == CONFIG_BOOL) {
		return config_parse_bool(value, place_of(option, target))
			       ? 0
			       : config_fail(error, "\"%.80s\" is not yes or no", value);
	}
	return config_parse_number(option, value, place_of(option, target), error);
}

static int set_secret_from_file(const struct config_option *option, void *target, const char *path,
	struct config_error *error)
{
	char *secret = NULL;

	int r = config_read_secret(path, &secret, error);
	if (r < 0) {
		return r;
	}
	char **place = place_of(option, target);
	free(*place);
	*place = secret;
	return 0;
}

/* "password_file" is the file of the secret "password". */
static bool is_file_of(const struct config_option *option, const char *key)
{
	size_t size = strlen(option->key);
	return option->type == CONFIG_SECRET && strncmp(key, option->key, size) == 0 &&
	       strcmp(key + size, file_suffix) == 0;
}

static const struct config_option *find_option(
	const struct config_schema *schema, const char *section, const char *key, bool *ret_is_file)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (strcmp(option->section, section) != 0) {
			continue;
		}
		bool is_file = is_file_of(option, key);
		if (is_file || strcmp(option->key, key) == 0) {
			*ret_is_file = is_file;
			return option;
		}
	}
	return NULL;
}

static int fail_unknown_key(const struct config_schema *schema, const char *section,
	const char *key, struct config_error *error)
{
	struct suggestion suggestion = {.word = key};

	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (strcmp(option->section, section) == 0) {
			suggestion_offer(&suggestion, option->key);
		}
	}
	if (suggestion.best != NULL) {
		return config_fail(error, "unknown key; did you mean \"%s\"?", suggestion.best);
	}
	return config_fail(error, "unknown key; --help lists them");
}

const struct config_section *config_find_section(
	const struct config_schema *schema, const char *section)
{
	const struct config_section *found = NULL;

	for (const struct config_section *entry = schema->sections;
		entry != NULL && entry->prefix != NULL; entry++) {
		size_t size = strlen(entry->prefix);
		if (strcmp(entry->prefix, section) == 0) {
			return entry;
		}
		if (entry->prefix[size - 1] == '.' && strncmp(section, entry->prefix, size) == 0 &&
			section[size] != '\0') {
			found = entry;
		}
	}
	return found;
}

static bool is_in_table(const struct config_schema *schema, const char *section)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (strcmp(option->section, section) == 0) {
			return true;
		}
	}
	return false;
}

/* [veiw.mine]: what stands before the name, the dot too, is held against "view." */
static int fail_named_section(
	const struct config_schema *schema, const char *section, struct config_error *error)
{
	char head[CONFIG_SECTION_SIZE_MAX + 1] = "";
	const char *dot = strchr(section, '.');
	size_t size = dot != NULL ? (size_t)(dot - section) + 1 : 0;
	struct suggestion suggestion = {.word = head};

	if (size == 0 || size >= sizeof head) {
		return 0;
	}
	memcpy(head, section, size);
	for (const struct config_section *entry = schema->sections;
		entry != NULL && entry->prefix != NULL; entry++) {
		if (strchr(entry->prefix, '.') == entry->prefix + strlen(entry->prefix) - 1) {
			suggestion_offer(&suggestion, entry->prefix);
		}
	}
	return suggestion.best == NULL ? 0
				       : config_fail(error, "no such section; did you mean [%s%s]?",
						 suggestion.best, section + size);
}

int config_check_section(
	const struct config_schema *schema, const char *section, struct config_error *error)
{
	struct suggestion suggestion = {.word = section};

	if (is_in_table(schema, section) || config_find_section(schema, section) != NULL) {
		return 0;
	}
	int r = fail_named_section(schema, section, error);
	if (r < 0) {
		return r;
	}
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		suggestion_offer(&suggestion, option->section);
	}
	for (const struct config_section *entry = schema->sections;
		entry != NULL && entry->prefix != NULL; entry++) {
		suggestion_offer(&suggestion, entry->prefix);
	}
	if (suggestion.best != NULL) {
		return config_fail(error, "no such section; did you mean [%s]?", suggestion.best);
	}
	return config_fail(error, "no such section; --help lists them");
}

bool config_is_secret(const struct config_schema *schema, const void *target, const char *section,
	const char *key)
{
	bool is_file = false;

	const struct config_option *option = find_option(schema, section, key, &is_file);
	if (option != NULL) {
		return option->type == CONFIG_SECRET && !is_file;
	}
	const struct config_section *entry = config_find_section(schema, section);
	return entry != NULL && entry->is_secret != NULL && entry->is_secret(target, section, key);
}

int config_apply(const struct config_schema *schema, void *target, const char *section,
	const char *key, const char *value, struct config_error *error)
{
	bool is_file = false;

	const struct config_option *option = find_option(schema, section, key, &is_file);
	if (option != NULL) {
		return is_file ? set_secret_from_file(option, target, value, error)
			       : set_value(option, target, value, error);
	}
	const struct config_section *entry = config_find_section(schema, section);
	if (entry != NULL) {
		return entry->set(target, section, key, value, error);
	}
	int r = config_check_section(schema, section, error);
	return r < 0 ? r : fail_unknown_key(schema, section, key, error);
}

int config_init(const struct config_schema *schema, void *target, struct config_error *error)
{
	memset(target, 0, schema->target_size);
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		assert(option->offset < schema->target_size);
		if (option->default_text == NULL && !is_text(option->type)) {
			assert(option->type != CONFIG_BOOL); /* a yes or no has a default */
			*(int64_t *)place_of(option, target) = CONFIG_UNSET;
		}
		if (option->default_text == NULL) {
			continue;
		}
		int r = set_value(option, target, option->default_text, error);
		if (r < 0) {
			config_error_at(
				error, "default of [%s] %s: ", option->section, option->key);
			return r;
		}
	}
	return 0;
}

static bool is_missing(const struct config_option *option, const void *target)
{
	const char *place = (const char *)target + option->offset;

	if (option->default_text != NULL) {
		return false;
	}
	return is_text(option->type) ? *(char *const *)place == NULL
				     : *(const int64_t *)place == CONFIG_UNSET;
}

int config_finish(const struct config_schema *schema, void *target, struct config_error *error)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (is_missing(option, target)) {
			return config_fail(error, "[%s] %s is required: %s", option->section,
				option->key, option->help);
		}
	}
	return 0;
}

void config_deinit(const struct config_schema *schema, void *target)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		if (is_text(option->type)) {
			char **place = place_of(option, target);
			free(*place);
			*place = NULL;
		}
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

bool config_list_next(const char **cursor, char *item, size_t item_size)
{
	const char *at = *cursor;

	while (at != NULL && *at != '\0') {
		const char *comma = strchr(at, ',');
		const char *end = comma != NULL ? comma : at + strlen(at);
		const char *next = comma != NULL ? comma + 1 : end;
		while (at < end && is_space(*at)) {
			at++;
		}
		while (end > at && is_space(end[-1])) {
			end--;
		}
		size_t size = (size_t)(end - at);
		if (size > 0) { /* an empty item is a comma too many */
			size = size < item_size ? size : item_size - 1;
			memcpy(item, at, size);
			item[size] = '\0';
			*cursor = next;
			return true;
		}
		at = next;
	}
	*cursor = at;
	return false;
}
