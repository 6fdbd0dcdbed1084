#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buffer.h"

static void test_content_survives_growth(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 100000);
	for (int i = 0; i < 50000; i++) {
		buffer_append_byte(&buffer, (uint8_t)(i % 251));
	}
	buffer_append_text(&buffer, "end");
	assert_int_equal(buffer.error, 0);
	assert_int_equal(buffer.size, 50003);
	for (int i = 0; i < 50000; i++) {
		assert_int_equal(buffer.bytes[i], i % 251);
	}
	assert_memory_equal(buffer.bytes + 50000, "end", 3);
	assert_true(buffer.capacity <= buffer.limit);
	buffer_deinit(&buffer);
}

static void test_the_limit_can_be_reached_and_not_passed(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 5);
	buffer_append(&buffer, "12345", 5);
	assert_int_equal(buffer.error, 0);
	buffer_append_byte(&buffer, '6');
	assert_int_equal(buffer.error, -EMSGSIZE);
	assert_true(slice_equals_text(buffer_slice(&buffer), "12345"));
	buffer_deinit(&buffer);
}

static void test_an_error_sticks_until_cut_back_or_cleared(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 5);
	buffer_append_text(&buffer, "abc");
	buffer_append_text(&buffer, "too long");
	buffer_append_text(&buffer, "d"); /* would fit, but comes after the failure */
	assert_int_equal(buffer.error, -EMSGSIZE);
	assert_null(buffer_extend(&buffer, 1));
	buffer_truncate(&buffer, 2);
	assert_int_equal(buffer.error, 0);
	buffer_append_text(&buffer, "xyz");
	assert_true(slice_equals_text(buffer_slice(&buffer), "abxyz"));
	buffer_append_byte(&buffer, '!');
	buffer_clear(&buffer);
	assert_int_equal(buffer.error, 0);
	assert_int_equal(buffer.size, 0);
	buffer_deinit(&buffer);
}

static void test_sizes_near_the_end_of_memory_do_not_wrap(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1000);
	buffer_append_text(&buffer, "abc");
	assert_null(buffer_extend(&buffer, SIZE_MAX));
	assert_int_equal(buffer.error, -EMSGSIZE);
	buffer_deinit(&buffer);
}

/* ASan would end the process where malloc gives NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_memory_that_is_not_there_is_an_error(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, SIZE_MAX / 2);
	assert_null(buffer_extend(&buffer, SIZE_MAX / 2));
	assert_int_equal(buffer.error, -ENOMEM);
	buffer_truncate(&buffer, 0);
	assert_int_equal(buffer.error, -ENOMEM); /* only a full buffer is cured by cutting */
	buffer_deinit(&buffer);
}

static void test_nothing_is_allocated_for_nothing(void **state)
{
	struct buffer buffer = {0};

	(void)state;
	buffer_deinit(&buffer);
	buffer_init(&buffer, 10);
	buffer_append(&buffer, NULL, 0);
	buffer_append_text(&buffer, "");
	assert_null(buffer.bytes);
	assert_int_equal(buffer.error, 0);
	assert_non_null(buffer_extend(&buffer, 0));
	assert_int_equal(buffer.size, 0);
	buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_survives_growth),
		cmocka_unit_test(test_the_limit_can_be_reached_and_not_passed),
		cmocka_unit_test(test_an_error_sticks_until_cut_back_or_cleared),
		cmocka_unit_test(test_sizes_near_the_end_of_memory_do_not_wrap),
		cmocka_unit_test(test_memory_that_is_not_there_is_an_error),
		cmocka_unit_test(test_nothing_is_allocated_for_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
