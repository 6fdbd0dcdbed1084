/* options.h - a command's arguments by a table: parsing, checking, --help, and a suggestion for a typing error.
 * Logic only, but for options_or_exit, which prints. Everything that comes back is borrowed from argv. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_type {
	OPTION_FLAG, /* bool */
	OPTION_TEXT, /* const char * */
	OPTION_INTEGER, /* int64_t, within min … max */
	OPTION_DECIMAL, /* double, within min … max */
	OPTION_DURATION, /* int64_t, ms: 500ms, 30s, 5m; a bare number is seconds; "forever" is 0 where min is 0 */
	OPTION_LIST, /* struct text_list: repeatable */
};

enum { TEXT_LIST_MAX = 64, POSITIONALS_MAX = 8 };
struct text_list {
	const char *items[TEXT_LIST_MAX + 1]; /* ends with NULL */
	size_t count;
};

struct option {
	const char *name; /* "--rate" */
	char letter; /* 'n' for -n; 0: none */
	enum option_type type;
	void *target; /* keeps its value, the default, when the option is not given */
	const char *argument; /* "N", for --help; NULL for a flag */
	const char *help;
	int64_t min, max; /* of numbers; both 0: any that is not negative */
};

struct options_spec {
	const char *command; /* "till send" */
	const char *usage; /* "--to ENDPOINT [OPTIONS] [FILE]"; several lines are cut by \n */
	const char *about; /* a sentence or two */
	const struct option *options; /* ends with name NULL */
	size_t positional_min, positional_max;
};

struct positionals {
	const char *items[POSITIONALS_MAX];
	size_t count;
};

struct options_error {
	char text[256];
};

enum { OPTIONS_E_HELP = 1 /* --help was among them */ };

/* argv[0] is the command's own name. Options and positionals mix; "--" ends options; "-" is a positional.
 * 0, OPTIONS_E_HELP, or -EINVAL with the error set. */
int options_parse(const struct options_spec *spec, int argc, char **argv,
	struct positionals *ret_positionals, struct options_error *error);
void options_print_help(const struct options_spec *spec, FILE *out);
/* Parses; prints help or what is wrong. -1: go on; else the exit code to end with. */
int options_or_exit(const struct options_spec *spec, int argc, char **argv,
	struct positionals *ret_positionals);
