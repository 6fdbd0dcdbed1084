#include "proto/column_value.h"

#include "proto/column_decimal.h"
#include "proto/decimal.h"
#include "proto/event.h"
#include "proto/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	NAME_SHOWN_MAX = 63,
	VALUE_SHOWN_MAX = 40,
	DATE_TEXT_SIZE = 10, /* 2010-12-01 */
	/* Every decimal of six places below 10^9 has at most 15 digits, and a double gives 15 digits back as they were. */
	DOUBLE_WHOLE_DIGITS_MAX = 9,
	DOUBLE_PLACES_MAX = 6,
};

#define MS_PER_DAY INT64_C(86400000)

enum column_use column_use_of(struct slice field_name)
{
	enum field field = FIELD_COUNT;

	if (!field_from_alias(field_name, &field)) {
		return COLUMN_CARRIED;
	}
	switch (field) {
	case FIELD_UNIT_PRICE:
	case FIELD_AMOUNT:
	case FIELD_DISCOUNT:
	case FIELD_TAX:
		return COLUMN_AS_MONEY;
	case FIELD_QUANTITY:
		return COLUMN_AS_QUANTITY;
	case FIELD_TS:
		return COLUMN_AS_TIME;
	default:
		return COLUMN_CARRIED;
	}
}

/* column NAME: the value, and what is wrong with it. */
static int refuse(const struct column *column, const char *what, struct complaint *complaint)
{
	char name[NAME_SHOWN_MAX + 1];
	struct slice raw = column->value->raw;

	snprintf(name, sizeof name, "%.*s",
		(int)(column->name.size < NAME_SHOWN_MAX ? column->name.size : NAME_SHOWN_MAX),
		(const char *)column->name.bytes);
	complaint_set(complaint, REASON_BAD_VALUE, name, "column %s: %.*s%s %s", name,
		(int)(raw.size < VALUE_SHOWN_MAX ? raw.size : VALUE_SHOWN_MAX),
		(const char *)raw.bytes, raw.size > VALUE_SHOWN_MAX ? "…" : "", what);
	return REASON_BAD_VALUE;
}

static bool is_number(const struct node *node)
{
	return node->type == NODE_NUMBER;
}

static bool is_amount(const struct column *column)
{
	return column->use == COLUMN_AS_MONEY || column->use == COLUMN_AS_QUANTITY;
}

static int write_as_is(const struct column *column, struct writer *writer)
{
	if (column->value->type == NODE_TEXT) {
		write_text(writer, column->value->text);
	} else {
		write_node(writer, column->value, ENCODING_JSON);
	}
	return 0;
}

static int write_decimal_text(const struct column *column, struct slice base64, int64_t scale,
	struct writer *writer, struct complaint *complaint)
{
	char text[COLUMN_DECIMAL_TEXT_SIZE];
	size_t size = 0;

	switch (column_decimal_text(base64, scale, text, &size)) {
	case 0:
		write_text(writer, slice_of(text, size));
		return 0;
	case COLUMN_DECIMAL_E_BASE64:
		return refuse(column,
			"is not base64 of an integer; decimal.handling.mode or types of the source "
			"do not fit",
			complaint);
	case COLUMN_DECIMAL_E_WIDE:
		return refuse(column, "has more than 128 bits; use decimal.handling.mode=string",
			complaint);
	default:
		return refuse(column,
			"has digits past the 38th place; use decimal.handling.mode=string",
			complaint);
	}
}

static int write_decimal(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	if (is_number(column->value)) { /* JsonConverter's decimal.format=NUMERIC: exact digits */
		return write_as_is(column, writer);
	}
	if (column->value->type != NODE_TEXT) {
		return refuse(column, "is neither base64 of a decimal nor a number", complaint);
	}
	return write_decimal_text(
		column, column->value->text, column->type.scale, writer, complaint);
}

/* {"scale": 2, "value": "A+c="} */
static bool read_variable(const struct node *node, int64_t *ret_scale, struct slice *ret_base64)
{
	const struct node *scale = node_find(node, "scale");
	const struct node *value = node_find(node, "value");

	if (node->type != NODE_MAP || node->count != 2 || scale == NULL || value == NULL ||
		!is_number(scale) || value->type != NODE_TEXT) {
		return false;
	}
	*ret_base64 = value->text;
	return node_integer(scale, ret_scale);
}

static int write_variable_decimal(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	struct slice base64;
	int64_t scale = 0;

	if (!read_variable(column->value, &scale, &base64)) {
		return refuse(column, "is no map of scale and value", complaint);
	}
	return write_decimal_text(column, base64, scale, writer, complaint);
}

/* Java writes every double with a point, and no integer. */
static bool is_whole(struct slice digits)
{
	for (size_t i = 0; i < digits.size; i++) {
		if (digits.bytes[i] == '.' || digits.bytes[i] == 'e' || digits.bytes[i] == 'E') {
			return false;
		}
	}
	return true;
}

static bool double_is_exact(const struct node *node)
{
	struct decimal decimal;

	if (!is_number(node) || !decimal_parse(node->raw, &decimal)) {
		return false;
	}
	return decimal.digit_count == 0 ||
	       (decimal.exponent >= -DOUBLE_PLACES_MAX &&
		       decimal.digit_count + decimal.exponent <= DOUBLE_WHOLE_DIGITS_MAX);
}

static int write_exact_double(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	if (is_amount(column) && !double_is_exact(column->value)) {
		return refuse(column,
			"is a double that may not be the decimal it was (exact below 10^9 with six "
			"places); use "
			"decimal.handling.mode=precise or string",
			complaint);
	}
	return write_as_is(column, writer);
}

static int write_float(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	if (is_amount(column)) {
		refuse(column,
			"is a float of 32 bits, which holds no money exactly; make the column "
			"numeric",
			complaint);
		complaint->reason = REASON_FLOAT32_MONEY;
		return REASON_FLOAT32_MONEY;
	}
	return write_as_is(column, writer);
}

/* A local time: without offset, so that the source's zone says where it is. */
static void write_local(const struct column *column, int64_t ms, struct writer *writer)
{
	char text[TIMESTAMP_TEXT_SIZE];
	size_t size = timestamp_format(ms, text) - 1; /* without its Z */

	if (column->type.kind == COLUMN_DATE && column->use != COLUMN_AS_TIME) {
		size = DATE_TEXT_SIZE;
	}
	write_text(writer, slice_of(text, size));
}

static int64_t floor_divide(int64_t number, int64_t by)
{
	return number / by - (number % by < 0 ? 1 : 0);
}

static bool read_ms(const struct column *column, int64_t *ret_ms)
{
	int64_t number = 0;

	if (!is_number(column->value) || !node_integer(column->value, &number)) {
		return false;
	}
	switch (column->type.kind) {
	case COLUMN_DATE:
		return !__builtin_mul_overflow(number, MS_PER_DAY, ret_ms);
	case COLUMN_TIMESTAMP_US:
		*ret_ms = floor_divide(number, 1000);
		return true;
	case COLUMN_TIMESTAMP_NS:
		*ret_ms = floor_divide(number, 1000000);
		return true;
	default:
		*ret_ms = number;
		return true;
	}
}

static int write_timestamp(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	int64_t ms = 0;

	if (!is_number(column->value)) {
		return refuse(column,
			"is no number; time.precision.mode or types of the source do not fit",
			complaint);
	}
	if (read_ms(column, &ms) && ms >= 0 && ms <= TIMESTAMP_MS_MAX) {
		write_local(column, ms, writer);
		return 0;
	}
	if (column->use == COLUMN_AS_TIME) { /* infinity, too */
		return refuse(column,
			"is no time of the years 1970-9999; time.precision.mode or types of the "
			"source "
			"may not fit",
			complaint);
	}
	return write_as_is(column, writer); /* a date of birth */
}

/* Debezium ends local ISO texts with Z, as if the clock showed UTC. */
static int write_iso(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	char text[TIMESTAMP_TEXT_SIZE];
	struct slice iso = column->value->text;
	bool is_midnight = column->type.kind == COLUMN_ISO_DATE && column->use == COLUMN_AS_TIME;

	if (column->value->type != NODE_TEXT) {
		return refuse(
			column, "is no text; time.precision.mode or types do not fit", complaint);
	}
	if (iso.size > 0 && iso.bytes[iso.size - 1] == 'Z') {
		iso.size--;
	}
	if (is_midnight && iso.size == DATE_TEXT_SIZE) {
		memcpy(text, iso.bytes, DATE_TEXT_SIZE);
		memcpy(text + DATE_TEXT_SIZE, "T00:00", 6);
		iso = slice_of(text, DATE_TEXT_SIZE + 6);
	}
	write_text(writer, iso);
	return 0;
}

static int write_zoned(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	if (column->use == COLUMN_AS_TIME && column->value->type != NODE_TEXT) {
		return refuse(column,
			"is no text with an offset; time.precision.mode or types do not fit",
			complaint);
	}
	return write_as_is(column, writer);
}

/* Bytes and times of day: nothing that a known number or time could be. */
static int write_other(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	if (column->use != COLUMN_CARRIED) {
		return refuse(column,
			column->type.kind == COLUMN_BYTES ? "is bytes, no number and no time"
							  : "is a time of day, no point in time",
			complaint);
	}
	return write_as_is(column, writer);
}

/* Without a schema and a declared type: base64 or decimal, days or nanoseconds is not to be guessed. */
static int write_unknown(
	const struct column *column, struct writer *writer, struct complaint *complaint)
{
	struct slice base64;
	int64_t scale = 0;

	if (column->use == COLUMN_AS_TIME && is_number(column->value)) {
		return refuse(column,
			"may be days, milli-, micro- or nanoseconds: set "
			"value.converter.schemas.enable=true, or "
			"say which in types",
			complaint);
	}
	if (!is_amount(column)) {
		return write_as_is(column, writer);
	}
	if (read_variable(column->value, &scale, &base64)) {
		return write_variable_decimal(column, writer, complaint);
	}
	if (column->value->type == NODE_TEXT) {
		return refuse(column,
			"may be decimal text or base64: set value.converter.schemas.enable=true, "
			"or say "
			"text or decimal(SCALE) in types",
			complaint);
	}
	return is_whole(column->value->raw) ? write_as_is(column, writer)
					    : write_exact_double(column, writer, complaint);
}

int column_write(const struct column *column, struct writer *writer, struct complaint *complaint)
{
	switch (column->type.kind) {
	case COLUMN_UNKNOWN:
		return write_unknown(column, writer, complaint);
	case COLUMN_PLAIN:
	case COLUMN_TEXT:
		return write_as_is(column, writer);
	case COLUMN_BYTES:
	case COLUMN_TIME_OF_DAY:
		return write_other(column, writer, complaint);
	case COLUMN_FLOAT:
		return write_float(column, writer, complaint);
	case COLUMN_DOUBLE:
		return write_exact_double(column, writer, complaint);
	case COLUMN_DECIMAL:
		return write_decimal(column, writer, complaint);
	case COLUMN_VARIABLE_DECIMAL:
		return write_variable_decimal(column, writer, complaint);
	case COLUMN_ZONED:
		return write_zoned(column, writer, complaint);
	case COLUMN_ISO_DATE:
	case COLUMN_ISO_TIMESTAMP:
		return write_iso(column, writer, complaint);
	case COLUMN_DATE:
	case COLUMN_TIMESTAMP_MS:
	case COLUMN_TIMESTAMP_US:
	case COLUMN_TIMESTAMP_NS:
		return write_timestamp(column, writer, complaint);
	}
	return 0;
}
