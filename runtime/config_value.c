/* Values of configuration files: text to number and back. */
#include "runtime/config_internal.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: the first that divides a value is how it is printed. */
static const struct unit sizes[] = {
	{"TiB", INT64_C(1) << 40},
	{"GiB", INT64_C(1) << 30},
	{"MiB", INT64_C(1) << 20},
	{"KiB", INT64_C(1) << 10},
	{"B", 1},
	{NULL, 0},
};

static const struct unit durations[] = {
	{"d", INT64_C(86400000)},
	{"h", 3600000},
	{"m", 60000},
	{"s", 1000},
	{"ms", 1},
	{NULL, 0},
};

/* [0-9]+ then white space then what is left, in *ret_rest. */
static bool parse_digits(const char *text, int64_t *ret_value, const char **ret_rest)
{
	char *end = NULL;

	if (!isdigit((unsigned char)*text)) {
		return false;
	}
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno != 0) {
		return false;
	}
	while (*end == ' ' || *end == '\t') {
		end++;
	}
	*ret_value = value;
	*ret_rest = end;
	return true;
}

static bool parse_with_unit(
	const char *text, const struct unit *units, int64_t bare_factor, int64_t *ret_value)
{
	int64_t value = 0;
	const char *rest = NULL;
	int64_t factor = 0;

	if (!parse_digits(text, &value, &rest)) {
		return false;
	}
	if (*rest == '\0') {
		factor = bare_factor;
	}
	for (const struct unit *unit = units; factor == 0 && unit->name != NULL; unit++) {
		factor = strcasecmp(rest, unit->name) == 0 ? unit->factor : 0;
	}
	return factor != 0 && !__builtin_mul_overflow(value, factor, ret_value);
}

bool config_parse_size(const char *text, int64_t *ret_bytes)
{
	int64_t value = 0;
	if (!parse_with_unit(text, sizes, 1, &value)) {
		return false;
	}
	*ret_bytes = value;
	return true;
}

bool config_parse_duration(const char *text, int64_t *ret_ms)
{
	int64_t value = 0;
	if (!parse_with_unit(text, durations, 1000, &value)) {
		return false;
	}
	*ret_ms = value;
	return true;
}

bool config_parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[2][3] = {{"no", "false", "off"}, {"yes", "true", "on"}};

	for (int value = 0; value < 2; value++) {
		for (int i = 0; i < 3; i++) {
			if (strcasecmp(text, words[value][i]) == 0) {
				*ret_value = value == 1;
				return true;
			}
		}
	}
	return false;
}

static bool parse_integer(const char *text, int64_t *ret_value)
{
	const char *rest = NULL;
	int64_t value = 0;
	bool negative = *text == '-';

	if (!parse_digits(text + negative, &value, &rest) || *rest != '\0') {
		return false;
	}
	*ret_value = negative ? -value : value;
	return true;
}

static bool parse_percent(const char *text, int64_t *ret_value)
{
	const char *rest = NULL;
	return parse_digits(text, ret_value, &rest) && (*rest == '\0' || strcmp(rest, "%") == 0);
}

static bool parse_by_type(enum config_type type, const char *text, int64_t *ret_value)
{
	switch (type) {
	case CONFIG_INTEGER:
		return parse_integer(text, ret_value);
	case CONFIG_SIZE:
		return config_parse_size(text, ret_value);
	case CONFIG_DURATION:
		return config_parse_duration(text, ret_value);
	case CONFIG_PERCENT:
		return parse_percent(text, ret_value);
	default:
		return false;
	}
}

static const char *type_example(enum config_type type)
{
	switch (type) {
	case CONFIG_SIZE:
		return "a size such as 65536, 256 MiB or 1 GiB";
	case CONFIG_DURATION:
		return "a duration such as 100ms, 5s, 10m, 2h or 30d";
	case CONFIG_PERCENT:
		return "a percentage such as 10%";
	default:
		return "a whole number";
	}
}

int config_parse_number(const struct config_option *option, const char *text, int64_t *ret_value,
	struct config_error *error)
{
	int64_t value = 0;
	char limit[CONFIG_NUMBER_SIZE];

	if (!parse_by_type(option->type, text, &value)) {
		return config_fail(error, "\"%.80s\" is not %s", text, type_example(option->type));
	}
	if (option->min != 0 || option->max != 0) {
		if (value < option->min) {
			return config_fail(error, "\"%.80s\" is too small; the least is %s", text,
				config_format_number(option->type, option->min, limit));
		}
		if (value > option->max) {
			return config_fail(error, "\"%.80s\" is too large; the most is %s", text,
				config_format_number(option->type, option->max, limit));
		}
	}
	*ret_value = value;
	return 0;
}

static const char *format_with_unit(
	const struct unit *units, int64_t value, char out[CONFIG_NUMBER_SIZE])
{
	const struct unit *unit = units;

	while (unit[1].name != NULL && (value == 0 || value % unit->factor != 0)) {
		unit++;
	}
	snprintf(out, CONFIG_NUMBER_SIZE, "%lld %s", (long long)(value / unit->factor), unit->name);
	return out;
}

const char *config_format_number(enum config_type type, int64_t value, char out[CONFIG_NUMBER_SIZE])
{
	switch (type) {
	case CONFIG_SIZE:
		return format_with_unit(sizes, value, out);
	case CONFIG_DURATION:
		return format_with_unit(durations, value, out);
	case CONFIG_PERCENT:
		snprintf(out, CONFIG_NUMBER_SIZE, "%lld%%", (long long)value);
		return out;
	default:
		snprintf(out, CONFIG_NUMBER_SIZE, "%lld", (long long)value);
		return out;
	}
}
