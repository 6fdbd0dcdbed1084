#include "runtime/text.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

/* What the first byte promises: the size, and the least code point that needs it. */
static size_t promised_size(uint8_t first, uint32_t *ret_bits, uint32_t *ret_least)
{
	if (first < 0x80) {
		*ret_bits = first;
		*ret_least = 0;
		return 1;
	}
	if (first >= 0xc2 && first < 0xe0) {
		*ret_bits = first & 0x1f;
		*ret_least = 0x80;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*ret_bits = first & 0x0f;
		*ret_least = 0x800;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf5) {
		*ret_bits = first & 0x07;
		*ret_least = 0x10000;
		return 4;
	}
	return 0;
}

size_t text_sequence_size(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint32_t point = 0;
	uint32_t least = 0;

	size_t promised = size == 0 ? 0 : promised_size(at[0], &point, &least);
	if (promised == 0 || promised > size) {
		return 0;
	}
	for (size_t i = 1; i < promised; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			return 0;
		}
		point = point << 6 | (at[i] & 0x3f);
	}
	if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
		return 0;
	}
	return promised;
}

size_t text_quote(char *out, size_t out_size, const void *text, size_t size, text_escape_fn escape)
{
	const char *at = text;
	size_t used = 0;

	assert(out_size >= sizeof "\"\"");
	out[used++] = '"';
	while (size > 0) {
		char piece[TEXT_PIECE_SIZE];
		size_t sequence_size = text_sequence_size(at, size);
		size_t piece_size = escape(at, sequence_size, piece);
		size_t taken = sequence_size == 0 ? 1 : sequence_size;
		if (used + piece_size + sizeof "\"" > out_size) {
			break;
		}
		memcpy(out + used, piece, piece_size);
		used += piece_size;
		at += taken;
		size -= taken;
	}
	out[used++] = '"';
	out[used] = '\0';
	return used;
}

void text_write_json(FILE *out, const char *text)
{
	size_t size = strlen(text);

	fputc('"', out);
	while (size > 0) {
		size_t step = text_sequence_size(text, size);
		if (step == 0) {
			fputs("\\ufffd", out);
			step = 1;
		} else if (*text == '"' || *text == '\\') {
			fprintf(out, "\\%c", *text);
		} else if (step == 1 && (unsigned char)*text < 0x20) {
			fprintf(out, "\\u%04x", (unsigned)*text);
		} else {
			fwrite(text, 1, step, out);
		}
		text += step;
		size -= step;
	}
	fputc('"', out);
}
