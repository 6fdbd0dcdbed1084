/* slice.h - borrowed bytes. A slice never owns what it points to; {NULL, 0} is "absent", and an
 * empty text counts as absent everywhere in till. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *bytes;
	size_t size;
};

static inline struct slice slice_of(const void *bytes, size_t size)
{
	return (struct slice){bytes, size};
}

static inline struct slice slice_of_text(const char *text)
{
	return slice_of(text, text == NULL ? 0 : strlen(text));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static inline bool slice_equals_text(struct slice a, const char *text)
{
	return slice_equal(a, slice_of_text(text));
}

static inline bool slice_begins_with(struct slice text, struct slice prefix)
{
	return text.size >= prefix.size && slice_equal(slice_of(text.bytes, prefix.size), prefix);
}
