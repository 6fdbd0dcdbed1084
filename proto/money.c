#include "proto/money.h"

#include <assert.h>
#include <math.h>

#include "proto/decimal.h"
#include "proto/limits.h"

__extension__ typedef unsigned __int128 magnitude;

enum { FRACTION_DIGITS = 6, FRACTION_DIGITS_MIN = 2, WHOLE_DIGITS_MAX = 12 };

#define MICROS_MAX (MONEY_UNITS_MAX * MONEY_MICROS_PER_UNIT)

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static int from_magnitude(uint64_t micros, bool is_negative, int64_t *ret_micros)
{
	if (micros > (uint64_t)MICROS_MAX) {
		return MONEY_E_RANGE;
	}
	*ret_micros = is_negative ? -(int64_t)micros : (int64_t)micros;
	return 0;
}

/* The digits after the point: six of them count, the others must be 0. */
static int parse_fraction(struct slice digits, uint64_t *ret_micros)
{
	uint64_t micros = 0;
	int r = 0;

	if (digits.size == 0) {
		return MONEY_E_SYNTAX;
	}
	for (size_t i = 0; i < digits.size || i < FRACTION_DIGITS; i++) {
		uint8_t digit = i < digits.size ? digits.bytes[i] : '0';
		if (!is_digit(digit)) {
			return MONEY_E_SYNTAX;
		}
		if (i < FRACTION_DIGITS) {
			micros = micros * 10 + (digit - '0');
		} else if (digit != '0') {
			r = MONEY_E_PRECISION;
		}
	}
	if (r == 0) {
		*ret_micros = micros;
	}
	return r;
}

int money_parse_text(struct slice text, int64_t *ret_micros)
{
	bool is_signed = text.size > 0 && (text.bytes[0] == '-' || text.bytes[0] == '+');
	size_t first = is_signed ? 1 : 0;
	size_t at = first;
	uint64_t units = 0;
	uint64_t micros = 0;
	int r = 0;

	for (; at < text.size && is_digit(text.bytes[at]); at++) {
		if (at - first < WHOLE_DIGITS_MAX) {
			units = units * 10 + (text.bytes[at] - '0');
		}
	}
	if (at == first || (at < text.size && text.bytes[at] != '.')) {
		return MONEY_E_SYNTAX;
	}
	if (at < text.size) {
		r = parse_fraction(slice_of(text.bytes + at + 1, text.size - at - 1), &micros);
	}
	if (r != MONEY_E_SYNTAX && at - first > WHOLE_DIGITS_MAX) {
		return MONEY_E_RANGE;
	}
	if (r != 0) {
		return r;
	}
	return from_magnitude(
		units * MONEY_MICROS_PER_UNIT + micros, text.bytes[0] == '-', ret_micros);
}

int money_parse_number(struct slice digits, int64_t *ret_micros)
{
	struct decimal decimal;
	uint64_t micros = 0;

	if (!decimal_parse(digits, &decimal)) {
		return MONEY_E_SYNTAX;
	}
	if (decimal.digit_count > 0) {
		if (decimal.digit_count + decimal.exponent > WHOLE_DIGITS_MAX + 1) {
			return MONEY_E_RANGE;
		}
		if (decimal.exponent < -FRACTION_DIGITS) {
			return MONEY_E_PRECISION;
		}
	}
	if (!decimal_scale(&decimal, FRACTION_DIGITS, &micros)) {
		return MONEY_E_RANGE;
	}
	return from_magnitude(micros, decimal.is_negative, ret_micros);
}

int money_from_integer(int64_t units, int64_t *ret_micros)
{
	if (units < -MONEY_UNITS_MAX || units > MONEY_UNITS_MAX) {
		return MONEY_E_RANGE;
	}
	*ret_micros = units * MONEY_MICROS_PER_UNIT;
	return 0;
}

/* A double is m x 2^e exactly, so rounding it to millionths is integer arithmetic: the same on every
 * machine, with no second rounding from a multiplication in floating point. */
int money_from_double(double value, int64_t *ret_micros)
{
	int exponent = 0;

	if (!isfinite(value)) {
		return MONEY_E_SYNTAX;
	}
	if (fabs(value) > (double)MONEY_UNITS_MAX) {
		return MONEY_E_RANGE;
	}
	uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(value), &exponent), 53);
	int shift = 53 - exponent; /* at least 13: |value| < 2^40 */
	if (mantissa == 0) {
		*ret_micros = 0;
		return 0;
	}
	if (shift > 100) {
		return MONEY_E_PRECISION; /* below 2^-47: all of it would be rounded away */
	}
	magnitude exact = (magnitude)mantissa * MONEY_MICROS_PER_UNIT; /* in units of 2^-shift */
	magnitude half = (magnitude)1 << (shift - 1);
	magnitude micros = exact >> shift;
	magnitude rest = exact - (micros << shift);
	if (rest > half || (rest == half && (micros & 1) != 0)) {
		micros++;
		rest = ((magnitude)1 << shift) - rest;
	}
	if (rest > exact / 1000000000) {
		return MONEY_E_PRECISION;
	}
	return from_magnitude((uint64_t)micros, value < 0, ret_micros);
}

/* Writes the digits of `number`, at least `width` of them, ending just before `end`; returns the first. */
static char *put_digits(char *end, magnitude number, int width)
{
	char *at = end;

	/* 128-bit division is slow: take off 18 digits at a time where there are that many */
	while (number > UINT64_MAX) {
		uint64_t low = (uint64_t)(number % 1000000000000000000u);
		number /= 1000000000000000000u;
		for (int i = 0; i < 18; i++, low /= 10) {
			*--at = (char)('0' + low % 10);
		}
	}
	for (uint64_t low = (uint64_t)number; low > 0 || end - at < width; low /= 10) {
		*--at = (char)('0' + low % 10);
	}
	return at;
}

static magnitude magnitude_of(money amount)
{
	return amount < 0 ? -(magnitude)amount : (magnitude)amount;
}

size_t money_format(money amount, char text[MONEY_TEXT_SIZE])
{
	char digits[MONEY_TEXT_SIZE];
	char *end = digits + sizeof digits;
	char *first = put_digits(end, magnitude_of(amount), FRACTION_DIGITS + 1);
	size_t whole = (size_t)(end - first) - FRACTION_DIGITS;
	size_t fraction = FRACTION_DIGITS;
	size_t size = 0;

	while (fraction > FRACTION_DIGITS_MIN && first[whole + fraction - 1] == '0') {
		fraction--;
	}
	if (amount < 0) {
		text[size++] = '-';
	}
	memcpy(text + size, first, whole);
	size += whole;
	text[size++] = '.';
	memcpy(text + size, first + whole, fraction);
	size += fraction;
	text[size] = '\0';
	return size;
}

size_t money_format_average(money sum, uint64_t count, char text[MONEY_TEXT_SIZE])
{
	assert(count > 0);
	magnitude quotient = magnitude_of(sum) / count;
	magnitude twice_rest = magnitude_of(sum) % count * 2;

	if (twice_rest > count || (twice_rest == count && (quotient & 1) != 0)) {
		quotient++;
	}
	return money_format(sum < 0 ? -(money)quotient : (money)quotient, text);
}

static bool append_digit(magnitude *number, uint8_t byte)
{
	return !__builtin_mul_overflow(*number, 10, number) &&
	       !__builtin_add_overflow(*number, byte - '0', number);
}

static bool apply_sign(magnitude number, bool is_negative, money *ret_amount)
{
	static const magnitude limit = (magnitude)1 << 127;

	if (number > limit || (number == limit && !is_negative)) {
		return false;
	}
	*ret_amount = is_negative ? (money)-number : (money)number;
	return true;
}

/* Reads generously, then insists that writing it again gives the same text. */
int money_parse_sum(struct slice text, money *ret_amount)
{
	bool is_negative = text.size > 0 && text.bytes[0] == '-';
	size_t point = text.size;
	magnitude number = 0;
	money amount = 0;
	char again[MONEY_TEXT_SIZE];

	if (text.size >= MONEY_TEXT_SIZE) {
		return MONEY_E_RANGE;
	}
	for (size_t at = is_negative ? 1 : 0; at < text.size || at <= point + FRACTION_DIGITS;
		at++) {
		uint8_t byte = at < text.size ? text.bytes[at] : '0';
		if (byte == '.' && point == text.size) {
			point = at;
		} else if (!is_digit(byte)) {
			return MONEY_E_SYNTAX;
		} else if (!append_digit(&number, byte)) {
			return MONEY_E_RANGE;
		}
	}
	if (!apply_sign(number, is_negative, &amount)) {
		return MONEY_E_RANGE;
	}
	if (!slice_equal(text, slice_of(again, money_format(amount, again)))) {
		return MONEY_E_SYNTAX;
	}
	*ret_amount = amount;
	return 0;
}

bool money_add(money *sum, money amount)
{
	money total;

	if (__builtin_add_overflow(*sum, amount, &total)) {
		return false;
	}
	*sum = total;
	return true;
}

/* Digit by digit: no product of amounts that may leave 128 bits. */
bool money_share(money part, money whole, money *ret_micros)
{
	money units = whole > 0 ? part / whole : 0, rest = whole > 0 ? part % whole : 0;
	money fraction = 0, micros = 0;
	bool is_negative = rest < 0;

	rest = is_negative ? -rest : rest;
	for (int i = 0; i < FRACTION_DIGITS; i++) {
		if (whole <= 0 || __builtin_mul_overflow(rest, (money)10, &rest)) {
			return false;
		}
		fraction = 10 * fraction + rest / whole;
		rest %= whole;
	}
	bool is_half = rest == whole - rest, is_more = rest > whole - rest;
	fraction += is_more || (is_half && fraction % 2 != 0);
	if (__builtin_mul_overflow(units, (money)MONEY_MICROS_PER_UNIT, &micros) ||
		__builtin_add_overflow(micros, is_negative ? -fraction : fraction, &micros)) {
		return false;
	}
	*ret_micros = micros;
	return true;
}
