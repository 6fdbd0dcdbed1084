#include "proto/decimal.h"

/* Exponents stop counting here: far past any use, far from overflow in the sums below. */
static const int64_t EXPONENT_MAX = INT64_C(1000000000000000);

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static bool is_digit(const struct cursor *c)
{
	return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static bool skip(struct cursor *c, uint8_t byte)
{
	bool found = c->at < c->end && *c->at == byte;
	c->at += found ? 1 : 0;
	return found;
}

/* Digits on their way in: zeros wait in `zeros` until a digit after them shows that they are not trailing. */
struct reading {
	struct decimal *decimal;
	int64_t zeros;
	int64_t read;
	int64_t last; /* index of the last digit that is not 0 */
};

static void take_digit(struct reading *reading, unsigned digit)
{
	struct decimal *decimal = reading->decimal;

	reading->read++;
	if (digit == 0) {
		reading->zeros += decimal->digit_count > 0 ? 1 : 0;
		return;
	}
	decimal->digit_count += reading->zeros + 1;
	if (decimal->digit_count <= DECIMAL_DIGITS_MAX) {
		for (; reading->zeros > 0; reading->zeros--) {
			decimal->digits *= 10;
		}
		decimal->digits = decimal->digits * 10 + digit;
	}
	reading->zeros = 0;
	reading->last = reading->read - 1;
}

static bool take_digits(struct cursor *c, struct reading *reading)
{
	if (!is_digit(c)) {
		return false;
	}
	while (is_digit(c)) {
		take_digit(reading, *c->at++ - '0');
	}
	return true;
}

static bool take_exponent(struct cursor *c, int64_t *ret_exponent)
{
	bool is_negative = skip(c, '-');
	int64_t exponent = 0;

	if (!is_negative) {
		skip(c, '+');
	}
	if (!is_digit(c)) {
		return false;
	}
	for (; is_digit(c); c->at++) {
		exponent = exponent * 10 + (*c->at - '0');
		exponent = exponent > EXPONENT_MAX ? EXPONENT_MAX : exponent;
	}
	*ret_exponent = is_negative ? -exponent : exponent;
	return true;
}

bool decimal_parse(struct slice text, struct decimal *ret_decimal)
{
	struct cursor c = {text.bytes, text.bytes + text.size};
	struct decimal decimal = {.is_negative = skip(&c, '-')};
	struct reading reading = {.decimal = &decimal};
	int64_t exponent = 0;
	const uint8_t *first = c.at;

	if (!take_digits(&c, &reading) || (*first == '0' && reading.read > 1)) {
		return false;
	}
	int64_t whole = reading.read;
	if (skip(&c, '.') && !take_digits(&c, &reading)) {
		return false;
	}
	if ((skip(&c, 'e') || skip(&c, 'E')) && !take_exponent(&c, &exponent)) {
		return false;
	}
	if (c.at != c.end) {
		return false;
	}
	decimal.exponent = whole - 1 - reading.last + exponent;
	*ret_decimal = decimal;
	return true;
}

bool decimal_scale(const struct decimal *decimal, int shift, uint64_t *ret_magnitude)
{
	uint64_t magnitude = decimal->digits;
	int64_t exponent = decimal->exponent + shift;

	if (decimal->digit_count == 0) {
		*ret_magnitude = 0;
		return true;
	}
	if (exponent < 0 || decimal->digit_count > DECIMAL_DIGITS_MAX ||
		exponent > DECIMAL_DIGITS_MAX) {
		return false;
	}
	for (; exponent > 0; exponent--) {
		if (__builtin_mul_overflow(magnitude, 10, &magnitude)) {
			return false;
		}
	}
	*ret_magnitude = magnitude;
	return true;
}
