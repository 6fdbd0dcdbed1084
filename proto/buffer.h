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
/* The slow half of buffer_extend: grows, or fails. */
uint8_t *buffer_grow(struct buffer *buffer, size_t size);
/* Cuts back to an earlier size, and forgets an -EMSGSIZE that came after it. */
void buffer_truncate(struct buffer *buffer, size_t size);

/* Gives `size` writable bytes at the end, counted as written; NULL once there is an error. */
static inline uint8_t *buffer_extend(struct buffer *buffer, size_t size)
{
	if (buffer->error != 0 || size >= buffer->capacity - buffer->size) {
		return buffer_grow(buffer, size);
	}
	uint8_t *room = buffer->bytes + buffer->size;
	buffer->size += size;
	return room;
}

static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
	if (size == 0) {
		return;
	}
	uint8_t *room = buffer_extend(buffer, size);
	if (room != NULL) {
		memcpy(room, bytes, size);
	}
}

static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	buffer_append(buffer, &byte, 1);
}

static inline void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

static inline struct slice buffer_slice(const struct buffer *buffer)
{
	return slice_of(buffer->bytes, buffer->size);
}
