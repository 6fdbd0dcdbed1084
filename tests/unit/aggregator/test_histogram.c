#include "aggregator/view/histogram.h"
#include "draw.h"
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NUMBERS_MAX = 2000, ROUNDS = 200, SIZE_MAX_OF_TEST = 1 << 20 };

static money draw_number(struct draw *draw, uint32_t style)
{
	/* Sums of money as they are, numbers of any size, a few small ones, and nothing but zero. */
	money number = (money)draw_below(draw, 1000000) * 10000;

	if (style == 1) {
		number = (money)(draw_bits(draw) >> draw_below(draw, 64)) << draw_below(draw, 26);
	} else if (style == 2) {
		number = draw_below(draw, 9);
	} else if (style == 3) {
		number = 0;
	}
	return draw_below(draw, 3) == 0 ? -number : number;
}

static int compare(const void *a, const void *b)
{
	money x = *(const money *)a, y = *(const money *)b;

	return (x > y) - (x < y);
}

static struct bins *bins_of(const money *numbers, size_t count)
{
	struct bins *bins = calloc(1, bins_size(count + 1));

	bins->capacity = (uint32_t)count + 1;
	for (size_t i = 0; i < count; i++) {
		assert_true(bins_add(bins, histogram_bucket(numbers[i]), 1));
	}
	return bins;
}

static struct buffer encoded_of(const struct bins *bins)
{
	struct histogram histogram = {0};
	struct buffer bytes;

	buffer_init(&bytes, SIZE_MAX_OF_TEST);
	assert_true(histogram_add(&histogram, (struct histogram_part){.bins = bins}));
	histogram_write(&histogram, &bytes);
	assert_int_equal(bytes.error, 0);
	return bytes;
}

static money magnitude(money number)
{
	return number < 0 ? -number : number;
}

/* Is it at most 1/128 off, and of the same sign? */
static void assert_near(money found, money exact)
{
	assert_true(magnitude(found - exact) * 128 <= magnitude(exact));
}

static void test_each_number_is_within_the_stated_error_of_its_bucket(void **state)
{
	struct draw draw = {1};
	(void)state;

	for (money number = -5000; number <= 5000; number++) {
		assert_near(histogram_value(histogram_bucket(number)), number);
		assert_true(histogram_bucket(number) <= histogram_bucket(number + 1));
	}
	for (int i = 0; i < 100000; i++) {
		money number = draw_number(&draw, 1);
		assert_near(histogram_value(histogram_bucket(number)), number);
		assert_true(histogram_bucket(number - 1) <= histogram_bucket(number));
	}
}

static void test_a_bucket_holds_what_it_stands_for_and_buckets_ascend(void **state)
{
	(void)state;

	for (int32_t bucket = -HISTOGRAM_INDEX_MAX; bucket <= HISTOGRAM_INDEX_MAX; bucket++) {
		assert_int_equal(histogram_bucket(histogram_value(bucket)), bucket);
		assert_true(bucket == HISTOGRAM_INDEX_MAX ||
			    histogram_value(bucket) < histogram_value(bucket + 1));
	}
	money greatest = (money)1000000000 * 1000000000 * 1000000000; /* 10^9 x 10^18 micros */
	assert_near(histogram_value(histogram_bucket(greatest)), greatest);
	assert_near(histogram_value(histogram_bucket(-greatest)), -greatest);
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(127), 127);
	assert_int_equal(histogram_bucket(128), 128);
	assert_int_equal(histogram_bucket(129), 128);
}

/* The bytes that stores hold: never to change. */
static void test_the_encoding_is_what_it_always_was(void **state)
{
	static const money numbers[] = {0, 1, 1, -3, 2550000, 2550001, 1000000000};
	static const uint8_t expected[] = {
		0xbd, 0x2a, 0x01, 0x03, 0x01, 0x01, 0x02, 0x8c, 0x08, 0x02, 0xaa, 0x04, 0x01};
	struct bins *bins = bins_of(numbers, sizeof numbers / sizeof numbers[0]);
	struct buffer bytes = encoded_of(bins);
	(void)state;

	assert_int_equal(bytes.size, sizeof expected);
	assert_memory_equal(bytes.bytes, expected, sizeof expected);
	buffer_deinit(&bytes);
	free(bins);
}

/* Sorted numbers, cut anywhere into parts: quantiles are within the error of what sorting gives, and the sum of the
 * parts has the bytes of the whole. */
static void test_quantiles_are_what_sorting_gives_within_the_error(void **state)
{
	static const uint32_t millionths[] = {
		1, 1000, 250000, 500000, 750000, 900000, 950000, 999000, 999999};
	struct draw draw = {2};
	static money numbers[NUMBERS_MAX];
	(void)state;

	for (int round = 0; round < ROUNDS; round++) {
		size_t count = 1 + draw_below(&draw, NUMBERS_MAX);
		size_t a = draw_below(&draw, (uint32_t)count + 1);
		uint32_t style = draw_below(&draw, 4);
		for (size_t i = 0; i < count; i++) {
			numbers[i] = draw_number(&draw, style);
		}
		struct bins *whole = bins_of(numbers, count);
		struct bins *first = bins_of(numbers, a);
		struct bins *second = bins_of(numbers + a, count - a);
		struct buffer whole_bytes = encoded_of(whole), first_bytes = encoded_of(first);
		struct histogram sum = {0};
		assert_true(histogram_add(
			&sum, (struct histogram_part){.encoded = buffer_slice(&first_bytes)}));
		assert_true(histogram_add(&sum, (struct histogram_part){.bins = second}));
		struct buffer sum_bytes;
		buffer_init(&sum_bytes, SIZE_MAX_OF_TEST);
		histogram_write(&sum, &sum_bytes);
		assert_int_equal(sum_bytes.size, whole_bytes.size);
		assert_memory_equal(sum_bytes.bytes, whole_bytes.bytes, sum_bytes.size);
		uint64_t told = 0;
		assert_true(histogram_check(buffer_slice(&sum_bytes), &told));
		assert_int_equal(told, count);
		qsort(numbers, count, sizeof numbers[0], compare);
		for (size_t q = 0; q < sizeof millionths / sizeof millionths[0]; q++) {
			size_t rank = (count * millionths[q] + 999999) / 1000000;
			assert_near(
				histogram_quantile(&sum, count, millionths[q]), numbers[rank - 1]);
		}
		buffer_deinit(&whole_bytes);
		buffer_deinit(&first_bytes);
		buffer_deinit(&sum_bytes);
		free(whole);
		free(first);
		free(second);
	}
}

static void test_what_is_no_histogram_is_refused(void **state)
{
	static const struct {
		size_t size;
		uint8_t bytes[16];
	} bad[] = {
		{1, {0x01}}, /* no count */
		{2, {0x00, 0x01}}, /* the same bucket again, below the first */
		{2, {0x01, 0x00}}, /* an empty bucket */
		{4, {0x01, 0x01, 0x00, 0x01}},
		{4, {0xff, 0xff, 0x03, 0x01}}, /* beyond the last bucket */
		{3, {0x01, 0x80, 0x80}}, /* a count without end */
		{14, {0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01,
			     0x01}}, /* more than 2^64 */
	};
	uint64_t count = 77;
	(void)state;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(histogram_check(slice_of(bad[i].bytes, bad[i].size), &count));
		assert_int_equal(count, 77);
	}
	assert_true(histogram_check(slice_of(NULL, 0), &count));
	assert_int_equal(count, 0);
}

static void test_no_histogram_is_longer_than_it_may_be(void **state)
{
	struct bins *bins = calloc(1, bins_size(HISTOGRAM_BUCKETS_MAX));
	(void)state;

	bins->capacity = HISTOGRAM_BUCKETS_MAX;
	for (int32_t bucket = HISTOGRAM_INDEX_MAX; bucket >= -HISTOGRAM_INDEX_MAX; bucket--) {
		assert_true(bins_add(bins, bucket, 1));
	}
	assert_false(bins_add(bins, HISTOGRAM_INDEX_MAX + 1, 1)); /* full */
	for (uint32_t i = 0; i < bins->count; i++) {
		bins->items[i].count = UINT64_MAX / HISTOGRAM_BUCKETS_MAX / 2;
	}
	struct buffer bytes = encoded_of(bins);
	uint64_t count = 0;
	assert_true(bytes.size <= HISTOGRAM_SIZE_MAX);
	assert_true(histogram_check(buffer_slice(&bytes), &count));
	struct histogram histogram = {0};
	for (size_t i = 0; i < HISTOGRAM_PARTS_MAX; i++) {
		assert_true(histogram_add(&histogram, (struct histogram_part){.bins = bins}));
	}
	assert_false(histogram_add(&histogram, (struct histogram_part){.bins = bins}));
	buffer_deinit(&bytes);
	free(bins);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_number_is_within_the_stated_error_of_its_bucket),
		cmocka_unit_test(test_a_bucket_holds_what_it_stands_for_and_buckets_ascend),
		cmocka_unit_test(test_the_encoding_is_what_it_always_was),
		cmocka_unit_test(test_quantiles_are_what_sorting_gives_within_the_error),
		cmocka_unit_test(test_what_is_no_histogram_is_refused),
		cmocka_unit_test(test_no_histogram_is_longer_than_it_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
