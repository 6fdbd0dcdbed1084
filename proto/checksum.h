/* checksum.h - CRC32C (Castagnoli; by the processor's instruction where it has one), Kafka's murmur2 and the
 * 128-bit hash that stands for long group values. Pure; the same on every machine. */
#pragma once
#include "proto/slice.h"

/* Continue with the last result; begin with 0. */
uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size);
/* The same without the instruction: what a machine that lacks it uses. */
uint32_t checksum_crc32c_portable(uint32_t crc, const void *bytes, size_t size);

/* The partition as Java's clients choose it: (murmur2(key) & 0x7fffffff) % partitions. partitions > 0. */
int32_t checksum_partition(struct slice key, int32_t partitions);

/* 128 bits, fixed for ever because stores keep it: SipHash-2-4-128 under the zero key. */
void checksum_hash128(struct slice bytes, uint8_t ret_hash[16]);

/* The digest of a whole file, fed in pieces: BLAKE2b, 128 bits. Copying one copies how far it is. */
enum { CHECKSUM_DIGEST_SIZE = 16 };
struct checksum_digest {
	_Alignas(64) uint8_t state[384]; /* the library's */
};
void checksum_digest_begin(struct checksum_digest *digest);
void checksum_digest_add(struct checksum_digest *digest, const void *bytes, size_t size);
/* Of what was added so far; more may be added then. */
void checksum_digest_of(
	const struct checksum_digest *digest, uint8_t ret_digest[CHECKSUM_DIGEST_SIZE]);
