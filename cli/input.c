#include "cli/input.h"

#include "proto/csv.h"
#include "proto/event.h"
#include "proto/limits.h"
#include "runtime/suggest.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Deeper than any event may be, and far less deep than what would spoil a whole frame. */
	DEPTH_MAX = 64,
	PENDING_SIZE_MAX = 16 * 1024 * 1024,
};

struct input {
	enum input_format format;
	struct mapping *mapping;
	struct csv *csv;
	struct document document;
	struct buffer pending; /* fed and not yet read */
	size_t at; /* in pending */
	size_t scanned; /* NDJSON: up to here there is no line's end */
	bool ended;
	bool skipping; /* NDJSON: within a line that is too long */
	uint64_t number;
	uint64_t line;
	struct buffer event;
};

int input_new_take(
	enum input_format format, char delimiter, struct mapping *mapping, struct input **ret_input)
{
	struct input *input = calloc(1, sizeof *input);
	if (input == NULL) {
		mapping_free(mapping);
		return -ENOMEM;
	}
	input->format = format;
	input->mapping = mapping;
	input->line = 1;
	buffer_init(&input->pending, PENDING_SIZE_MAX);
	buffer_init(&input->event, FRAME_SIZE_MAX);
	int r = csv_new(delimiter, &input->csv);
	if (r == 0) {
		r = document_init(&input->document, EVENT_NODES_MAX);
	}
	if (r != 0) {
		input_free(input);
		return r;
	}
	*ret_input = input;
	return 0;
}

struct input *input_free(struct input *input)
{
	if (input != NULL) {
		mapping_free(input->mapping);
		csv_free(input->csv);
		document_deinit(&input->document);
		buffer_deinit(&input->pending);
		buffer_deinit(&input->event);
		free(input);
	}
	return NULL;
}

enum encoding input_encoding(const struct input *input)
{
	return input->format == INPUT_NDJSON ? ENCODING_JSON : ENCODING_MSGPACK;
}

int input_feed(struct input *input, struct slice bytes)
{
	size_t left = input->pending.size - input->at;

	if (left > 0) {
		memmove(input->pending.bytes, input->pending.bytes + input->at, left);
	}
	buffer_truncate(&input->pending, left);
	input->scanned -= input->at < input->scanned ? input->at : input->scanned;
	input->at = 0;
	buffer_append(&input->pending, bytes.bytes, bytes.size);
	return input->pending.error;
}

void input_end(struct input *input)
{
	input->ended = true;
}

static struct slice rest_of(const struct input *input)
{
	return slice_of(input->pending.bytes + input->at, input->pending.size - input->at);
}

static int need_more(const struct input *input)
{
	return input->ended ? INPUT_E_END : INPUT_E_MORE;
}

static void begin_record(struct input *input, struct input_record *record, uint64_t line)
{
	*record = (struct input_record){.number = ++input->number, .line = line};
	buffer_clear(&input->event);
}

__attribute__((format(printf, 2, 3))) static void set_invalid(
	struct input_record *record, const char *format, ...)
{
	va_list arguments;

	record->state = RECORD_INVALID;
	va_start(arguments, format);
	vsnprintf(record->why, sizeof record->why, format, arguments);
	va_end(arguments);
}

/* What mapping_row and mapping_map say of a record. */
static int judge(struct input *input, int r, struct input_record *record)
{
	if (r == MAPPING_E_UNWANTED) {
		record->state = RECORD_UNWANTED;
	} else if (r == -EMSGSIZE) {
		set_invalid(record, "is larger than a frame may be");
	} else if (r < 0) {
		return r;
	}
	record->event = buffer_slice(&input->event);
	return 0;
}

static int read_row(struct input *input, const struct csv_record *row, struct input_record *record)
{
	uint32_t columns = mapping_columns(input->mapping);

	begin_record(input, record, row->line);
	if (row->why != NULL) {
		set_invalid(record, "%s", row->why);
		return 0;
	}
	int r = mapping_row(input->mapping, row->cells, row->count, &input->event);
	if (r == MAPPING_E_CELLS) {
		set_invalid(record, "has %u cell%s, the first line has %u", (unsigned)row->count,
			row->count == 1 ? "" : "s", (unsigned)columns);
		return 0;
	}
	return judge(input, r, record);
}

/* "no column "Quantty"": the nearest one that is there stands behind it. */
static void suggest_column(const struct mapping *mapping, struct pairs_error *error)
{
	struct slice missing = mapping_missing(mapping);
	struct suggestion suggestion = {
		.word = (const char *)missing.bytes, .word_size = missing.size};

	if (missing.size == 0) {
		return;
	}
	for (uint32_t i = 0; i < mapping_columns(mapping); i++) {
		struct slice column = mapping_column(mapping, i);
		suggestion_offer_bytes(&suggestion, (const char *)column.bytes, column.size);
	}
	if (suggestion.best != NULL) {
		size_t size = strlen(error->text);
		snprintf(error->text + size, sizeof error->text - size, "; did you mean \"%.*s\"?",
			(int)suggestion.best_size, suggestion.best);
	}
}

static int next_csv(struct input *input, struct input_record *record, struct pairs_error *error)
{
	struct slice rest = rest_of(input);
	struct csv_record row;

	for (;;) {
		enum csv_result result = csv_read(input->csv, &rest, input->ended, &row);
		input->at = input->pending.size - rest.size;
		if (result == CSV_MORE) {
			return need_more(input);
		}
		if (mapping_columns(input->mapping) > 0) {
			return read_row(input, &row, record);
		}
		if (result == CSV_BROKEN) {
			snprintf(error->text, sizeof error->text,
				"line %llu, which should name the columns, %s",
				(unsigned long long)row.line, row.why);
			return -EINVAL;
		}
		int r = mapping_bind(input->mapping, row.cells, row.count, error);
		if (r == -EINVAL) {
			suggest_column(input->mapping, error);
		}
		if (r != 0) {
			return r;
		}
	}
}

static bool is_blank(struct slice line)
{
	for (size_t i = 0; i < line.size; i++) {
		if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r') {
			return false;
		}
	}
	return true;
}

/* A whole line without its end; false when the end has not been fed. */
static bool cut_line(struct input *input, struct slice *ret_line)
{
	struct slice rest = rest_of(input);
	size_t from = input->scanned > input->at ? input->scanned - input->at : 0;
	const uint8_t *end =
		rest.size > from ? memchr(rest.bytes + from, '\n', rest.size - from) : NULL;

	if (end == NULL) {
		input->scanned = input->pending.size;
		if (!input->ended || rest.size == 0) {
			return false;
		}
		end = rest.bytes + rest.size;
		input->at = input->pending.size;
	} else {
		input->at += (size_t)(end - rest.bytes) + 1;
	}
	*ret_line = slice_of(rest.bytes, (size_t)(end - rest.bytes));
	return true;
}

static int decode_and_map(struct input *input, struct slice bytes, struct input_record *record)
{
	struct complaint complaint;

	int r = document_decode(
		&input->document, input_encoding(input), bytes, DEPTH_MAX, &complaint);
	if (r > 0) {
		set_invalid(record, "%.*s", (int)sizeof record->why - 1, complaint.message);
		return 0;
	}
	if (r < 0) {
		return r;
	}
	return judge(input, mapping_map(input->mapping, &input->document, &input->event), record);
}

/* Forgets the line's part that is here, so that a line without end takes no memory. */
static void skip_long_line(struct input *input)
{
	if (rest_of(input).size > EVENT_RAW_SIZE_MAX) {
		input->skipping = true;
		input->at = input->pending.size;
	}
}

static int next_json(struct input *input, struct input_record *record)
{
	struct slice line;

	for (;;) {
		if (!cut_line(input, &line)) {
			skip_long_line(input);
			if (input->ended && input->skipping) {
				line = (struct slice){NULL, 0};
			} else {
				return need_more(input);
			}
		}
		uint64_t number = input->line++;
		bool too_long = input->skipping || line.size > EVENT_RAW_SIZE_MAX;
		input->skipping = false;
		if (!too_long && is_blank(line)) {
			continue;
		}
		begin_record(input, record, number);
		if (too_long) {
			set_invalid(record, "is larger than 256 KiB");
			return 0;
		}
		return decode_and_map(input, line, record);
	}
}

static int next_msgpack(struct input *input, struct input_record *record, struct pairs_error *error)
{
	struct slice rest = rest_of(input);
	struct slice event;
	size_t size = rest.size;

	if (size == 0) {
		return need_more(input);
	}
	if (!event_cut(&rest, &event)) {
		if (!input->ended && size <= FRAME_SIZE_MAX) {
			return INPUT_E_MORE;
		}
		snprintf(error->text, sizeof error->text,
			"behind record %llu: not msgpack, or cut short",
			(unsigned long long)input->number);
		return -EINVAL;
	}
	input->at += event.size;
	begin_record(input, record, 0);
	if (event.size > EVENT_RAW_SIZE_MAX) {
		set_invalid(record, "is larger than 256 KiB");
		return 0;
	}
	return decode_and_map(input, event, record);
}

int input_next(struct input *input, struct input_record *ret_record, struct pairs_error *error)
{
	switch (input->format) {
	case INPUT_CSV:
		return next_csv(input, ret_record, error);
	case INPUT_NDJSON:
		return next_json(input, ret_record);
	case INPUT_MSGPACK:
		break;
	}
	return next_msgpack(input, ret_record, error);
}
