/* pull.h - reads msgpack values one after the other, for messages whose shape is known. No nodes, no
 * allocation. The first mismatch makes the reader `broken`, and every read after it gives 0 or {NULL, 0}: a
 * decoder is straight lines and one check at the end. Text is not checked for UTF-8 here. Pure. */
#pragma once
#include "proto/slice.h"

struct pull {
	const uint8_t *at;
	const uint8_t *end;
	bool is_broken;
};

static inline struct pull pull_of(struct slice bytes)
{
	return (struct pull){bytes.bytes, bytes.bytes + bytes.size, false};
}

static inline size_t pull_left(const struct pull *pull)
{
	return (size_t)(pull->end - pull->at);
}

/* Everything was read, and fitted. */
static inline bool pull_is_done(const struct pull *pull)
{
	return !pull->is_broken && pull->at == pull->end;
}

uint32_t pull_array(struct pull *pull);
uint32_t pull_map(struct pull *pull);
/* An integer in [min, max]. */
uint64_t pull_unsigned(struct pull *pull, uint64_t min, uint64_t max);
struct slice pull_text(struct pull *pull);
struct slice pull_bin(struct pull *pull);
/* true, and consumed, when the next value is nil. */
bool pull_nil(struct pull *pull);
