/* The header that says when a batch was received. */
#include "proto/limits.h"
#include "proto/receipt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool reads(const char *text, struct receipt *ret_receipt)
{
	return receipt_read(slice_of_text(text), ret_receipt);
}

static void test_what_is_written_is_read(void **state)
{
	static const struct {
		struct receipt receipt;
		const char *text;
	} rows[] = {
		{{0, 1}, "0/1"},
		{{INT64_C(1291193160250), 17}, "1291193160250/17"},
		{{INT64_C(253402300799999), BATCH_SIZE_MAX}, "253402300799999/262144"},
	};
	char text[RECEIPT_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct receipt receipt = {-1, 0};
		int size = receipt_write(&rows[i].receipt, text);
		assert_int_equal(size, strlen(rows[i].text));
		assert_memory_equal(text, rows[i].text, (size_t)size);
		assert_true(reads(rows[i].text, &receipt));
		assert_true(receipt.received_ms == rows[i].receipt.received_ms);
		assert_int_equal(receipt.count, rows[i].receipt.count);
	}
}

static void test_anything_else_is_none(void **state)
{
	static const char *const texts[] = {"", "/", "1", "1/", "/1", "1/0", "-1/1", "1/-1", "+1/1",
		" 1/1", "1/1 ", "01/1", "1/01", "1//1", "1/1/1", "1.5/1", "1/262145",
		"253402300800000/1", "99999999999999999999999999/1", "1/99999999999999999999999"};
	struct receipt receipt = {5, 6};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_false(reads(texts[i], &receipt));
	}
	assert_false(receipt_read(slice_of("1/1\0", 4), &receipt));
	assert_true(receipt.received_ms == 5 && receipt.count == 6); /* left alone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_anything_else_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
