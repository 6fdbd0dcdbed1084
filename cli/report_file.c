#include "cli/report_file.h"
#include "cli/csv_file.h"
#include "cli/session.h"
#include "proto/limits.h"
#include "runtime/program.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Which cells of a record matter. */
struct columns {
	uint32_t id, amount;
};

static int refuse(const char *path, uint64_t line, const char *why, struct csv_file_error *error)
{
	snprintf(error->text, sizeof error->text, "%.300s:%" PRIu64 ": %s", path, line, why);
	return CSV_FILE_E_BROKEN;
}

static int find_columns(const struct csv_file *file, const char *path, struct columns *ret_columns,
	struct csv_file_error *error)
{
	uint32_t count = csv_file_column_count(file);
	struct columns columns = {count, count};

	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(csv_file_column(file, i), "order_id") == 0) {
			columns.id = i;
		} else if (strcmp(csv_file_column(file, i), "amount") == 0) {
			columns.amount = i;
		}
	}
	if (columns.id == count || columns.amount == count) {
		return refuse(path, 1, "the first line must name order_id and amount", error);
	}
	*ret_columns = columns;
	return 0;
}

static int take(const struct csv_record *record, const struct columns *columns, const char *path,
	struct receipts *receipts, struct csv_file_error *error)
{
	struct slice id = record->cells[columns->id];
	int64_t micros = 0;

	if (id.size == 0 || id.size > ID_SIZE_MAX) {
		return refuse(path, record->line, "order_id has 1 to 128 bytes", error);
	}
	if (money_parse_text(record->cells[columns->amount], &micros) != 0) {
		return refuse(path, record->line, "amount is no amount, such as 12.50", error);
	}
	int r = receipts_add(receipts, id, micros);
	return r == -ENOSPC ? refuse(path, record->line, "more than a million lines", error) : r;
}

static int read_all(struct csv_file *file, const char *path, struct receipts *receipts,
	struct csv_file_error *error)
{
	struct csv_record record;
	struct columns columns;

	int r = find_columns(file, path, &columns, error);
	while (r == 0) {
		r = csv_file_next(file, &record, error);
		if (r == 0) {
			r = take(&record, &columns, path, receipts, error);
		}
	}
	return r == CSV_FILE_E_END ? 0 : r;
}

int report_file_read(const char *command, const char *path, struct receipts *receipts)
{
	struct csv_file_error error = {.text = ""};
	struct csv_file *file = NULL;

	int r = csv_file_open(path, ',', &file, &error);
	if (r == 0) {
		r = read_all(file, path, receipts, &error);
	}
	csv_file_free(file);
	if (r == 0) {
		r = receipts_settle(receipts);
	}
	if (r != 0) {
		say(command, "%s", error.text[0] != '\0' ? error.text : strerror(-r));
	}
	return r == 0 ? -1 : r == CSV_FILE_E_BROKEN || r == -ENOENT ? EXIT_USAGE : EXIT_FAILED;
}
