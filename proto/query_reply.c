#include "proto/query_reply.h"

/* As writers write {"ok":false,"error":{"code":"…: keys in this order, and in msgpack the inner map of two or three. */
static const char json[] = "{\"ok\":false,\"error\":{\"code\":\"";
static const char msgpack[] = "\x82\xa2ok\xc2\xa5"
			      "error";
static const char msgpack_code[] = "\xa4"
				   "code";

static bool begins_with(struct slice bytes, const char *text, size_t size)
{
	return bytes.size >= size && memcmp(bytes.bytes, text, size) == 0;
}

/* What stands before the code; 0: it is no error. */
static size_t code_offset(struct slice bytes)
{
	const size_t outer = sizeof msgpack - 1, inner = sizeof msgpack_code - 1;

	if (begins_with(bytes, json, sizeof json - 1)) {
		return sizeof json - 1;
	}
	if (!begins_with(bytes, msgpack, outer) || bytes.size < outer + 1) {
		return 0;
	}
	/* the map's size, then the key, then the text's size */
	struct slice rest = slice_of(bytes.bytes + outer + 1, bytes.size - outer - 1);
	return begins_with(rest, msgpack_code, inner) ? outer + 1 + inner + 1 : 0;
}

static bool is_of_code(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
}

enum reason query_reply_reason(struct slice bytes)
{
	size_t at = code_offset(bytes);
	size_t end = at;

	if (at == 0) {
		return REASON_NONE;
	}
	while (end < bytes.size && is_of_code(bytes.bytes[end])) {
		end++;
	}
	enum reason reason = reason_from_code((const char *)bytes.bytes + at, end - at);
	return reason == REASON_NONE ? REASON_INTERNAL : reason;
}

/* Behind the `}` that closes what begins here with `{`; NULL: nothing does. */
static const uint8_t *map_end(const uint8_t *at, const uint8_t *end)
{
	unsigned depth = 0;
	bool is_text = false;

	for (; at < end; at++) {
		if (is_text) {
			is_text = *at != '"';
			at += *at == '\\';
		} else if (*at == '"') {
			is_text = true;
		} else if (*at == '{') {
			depth++;
		} else if (*at == '}' && --depth == 0) {
			return at + 1;
		}
	}
	return NULL;
}

struct slice query_reply_as_of(struct slice bytes)
{
	/* Within a text the quotes would have backslashes, and no column is called so. */
	static const char key[] = "\"as_of\":{";
	const uint8_t *end = bytes.bytes + bytes.size;
	const uint8_t *found =
		bytes.size > 0 ? memmem(bytes.bytes, bytes.size, key, sizeof key - 1) : NULL;

	if (found == NULL) {
		return slice_of(NULL, 0);
	}
	found += sizeof key - 2;
	const uint8_t *after = map_end(found, end);
	return after != NULL ? slice_of(found, (size_t)(after - found)) : slice_of(NULL, 0);
}
