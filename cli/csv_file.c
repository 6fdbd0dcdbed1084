#include "cli/csv_file.h"

#include "proto/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_SIZE = 256 * 1024 };

struct csv_file {
	const char *path;
	int fd;
	struct csv *csv;
	char **columns; /* owned, each too */
	uint32_t column_count;
	uint64_t size;
	uint64_t bytes_read;
	bool is_over;
	struct slice left; /* of the piece */
	uint8_t piece[PIECE_SIZE];
};

static int fail_errno(const struct csv_file *file, int r, struct csv_file_error *error)
{
	snprintf(error->text, sizeof error->text, "%s: %s", file->path, strerror(-r));
	return r;
}

static int fail_line(
	const struct csv_file *file, uint64_t line, const char *why, struct csv_file_error *error)
{
	snprintf(error->text, sizeof error->text, "%s:%llu: this line %s", file->path,
		(unsigned long long)line, why);
	return CSV_FILE_E_BROKEN;
}

static int read_piece(struct csv_file *file, struct csv_file_error *error)
{
	ssize_t size;

	do {
		size = read(file->fd, file->piece, sizeof file->piece);
	} while (size < 0 && errno == EINTR);
	if (size < 0) {
		return fail_errno(file, -errno, error);
	}
	file->bytes_read += (uint64_t)size;
	file->is_over = size == 0;
	file->left = slice_of(file->piece, (size_t)size);
	return 0;
}

static int read_record(
	struct csv_file *file, struct csv_record *ret_record, struct csv_file_error *error)
{
	for (;;) {
		enum csv_result result =
			csv_read(file->csv, &file->left, file->is_over, ret_record);
		if (result == CSV_RECORD) {
			return 0;
		}
		if (result == CSV_BROKEN) {
			return fail_line(file, ret_record->line, ret_record->why, error);
		}
		if (file->is_over) {
			return CSV_FILE_E_END;
		}
		int r = read_piece(file, error);
		if (r < 0) {
			return r;
		}
	}
}

static int check_record(
	const struct csv_file *file, const struct csv_record *record, struct csv_file_error *error)
{
	char why[128];

	if (record->count != file->column_count) {
		snprintf(why, sizeof why, "has %u cells where the first line names %u columns",
			(unsigned)record->count, (unsigned)file->column_count);
		return fail_line(file, record->line, why, error);
	}
	for (uint32_t i = 0; i < record->count; i++) {
		if (!utf8_is_valid(record->cells[i])) {
			snprintf(why, sizeof why, "is no UTF-8 text in column %.64s",
				file->columns[i]);
			return fail_line(file, record->line, why, error);
		}
	}
	return 0;
}

static int keep_columns(
	struct csv_file *file, const struct csv_record *record, struct csv_file_error *error)
{
	file->columns = calloc(record->count, sizeof *file->columns);
	for (uint32_t i = 0; file->columns != NULL && i < record->count; i++) {
		struct slice name = record->cells[i];
		if (name.size == 0 || !utf8_is_valid(name)) {
			return fail_line(file, record->line,
				"must name the columns, each by a UTF-8 text", error);
		}
		file->columns[i] = strndup((const char *)name.bytes, name.size);
		if (file->columns[i] == NULL) {
			break;
		}
		file->column_count++;
	}
	return file->column_count == record->count ? 0 : fail_errno(file, -ENOMEM, error);
}

static int read_names(struct csv_file *file, struct csv_file_error *error)
{
	struct csv_record record;
	struct stat stat;

	if (fstat(file->fd, &stat) < 0) {
		return fail_errno(file, -errno, error);
	}
	if (!S_ISREG(stat.st_mode)) { /* it is read twice */
		snprintf(error->text, sizeof error->text, "%s: is no plain file", file->path);
		return CSV_FILE_E_BROKEN;
	}
	file->size = (uint64_t)stat.st_size;
	int r = read_record(file, &record, error);
	if (r == CSV_FILE_E_END) {
		snprintf(error->text, sizeof error->text,
			"%s: is empty; its first line must name the columns", file->path);
		return CSV_FILE_E_BROKEN;
	}
	return r == 0 ? keep_columns(file, &record, error) : r;
}

int csv_file_open(
	const char *path, char delimiter, struct csv_file **ret_file, struct csv_file_error *error)
{
	struct csv_file *file = calloc(1, sizeof *file);
	int r = file != NULL ? 0 : -ENOMEM;

	if (r < 0) {
		return snprintf(error->text, sizeof error->text, "%s: %s", path, strerror(-r)), r;
	}
	file->path = path;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	r = file->fd < 0 ? -errno : csv_new(delimiter, &file->csv);
	r = r < 0 ? fail_errno(file, r, error) : read_names(file, error);
	if (r != 0) {
		return csv_file_free(file), r;
	}
	*ret_file = file;
	return 0;
}

struct csv_file *csv_file_free(struct csv_file *file)
{
	if (file != NULL) {
		for (uint32_t i = 0; i < file->column_count; i++) {
			free(file->columns[i]);
		}
		free(file->columns);
		csv_free(file->csv);
		if (file->fd >= 0) {
			close(file->fd);
		}
		free(file);
	}
	return NULL;
}

uint32_t csv_file_column_count(const struct csv_file *file)
{
	return file->column_count;
}

const char *csv_file_column(const struct csv_file *file, uint32_t index)
{
	return file->columns[index];
}

double csv_file_share(const struct csv_file *file)
{
	return file->size == 0 ? 1 : (double)file->bytes_read / (double)file->size;
}

int csv_file_next(
	struct csv_file *file, struct csv_record *ret_record, struct csv_file_error *error)
{
	struct csv_record record;
	int r = read_record(file, &record, error);

	if (r == 0) {
		r = check_record(file, &record, error);
	}
	if (r == 0) {
		*ret_record = record;
	}
	return r;
}

int csv_file_rewind(struct csv_file *file, struct csv_file_error *error)
{
	struct csv_record names;

	if (lseek(file->fd, 0, SEEK_SET) < 0) {
		return fail_errno(file, -errno, error);
	}
	csv_restart(file->csv, true);
	file->is_over = false;
	file->bytes_read = 0;
	file->left = slice_of(NULL, 0);
	return read_record(file, &names, error);
}
