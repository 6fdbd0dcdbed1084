#include "cli/options.h"

#include "runtime/config.h"
#include "runtime/program.h"
#include "runtime/suggest.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Where the parser is. */
struct cursor {
	const struct options_spec *spec;
	int argc;
	char **argv;
	int index; /* of the next argument */
	struct options_error *error;
};

static int fail(struct options_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(struct options_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static const struct option *find(const struct options_spec *spec, const char *name, size_t size)
{
	for (const struct option *option = spec->options; option->name != NULL; option++) {
		if (strlen(option->name) == size && memcmp(option->name, name, size) == 0) {
			return option;
		}
		if (size == 2 && name[0] == '-' && option->letter != '\0' &&
			name[1] == option->letter) {
			return option;
		}
	}
	return NULL;
}

static int fail_unknown(const struct cursor *cursor, const char *name, size_t size)
{
	char word[64];
	struct suggestion suggestion = {.word = word};

	snprintf(word, sizeof word, "%.*s", (int)size, name);
	for (const struct option *option = cursor->spec->options; option->name != NULL; option++) {
		suggestion_offer(&suggestion, option->name);
	}
	if (suggestion.best != NULL) {
		return fail(cursor->error, "unknown option %s; did you mean %s?", word,
			suggestion.best);
	}
	return fail(cursor->error, "unknown option %s", word);
}

static int check_range(const struct option *option, double value, struct options_error *error)
{
	if (option->min == 0 && option->max == 0) {
		return value < 0 ? fail(error, "%s can't be negative", option->name) : 0;
	}
	if (value < (double)option->min || value > (double)option->max) {
		return fail(error, "%s must be between %lld and %lld", option->name,
			(long long)option->min, (long long)option->max);
	}
	return 0;
}

static int set_integer(const struct option *option, const char *value, struct options_error *error)
{
	char *end = NULL;

	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (*value == '\0' || *end != '\0' || errno != 0) {
		return fail(error, "%s wants a whole number, not \"%s\"", option->name, value);
	}
	int r = check_range(option, (double)number, error);
	if (r == 0) {
		*(int64_t *)option->target = number;
	}
	return r;
}

static int set_decimal(const struct option *option, const char *value, struct options_error *error)
{
	char *end = NULL;
	double number = strtod(value, &end);

	if (*value == '\0' || *end != '\0' || number != number) {
		return fail(error, "%s wants a number, not \"%s\"", option->name, value);
	}
	int r = check_range(option, number, error);
	if (r == 0) {
		*(double *)option->target = number;
	}
	return r;
}

static int set_duration(const struct option *option, const char *value, struct options_error *error)
{
	int64_t duration_ms = 0;

	if (strcmp(value, "forever") != 0 && !config_parse_duration(value, &duration_ms)) {
		return fail(error, "%s wants a time such as 500ms, 30s or 5m, not \"%s\"",
			option->name, value);
	}
	int r = check_range(option, (double)duration_ms, error);
	if (r == 0) {
		*(int64_t *)option->target = duration_ms;
	}
	return r;
}

static int add_to_list(const struct option *option, const char *value, struct options_error *error)
{
	struct text_list *list = option->target;

	if (list->count == TEXT_LIST_MAX) {
		return fail(error, "%s can be given at most %d times", option->name, TEXT_LIST_MAX);
	}
	list->items[list->count++] = value;
	return 0;
}

static int set_value(const struct option *option, const char *value, struct options_error *error)
{
	switch (option->type) {
	case OPTION_INTEGER:
		return set_integer(option, value, error);
	case OPTION_DECIMAL:
		return set_decimal(option, value, error);
	case OPTION_DURATION:
		return set_duration(option, value, error);
	case OPTION_LIST:
		return add_to_list(option, value, error);
	case OPTION_TEXT:
	case OPTION_FLAG:
		break;
	}
	*(const char **)option->target = value;
	return 0;
}

/* "--rate 5", "--rate=5", "-n 5", "-n5". */
static int parse_option(struct cursor *cursor)
{
	const char *text = cursor->argv[cursor->index++];
	bool is_long = text[1] == '-';
	const char *equals = is_long ? strchr(text, '=') : NULL;
	size_t size = equals != NULL ? (size_t)(equals - text) : (is_long ? strlen(text) : 2);
	const char *value = equals != NULL ? equals + 1 : NULL;

	const struct option *option = find(cursor->spec, text, size);
	if (option == NULL) {
		return fail_unknown(cursor, text, size);
	}
	if (!is_long && text[2] != '\0') {
		value = text + 2;
	}
	if (option->type == OPTION_FLAG) {
		if (value != NULL) {
			return fail(cursor->error, "%s takes no value", option->name);
		}
		*(bool *)option->target = true;
		return 0;
	}
	if (value == NULL) {
		if (cursor->index == cursor->argc) {
			return fail(cursor->error, "%s wants %s", option->name, option->argument);
		}
		value = cursor->argv[cursor->index++];
	}
	return set_value(option, value, cursor->error);
}

static int add_positional(struct cursor *cursor, struct positionals *positionals)
{
	const char *text = cursor->argv[cursor->index++];

	if (positionals->count == cursor->spec->positional_max ||
		positionals->count == POSITIONALS_MAX) {
		return fail(cursor->error, "one argument too many: \"%s\"", text);
	}
	positionals->items[positionals->count++] = text;
	return 0;
}

int options_parse(const struct options_spec *spec, int argc, char **argv,
	struct positionals *ret_positionals, struct options_error *error)
{
	struct cursor cursor = {spec, argc, argv, 1, error};
	struct positionals positionals = {.count = 0};
	bool options_over = false;
	int r = 0;

	while (r == 0 && cursor.index < argc) {
		const char *text = argv[cursor.index];
		if (!options_over && strcmp(text, "--") == 0) {
			options_over = true;
			cursor.index++;
		} else if (!options_over && strcmp(text, "--help") == 0) {
			return OPTIONS_E_HELP;
		} else if (!options_over && text[0] == '-' && text[1] != '\0') {
			r = parse_option(&cursor);
		} else {
			r = add_positional(&cursor, &positionals);
		}
	}
	if (r == 0 && positionals.count < spec->positional_min) {
		r = fail(error, "an argument is missing");
	}
	if (r == 0) {
		*ret_positionals = positionals;
	}
	return r;
}

static void print_usage(const struct options_spec *spec, FILE *out)
{
	const char *line = spec->usage;
	const char *lead = "usage:";

	while (line != NULL) {
		const char *end = strchr(line, '\n');
		int size = end != NULL ? (int)(end - line) : (int)strlen(line);
		fprintf(out, "%-6s %s %.*s\n", lead, spec->command, size, line);
		line = end != NULL ? end + 1 : NULL;
		lead = "";
	}
}

void options_print_help(const struct options_spec *spec, FILE *out)
{
	char left[48];

	print_usage(spec, out);
	fprintf(out, "\n%s\n", spec->about);
	if (spec->options->name != NULL) {
		fprintf(out, "\n");
	}
	for (const struct option *option = spec->options; option->name != NULL; option++) {
		const char *argument = option->argument != NULL ? option->argument : "";
		if (option->letter != '\0') {
			snprintf(left, sizeof left, "-%c, %s %s", option->letter, option->name,
				argument);
		} else {
			snprintf(left, sizeof left, "%s %s", option->name, argument);
		}
		fprintf(out, "  %-26s %s\n", left, option->help);
	}
}

int options_or_exit(
	const struct options_spec *spec, int argc, char **argv, struct positionals *ret_positionals)
{
	struct options_error error = {.text = ""};

	int r = options_parse(spec, argc, argv, ret_positionals, &error);
	if (r == OPTIONS_E_HELP) {
		options_print_help(spec, stdout);
		return EXIT_STOPPED;
	}
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", spec->command, error.text);
		print_usage(spec, stderr);
		fprintf(stderr, "\"%s --help\" says more\n", spec->command);
		return EXIT_USAGE;
	}
	return -1;
}
