#include "cli/report_file.h"
#include "cli/session.h"
#include "proto/csv.h"
#include "proto/limits.h"
#include "runtime/program.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { PIECE_SIZE = 64 * 1024 };

struct report_file {
	const char *command, *path;
	struct receipts *receipts;
	bool has_names;
	uint32_t cell_count, id_at, amount_at;
};

static int refuse(const struct report_file *file, uint64_t line, const char *why)
{
	say(file->command, "%s:%" PRIu64 ": %s", file->path, line, why);
	return -EINVAL;
}

static int take_names(struct report_file *file, const struct csv_record *record)
{
	file->cell_count = file->id_at = file->amount_at = record->count;
	for (uint32_t i = 0; i < record->count; i++) {
		if (slice_equals_text(record->cells[i], "order_id")) {
			file->id_at = i;
		} else if (slice_equals_text(record->cells[i], "amount")) {
			file->amount_at = i;
		}
	}
	file->has_names = true;
	return file->id_at < record->count && file->amount_at < record->count
		       ? 0
		       : refuse(file, record->line, "the first line must name order_id and amount");
}

static int take_record(struct report_file *file, const struct csv_record *record)
{
	int64_t micros = 0;

	if (!file->has_names) {
		return take_names(file, record);
	}
	if (record->count != file->cell_count) {
		return refuse(file, record->line, "another number of cells than the first line");
	}
	struct slice id = record->cells[file->id_at];
	if (id.size == 0 || id.size > ID_SIZE_MAX) {
		return refuse(file, record->line, "order_id has 1 to 128 bytes");
	}
	if (money_parse_text(record->cells[file->amount_at], &micros) != 0) {
		return refuse(file, record->line, "amount is no amount, such as 12.50");
	}
	int r = receipts_add(file->receipts, id, micros);
	return r == -ENOSPC ? refuse(file, record->line, "more than a million lines") : r;
}

static int take_piece(struct report_file *file, struct csv *csv, struct slice piece, bool last)
{
	struct csv_record record;
	int r = 0;

	while (r == 0) {
		enum csv_result result = csv_read(csv, &piece, last, &record);
		if (result == CSV_MORE) {
			return 0;
		}
		r = result == CSV_RECORD ? take_record(file, &record)
					 : refuse(file, record.line, record.why);
	}
	return r;
}

static int read_all(struct report_file *file, FILE *in)
{
	static uint8_t piece[PIECE_SIZE];
	struct csv *csv = NULL;
	bool last = false;

	int r = csv_new(',', &csv);
	while (r == 0 && !last) {
		size_t size = fread(piece, 1, sizeof piece, in);
		last = size < sizeof piece;
		r = ferror(in) ? -EIO : take_piece(file, csv, slice_of(piece, size), last);
	}
	csv_free(csv);
	return r == 0 && !file->has_names ? refuse(file, 1, "is empty") : r;
}

int report_file_read(const char *command, const char *path, struct receipts *receipts)
{
	struct report_file file = {.command = command, .path = path, .receipts = receipts};
	FILE *in = fopen(path, "rbe");

	if (in == NULL) {
		say(command, "%s: %s", path, strerror(errno));
		return EXIT_USAGE;
	}
	int r = read_all(&file, in);
	fclose(in);
	if (r == 0) {
		r = receipts_settle(receipts);
	}
	if (r < 0 && r != -EINVAL) {
		say(command, "%s: %s", path, strerror(-r));
	}
	return r == 0 ? -1 : r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}
