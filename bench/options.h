/* options.h - the load tools' arguments: `--name value` pairs by a table. Prints usage and exits with 2 on a mistake. */
#pragma once
#include <stdint.h>

struct bench_option {
	const char *name; /* "--count" */
	const char **text; /* one of the two */
	int64_t *number;
	const char *help;
};

/* The table ends with name NULL. */
void bench_options_parse(const struct bench_option *options, int argc, char **argv);
