#include "bench/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(const struct bench_option *options, const char *program)
{
	fprintf(stderr, "usage: %s [--name value]...\n", program);
	for (const struct bench_option *option = options; option->name != NULL; option++) {
		fprintf(stderr, "  %-14s %s\n", option->name, option->help);
	}
	exit(2);
}

static const struct bench_option *find(const struct bench_option *options, const char *name)
{
	for (const struct bench_option *option = options; option->name != NULL; option++) {
		if (strcmp(option->name, name) == 0) {
			return option;
		}
	}
	return NULL;
}

void bench_options_parse(const struct bench_option *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		const struct bench_option *option = find(options, argv[i]);
		if (option == NULL || i + 1 >= argc) {
			usage(options, argv[0]);
		} else if (option->text != NULL) {
			*option->text = argv[i + 1];
		} else {
			*option->number = strtoll(argv[i + 1], NULL, 10);
		}
	}
}
