#include "proto/checksum.h"

#include <assert.h>
#include <sodium.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* The reflected polynomial 0x82f63b78, four bits at a time. */
uint32_t checksum_crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
	static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
		0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	const uint8_t *at = bytes;

	crc = ~crc;
	for (; size > 0; size--, at++) {
		crc ^= *at;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2") != 0;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(
	uint32_t crc, const uint8_t *at, size_t size)
{
	uint64_t state = (uint32_t)~crc;

	for (; size >= 8; size -= 8, at += 8) {
		uint64_t eight;
		memcpy(&eight, at, sizeof eight);
		state = _mm_crc32_u64(state, eight);
	}
	for (; size > 0; size--, at++) {
		state = _mm_crc32_u8((uint32_t)state, *at);
	}
	return (uint32_t)~state;
}
#elif defined(__aarch64__)
static bool has_instruction(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

__attribute__((target("+crc"))) static uint32_t crc32c_instruction(
	uint32_t crc, const uint8_t *at, size_t size)
{
	crc = ~crc;
	for (; size >= 8; size -= 8, at += 8) {
		uint64_t eight;
		memcpy(&eight, at, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		eight = __builtin_bswap64(eight);
#endif
		crc = __crc32cd(crc, eight);
	}
	for (; size > 0; size--, at++) {
		crc = __crc32cb(crc, *at);
	}
	return ~crc;
}
#else
static bool has_instruction(void)
{
	return false;
}

static uint32_t crc32c_instruction(uint32_t crc, const uint8_t *at, size_t size)
{
	return checksum_crc32c_portable(crc, at, size);
}
#endif

uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size)
{
	if (has_instruction()) {
		return crc32c_instruction(crc, bytes, size);
	}
	return checksum_crc32c_portable(crc, bytes, size);
}

static uint32_t load_little_32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* Austin Appleby's MurmurHash2 with the seed of org.apache.kafka.common.utils.Utils.murmur2. */
static uint32_t murmur2(struct slice key)
{
	static const uint32_t m = 0x5bd1e995;
	uint32_t hash = 0x9747b28c ^ (uint32_t)key.size;
	size_t at = 0;

	for (; key.size - at >= 4; at += 4) {
		uint32_t k = load_little_32(key.bytes + at) * m;
		k ^= k >> 24;
		hash = hash * m ^ k * m;
	}
	if (at < key.size) {
		uint8_t rest[4] = {0};
		memcpy(rest, key.bytes + at, key.size - at);
		hash = (hash ^ load_little_32(rest)) * m;
	}
	hash = (hash ^ hash >> 13) * m;
	return hash ^ hash >> 15;
}

int32_t checksum_partition(struct slice key, int32_t partitions)
{
	assert(partitions > 0);
	return (int32_t)(murmur2(key) & 0x7fffffff) % partitions;
}

void checksum_hash128(struct slice bytes, uint8_t ret_hash[16])
{
	static const uint8_t zero_key[crypto_shorthash_siphashx24_KEYBYTES];

	_Static_assert(crypto_shorthash_siphashx24_BYTES == 16, "what stores keep");
	crypto_shorthash_siphashx24(ret_hash, bytes.bytes, bytes.size, zero_key);
}

_Static_assert(sizeof(crypto_generichash_state) <= sizeof((struct checksum_digest *)0)->state,
	"the library's state has its place");

static crypto_generichash_state *state_of(struct checksum_digest *digest)
{
	return (crypto_generichash_state *)(void *)digest->state;
}

void checksum_digest_begin(struct checksum_digest *digest)
{
	(void)crypto_generichash_init(state_of(digest), NULL, 0, CHECKSUM_DIGEST_SIZE);
}

void checksum_digest_add(struct checksum_digest *digest, const void *bytes, size_t size)
{
	(void)crypto_generichash_update(state_of(digest), bytes, size);
}

void checksum_digest_of(
	const struct checksum_digest *digest, uint8_t ret_digest[CHECKSUM_DIGEST_SIZE])
{
	struct checksum_digest copy = *digest;

	(void)crypto_generichash_final(state_of(&copy), ret_digest, CHECKSUM_DIGEST_SIZE);
}
