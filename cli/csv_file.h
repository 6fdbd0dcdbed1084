/* csv_file.h - a CSV file on disk, record by record, as often as need be; its first record names the columns. One thread. */
#pragma once
#include "proto/csv.h"

struct csv_file;

enum {
	CSV_FILE_E_END = 1,
	CSV_FILE_E_BROKEN, /* what stands here is no such file: the error names it with the line */
};

struct csv_file_error {
	char text[512];
};

/* Reads the columns' names. 0, CSV_FILE_E_BROKEN or -errno, each with the error set. */
int csv_file_open(
	const char *path, char delimiter, struct csv_file **ret_file, struct csv_file_error *error);
struct csv_file *csv_file_free(struct csv_file *file);
uint32_t csv_file_column_count(const struct csv_file *file);
const char *csv_file_column(const struct csv_file *file, uint32_t index); /* lives with the file */
/* What was read of it so far, 0 … 1. */
double csv_file_share(const struct csv_file *file);

/* A record has as many cells as there are columns, all of them text (utf8.h). 0, CSV_FILE_E_*, or -errno with the error set. */
int csv_file_next(
	struct csv_file *file, struct csv_record *ret_record, struct csv_file_error *error);
/* The next record is the first behind the names again. */
int csv_file_rewind(struct csv_file *file, struct csv_file_error *error);
