/* Files in three formats, fed in pieces: every record has its place, and a bad one does not stop the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/input.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct input *open_input(enum input_format format)
{
	struct mapping_options options = {.prefix = "--"};
	struct pairs_error error;
	struct mapping *mapping = NULL;
	struct input *input = NULL;

	assert_int_equal(mapping_new(&options, &mapping, &error), 0);
	assert_int_equal(input_new_take(format, ',', mapping, &input), 0);
	return input;
}

/* "1+ 2+ 3!" : number and state of each record, '@' and the line where `lines`. */
static int read_all(
	struct input *input, struct slice bytes, size_t piece, bool lines, char *ret_rendered)
{
	struct input_record record;
	struct pairs_error error;
	size_t at = 0;
	int r = INPUT_E_MORE;

	while (r == INPUT_E_MORE || r == 0) {
		r = input_next(input, &record, &error);
		if (r == 0) {
			ret_rendered += sprintf(ret_rendered, "%llu%c",
				(unsigned long long)record.number, "+-!"[record.state]);
			ret_rendered += lines ? sprintf(ret_rendered, "@%llu ",
							(unsigned long long)record.line)
					      : sprintf(ret_rendered, " ");
		} else if (r == INPUT_E_MORE && at < bytes.size) {
			size_t size = bytes.size - at < piece ? bytes.size - at : piece;
			assert_int_equal(input_feed(input, slice_of(bytes.bytes + at, size)), 0);
			at += size;
		} else if (r == INPUT_E_MORE) {
			input_end(input);
		}
	}
	return r;
}

static void expect(enum input_format format, struct slice bytes, bool lines, const char *rendered)
{
	char text[1024];

	for (size_t piece = 1; piece <= bytes.size; piece += piece < 8 ? 1 : 37) {
		struct input *input = open_input(format);
		memset(text, 0, sizeof text);
		assert_int_equal(read_all(input, bytes, piece, lines, text), INPUT_E_END);
		assert_string_equal(text, rendered);
		input_free(input);
	}
}

static void test_csv_records_have_number_and_line(void **state)
{
	(void)state;
	expect(INPUT_CSV, slice_of_text("a,b\n1,2\n\n3\n\"x\ny\",4\n\"z\"5,6\n7,8"), true,
		"1+@2 2!@4 3+@5 4!@7 5+@8 ");
}

static void test_ndjson_skips_blank_lines_and_reports_bad_ones(void **state)
{
	(void)state;
	expect(INPUT_NDJSON,
		slice_of_text("{\"a\":1}\r\n\n  \n{\"a\":\n[1]\n{\"a\":1}{\n{\"b\":2}"), true,
		"1+@1 2!@4 3+@5 4!@6 5+@7 ");
}

static void test_msgpack_values_lie_back_to_back(void **state)
{
	(void)state;
	expect(INPUT_MSGPACK,
		slice_of("\x81\xa1"
			 "a\x01\x80\x05",
			6),
		false, "1+ 2+ 3+ ");
}

static void test_broken_msgpack_ends_the_input(void **state)
{
	(void)state;
	struct input *input = open_input(INPUT_MSGPACK);
	char text[256] = "";

	assert_int_equal(read_all(input, slice_of("\x80\x82\xa1", 3), 3, false, text), -EINVAL);
	assert_string_equal(text, "1+ ");
	input_free(input);
}

/* Depth that would spoil the frame for its neighbours stays here. */
static void test_nesting_that_no_frame_survives_is_one_invalid_record(void **state)
{
	(void)state;
	char line[600];

	memset(line, '[', 200);
	memset(line + 200, ']', 200);
	memcpy(line + 400, "\n{}\n", 5);
	expect(INPUT_NDJSON, slice_of_text(line), true, "1!@1 2+@2 ");
}

static void test_a_line_without_end_takes_no_memory(void **state)
{
	(void)state;
	size_t size = 3 * 1024 * 1024;
	char *line = malloc(size);
	struct input *input = open_input(INPUT_NDJSON);
	char text[256] = "";

	memset(line, 'x', size);
	memcpy(line + size - 4, "\n{}\n", 4);
	assert_int_equal(
		read_all(input, slice_of(line, size), 100 * 1024, true, text), INPUT_E_END);
	assert_string_equal(text, "1!@1 2+@2 ");
	input_free(input);
	input = open_input(INPUT_NDJSON);
	memset(text, 0, sizeof text);
	assert_int_equal(
		read_all(input, slice_of(line, size - 4), 100 * 1024, true, text), INPUT_E_END);
	assert_string_equal(text, "1!@1 ");
	input_free(input);
	free(line);
}

static void test_a_csv_without_readable_names_is_unusable(void **state)
{
	(void)state;
	struct input *input = open_input(INPUT_CSV);
	char text[64] = "";

	assert_int_equal(read_all(input, slice_of_text("a,\"b\n1,2\n"), 100, true, text), -EINVAL);
	input_free(input);
	input = open_input(INPUT_CSV);
	assert_int_equal(read_all(input, slice_of_text("a,a\n1,2\n"), 100, true, text), -EINVAL);
	input_free(input);
}

static void test_the_nearest_column_is_suggested(void **state)
{
	(void)state;
	static const char *const map[] = {"quantity=Quantty", NULL};
	struct mapping_options options = {.map = map, .prefix = "--"};
	struct pairs_error error;
	struct mapping *mapping = NULL;
	struct input *input = NULL;
	struct input_record record;

	assert_int_equal(mapping_new(&options, &mapping, &error), 0);
	assert_int_equal(input_new_take(INPUT_CSV, ',', mapping, &input), 0);
	assert_int_equal(input_feed(input, slice_of_text("Invoice,Quantity\n")), 0);
	assert_int_equal(input_next(input, &record, &error), -EINVAL);
	assert_string_equal(error.text, "no column \"Quantty\"; did you mean \"Quantity\"?");
	input_free(input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv_records_have_number_and_line),
		cmocka_unit_test(test_ndjson_skips_blank_lines_and_reports_bad_ones),
		cmocka_unit_test(test_msgpack_values_lie_back_to_back),
		cmocka_unit_test(test_broken_msgpack_ends_the_input),
		cmocka_unit_test(test_nesting_that_no_frame_survives_is_one_invalid_record),
		cmocka_unit_test(test_a_line_without_end_takes_no_memory),
		cmocka_unit_test(test_a_csv_without_readable_names_is_unusable),
		cmocka_unit_test(test_the_nearest_column_is_suggested),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
