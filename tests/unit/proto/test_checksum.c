#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/checksum.h"

/* RFC 3720, B.4, and the check value of the polynomial. */
static void test_crc32c_gives_the_published_values(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(checksum_crc32c(0, "", 0), 0);
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(checksum_crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(checksum_crc32c(0, bytes, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++) {
		bytes[i] = i;
	}
	assert_int_equal(checksum_crc32c(0, bytes, 32), 0x46dd794e);
}

static void test_crc32c_is_the_same_with_and_without_the_instruction(void **state)
{
	enum { SIZE = 100 };
	uint8_t *bytes = malloc(SIZE);

	(void)state;
	assert_non_null(bytes);
	for (int i = 0; i < SIZE; i++) {
		bytes[i] = (uint8_t)(i * 37 + 11);
	}
	for (size_t first = 0; first < 9; first++) {
		for (size_t size = 0; size <= SIZE - first; size++) {
			assert_int_equal(checksum_crc32c(7, bytes + first, size),
				checksum_crc32c_portable(7, bytes + first, size));
		}
	}
	free(bytes);
}

static void test_crc32c_goes_on_where_it_ended(void **state)
{
	const char text[] = "what is spooled is never stamped again";

	(void)state;
	for (size_t cut = 0; cut < sizeof text; cut++) {
		uint32_t crc = checksum_crc32c(0, text, cut);
		crc = checksum_crc32c(crc, text + cut, sizeof text - cut);
		assert_int_equal(crc, checksum_crc32c(0, text, sizeof text));
	}
}

/* The hashes are those of Kafka's own UtilsTest.testMurmur2. */
static void test_partitions_are_those_of_java_clients(void **state)
{
	static const struct {
		const char *key;
		int32_t murmur2;
	} cases[] = {
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice key = slice_of_text(cases[i].key);
		int32_t positive = cases[i].murmur2 & INT32_MAX;
		assert_int_equal(checksum_partition(key, INT32_MAX), positive % INT32_MAX);
		assert_int_equal(checksum_partition(key, 4), positive % 4);
		assert_int_equal(checksum_partition(key, 1), 0);
	}
	assert_in_range(checksum_partition(slice_of(NULL, 0), 3), 0, 2);
}

/* Computed by an independent SipHash-2-4-128 that gives the reference's own vectors. Stores keep these: for ever. */
static void test_hash128_stays_what_it_is(void **state)
{
	static const struct {
		const char *text;
		uint8_t hash[16];
	} cases[] = {
		{"", {0x50, 0x49, 0xd7, 0x47, 0x80, 0xa3, 0xe0, 0x7d, 0x42, 0x02, 0xab, 0x47, 0xd4,
			     0xce, 0xf2, 0xf4}},
		{"x", {0x0d, 0xcc, 0x4d, 0xd6, 0x7d, 0x19, 0xd8, 0x28, 0x8b, 0xa2, 0xa4, 0xbd, 0x24,
			      0xb2, 0xbd, 0x70}},
		{"a category name of more than ninety-six bytes is keyed by its hash",
			{0x5f, 0x9d, 0x14, 0xa4, 0xdc, 0xe9, 0x85, 0x06, 0xe8, 0xe6, 0xec, 0x8d,
				0xe3, 0xe6, 0x36, 0x90}},
	};
	uint8_t hash[16];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		checksum_hash128(slice_of_text(cases[i].text), hash);
		assert_memory_equal(hash, cases[i].hash, 16);
	}
	checksum_hash128(slice_of(NULL, 0), hash);
	assert_memory_equal(hash, cases[0].hash, 16);
}

static void test_a_digest_is_that_of_the_bytes_however_they_came(void **state)
{
	/* python3: hashlib.blake2b(b"till", digest_size=16).hexdigest() */
	static const uint8_t expected[CHECKSUM_DIGEST_SIZE] = {0x86, 0x1a, 0xdc, 0x7a, 0xfe, 0x80,
		0xa0, 0xac, 0xaf, 0x6e, 0x05, 0x16, 0x2f, 0x67, 0x4d, 0xe4};
	struct checksum_digest digest;
	struct checksum_digest half;
	uint8_t found[CHECKSUM_DIGEST_SIZE];

	(void)state;
	checksum_digest_begin(&digest);
	checksum_digest_add(&digest, "ti", 2);
	half = digest;
	checksum_digest_add(&digest, "ll", 2);
	checksum_digest_of(&digest, found);
	assert_memory_equal(found, expected, sizeof found);
	checksum_digest_of(&digest, found); /* asking changes nothing */
	assert_memory_equal(found, expected, sizeof found);
	checksum_digest_add(&half, "l", 1);
	checksum_digest_add(&half, "l", 1);
	checksum_digest_of(&half, found);
	assert_memory_equal(found, expected, sizeof found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c_gives_the_published_values),
		cmocka_unit_test(test_crc32c_is_the_same_with_and_without_the_instruction),
		cmocka_unit_test(test_crc32c_goes_on_where_it_ended),
		cmocka_unit_test(test_partitions_are_those_of_java_clients),
		cmocka_unit_test(test_hash128_stays_what_it_is),
		cmocka_unit_test(test_a_digest_is_that_of_the_bytes_however_they_came),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
