/* load_plan.h - which CSV files become which tables, and of what columns: all that `till load` knows before it touches a
 * database. Reads files; says what is wrong with them on stderr. One thread. */
#pragma once
#include "cli/csv_file.h"
#include "cli/options.h"
#include "cli/sql_table.h"
#include "cli/terminal.h"

enum { LOAD_FILES_MAX = 64 };

struct load_file {
	char *path; /* owned, as all below */
	struct csv_file *file;
	struct sql_table table;
	uint64_t rows; /* load_plan_read counted */
};

struct load_plan {
	struct load_file files[LOAD_FILES_MAX];
	size_t count;
};

struct load_plan_options {
	const struct positionals *paths; /* files; of a directory every .csv and .tsv in it */
	const char *table; /* of the only file; NULL: the file's name */
	const char *delimiter;
	const struct text_list
		*types; /* [TABLE.]COLUMN:TYPE, several in one text separated by commas */
	const struct text_list *keys; /* [TABLE.]COLUMN, likewise */
};

/* Opens the files and names tables and columns. -1 to go on, else the exit code, what is wrong said. Free it all the same. */
int load_plan_make(struct load_plan *plan, const struct load_plan_options *options);
/* Reads every file to its end: checks each record, infers types, counts rows. -1 or the exit code. */
int load_plan_read(struct load_plan *plan, struct progress *progress);
void load_plan_free(struct load_plan *plan); /* takes a zeroed one */
/* The line where row `row` (from 1) of a file begins; 0: there is none. */
uint64_t load_file_line(struct load_file *file, uint64_t row);
