#include "proto/utf8.h"

#include "proto/eight.h"
#include "proto/limits.h"

/* Lead byte, the range of the second byte, and the size: RFC 3629's table of well-formed sequences. The narrowed
 * second bytes are what keeps out overlong forms, surrogates and code points past U+10FFFF. */
static const struct sequence {
	uint8_t lead_first, lead_last, second_first, second_last, size;
} SEQUENCES[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct sequence *sequence_of(struct slice text)
{
	for (size_t i = 0; i < sizeof SEQUENCES / sizeof SEQUENCES[0]; i++) {
		const struct sequence *s = &SEQUENCES[i];
		if (text.bytes[0] >= s->lead_first && text.bytes[0] <= s->lead_last) {
			bool fits = text.size >= s->size && text.bytes[1] >= s->second_first &&
				    text.bytes[1] <= s->second_last;
			return fits ? s : NULL;
		}
	}
	return NULL;
}

size_t utf8_decode(struct slice text, uint32_t *ret_code_point)
{
	if (text.size == 0) {
		return 0;
	}
	if (text.bytes[0] < 0x80) {
		*ret_code_point = text.bytes[0];
		return 1;
	}
	const struct sequence *s = sequence_of(text);
	if (s == NULL) {
		return 0;
	}
	uint32_t code_point = text.bytes[0] & (0x7fu >> s->size);
	for (size_t i = 1; i < s->size; i++) {
		if ((text.bytes[i] & 0xc0) != 0x80) {
			return 0;
		}
		code_point = code_point << 6 | (text.bytes[i] & 0x3fu);
	}
	*ret_code_point = code_point;
	return s->size;
}

/* Nonzero when one of the eight bytes is 0 or past 0x7f. */
static uint64_t suspects_of(uint64_t eight)
{
	return (eight | (eight - EIGHT_OF(1))) & EIGHT_TOP;
}

/* How many bytes at the start are surely ASCII without NUL. Ids are short, so the last bytes of a text
 * of eight and more are read as one overlapping word instead of one by one. */
static size_t plain_size(struct slice text)
{
	size_t at = 0;

	if (text.size >= 8) {
		while (text.size - at > 8) {
			if (suspects_of(eight_load(text.bytes + at)) != 0) {
				return at;
			}
			at += 8;
		}
		return suspects_of(eight_load(text.bytes + text.size - 8)) == 0 ? text.size : at;
	}
	while (at < text.size && (uint8_t)(text.bytes[at] - 1) < 0x7f) {
		at++;
	}
	return at;
}

bool utf8_is_valid(struct slice text)
{
	size_t at = plain_size(text);

	while (at < text.size) {
		uint32_t code_point = 0;
		size_t size = utf8_decode(slice_of(text.bytes + at, text.size - at), &code_point);
		if (size == 0 || code_point == 0) {
			return false;
		}
		at += size;
	}
	return true;
}

bool edge_id_is_valid(struct slice id)
{
	if (id.size == 0 || id.size > EDGE_ID_SIZE_MAX) {
		return false;
	}
	if (id.bytes[0] == ' ' || id.bytes[id.size - 1] == ' ') {
		return false;
	}
	for (size_t at = 0; at < id.size;) {
		uint32_t code_point = 0;
		size_t size = utf8_decode(slice_of(id.bytes + at, id.size - at), &code_point);
		if (size == 0 || utf8_is_control(code_point)) {
			return false;
		}
		at += size;
	}
	return true;
}

size_t utf8_repair(struct slice bytes, char *out, size_t size_max)
{
	size_t size = 0;

	while (bytes.size > 0 && size < size_max) {
		uint32_t code_point = 0;
		size_t step = utf8_decode(bytes, &code_point);
		if (step == 0 || code_point == 0) {
			out[size++] = '?';
			step = 1;
		} else if (size + step <= size_max) {
			memcpy(out + size, bytes.bytes, step);
			size += step;
		} else {
			break;
		}
		bytes = slice_of(bytes.bytes + step, bytes.size - step);
	}
	return size;
}

bool currency_is_valid(struct slice code)
{
	bool is_valid = code.size == CURRENCY_SIZE;

	for (size_t i = 0; is_valid && i < CURRENCY_SIZE; i++) {
		is_valid = code.bytes[i] >= 'A' && code.bytes[i] <= 'Z';
	}
	return is_valid;
}
