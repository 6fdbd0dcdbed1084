/* mapping.h - rows and maps into events: which column is which field, what is set for all, which rows are wanted.
 * Columns that are not mapped keep their name; the edge knows its fields and their aliases by it and carries the
 * rest. An empty cell is absent. Pure. One thread. An int result is 0, a MAPPING_E_* or a negative errno. */
#pragma once
#include "proto/buffer.h"
#include "proto/document.h"
#include "proto/pairs.h"

enum {
	MAPPING_E_UNWANTED = 1, /* `where` says no */
	MAPPING_E_CELLS, /* not as many cells as columns */
};

/* Lists end with NULL, and may be NULL. */
struct mapping_options {
	const char *const *map; /* FIELD=COLUMN, each text one or several, separated by commas */
	const char *const *set; /* FIELD=VALUE */
	const char *const *where; /* COLUMN=VALUE */
	const char *kind; /* may be NULL */
	const char *prefix; /* of the names map, set and where in errors: "--"; may be NULL */
};

struct mapping;

/* -EINVAL with the error set, -ENOMEM. Texts are borrowed for the life of the mapping. */
int mapping_new(const struct mapping_options *options, struct mapping **ret_mapping,
	struct pairs_error *error);
struct mapping *mapping_free(struct mapping *mapping);

/* The first line of a CSV. -EINVAL when a column of the options is not there, two columns would give one field, a name
 * is no text. */
int mapping_bind(struct mapping *mapping, const struct slice *names, uint32_t count,
	struct pairs_error *error);
/* The column that mapping_bind looked for in vain; else {NULL, 0}. */
struct slice mapping_missing(const struct mapping *mapping);
/* The name of a column, from 0. */
struct slice mapping_column(const struct mapping *mapping, uint32_t index);
uint32_t mapping_columns(const struct mapping *mapping); /* 0 before mapping_bind */
/* Appends the row as one msgpack map of texts. */
int mapping_row(const struct mapping *mapping, const struct slice *cells, uint32_t count,
	struct buffer *buffer);
/* Appends a map, its keys renamed; its own bytes where nothing is to be changed. */
int mapping_map(
	const struct mapping *mapping, const struct document *document, struct buffer *buffer);
