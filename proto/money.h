/* money.h - exact money. An amount is an integer of millionths ("micros") of the currency unit; a
 * single field fits int64_t, products and sums are 128-bit. No float ever takes part in a sum.
 * The forms in and out are contracts: PROTOCOL.md, "Money". Pure functions.
 * An int result is 0 or a MONEY_E_*. */
#pragma once
#include "proto/slice.h"

__extension__ typedef __int128 money; /* millionths of the unit */

enum { MONEY_MICROS_PER_UNIT = 1000000 };

enum {
	MONEY_E_SYNTAX = 1, /* not a decimal number */
	MONEY_E_PRECISION, /* digits after the sixth that are not 0; or a float that rounding moves */
	MONEY_E_RANGE, /* |value| > 10^12 units */
};

/* [+-]?[0-9]{1,12}(\.[0-9]+)? */
int money_parse_text(struct slice text, int64_t *ret_micros);
/* A JSON number's digits, exponent included, never through a double. */
int money_parse_number(struct slice digits, int64_t *ret_micros);
/* Whole units. */
int money_from_integer(int64_t units, int64_t *ret_micros);
/* Rounded to six places; MONEY_E_PRECISION if that moves it by more than a billionth of itself;
 * NaN and infinities are MONEY_E_SYNTAX. */
int money_from_double(double value, int64_t *ret_micros);

enum { MONEY_TEXT_SIZE = 48 }; /* the longest 128-bit amount, its sign, its point and a NUL */
/* "-?(0|[1-9][0-9]*)\.[0-9]{2,6}"; returns the length. */
size_t money_format(money amount, char text[MONEY_TEXT_SIZE]);
/* sum / count to six places, half to even, in the form of money_format. count > 0. */
size_t money_format_average(money sum, uint64_t count, char text[MONEY_TEXT_SIZE]);
/* part / whole in millionths, rounded half to even. false, and *ret_micros untouched, when `whole` is not above 0 or it leaves
 * 128 bits. */
bool money_share(money part, money whole, money *ret_micros);
/* Reads money_format's form back at full 128-bit range (answers, stores, marts). */
int money_parse_sum(struct slice text, money *ret_amount);
/* false, and *sum untouched, when the sum leaves 128 bits. */
bool money_add(money *sum, money amount);
