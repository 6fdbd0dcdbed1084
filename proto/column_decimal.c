#include "proto/column_decimal.h"

#include "proto/limits.h"

#include <sodium.h>

__extension__ typedef unsigned __int128 wide;

/* numeric(1000) has about 420 bytes. */
enum { UNSCALED_SIZE_MAX = 512, WIDE_DIGITS_MAX = 39 };

struct unscaled {
	bool is_negative;
	wide magnitude;
};

static int read_bytes(const uint8_t *bytes, size_t size, struct unscaled *ret_unscaled)
{
	bool is_negative = (bytes[0] & 0x80) != 0;
	uint8_t sign = is_negative ? 0xff : 0x00;
	wide bits = is_negative ? ~(wide)0 : 0;

	while (size > sizeof bits && bytes[0] == sign && ((bytes[1] ^ sign) & 0x80) == 0) {
		bytes++;
		size--;
	}
	if (size > sizeof bits) {
		return COLUMN_DECIMAL_E_WIDE;
	}
	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | bytes[i];
	}
	*ret_unscaled = (struct unscaled){is_negative, is_negative ? ~bits + 1 : bits};
	return 0;
}

static int read_base64(struct slice base64, struct unscaled *ret_unscaled)
{
	uint8_t bytes[UNSCALED_SIZE_MAX];
	size_t size = 0;

	if (base64.size > UNSCALED_SIZE_MAX * 4 / 3) {
		return COLUMN_DECIMAL_E_WIDE;
	}
	if (base64.size == 0 ||
		sodium_base642bin(bytes, sizeof bytes, (const char *)base64.bytes, base64.size,
			NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		size == 0) {
		return COLUMN_DECIMAL_E_BASE64;
	}
	return read_bytes(bytes, size, ret_unscaled);
}

/* Zeros at the end of a fraction go. */
static void normalise(struct unscaled *unscaled, int64_t *scale)
{
	if (unscaled->magnitude == 0) {
		*unscaled = (struct unscaled){false, 0};
		*scale = 0;
	}
	for (; *scale > 0 && unscaled->magnitude % 10 == 0; --*scale) {
		unscaled->magnitude /= 10;
	}
}

static size_t put_digits(wide magnitude, char digits[WIDE_DIGITS_MAX])
{
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + (int)(magnitude % 10));
		magnitude /= 10;
	} while (magnitude > 0);
	return count; /* the last digit first */
}

static size_t put_text(const struct unscaled *unscaled, int scale, char *text)
{
	char digits[WIDE_DIGITS_MAX];
	int count = (int)put_digits(unscaled->magnitude, digits);
	int from = count > scale + 1 ? count : scale + 1; /* "0.05" has two digits more than 5 */
	int until = scale < 0 ? scale : 0;
	char *at = text;

	if (unscaled->is_negative) {
		*at++ = '-';
	}
	for (int i = from - 1; i >= until; i--) {
		if (i == scale - 1) {
			*at++ = '.';
		}
		*at++ = i >= 0 && i < count ? digits[i] : '0';
	}
	return (size_t)(at - text);
}

int column_decimal_text(
	struct slice base64, int64_t scale, char text[COLUMN_DECIMAL_TEXT_SIZE], size_t *ret_size)
{
	struct unscaled unscaled;
	int r = read_base64(base64, &unscaled);

	if (r != 0) {
		return r;
	}
	normalise(&unscaled, &scale);
	if (scale < -COLUMN_SCALE_MAX || scale > COLUMN_SCALE_MAX) {
		return COLUMN_DECIMAL_E_SCALE;
	}
	*ret_size = put_text(&unscaled, (int)scale, text);
	return 0;
}
