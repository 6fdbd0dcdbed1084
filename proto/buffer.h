/* buffer.h - bytes that grow up to a limit. The error sticks: after the first failure every write
 * is a no-op, so a writer is straight lines and one check of `error` at the end.
 * error is 0, -ENOMEM, or -EMSGSIZE when `limit` would be passed. One thread at a time. */
#pragma once
#include "proto/slice.h"

struct buffer {
	uint8_t *bytes; /* owned */
	size_t size;
	size_t capacity;
	size_t limit;
	int error;
};

/* Nothing is allocated before the first write. */
void buffer_init(struct buffer *buffer, size_t limit);
void buffer_deinit(struct buffer *buffer); /* takes a zeroed one */
/* Forgets content and error, keeps the memory. */
void buffer_clear(struct buffer *buffer);
void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_append_text(struct buffer *buffer, const char *text);
/* Gives `size` writable bytes at the end, counted as written; NULL once there is an error. */
uint8_t *buffer_extend(struct buffer *buffer, size_t size);
/* Cuts back to an earlier size, and forgets an -EMSGSIZE that came after it. */
void buffer_truncate(struct buffer *buffer, size_t size);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
	return slice_of(buffer->bytes, buffer->size);
}
