/* A batch as one zstd frame: it comes back as it was, and whatever else claims to be one is refused before it costs
 * anything. Frames of others are written by hand (RFC 8878): blocks that are raw, or one byte repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/compression.h"

static struct compressor *compressor;
static struct decompressor *decompressor;
static struct complaint complaint;
static uint8_t events[BATCH_SIZE_MAX];

static int set_up(void **state)
{
	(void)state;
	return compressor_new(COMPRESSION_LEVEL_DEFAULT, &compressor) |
	       decompressor_new(&decompressor);
}

static int tear_down(void **state)
{
	(void)state;
	compressor = compressor_free(compressor);
	decompressor = decompressor_free(decompressor);
	return 0;
}

/* Bytes that look like sales, each a little different. */
static struct slice sales(size_t size)
{
	static const char pattern[] = "\x88\xa4kind\xa5order\xa8order_id\xa6product12345";
	uint32_t random = 1;

	for (size_t i = 0; i < size; i++) {
		char byte = pattern[i % (sizeof pattern - 1)];
		random = random * 1664525 + 1013904223;
		events[i] =
			byte >= '0' && byte <= '9' ? (uint8_t)('0' + random % 10) : (uint8_t)byte;
	}
	return slice_of(events, size);
}

static struct slice noise(size_t size)
{
	uint64_t random = 88172645463325252;

	for (size_t i = 0; i < size; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		events[i] = (uint8_t)random;
	}
	return slice_of(events, size);
}

/* From a block of exactly its size, so that a sanitizer sees an overread. */
static int unpack(struct slice frame, size_t plain_size, struct slice *ret_plain)
{
	uint8_t *copy = malloc(frame.size + 1);

	assert_non_null(copy);
	memcpy(copy, frame.bytes, frame.size);
	int r = decompressor_unpack(
		decompressor, slice_of(copy, frame.size), plain_size, ret_plain, &complaint);
	free(copy);
	return r;
}

static void test_a_batch_comes_back_as_it_was(void **state)
{
	static const size_t sizes[] = {200, 2000, 20000, BATCH_SIZE_MAX};
	struct slice frame, again;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct slice plain = sales(sizes[i]);
		assert_true(compressor_pack(compressor, plain, &frame));
		assert_true(frame.size < plain.size);
		assert_int_equal(unpack(frame, plain.size, &again), 0);
		assert_true(slice_equal(again, plain));
	}
}

static void test_every_level_is_read_by_the_same_receiver(void **state)
{
	(void)state;
	for (int level = COMPRESSION_LEVEL_MIN; level <= COMPRESSION_LEVEL_MAX; level++) {
		struct compressor *other = NULL;
		struct slice plain = sales(BATCH_SIZE_MAX);
		struct slice frame, again;
		assert_int_equal(compressor_new(level, &other), 0);
		assert_true(compressor_pack(other, plain, &frame));
		assert_int_equal(unpack(frame, plain.size, &again), 0);
		assert_true(slice_equal(again, plain));
		compressor_free(other);
	}
}

static void test_what_does_not_become_smaller_goes_as_it_is(void **state)
{
	struct slice frame;

	(void)state;
	assert_false(compressor_pack(compressor, slice_of("\x80", 1), &frame));
	assert_false(compressor_pack(compressor, sales(16), &frame));
	assert_false(compressor_pack(compressor, noise(BATCH_SIZE_MAX), &frame));
	assert_false(compressor_pack(compressor, noise(300), &frame));
}

/* The receiver would take it for a bomb. */
static void test_what_becomes_all_too_small_goes_as_it_is(void **state)
{
	struct slice frame;

	(void)state;
	memset(events, ' ', sizeof events);
	assert_false(compressor_pack(compressor, slice_of(events, sizeof events), &frame));
	assert_true(compressor_pack(compressor, slice_of(events, 10000), &frame));
}

static void expect_refusal(struct slice frame, size_t plain_size, const char *why)
{
	struct slice plain = {NULL, 7};

	complaint.reason = REASON_NONE;
	assert_int_equal(unpack(frame, plain_size, &plain), REASON_BAD_FRAME);
	assert_int_equal(complaint.reason, REASON_BAD_FRAME);
	if (strstr(complaint.message, why) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", complaint.message, why);
	}
	assert_int_equal(plain.size, 7);
}

#define FRAME(text) slice_of(text, sizeof(text) - 1)
#define MAGIC "\x28\xb5\x2f\xfd"

static void test_a_frame_written_by_hand_is_read(void **state)
{
	struct slice plain;

	(void)state;
	/* one segment, size in one byte; one raw block, the last, of 3 bytes */
	assert_int_equal(unpack(FRAME(MAGIC "\x20\x03\x19\x00\x00"
					    "abc"),
				 3, &plain),
		0);
	assert_true(slice_equals_text(plain, "abc"));
	/* size in two bytes (less 256); one block that repeats a byte 300 times */
	assert_int_equal(unpack(FRAME(MAGIC "\x60\x2c\x00\x63\x09\x00z"), 300, &plain), 0);
	assert_int_equal(plain.size, 300);
	assert_int_equal(plain.bytes[0] + plain.bytes[299], 2 * 'z');
	/* a window of 256 KiB, size in four bytes */
	assert_int_equal(
		unpack(FRAME(MAGIC "\x80\x40\x2c\x01\x00\x00\x63\x09\x00z"), 300, &plain), 0);
	/* a raw block, then one that repeats */
	assert_int_equal(unpack(FRAME(MAGIC "\x20\x05\x18\x00\x00"
					    "abc"
					    "\x13\x00\x00z"),
				 5, &plain),
		0);
	assert_true(slice_equals_text(plain, "abczz"));
}

static void test_what_breaks_a_rule_is_refused_by_name(void **state)
{
	(void)state;
	expect_refusal(FRAME(""), 3, "no zstd frame");
	expect_refusal(FRAME(MAGIC), 3, "no zstd frame");
	expect_refusal(FRAME("garbage, and rather long"), 300, "no zstd frame");
	expect_refusal(FRAME("\x50\x2a\x4d\x18\x04\x00\x00\x00skip"), 300, "no zstd frame");
	expect_refusal(FRAME(MAGIC "\x21\x01\x03\x19\x00\x00"
				   "abc"),
		3, "dictionary");
	/* without its size, and with another */
	expect_refusal(FRAME(MAGIC "\x00\x40\x63\x09\x00z"), 300, "another size");
	expect_refusal(FRAME(MAGIC "\x60\x2d\x00\x63\x09\x00z"), 300, "another size");
	/* a bomb: 2^63 bytes, if one believes it */
	expect_refusal(FRAME(MAGIC "\xe0\x00\x00\x00\x00\x00\x00\x00\x80\x02\x00\x10z"),
		BATCH_SIZE_MAX, "another size");
	/* a window of 288 KiB, and the largest there is */
	expect_refusal(FRAME(MAGIC "\x80\x41\x2c\x01\x00\x00\x63\x09\x00z"), 300, "window");
	expect_refusal(FRAME(MAGIC "\x80\xff\x2c\x01\x00\x00\x63\x09\x00z"), 300, "window");
	/* cut, and followed by something: a second frame, or a skippable one */
	expect_refusal(FRAME(MAGIC "\x60\x2c\x00\x63\x09\x00"), 300, "cut short");
	expect_refusal(FRAME(MAGIC "\x60\x2c\x00\x63\x09\x00z."), 300, "followed");
	expect_refusal(FRAME(MAGIC "\x20\x03\x19\x00\x00"
				   "abc" MAGIC "\x20\x00\x01\x00\x00"),
		3, "followed");
	/* more, and less, in its blocks than its head says */
	expect_refusal(FRAME(MAGIC "\x60\x2c\x00\x6b\x09\x00z"), 300, "can't be decompressed");
	expect_refusal(FRAME(MAGIC "\x60\x2c\x00\x5b\x09\x00z"), 300, "can't be decompressed");
	/* a block of no type, and a reserved bit */
	expect_refusal(FRAME(MAGIC "\x20\x03\x1f\x00\x00"
				   "abc"),
		3, "cut short or damaged");
	expect_refusal(FRAME(MAGIC "\x28\x03\x19\x00\x00"
				   "abc"),
		3, "another size");
}

static void test_a_flipped_bit_is_never_taken(void **state)
{
	struct slice plain = sales(3000);
	struct slice frame, again;

	(void)state;
	assert_true(compressor_pack(compressor, plain, &frame));
	uint8_t *copy = malloc(frame.size);
	assert_non_null(copy);
	memcpy(copy, frame.bytes, frame.size);
	for (size_t bit = 0; bit < 8 * frame.size; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		int r = unpack(slice_of(copy, frame.size), plain.size, &again);
		/* A bit of the head that says nothing may be either. */
		assert_true(r == REASON_BAD_FRAME || slice_equal(again, plain));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(copy);
}

static void test_every_cut_is_refused_and_the_next_is_read(void **state)
{
	struct slice plain = sales(3000);
	struct slice frame, again;

	(void)state;
	assert_true(compressor_pack(compressor, plain, &frame));
	for (size_t size = 0; size < frame.size; size++) {
		assert_int_equal(
			unpack(slice_of(frame.bytes, size), plain.size, &again), REASON_BAD_FRAME);
	}
	assert_int_equal(unpack(frame, plain.size, &again), 0);
	assert_true(slice_equal(again, plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_batch_comes_back_as_it_was),
		cmocka_unit_test(test_every_level_is_read_by_the_same_receiver),
		cmocka_unit_test(test_what_does_not_become_smaller_goes_as_it_is),
		cmocka_unit_test(test_what_becomes_all_too_small_goes_as_it_is),
		cmocka_unit_test(test_a_frame_written_by_hand_is_read),
		cmocka_unit_test(test_what_breaks_a_rule_is_refused_by_name),
		cmocka_unit_test(test_a_flipped_bit_is_never_taken),
		cmocka_unit_test(test_every_cut_is_refused_and_the_next_is_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
