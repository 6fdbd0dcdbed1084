/* json.c - decodes JSON (RFC 8259), strictly. Numbers stay digits; text without escapes stays where it is. The
 * containers that are open are kept in an array, so that nothing recurses. */
#include <errno.h>
#include <stdlib.h>

#include "proto/decimal.h"
#include "proto/document_build.h"
#include "proto/eight.h"
#include "proto/utf8.h"

struct reader {
	struct document *document;
	struct complaint *complaint;
	const uint8_t *begin;
	const uint8_t *at;
	const uint8_t *end;
	uint32_t depth;
	uint32_t depth_max;
	uint32_t open[DOCUMENT_DEPTH_MAX]; /* nodes of the open containers, the innermost last */
};

static int fail(struct reader *reader, const char *what)
{
	complaint_set(reader->complaint, REASON_BAD_FRAME, "", "JSON: %s at byte %zu", what,
		(size_t)(reader->at - reader->begin));
	return REASON_BAD_FRAME;
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
						   *reader->at == '\r' || *reader->at == '\t')) {
		reader->at++;
	}
}

static bool skip(struct reader *reader, uint8_t byte)
{
	bool found = reader->at < reader->end && *reader->at == byte;
	reader->at += found ? 1 : 0;
	return found;
}

static inline struct node *add(struct reader *reader, enum node_type type, int *ret_error)
{
	return document_add(reader->document, type, reader->at, reader->complaint, ret_error);
}

static int read_literal(struct reader *reader)
{
	static const struct literal {
		const char *word;
		enum node_type type;
		bool value;
	} literals[] = {
		{"true", NODE_BOOL, true}, {"false", NODE_BOOL, false}, {"null", NODE_NIL, false}};
	size_t left = (size_t)(reader->end - reader->at);

	for (size_t i = 0; i < 3; i++) {
		size_t size = strlen(literals[i].word);
		if (left >= size && memcmp(reader->at, literals[i].word, size) == 0) {
			int r = 0;
			struct node *node = add(reader, literals[i].type, &r);
			if (node == NULL) {
				return r;
			}
			node->boolean = literals[i].value;
			node->raw.size = size;
			reader->at += size;
			return 0;
		}
	}
	return fail(reader, "no value");
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at >= '0' && *at <= '9') {
		at++;
	}
	return at;
}

static bool is_number_byte(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || byte == '.' || byte == 'e' || byte == 'E' ||
	       byte == '+' || byte == '-';
}

/* A number's characters; empty when they are none. */
static struct slice cut_number(const struct reader *reader)
{
	const uint8_t *first = reader->at + (*reader->at == '-' ? 1 : 0);
	const uint8_t *last = skip_digits(first, reader->end);
	struct decimal decimal;

	/* most numbers are plain integers, and need no second look */
	if (last > first && *first != '0' && (last == reader->end || !is_number_byte(*last))) {
		return slice_of(reader->at, (size_t)(last - reader->at));
	}
	while (last < reader->end && is_number_byte(*last)) {
		last++;
	}
	struct slice digits = slice_of(reader->at, (size_t)(last - reader->at));
	return decimal_parse(digits, &decimal) ? digits : slice_of(reader->at, 0);
}

static int read_number(struct reader *reader)
{
	struct slice digits = cut_number(reader);
	int r = 0;

	if (digits.size == 0) {
		return fail(reader, "no value");
	}
	if (digits.size > JSON_NUMBER_SIZE_MAX) {
		complaint_set(reader->complaint, REASON_BAD_VALUE, "",
			"a number of %zu characters; %d are the most", digits.size,
			JSON_NUMBER_SIZE_MAX);
		return REASON_BAD_VALUE;
	}
	struct node *node = add(reader, NODE_NUMBER, &r);
	if (node == NULL) {
		return r;
	}
	node->text = digits;
	node->raw = digits;
	reader->at += digits.size;
	return 0;
}

/* Unescaped text is never longer than the input: one allocation before the first, so that slices into it stay. */
static int reserve_text(struct reader *reader)
{
	struct document *document = reader->document;
	size_t size = (size_t)(reader->end - reader->begin);

	if (document->text_capacity >= size) {
		return 0;
	}
	uint8_t *text = realloc(document->text, size);
	if (text == NULL) {
		return -ENOMEM;
	}
	document->text = text;
	document->text_capacity = size;
	return 0;
}

static bool read_hex4(struct reader *reader, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	if (reader->end - reader->at < 4) {
		return false;
	}
	for (int i = 0; i < 4; i++) {
		uint32_t c = reader->at[i];
		uint32_t lower = c | 0x20;
		if (c >= '0' && c <= '9') {
			unit = unit << 4 | (c - '0');
		} else if (lower >= 'a' && lower <= 'f') {
			unit = unit << 4 | (lower - 'a' + 10);
		} else {
			return false;
		}
	}
	reader->at += 4;
	*ret_unit = unit;
	return true;
}

static bool is_surrogate(uint32_t unit, uint32_t first)
{
	return unit >= first && unit < first + 0x400;
}

/* After "\u": four digits, and for a high surrogate the low one too. NUL and lone surrogates are refused. */
static bool read_code_point(struct reader *reader, uint32_t *ret_code_point)
{
	uint32_t unit = 0;
	uint32_t low = 0;

	if (!read_hex4(reader, &unit) || unit == 0 || is_surrogate(unit, 0xdc00)) {
		return false;
	}
	if (is_surrogate(unit, 0xd800)) {
		if (!skip(reader, '\\') || !skip(reader, 'u') || !read_hex4(reader, &low) ||
			!is_surrogate(low, 0xdc00)) {
			return false;
		}
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	}
	*ret_code_point = unit;
	return true;
}

static uint8_t *put_code_point(uint8_t *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (uint8_t)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (uint8_t)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (uint8_t)(0xe0 | c >> 12);
		} else {
			*out++ = (uint8_t)(0xf0 | c >> 18);
			*out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (uint8_t)(0x80 | (c & 0x3f));
	return out;
}

/* At the character after a backslash; NULL when there is no such escape. */
static uint8_t *read_escape(struct reader *reader, uint8_t *out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	uint32_t code_point = 0;

	if (reader->at == reader->end || *reader->at == '\0') {
		return NULL;
	}
	if (skip(reader, 'u')) {
		return read_code_point(reader, &code_point) ? put_code_point(out, code_point)
							    : NULL;
	}
	const char *found = strchr(from, *reader->at);
	if (found == NULL) {
		return NULL;
	}
	reader->at++;
	*out++ = (uint8_t)to[found - from];
	return out;
}

/* Moves to what ends a run of plain text: the quote, the backslash or a control character. */
static void skip_plain(struct reader *reader)
{
	const uint8_t *at = reader->at;

	for (; reader->end - at >= 8; at += 8) {
		uint64_t eight = eight_load(at);
		uint64_t hits = eight_below(eight, 0x20) | eight_equal(eight, '"') |
				eight_equal(eight, '\\');
		if (hits != 0) {
			reader->at = at + eight_first(hits);
			return;
		}
	}
	while (at < reader->end && *at != '"' && *at != '\\' && *at >= 0x20) {
		at++;
	}
	reader->at = at;
}

/* From the first backslash on: the plain text before it, from `run` on, is copied too. */
static int unescape(struct reader *reader, const uint8_t *run, struct slice *ret_text)
{
	int r = reserve_text(reader);
	if (r != 0) {
		return r;
	}
	uint8_t *first = reader->document->text + reader->document->text_size;
	uint8_t *out = first;

	for (;;) {
		size_t size = (size_t)(reader->at - run);
		memcpy(out, run, size);
		out += size;
		if (!skip(reader, '\\')) {
			break;
		}
		out = read_escape(reader, out);
		if (out == NULL) {
			return fail(reader, "no such escape");
		}
		run = reader->at;
		skip_plain(reader);
	}
	*ret_text = slice_of(first, (size_t)(out - first));
	reader->document->text_size += ret_text->size;
	return 0;
}

static int read_text(struct reader *reader)
{
	const uint8_t *quote = reader->at;
	int r = 0;
	struct node *node = add(reader, NODE_TEXT, &r);

	if (node == NULL) {
		return r;
	}
	reader->at++;
	skip_plain(reader);
	node->text = slice_of(quote + 1, (size_t)(reader->at - quote - 1));
	if (reader->at < reader->end && *reader->at == '\\') {
		r = unescape(reader, quote + 1, &node->text);
		if (r != 0) {
			return r;
		}
	}
	if (!skip(reader, '"')) {
		return fail(reader, reader->at == reader->end ? "text without end"
							      : "a bare control character");
	}
	node->raw.size = (size_t)(reader->at - quote);
	if (!utf8_is_valid(node->text)) {
		return complain_not_text(reader->complaint, (size_t)(quote - reader->begin));
	}
	return 0;
}

static int open_container(struct reader *reader, enum node_type type)
{
	int r = 0;

	if (reader->depth == reader->depth_max) {
		return complain_too_deep(reader->complaint, reader->depth_max);
	}
	if (add(reader, type, &r) == NULL) {
		return r;
	}
	reader->open[reader->depth++] = reader->document->count - 1;
	reader->at++;
	return 0;
}

static struct node *innermost(const struct reader *reader)
{
	return &reader->document->nodes[reader->open[reader->depth - 1]];
}

static void close_container(struct reader *reader)
{
	struct node *node = innermost(reader);

	node->span = reader->document->count - reader->open[reader->depth - 1];
	node->raw.size = (size_t)(reader->at - node->raw.bytes);
	reader->depth--;
}

static int read_value(struct reader *reader)
{
	if (reader->at == reader->end) {
		return fail(reader, "cut short");
	}
	switch (*reader->at) {
	case '{':
		return open_container(reader, NODE_MAP);
	case '[':
		return open_container(reader, NODE_ARRAY);
	case '"':
		return read_text(reader);
	case 't':
	case 'f':
	case 'n':
		return read_literal(reader);
	default:
		return read_number(reader);
	}
}

static int read_key(struct reader *reader)
{
	if (reader->at == reader->end || *reader->at != '"') {
		return fail(reader, "no key in quotes");
	}
	int r = read_text(reader);
	if (r != 0) {
		return r;
	}
	skip_space(reader);
	if (!skip(reader, ':')) {
		return fail(reader, "no colon after a key");
	}
	skip_space(reader);
	return 0;
}

/* Between two values of the innermost container: its end, or what comes before the next value. */
static int read_between(struct reader *reader, bool *ret_is_closed)
{
	struct node *node = innermost(reader);
	bool is_map = node->type == NODE_MAP;

	skip_space(reader);
	if (skip(reader, is_map ? '}' : ']')) {
		close_container(reader);
		*ret_is_closed = true;
		return 0;
	}
	if (node->count > 0) {
		if (!skip(reader, ',')) {
			return fail(reader, reader->at == reader->end ? "cut short"
								      : "no comma between values");
		}
		skip_space(reader);
	}
	node->count++;
	*ret_is_closed = false;
	return is_map ? read_key(reader) : 0;
}

/* After a value: closes what ends here and stops before the next value, or at depth 0. */
static int finish_value(struct reader *reader)
{
	bool is_closed = true;
	int r = 0;

	while (r == 0 && is_closed && reader->depth > 0) {
		r = read_between(reader, &is_closed);
	}
	return r;
}

int json_decode(struct document *document, struct slice bytes, uint32_t depth_max,
	struct complaint *complaint)
{
	struct reader reader = {
		.document = document,
		.complaint = complaint,
		.begin = bytes.bytes,
		.at = bytes.bytes,
		.end = bytes.bytes + bytes.size,
		.depth_max = depth_max,
	};
	int r = 0;

	skip_space(&reader);
	do {
		r = read_value(&reader);
		if (r == 0) {
			r = finish_value(&reader);
		}
	} while (r == 0 && reader.depth > 0);
	if (r != 0) {
		return r;
	}
	skip_space(&reader);
	return reader.at == reader.end ? 0 : fail(&reader, "more text after the value");
}
