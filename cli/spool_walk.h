/* spool_walk.h - what `till spool` and `till verify spool` do with the blocks of a spool. Each returns the exit code. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct spool_options {
	const char *folder;
	const char *lane; /* NULL: all */
	int64_t index; /* -1: all */
	bool msgpack;
};

int spool_walk_list(const struct spool_options *options);
int spool_walk_show(const struct spool_options *options);
int spool_walk_verify(const struct spool_options *options);
int spool_walk_export(const struct spool_options *options);
