/* A scan's cursor: version 1, CRC32C of the view's name and declaration and the question's shape 4, size of `to` 2, to, key; little-endian, in
 * base64url without padding. It names a key and no place, so commits do not harm it. */
#include "aggregator/answer/answer_parts.h"
#include "proto/checksum.h"
#include <stdlib.h>

enum {
	CURSOR_VERSION = 1,
	CURSOR_HEAD_SIZE = 7,
	CURSOR_SIZE_MAX = CURSOR_HEAD_SIZE + 2 * ROW_KEY_CAPACITY,
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What the place it names lies in. */
static uint32_t question_crc(const struct answering *answering)
{
	const struct view *view = answering->view;
	uint32_t shape = answering->query->shape;
	uint32_t crc = checksum_crc32c(0, view->name, strlen(view->name));

	crc = checksum_crc32c(crc, view->text, strlen(view->text));
	for (; shape != 0; shape >>= 8) {
		uint8_t byte = (uint8_t)shape;
		crc = checksum_crc32c(crc, &byte, 1);
	}
	return crc;
}

static char *encode(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size * 4 / 3 + 2);
	size_t length = 0;
	uint32_t bits = 0;
	unsigned bit_count = 0;

	if (text == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | bytes[i];
		for (bit_count += 8; bit_count >= 6; bit_count -= 6) {
			text[length++] = alphabet[bits >> (bit_count - 6) & 63];
		}
	}
	if (bit_count > 0) {
		text[length++] = alphabet[bits << (6 - bit_count) & 63];
	}
	text[length] = 0;
	return text;
}

static bool decode(struct slice text, uint8_t bytes[CURSOR_SIZE_MAX], size_t *ret_size)
{
	size_t size = 0;
	uint32_t bits = 0;
	unsigned bit_count = 0;

	for (size_t i = 0; i < text.size; i++) {
		const char *digit = memchr(alphabet, text.bytes[i], sizeof alphabet - 1);
		if (digit == NULL || size == CURSOR_SIZE_MAX) {
			return false;
		}
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			bytes[size++] = (uint8_t)(bits >> bit_count);
		}
	}
	*ret_size = size;
	return true;
}

char *cursor_write(const struct answering *answering, const struct scan_position *position)
{
	uint8_t bytes[CURSOR_SIZE_MAX];
	uint32_t crc = question_crc(answering);
	size_t size = CURSOR_HEAD_SIZE;

	bytes[0] = CURSOR_VERSION;
	for (int i = 0; i < 4; i++) {
		bytes[1 + i] = (uint8_t)(crc >> 8 * i);
	}
	bytes[5] = (uint8_t)position->to.size;
	bytes[6] = (uint8_t)(position->to.size >> 8);
	memcpy(bytes + size, position->to.bytes, position->to.size);
	size += position->to.size;
	memcpy(bytes + size, position->key.bytes, position->key.size);
	size += position->key.size;
	return encode(bytes, size);
}

static bool set_key(struct row_key *key, const uint8_t *bytes, size_t size)
{
	if (size > sizeof key->bytes) {
		return false;
	}
	memcpy(key->bytes, bytes, size);
	key->size = size;
	return true;
}

bool cursor_read(
	const struct answering *answering, struct slice text, struct scan_position *ret_position)
{
	uint8_t bytes[CURSOR_SIZE_MAX];
	uint32_t crc = question_crc(answering);
	size_t size = 0;

	if (!decode(text, bytes, &size) || size < CURSOR_HEAD_SIZE || bytes[0] != CURSOR_VERSION) {
		return false;
	}
	for (int i = 0; i < 4; i++) {
		if (bytes[1 + i] != (uint8_t)(crc >> 8 * i)) {
			return false;
		}
	}
	size_t to_size = (size_t)(bytes[5] | bytes[6] << 8);
	if (to_size > size - CURSOR_HEAD_SIZE) {
		return false;
	}
	const uint8_t *key = bytes + CURSOR_HEAD_SIZE + to_size;
	return set_key(&ret_position->to, bytes + CURSOR_HEAD_SIZE, to_size) &&
	       set_key(&ret_position->key, key, size - CURSOR_HEAD_SIZE - to_size);
}
