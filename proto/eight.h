/* eight.h - eight bytes looked at in one step. Private to proto/. In all of these the first byte in memory is the
 * lowest of the word on every machine, and only the lowest bit of a result is exact: what is above may be an echo. */
#pragma once
#include <endian.h>
#include <stdint.h>
#include <string.h>

#define EIGHT_OF(byte) ((byte)*UINT64_C(0x0101010101010101))
#define EIGHT_TOP EIGHT_OF(0x80)

static inline uint64_t eight_load(const uint8_t *bytes)
{
	uint64_t eight;
	memcpy(&eight, bytes, sizeof eight);
	return le64toh(eight);
}

/* The top bit of each byte that is less than `limit`, 1 … 0x80. */
static inline uint64_t eight_below(uint64_t eight, uint8_t limit)
{
	return (eight - EIGHT_OF(limit)) & ~eight & EIGHT_TOP;
}

/* The top bit of each byte that is `byte`. */
static inline uint64_t eight_equal(uint64_t eight, uint8_t byte)
{
	return eight_below(eight ^ EIGHT_OF(byte), 1);
}

/* Which byte the lowest bit of such a result means. `hits` is not 0. */
static inline unsigned eight_first(uint64_t hits)
{
	return (unsigned)__builtin_ctzll(hits) / 8;
}
