/* csv.h - RFC 4180, fed in pieces of any size: quotes, doubled quotes, line ends within quotes, CRLF or LF, a byte order
 * mark. Empty lines are no records. Pure. One thread. */
#pragma once
#include "proto/slice.h"

/* A record larger than an event may be would be refused anyway; the reader skips it to its end. */
enum { CSV_RECORD_SIZE_MAX = 256 * 1024, CSV_CELLS_MAX = 1024 };

enum csv_result {
	CSV_MORE, /* all input is used up; feed more, or end */
	CSV_RECORD,
	CSV_BROKEN, /* this record is no CSV: record.why; reading goes on behind it */
};

struct csv;

/* Borrowed until the next csv_read. */
struct csv_record {
	const struct slice *cells;
	uint32_t count;
	uint64_t line; /* of its first character, from 1 */
	const char *why; /* CSV_BROKEN: a sentence's end, "has a quote that is never closed" */
	bool is_open; /* CSV_BROKEN: that very one */
};

int csv_new(char delimiter, struct csv **ret_csv); /* 0 or -ENOMEM */
struct csv *csv_free(struct csv *csv);
/* Forgets what it is in the middle of: what comes next begins a record. A byte order mark is looked for at the start of
 * a file only; lines count from 1 again. */
void csv_restart(struct csv *csv, bool at_file_start);
/* Reads from *input, which is moved on. With `last` the input's end ends the record too. */
enum csv_result csv_read(
	struct csv *csv, struct slice *input, bool last, struct csv_record *ret_record);
