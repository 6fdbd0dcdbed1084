/* Bytes of files into items: what is an event, what is none and why, and where cutting stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/line_batch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct line_batch *open_batch(enum line_format format, uint32_t events_max)
{
	struct line_rules rules = {.format = format, .delimiter = ',', .events_max = events_max};
	struct line_batch *batch = NULL;
	struct pairs_error error;

	assert_int_equal(line_batch_new(&rules, &batch, &error), 0);
	line_batch_begin(batch);
	return batch;
}

/* "1+raw 2!why" for each item, then the bytes dealt with and why it stopped. */
static void expect(enum line_format format, const char *text, bool last, const char *rendered)
{
	struct line_batch *batch = open_batch(format, 100);
	struct pairs_error error;
	struct line_cut names = {.size = 0};
	struct line_cut cut;
	char out[2048] = "";
	size_t at = 0;

	if (format == LINE_CSV) {
		assert_int_equal(
			line_batch_bind(batch, slice_of_text(text), last, &names, &error), 0);
	}
	assert_int_equal(
		line_batch_cut(batch, slice_of_text(text + names.size), last, names.lines, &cut),
		0);
	const struct submission_item *items = line_batch_items(batch);
	for (uint32_t i = 0; i < line_batch_count(batch); i++) {
		bool good = items[i].event.size > 0;
		at += (size_t)snprintf(out + at, sizeof out - at, "%llu%c%.*s ",
			(unsigned long long)line_batch_line(batch, i), good ? '+' : '!',
			good ? (int)items[i].raw.size : 100,
			good ? (const char *)items[i].raw.bytes : items[i].complaint->message);
	}
	snprintf(out + at, sizeof out - at, "%zu%c", names.size + cut.size, "mflb"[cut.stop]);
	assert_string_equal(out, rendered);
	line_batch_free(batch);
}

static void test_lines_of_json_are_events_and_others_are_not(void **state)
{
	(void)state;
	expect(LINE_NDJSON, "{\"a\":1}\r\n\n  \nxyz\n[1]\n {}\n{\"b\"", false,
		"1+{\"a\":1} 4!the line is no JSON object 5!the line is no JSON object 6+{} 25m");
	expect(LINE_NDJSON, "{}\n{\"b\":1}", true, "1+{} 2+{\"b\":1} 10m");
}

static void test_rows_are_maps_of_their_columns(void **state)
{
	(void)state;
	expect(LINE_CSV, "a,b\n1,2\n\n3\n\"x\ny\",4\n\"z\"5,6\n7,", false,
		"2+1,2 3!the line has 1 cell, the first line has 2 5+\"x\ny\",4 "
		"7!the line has text behind a closing quote 26m");
	expect(LINE_CSV,
		"\xef\xbb\xbf"
		"a,b\n7,8",
		true, "2+7,8 10m");
}

/* What follows such a line must not go with it. */
static void test_a_quote_that_is_never_closed_costs_its_own_line(void **state)
{
	(void)state;
	expect(LINE_CSV, "a,b\n\"1,2\n3,4\n", false, "4m");
	expect(LINE_CSV, "a,b\n\"1,2\n3,4\n", true,
		"2!the line has a quote that is never closed 3+3,4 13m");
}

static void test_what_is_not_msgpack_ends_the_file(void **state)
{
	(void)state;
	expect(LINE_MSGPACK, "\x81\xa1q\x01\x81\xa1z\x02\x07", false,
		"1+\x81\xa1q\x01 2+\x81\xa1z\x02 3+\x07 9m");
	expect(LINE_MSGPACK, "\x81\xa1q\x01\xc1", true, "1+\x81\xa1q\x01 4b");
	expect(LINE_MSGPACK, "\x81\xa1q\x01\x81", false, "1+\x81\xa1q\x01 4m");
	expect(LINE_MSGPACK, "\x81\xa1q\x01\x81", true, "1+\x81\xa1q\x01 4b");
}

static void test_a_batch_is_bounded(void **state)
{
	(void)state;
	struct line_batch *batch = open_batch(LINE_NDJSON, 2);
	struct line_cut cut;

	assert_int_equal(line_batch_cut(batch, slice_of_text("{}\n{}\n{}\n"), false, 0, &cut), 0);
	assert_int_equal(line_batch_count(batch), 2);
	assert_int_equal(cut.size, 6);
	assert_int_equal(cut.stop, LINE_STOP_FULL);
	line_batch_free(batch);
}

static void test_a_long_line_is_left_to_be_skipped(void **state)
{
	(void)state;
	for (int csv = 0; csv < 2; csv++) {
		struct line_batch *batch = open_batch(csv ? LINE_CSV : LINE_NDJSON, 10);
		char *text = malloc(LINE_WINDOW_SIZE);
		struct pairs_error error;
		struct line_cut cut;

		memset(text, 'x', LINE_WINDOW_SIZE);
		memcpy(text, "a\nb\n", 4);
		struct slice bytes = slice_of(text, LINE_WINDOW_SIZE);
		assert_int_equal(line_batch_bind(batch, bytes, false, &cut, &error), csv ? 0 : 0);
		assert_int_equal(line_batch_cut(batch, bytes, false, 0, &cut), 0);
		assert_int_equal(cut.size, 4);
		assert_int_equal(cut.stop, LINE_STOP_TOO_LONG);
		line_batch_add_long(batch, slice_of(text + 4, 10), UINT64_C(10737418240), 2);
		const struct submission_item *items = line_batch_items(batch);
		assert_int_equal(items[2].complaint->reason, REASON_TOO_LARGE);
		assert_string_equal(items[2].complaint->message,
			"a line of 10737418240 bytes, at most 262144: its first 10 are kept");
		assert_int_equal(items[2].event.size, 0);
		free(text);
		line_batch_free(batch);
	}
}

static void test_columns_are_bound_once_for_equal_names(void **state)
{
	(void)state;
	struct line_batch *batch = open_batch(LINE_CSV, 10);
	struct pairs_error error;
	struct line_cut cut;

	assert_int_equal(line_batch_names_hash(batch), 0);
	assert_int_equal(
		line_batch_bind(batch, slice_of_text("a,b\n1,2\n"), false, &cut, &error), 0);
	uint64_t hash = line_batch_names_hash(batch);
	assert_int_equal(
		line_batch_bind(batch, slice_of_text("a,b\n3,4\n"), false, &cut, &error), 0);
	assert_true(line_batch_names_hash(batch) == hash);
	assert_int_equal(line_batch_bind(batch, slice_of_text("a,c\n"), false, &cut, &error), 0);
	assert_true(line_batch_names_hash(batch) != hash);
	assert_int_equal(
		line_batch_bind(batch, slice_of_text("a,c"), false, &cut, &error), LINE_E_MORE);
	assert_int_equal(
		line_batch_bind(batch, slice_of_text("a,a\n"), false, &cut, &error), -EINVAL);
	line_batch_free(batch);
}

static void test_fields_are_renamed_and_set(void **state)
{
	(void)state;
	static const char *const map[] = {"unit_price=p", NULL};
	static const char *const set[] = {"channel=pos", NULL};
	struct line_rules rules = {LINE_NDJSON, ',', map, set, "cart", 10};
	struct line_batch *batch = NULL;
	struct pairs_error error;
	struct line_cut cut;

	assert_int_equal(line_batch_new(&rules, &batch, &error), 0);
	line_batch_begin(batch);
	assert_int_equal(
		line_batch_cut(batch, slice_of_text("{\"p\":1.50}\n{\"p\"}\n"), false, 0, &cut), 0);
	const struct submission_item *items = line_batch_items(batch);
	assert_true(slice_equals_text(
		items[0].event, "{\"channel\":\"pos\",\"kind\":\"cart\",\"unit_price\":1.50}"));
	assert_true(slice_equals_text(items[0].raw, "{\"p\":1.50}"));
	assert_int_equal(items[1].event.size, 0);
	assert_int_not_equal(items[1].complaint->reason, REASON_NONE);
	line_batch_free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_json_are_events_and_others_are_not),
		cmocka_unit_test(test_rows_are_maps_of_their_columns),
		cmocka_unit_test(test_a_quote_that_is_never_closed_costs_its_own_line),
		cmocka_unit_test(test_what_is_not_msgpack_ends_the_file),
		cmocka_unit_test(test_a_batch_is_bounded),
		cmocka_unit_test(test_a_long_line_is_left_to_be_skipped),
		cmocka_unit_test(test_columns_are_bound_once_for_equal_names),
		cmocka_unit_test(test_fields_are_renamed_and_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
