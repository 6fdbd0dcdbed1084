/* utf8.h - what text may be: well-formed UTF-8 (RFC 3629) without NUL. Pure. */
#pragma once
#include "proto/slice.h"

bool utf8_is_valid(struct slice text);
/* The size of the well-formed character at the start of `text`, 1 … 4, and its code point; 0 when there is none. */
size_t utf8_decode(struct slice text, uint32_t *ret_code_point);
/* Well-formed text of any bytes, such as a file's name: each that is none of it, and NUL, becomes "?". Writes at most
 * size_max bytes and no part of a character; returns how many. */
size_t utf8_repair(struct slice bytes, char *out, size_t size_max);
/* C0, DEL and C1: what a terminal or a log would act on. */
static inline bool utf8_is_control(uint32_t code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}
/* 1 … EDGE_ID_SIZE_MAX bytes, no control characters, no space at either end. */
bool edge_id_is_valid(struct slice id);
/* Three capital letters, as codes of ISO 4217 are; whether anybody pays with it is not asked. */
bool currency_is_valid(struct slice code);
