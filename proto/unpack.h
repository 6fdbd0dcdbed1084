/* unpack.h - reads msgpack values one after the other, for messages whose shape is known. No nodes, no
 * allocation. The first mismatch makes the reader `broken`, and every read after it gives 0 or {NULL, 0}: a
 * decoder is straight lines and one check at the end. Text is not checked for UTF-8 here. Pure. */
#pragma once
#include "proto/slice.h"

struct unpack {
	const uint8_t *at;
	const uint8_t *end;
	bool is_broken;
};

static inline struct unpack unpack_of(struct slice bytes)
{
	return (struct unpack){bytes.bytes, bytes.bytes + bytes.size, false};
}

static inline size_t unpack_left(const struct unpack *unpack)
{
	return (size_t)(unpack->end - unpack->at);
}

/* Everything was read, and fitted. */
static inline bool unpack_is_done(const struct unpack *unpack)
{
	return !unpack->is_broken && unpack->at == unpack->end;
}

uint32_t unpack_array(struct unpack *unpack);
uint32_t unpack_map(struct unpack *unpack);
/* An integer in [min, max]. */
uint64_t unpack_unsigned(struct unpack *unpack, uint64_t min, uint64_t max);
struct slice unpack_text(struct unpack *unpack);
struct slice unpack_bin(struct unpack *unpack);
/* true, and consumed, when the next value is nil. */
bool unpack_nil(struct unpack *unpack);
