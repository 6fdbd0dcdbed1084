#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/reason.h"
#include "proto/utf8.h"

static void test_every_reason_has_a_code_of_its_own(void **state)
{
	(void)state;
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		const char *code = reason_code((enum reason)i);
		assert_non_null(code);
		assert_true(strlen(code) > 0);
		assert_int_equal(reason_from_code(code, strlen(code)), i);
	}
	assert_string_equal(reason_code(REASON_NONE), "");
	assert_string_equal(reason_code(REASON_FLOAT32_MONEY), "float32_money");
	assert_int_equal(reason_from_code("", 0), REASON_NONE);
	assert_int_equal(reason_from_code("bad_valu", 8), REASON_NONE);
	assert_int_equal(reason_from_code("bad_values", 10), REASON_NONE);
}

static void test_a_complaint_names_the_field_and_the_value(void **state)
{
	struct complaint complaint;

	(void)state;
	complaint_set(&complaint, REASON_BAD_VALUE, "unit_price",
		"unit_price \"%s\" is not a decimal number", "2,55");
	assert_int_equal(complaint.reason, REASON_BAD_VALUE);
	assert_string_equal(complaint.field, "unit_price");
	assert_string_equal(complaint.message, "unit_price \"2,55\" is not a decimal number");
	complaint_set(&complaint, REASON_BAD_FRAME, NULL, "cut short");
	assert_string_equal(complaint.field, "");
}

static void test_foreign_bytes_become_printable(void **state)
{
	struct complaint complaint;

	(void)state;
	complaint_set(&complaint, REASON_BAD_VALUE, "\x1b[31m",
		"a\nb\x7f \xff\xc3 \xc2\x9b Z\xc3\xbcrich");
	assert_string_equal(complaint.field, "?[31m");
	assert_string_equal(complaint.message, "a?b? ?? ? Z\xc3\xbcrich");
}

/* Whatever the length and wherever a character of three bytes falls, the cut leaves whole characters. */
static void test_a_cut_leaves_whole_characters(void **state)
{
	char foreign[COMPLAINT_SIZE_MAX * 2];
	struct complaint complaint;

	(void)state;
	for (size_t size = COMPLAINT_SIZE_MAX - 8; size < COMPLAINT_SIZE_MAX + 8; size++) {
		size_t at = size % 3;
		memset(foreign, 'x', sizeof foreign);
		for (; at + 3 <= size; at += 3) {
			memcpy(foreign + at, "\xe6\x9d\xb1", 3);
		}
		foreign[at] = '\0';
		complaint_set(&complaint, REASON_BAD_VALUE, foreign, "%s", foreign);
		struct slice message = slice_of_text(complaint.message);
		assert_true(utf8_is_valid(message));
		assert_true(utf8_is_valid(slice_of_text(complaint.field)));
		assert_true(message.size < COMPLAINT_SIZE_MAX);
		bool is_whole = strcmp(complaint.message, foreign) == 0;
		assert_int_equal(is_whole, at < COMPLAINT_SIZE_MAX);
		if (!is_whole) {
			assert_memory_equal(message.bytes + message.size - 3, "\xe2\x80\xa6", 3);
			assert_true(message.size > COMPLAINT_SIZE_MAX - 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_reason_has_a_code_of_its_own),
		cmocka_unit_test(test_a_complaint_names_the_field_and_the_value),
		cmocka_unit_test(test_foreign_bytes_become_printable),
		cmocka_unit_test(test_a_cut_leaves_whole_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
