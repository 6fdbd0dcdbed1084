/* column_decimal.h - a decimal as Kafka Connect writes it in JSON: base64 of the unscaled integer's bytes, big-endian, two's
 * complement; its scale lies in the schema. "A+c=" is 9.99 at scale 2. Exact; no float. Pure. */
#pragma once
#include "proto/slice.h"

enum {
	COLUMN_DECIMAL_E_BASE64 = 1, /* no base64, or of no bytes */
	COLUMN_DECIMAL_E_WIDE, /* past 128 bits */
	COLUMN_DECIMAL_E_SCALE, /* past ±COLUMN_SCALE_MAX, with digits that are not 0 there */
};

enum { COLUMN_DECIMAL_TEXT_SIZE = 96 };

/* "-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?": without zeros that say nothing. */
int column_decimal_text(
	struct slice base64, int64_t scale, char text[COLUMN_DECIMAL_TEXT_SIZE], size_t *ret_size);
