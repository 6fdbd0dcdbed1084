#include "proto/buffer.h"

#include <errno.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buffer, size_t limit)
{
	*buffer = (struct buffer){.limit = limit};
}

void buffer_deinit(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){.limit = buffer->limit};
}

void buffer_clear(struct buffer *buffer)
{
	buffer->size = 0;
	buffer->error = 0;
}

/* Doubling, so that a run of small writes costs a constant each; never past the limit. */
static size_t capacity_for(const struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity;

	while (capacity < needed && capacity <= buffer->limit / 2) {
		capacity *= 2;
	}
	if (capacity < needed || capacity > buffer->limit) {
		capacity = buffer->limit;
	}
	return capacity;
}

static int buffer_reserve(struct buffer *buffer, size_t size)
{
	if (size > buffer->limit - buffer->size) {
		return -EMSGSIZE;
	}
	size_t capacity = capacity_for(buffer, buffer->size + size);
	uint8_t *bytes = realloc(buffer->bytes, capacity);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return 0;
}

uint8_t *buffer_grow(struct buffer *buffer, size_t size)
{
	if (buffer->error != 0) {
		return NULL;
	}
	if (size > buffer->capacity - buffer->size || buffer->bytes == NULL) {
		buffer->error = buffer_reserve(buffer, size == 0 ? 1 : size);
		if (buffer->error != 0) {
			return NULL;
		}
	}
	uint8_t *room = buffer->bytes + buffer->size;
	buffer->size += size;
	return room;
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
	if (size < buffer->size) {
		buffer->size = size;
	}
	if (buffer->error == -EMSGSIZE) {
		buffer->error = 0;
	}
}
