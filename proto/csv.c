#include "proto/csv.h"

#include <errno.h>
#include <stdlib.h>

enum { BYTE_ORDER_MARK_SIZE = 3 };

enum state {
	AT_RECORD_START,
	AT_CELL_START,
	IN_CELL,
	IN_QUOTES,
	AFTER_QUOTE, /* a quote within quotes: the end, or the first half of a doubled one */
	IN_RUBBISH, /* behind a closing quote: to the line's end */
};

struct csv {
	char delimiter;
	enum state state;
	uint64_t line; /* of the next character */
	uint64_t record_line;
	uint32_t
		bom_seen; /* bytes of the byte order mark read so far; all: the mark is behind us */
	const char *why; /* NULL while the record is well */
	bool is_open; /* the input ended within quotes */
	bool have_return; /* a CR that may belong to a CRLF */
	uint8_t *text; /* CSV_RECORD_SIZE_MAX bytes */
	size_t text_size;
	uint32_t count; /* cells ended */
	size_t ends[CSV_CELLS_MAX];
	struct slice cells[CSV_CELLS_MAX];
};

int csv_new(char delimiter, struct csv **ret_csv)
{
	struct csv *csv = calloc(1, sizeof *csv);
	if (csv == NULL) {
		return -ENOMEM;
	}
	csv->text = malloc(CSV_RECORD_SIZE_MAX);
	if (csv->text == NULL) {
		return csv_free(csv), -ENOMEM;
	}
	csv->delimiter = delimiter;
	csv->line = 1;
	*ret_csv = csv;
	return 0;
}

struct csv *csv_free(struct csv *csv)
{
	if (csv != NULL) {
		free(csv->text);
		free(csv);
	}
	return NULL;
}

void csv_restart(struct csv *csv, bool at_file_start)
{
	csv->state = AT_RECORD_START;
	csv->have_return = false;
	csv->why = NULL;
	csv->is_open = false;
	csv->text_size = 0;
	csv->count = 0;
	csv->line = 1;
	csv->bom_seen = at_file_start ? 0 : BYTE_ORDER_MARK_SIZE;
}

static void add_byte(struct csv *csv, uint8_t byte)
{
	if (csv->text_size < CSV_RECORD_SIZE_MAX) {
		csv->text[csv->text_size++] = byte;
	} else {
		csv->why = "is larger than 256 KiB";
	}
}

static void end_cell(struct csv *csv)
{
	if (csv->count < CSV_CELLS_MAX) {
		csv->ends[csv->count++] = csv->text_size;
	} else {
		csv->why = "has more than 1,024 cells";
	}
	csv->state = AT_CELL_START;
}

/* A byte that is neither a line's end nor within quotes. */
static void take_plain(struct csv *csv, uint8_t byte)
{
	if (byte == (uint8_t)csv->delimiter) {
		end_cell(csv);
	} else if (byte == '"' && csv->state != IN_CELL) {
		csv->state = IN_QUOTES;
	} else {
		csv->state = IN_CELL;
		add_byte(csv, byte);
	}
}

static void take_rubbish(struct csv *csv)
{
	csv->why = "has text behind a closing quote";
	csv->state = IN_RUBBISH;
}

static void take_after_quote(struct csv *csv, uint8_t byte)
{
	if (byte == '"') {
		csv->state = IN_QUOTES;
		add_byte(csv, byte);
	} else if (byte == (uint8_t)csv->delimiter) {
		end_cell(csv);
	} else {
		take_rubbish(csv);
	}
}

/* One byte; true when it ends the record. */
static bool take(struct csv *csv, uint8_t byte)
{
	if (csv->state == IN_QUOTES) {
		if (byte == '"') {
			csv->state = AFTER_QUOTE;
		} else {
			add_byte(csv, byte);
		}
		return false;
	}
	if (byte == '\n') {
		csv->have_return = false;
		return true;
	}
	if (csv->have_return) { /* a CR that was no line's end is text */
		csv->have_return = false;
		if (csv->state == AFTER_QUOTE) {
			take_rubbish(csv);
		} else if (csv->state != IN_RUBBISH) {
			csv->state = IN_CELL;
			add_byte(csv, '\r');
		}
	}
	if (byte == '\r') {
		csv->have_return = true;
	} else if (csv->state == AFTER_QUOTE) {
		take_after_quote(csv, byte);
	} else if (csv->state != IN_RUBBISH) {
		take_plain(csv, byte);
	}
	return false;
}

static void begin_record(struct csv *csv)
{
	csv->record_line = csv->line;
	csv->text_size = 0;
	csv->count = 0;
	csv->why = NULL;
	csv->is_open = false;
	csv->have_return = false;
	csv->state = AT_RECORD_START;
}

static enum csv_result end_record(struct csv *csv, struct csv_record *ret_record)
{
	size_t start = 0;

	if (csv->why == NULL) {
		end_cell(csv);
	}
	csv->state = AT_RECORD_START;
	if (csv->why != NULL) {
		*ret_record = (struct csv_record){
			.line = csv->record_line, .why = csv->why, .is_open = csv->is_open};
		return CSV_BROKEN;
	}
	for (uint32_t i = 0; i < csv->count; i++) {
		csv->cells[i] = slice_of(csv->text + start, csv->ends[i] - start);
		start = csv->ends[i];
	}
	*ret_record = (struct csv_record){csv->cells, csv->count, csv->record_line, NULL, false};
	return CSV_RECORD;
}

/* The first bytes of a file may be a byte order mark, and a piece may end within it. True: the byte was part of it. */
static bool is_byte_order_mark(struct csv *csv, uint8_t byte)
{
	static const uint8_t mark[BYTE_ORDER_MARK_SIZE] = {0xef, 0xbb, 0xbf};

	if (csv->bom_seen == sizeof mark || byte != mark[csv->bom_seen]) {
		for (uint32_t i = 0; csv->bom_seen < sizeof mark && i < csv->bom_seen; i++) {
			(void)take(csv, mark[i]); /* half a mark is text */
		}
		csv->bom_seen = sizeof mark;
		return false;
	}
	csv->bom_seen++;
	return true;
}

static enum csv_result end_input(struct csv *csv, struct csv_record *ret_record)
{
	if (csv->state == AT_RECORD_START) {
		return CSV_MORE;
	}
	if (csv->state == IN_QUOTES) {
		csv->why = "has a quote that is never closed";
		csv->is_open = true;
	}
	return end_record(csv, ret_record);
}

enum csv_result csv_read(
	struct csv *csv, struct slice *input, bool last, struct csv_record *ret_record)
{
	while (input->size > 0) {
		uint8_t byte = *input->bytes;
		*input = slice_of(input->bytes + 1, input->size - 1);
		if (csv->state == AT_RECORD_START && !csv->have_return) {
			begin_record(csv);
		}
		if (csv->bom_seen < BYTE_ORDER_MARK_SIZE && is_byte_order_mark(csv, byte)) {
			continue;
		}
		bool empty = csv->state == AT_RECORD_START;
		bool ends = take(csv, byte);
		csv->line += byte == '\n';
		if (ends && !empty) {
			return end_record(csv, ret_record);
		}
	}
	return last ? end_input(csv, ret_record) : CSV_MORE;
}
