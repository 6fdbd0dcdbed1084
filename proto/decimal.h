/* decimal.h - a JSON number taken apart without ever becoming a double. Private to proto/. Pure. */
#pragma once
#include "proto/slice.h"

/* The value is 0 when digit_count is 0, else +-digits x 10^exponent, where `digits` has neither leading nor
 * trailing zeros. Past DECIMAL_DIGITS_MAX digits `digits` means nothing, digit_count and exponent still hold. */
struct decimal {
	bool is_negative;
	uint64_t digits;
	int64_t digit_count;
	int64_t exponent;
};

enum { DECIMAL_DIGITS_MAX = 19 }; /* what always fits uint64_t */

/* false when it is no number of RFC 8259. Any exponent is fine, it costs no loop. */
bool decimal_parse(struct slice text, struct decimal *ret_decimal);
/* digits x 10^(exponent + shift), false when that is no integer or more than uint64_t holds. */
bool decimal_scale(const struct decimal *decimal, int shift, uint64_t *ret_magnitude);
