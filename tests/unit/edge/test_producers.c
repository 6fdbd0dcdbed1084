#include "edge/producers.h"
#include "fixture.h"

static void test_a_number_is_new_repeated_or_past(void **state)
{
	struct producer_row row = {.n = 7};

	(void)state;
	assert_int_equal(producer_judge(NULL, 1), PRODUCER_NEW);
	assert_int_equal(producer_judge(&row, 8), PRODUCER_NEW);
	assert_int_equal(producer_judge(&row, UINT64_MAX), PRODUCER_NEW);
	assert_int_equal(producer_judge(&row, 7), PRODUCER_REPEATED);
	assert_int_equal(producer_judge(&row, 6), PRODUCER_PAST);
}

static void test_a_row_reads_back_and_notices_flipped_bits(void **state)
{
	struct producer_row row = {
		.n = UINT64_MAX, .used_ms = 1291191960000, .reply = slice_of_text("the reply")};
	struct producer_row read;
	struct slice name = slice_of_text("till-3");
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1024);
	producer_row_encode(name, &row, &buffer);
	assert_true(producer_row_decode(name, buffer_slice(&buffer), &read));
	assert_int_equal(read.n, UINT64_MAX);
	assert_int_equal(read.used_ms, 1291191960000);
	assert_true(slice_equals_text(read.reply, "the reply"));
	for (size_t bit = 0; bit < buffer.size * 8; bit++) {
		buffer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(producer_row_decode(name, buffer_slice(&buffer), &read));
		buffer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t size = 0; size < buffer.size; size++) {
		assert_false(producer_row_decode(name, slice_of(buffer.bytes, size), &read));
	}
	buffer_deinit(&buffer);
}

/* LMDB has no checksums: a row under another name must not pass for that producer's. */
static void test_a_row_belongs_to_one_name(void **state)
{
	struct producer_row row = {.n = 7};
	struct producer_row read;
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1024);
	producer_row_encode(slice_of_text("a"), &row, &buffer);
	assert_false(producer_row_decode(slice_of_text("b"), buffer_slice(&buffer), &read));
	buffer_deinit(&buffer);
}

static void test_a_row_expires_after_its_time_and_not_when_the_clock_goes_back(void **state)
{
	struct producer_row row = {.used_ms = 1000000};

	(void)state;
	assert_false(producer_row_is_expired(&row, 1000000 + 500, 500));
	assert_true(producer_row_is_expired(&row, 1000000 + 501, 500));
	assert_false(producer_row_is_expired(&row, 0, 500));
}

/* A clock that was years off, and a row that says so. */
static void test_a_row_expires_however_far_back_its_time_is(void **state)
{
	struct producer_row row = {.used_ms = INT64_MIN};

	(void)state;
	assert_true(producer_row_is_expired(&row, INT64_C(1700000000000), INT64_MAX));
	assert_false(producer_row_is_expired(&row, INT64_MIN, 500));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_is_new_repeated_or_past),
		cmocka_unit_test(test_a_row_reads_back_and_notices_flipped_bits),
		cmocka_unit_test(test_a_row_belongs_to_one_name),
		cmocka_unit_test(
			test_a_row_expires_after_its_time_and_not_when_the_clock_goes_back),
		cmocka_unit_test(test_a_row_expires_however_far_back_its_time_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
