#include "cli/cell_type.h"

#include "proto/timestamp.h"
#include <strings.h>

enum {
	DIGITS_MAX = 1000, /* of a number; PostgreSQL takes many more, people don't */
	DATE_SIZE = 10,
	MINUTE_SIZE = 16, /* 2010-12-01 08:26 */
	FRACTION_MAX = 6, /* PostgreSQL rounds further ones away */
};

static const char *const names[CELL_TYPE_COUNT] = {
	"boolean", "integer", "bigint", "numeric", "date", "timestamp", "timestamptz", "text"};

static unsigned bit(enum cell_type type)
{
	return 1u << type;
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static size_t count_digits(struct slice text, size_t at)
{
	size_t start = at;

	while (at < text.size && is_digit(text.bytes[at])) {
		at++;
	}
	return at - start;
}

/* Of digits without leading zeros: not more than `limit`, which has as many digits as are compared? */
static bool is_within(struct slice digits, const char *limit)
{
	size_t size = strlen(limit);

	return digits.size < size ||
	       (digits.size == size && memcmp(digits.bytes, limit, size) <= 0);
}

static bool is_any_but_zero(struct slice number)
{
	for (size_t i = 0; i < number.size; i++) {
		if (number.bytes[i] >= '1' && number.bytes[i] <= '9') {
			return true;
		}
	}
	return false;
}

static unsigned number_types(struct slice cell)
{
	size_t sign = cell.bytes[0] == '-';
	size_t whole = count_digits(cell, sign);
	struct slice digits = slice_of(cell.bytes + sign, whole);

	if (whole == 0 || cell.size > DIGITS_MAX || (whole > 1 && digits.bytes[0] == '0') ||
		(sign == 1 && !is_any_but_zero(cell))) {
		return 0; /* -0 would lose its sign */
	}
	if (sign + whole < cell.size) {
		size_t point = sign + whole;
		size_t fraction = count_digits(cell, point + 1);
		bool is_number = cell.bytes[point] == '.' && fraction > 0 &&
				 point + 1 + fraction == cell.size;
		return is_number ? bit(CELL_NUMERIC) : 0;
	}
	unsigned types = bit(CELL_NUMERIC);
	types |= is_within(digits, sign ? "9223372036854775808" : "9223372036854775807")
			 ? bit(CELL_BIGINT)
			 : 0;
	types |= is_within(digits, sign ? "2147483648" : "2147483647") ? bit(CELL_INTEGER) : 0;
	return types;
}

/* A date of PostgreSQL's calendar, written whole: "2010-12-01". */
static bool begins_with_date(struct slice cell)
{
	static const char form[] = "dddd-dd-dd";

	for (size_t i = 0; i < DATE_SIZE; i++) {
		if (form[i] == 'd' ? !is_digit(cell.bytes[i]) : cell.bytes[i] != (uint8_t)form[i]) {
			return false;
		}
	}
	return true;
}

/* The years that till can count (timestamp.h); others stay text. */
static bool is_time(struct slice text)
{
	int64_t ms;

	return timestamp_parse_text(text, NULL, &ms) == 0;
}

static unsigned date_types(struct slice cell)
{
	char midnight[MINUTE_SIZE + 1] = "2010-12-01 00:00";

	memcpy(midnight, cell.bytes, DATE_SIZE);
	return is_time(slice_of(midnight, MINUTE_SIZE)) ? bit(CELL_DATE) | bit(CELL_TIMESTAMP) : 0;
}

static unsigned time_types(struct slice cell)
{
	size_t at = MINUTE_SIZE;

	if (!is_time(cell)) {
		return 0;
	}
	at += at < cell.size && cell.bytes[at] == ':' ? 3 : 0;
	if (at < cell.size && cell.bytes[at] == '.') {
		size_t fraction = count_digits(cell, at + 1);
		at += 1 + fraction;
		if (fraction > FRACTION_MAX) {
			return 0;
		}
	}
	return at == cell.size ? bit(CELL_TIMESTAMP) : bit(CELL_TIMESTAMPTZ);
}

static bool is_word(struct slice cell, const char *word)
{
	return cell.size == strlen(word) &&
	       strncasecmp((const char *)cell.bytes, word, cell.size) == 0;
}

unsigned cell_types(struct slice cell)
{
	unsigned types = bit(CELL_TEXT);

	if (cell.size == 0) {
		return CELL_TYPES_ALL;
	}
	if (is_word(cell, "true") || is_word(cell, "false")) {
		return types | bit(CELL_BOOLEAN);
	}
	if (!is_digit(cell.bytes[0]) && cell.bytes[0] != '-') {
		return types;
	}
	if (cell.size >= DATE_SIZE && begins_with_date(cell)) {
		return types | (cell.size == DATE_SIZE ? date_types(cell) : time_types(cell));
	}
	return types | number_types(cell);
}

enum cell_type cell_type_choose(unsigned types)
{
	enum cell_type type = CELL_BOOLEAN;

	if (types == CELL_TYPES_ALL) {
		return CELL_TEXT;
	}
	while (type < CELL_TEXT && (types & bit(type)) == 0) {
		type++;
	}
	return type;
}

const char *cell_type_name(enum cell_type type)
{
	return names[type];
}
