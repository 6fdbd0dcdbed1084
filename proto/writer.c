#include "proto/writer.h"

#include <assert.h>
#include <errno.h>
#include <limits.h> /* pack.h needs CHAR_MIN and does not say so */
#include <math.h>
#include <msgpack/pack.h>
#include <stdio.h>
#include <stdlib.h>

/* The largest integer up to which every reader of JSON is exact: doubles hold no more. */
#define JSON_INTEGER_MAX (INT64_C(1) << 53)

static bool is_json(const struct writer *writer)
{
	return writer->encoding == ENCODING_JSON;
}

static int append(void *buffer, const char *bytes, size_t size)
{
	buffer_append(buffer, bytes, size);
	return 0;
}

static msgpack_packer packer_of(struct writer *writer)
{
	return (msgpack_packer){.data = writer->buffer, .callback = append};
}

void writer_init(struct writer *writer, enum encoding encoding, struct buffer *buffer)
{
	writer->encoding = encoding;
	writer->buffer = buffer;
	writer->depth = 0;
}

/* Before each value: what separates it from the one before. */
static void begin_value(struct writer *writer)
{
	if (writer->depth == 0) {
		return;
	}
	uint32_t top = writer->depth - 1;
	bool is_map = writer->stack[top].is_map;
	bool is_key = writer->stack[top].is_key;

	assert(writer->stack[top].left > 0);
	if (is_json(writer) && is_map && !is_key) {
		buffer_append_byte(writer->buffer, ':');
	} else if (is_json(writer) && !writer->stack[top].is_first) {
		buffer_append_byte(writer->buffer, ',');
	}
	writer->stack[top].is_first = false;
	writer->stack[top].is_key = is_map && !is_key;
	writer->stack[top].left--;
}

/* After each value: closes the containers of which it was the last. */
static void end_value(struct writer *writer)
{
	while (writer->depth > 0 && writer->stack[writer->depth - 1].left == 0) {
		writer->depth--;
		if (is_json(writer)) {
			buffer_append_byte(
				writer->buffer, writer->stack[writer->depth].is_map ? '}' : ']');
		}
	}
}

static void open_container(struct writer *writer, uint32_t values, bool is_map)
{
	assert(writer->depth < WRITER_DEPTH_MAX);
	if (writer->depth == WRITER_DEPTH_MAX) {
		writer->buffer->error = -EMSGSIZE;
		return;
	}
	writer->stack[writer->depth].left = values;
	writer->stack[writer->depth].is_map = is_map;
	writer->stack[writer->depth].is_key = is_map;
	writer->stack[writer->depth].is_first = true;
	writer->depth++;
	end_value(writer);
}

void write_map(struct writer *writer, uint32_t pairs)
{
	begin_value(writer);
	if (is_json(writer)) {
		buffer_append_byte(writer->buffer, '{');
	} else {
		msgpack_packer packer = packer_of(writer);
		msgpack_pack_map(&packer, pairs);
	}
	open_container(writer, 2 * pairs, true);
}

void write_array(struct writer *writer, uint32_t elements)
{
	begin_value(writer);
	if (is_json(writer)) {
		buffer_append_byte(writer->buffer, '[');
	} else {
		msgpack_packer packer = packer_of(writer);
		msgpack_pack_array(&packer, elements);
	}
	open_container(writer, elements, false);
}

void write_raw(struct writer *writer, struct slice encoded)
{
	begin_value(writer);
	buffer_append(writer->buffer, encoded.bytes, encoded.size);
	end_value(writer);
}

void write_nil(struct writer *writer)
{
	write_raw(writer, slice_of_text(is_json(writer) ? "null" : "\xc0"));
}

void write_bool(struct writer *writer, bool value)
{
	if (is_json(writer)) {
		write_raw(writer, slice_of_text(value ? "true" : "false"));
	} else {
		write_raw(writer, slice_of_text(value ? "\xc3" : "\xc2"));
	}
}

enum { DIGITS_MAX = 20 };

static struct slice format_unsigned(uint64_t value, char digits[DIGITS_MAX + 1])
{
	char *end = digits + DIGITS_MAX + 1;
	char *at = end;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return slice_of(at, (size_t)(end - at));
}

static struct slice format_integer(int64_t value, char digits[DIGITS_MAX + 1])
{
	struct slice text = format_unsigned(value < 0 ? -(uint64_t)value : (uint64_t)value, digits);

	if (value < 0) {
		/* int64_t has at most 19 digits, so there is room for the sign */
		text = slice_of(text.bytes - 1, text.size + 1);
		digits[DIGITS_MAX + 1 - text.size] = '-';
	}
	return text;
}

void write_integer(struct writer *writer, int64_t value)
{
	char digits[DIGITS_MAX + 1];

	if (is_json(writer)) {
		write_raw(writer, format_integer(value, digits));
		return;
	}
	msgpack_packer packer = packer_of(writer);
	begin_value(writer);
	msgpack_pack_int64(&packer, value);
	end_value(writer);
}

void write_unsigned(struct writer *writer, uint64_t value)
{
	char digits[DIGITS_MAX + 1];

	if (is_json(writer)) {
		write_raw(writer, format_unsigned(value, digits));
		return;
	}
	msgpack_packer packer = packer_of(writer);
	begin_value(writer);
	msgpack_pack_uint64(&packer, value);
	end_value(writer);
}

static void write_double_json(struct writer *writer, double value)
{
	char text[40];
	int size = 0;

	if (!isfinite(value)) {
		write_nil(writer); /* JSON has no word for it */
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		size = snprintf(text, sizeof text, "%.*g", precision, value);
		if (strtod(text, NULL) == value) {
			break;
		}
	}
	write_raw(writer, slice_of(text, (size_t)size));
}

void write_double(struct writer *writer, double value)
{
	if (is_json(writer)) {
		write_double_json(writer, value);
		return;
	}
	msgpack_packer packer = packer_of(writer);
	begin_value(writer);
	msgpack_pack_double(&packer, value);
	end_value(writer);
}

static void append_escape(struct buffer *buffer, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	static const char short_from[] = "\"\\\b\f\n\r\t";
	static const char short_to[] = "\"\\bfnrt";
	const char *found = byte == 0 ? NULL : strchr(short_from, byte);

	buffer_append_byte(buffer, '\\');
	if (found != NULL) {
		buffer_append_byte(buffer, (uint8_t)short_to[found - short_from]);
		return;
	}
	buffer_append_text(buffer, "u00");
	buffer_append_byte(buffer, (uint8_t)hex[byte >> 4]);
	buffer_append_byte(buffer, (uint8_t)hex[byte & 15]);
}

static void append_quoted(struct buffer *buffer, struct slice text)
{
	size_t run = 0;

	buffer_append_byte(buffer, '"');
	for (size_t i = 0; i < text.size; i++) {
		uint8_t byte = text.bytes[i];
		if (byte >= 0x20 && byte != '"' && byte != '\\') {
			continue;
		}
		buffer_append(buffer, text.bytes + run, i - run);
		append_escape(buffer, byte);
		run = i + 1;
	}
	if (run < text.size) {
		buffer_append(buffer, text.bytes + run, text.size - run);
	}
	buffer_append_byte(buffer, '"');
}

void write_text(struct writer *writer, struct slice text)
{
	begin_value(writer);
	if (is_json(writer)) {
		append_quoted(writer->buffer, text);
	} else {
		msgpack_packer packer = packer_of(writer);
		msgpack_pack_str(&packer, text.size);
		buffer_append(writer->buffer, text.bytes, text.size);
	}
	end_value(writer);
}

void write_key(struct writer *writer, const char *key)
{
	write_text(writer, slice_of_text(key));
}

static void append_base64(struct buffer *buffer, struct slice bytes)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t at = 0; at < bytes.size; at += 3) {
		size_t left = bytes.size - at;
		uint32_t three = (uint32_t)bytes.bytes[at] << 16;
		three |= left > 1 ? (uint32_t)bytes.bytes[at + 1] << 8 : 0;
		three |= left > 2 ? bytes.bytes[at + 2] : 0;
		uint8_t *room = buffer_extend(buffer, 4);
		if (room == NULL) {
			return;
		}
		room[0] = (uint8_t)alphabet[three >> 18];
		room[1] = (uint8_t)alphabet[three >> 12 & 63];
		room[2] = left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
		room[3] = left > 2 ? (uint8_t)alphabet[three & 63] : '=';
	}
}

void write_bin(struct writer *writer, struct slice bytes)
{
	begin_value(writer);
	if (is_json(writer)) {
		buffer_append_byte(writer->buffer, '"');
		append_base64(writer->buffer, bytes);
		buffer_append_byte(writer->buffer, '"');
	} else {
		msgpack_packer packer = packer_of(writer);
		msgpack_pack_bin(&packer, bytes.size);
		buffer_append(writer->buffer, bytes.bytes, bytes.size);
	}
	end_value(writer);
}

void write_money(struct writer *writer, money amount)
{
	char text[MONEY_TEXT_SIZE];

	write_text(writer, slice_of(text, money_format(amount, text)));
}

/* Only called towards JSON: msgpack's integers go through msgpack byte for byte. */
static void write_wide_integer(struct writer *writer, const struct node *node)
{
	char digits[DIGITS_MAX + 1];

	if (node->type == NODE_UNSIGNED) {
		write_text(writer, format_unsigned(node->unsigned_integer, digits));
	} else if (node->integer > JSON_INTEGER_MAX || node->integer < -JSON_INTEGER_MAX) {
		write_text(writer, format_integer(node->integer, digits));
	} else {
		write_integer(writer, node->integer);
	}
}

/* Only called towards msgpack: JSON's numbers go through JSON byte for byte. */
static void write_number(struct writer *writer, const struct node *node)
{
	int64_t integer = 0;
	double real = 0;

	if (node_integer(node, &integer)) {
		write_integer(writer, integer);
	} else if (node_real(node, &real) && isfinite(real)) {
		write_double(writer, real);
	} else {
		write_text(writer, node->text); /* past what a double holds: keep the digits */
	}
}

/* One node in the other encoding; containers only open, their nodes come next. */
static void write_converted(struct writer *writer, const struct node *node)
{
	switch (node->type) {
	case NODE_NIL:
	case NODE_EXT: /* JSON has no form for it */
		write_nil(writer);
		break;
	case NODE_BOOL:
		write_bool(writer, node->boolean);
		break;
	case NODE_INTEGER:
	case NODE_UNSIGNED:
		write_wide_integer(writer, node);
		break;
	case NODE_FLOAT32:
	case NODE_FLOAT64:
		write_double(writer, node->real);
		break;
	case NODE_NUMBER:
		write_number(writer, node);
		break;
	case NODE_TEXT:
		write_text(writer, node->text);
		break;
	case NODE_BIN:
		write_bin(writer, node->text);
		break;
	case NODE_ARRAY:
		write_array(writer, node->count);
		break;
	case NODE_MAP:
		write_map(writer, node->count);
		break;
	}
}

void write_node(struct writer *writer, const struct node *node, enum encoding encoding)
{
	if (encoding == writer->encoding && node->raw.bytes != NULL) {
		write_raw(writer, node->raw);
		return;
	}
	for (const struct node *at = node; at < node + node->span; at++) {
		write_converted(writer, at);
	}
}
