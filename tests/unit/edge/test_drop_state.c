/* What is remembered of a dropped file, and what its report says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/drop_list.h"
#include "edge/drop_state.h"
#include "edge/submission.h"
#include "proto/utf8.h"
#include <stdio.h>
#include <string.h>

static struct reply reply_of(uint64_t run, uint64_t first, uint64_t last)
{
	struct reply reply = {.accepted = (uint32_t)(last - first + 1), .run = run};

	reply.seq[KIND_ORDER].first = first;
	reply.seq[KIND_ORDER].last = last;
	return reply;
}

static void test_seqs_of_a_run_become_one_range(void **state)
{
	(void)state;
	struct drop_state drop = {.name = "a"};
	struct reply replies[] = {reply_of(7, 5, 9), reply_of(7, 20, 20), reply_of(8, 1, 2)};

	replies[1].invalid = 2;
	replies[1].repeated_events = 3;
	for (int i = 0; i < 3; i++) {
		drop_state_add(&drop, &replies[i]);
	}
	assert_int_equal(drop.accepted, 8);
	assert_int_equal(drop.invalid, 2);
	assert_int_equal(drop.repeated, 3);
	assert_int_equal(drop.range_count, 2);
	assert_int_equal(drop.ranges[0].first, 5);
	assert_int_equal(drop.ranges[0].last, 20);
	assert_int_equal(drop.ranges[0].count, 6);
	assert_int_equal(drop.ranges[1].run, 8);
	for (uint64_t run = 100; run < 100 + DROP_RANGES_MAX; run++) {
		struct reply more = reply_of(run, 1, 1);
		drop_state_add(&drop, &more);
	}
	assert_int_equal(drop.range_count, DROP_RANGES_MAX);
	assert_true(drop.ranges_left_out);
}

/* All that can be long is. */
static void fill(struct drop_state *drop)
{
	*drop = (struct drop_state){.device = UINT64_MAX,
		.inode = UINT64_MAX - 1,
		.size = UINT64_MAX - 2,
		.mtime_ns = -5,
		.offset = UINT64_MAX - 3,
		.lines = UINT64_MAX - 4,
		.accepted = UINT64_MAX - 5,
		.invalid = UINT64_MAX - 6,
		.repeated = UINT64_MAX - 7,
		.error_count = DROP_ERRORS_MAX,
		.ranges_left_out = true,
		.started_ms = INT64_MAX,
		.finished_ms = INT64_MAX,
		.twin_ms = INT64_MAX,
		.outcome = DROP_REPEATED,
		.range_count = DROP_RANGES_MAX};
	memset(drop->name, 'n', sizeof drop->name - 1);
	memset(drop->target, 't', sizeof drop->target - 1);
	memset(drop->why, 'w', sizeof drop->why - 1);
	memset(drop->prefix, 0xa5, sizeof drop->prefix);
	memset(drop->digest, 0x5a, sizeof drop->digest);
	for (uint32_t i = 0; i < DROP_RANGES_MAX; i++) {
		drop->ranges[i] = (struct drop_range){
			RUN_MAX, KIND_VIEW_DLQ, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX};
	}
}

static void test_a_state_is_read_as_it_was_written_and_fits_into_a_mark(void **state)
{
	(void)state;
	struct drop_state drop;
	struct drop_state read;
	struct buffer bytes;
	struct buffer again;

	fill(&drop);
	buffer_init(&bytes, 65536);
	buffer_init(&again, 65536);
	drop_state_encode(&drop, &bytes);
	assert_int_equal(bytes.error, 0);
	assert_true(bytes.size <= SOURCE_MARK_VALUE_SIZE_MAX);
	assert_true(drop_state_decode(buffer_slice(&bytes), &read));
	assert_int_equal(read.mtime_ns, -5);
	assert_string_equal(read.target, drop.target);
	drop_state_encode(&read, &again);
	assert_true(slice_equal(buffer_slice(&bytes), buffer_slice(&again)));
	for (size_t size = 0; size < bytes.size; size++) {
		assert_false(drop_state_decode(slice_of(bytes.bytes, size), &read));
	}
	buffer_deinit(&bytes);
	buffer_deinit(&again);
}

static void test_an_error_is_read_as_it_was_written(void **state)
{
	(void)state;
	struct drop_error error = {.line = 17};
	struct drop_error read;
	struct buffer bytes;

	complaint_set(&error.complaint, REASON_BAD_VALUE, "unit_price", "is \"%s\"", "2,55");
	buffer_init(&bytes, 4096);
	drop_error_encode(&error, &bytes);
	assert_true(drop_error_decode(buffer_slice(&bytes), &read));
	assert_int_equal(read.line, 17);
	assert_int_equal(read.complaint.reason, REASON_BAD_VALUE);
	assert_string_equal(read.complaint.field, "unit_price");
	assert_string_equal(read.complaint.message, "is \"2,55\"");
	assert_false(drop_error_decode(slice_of(bytes.bytes, bytes.size - 1), &read));
	buffer_deinit(&bytes);
}

static void test_the_report_says_all_of_it(void **state)
{
	(void)state;
	struct drop_state drop = {.name = "a.csv",
		.size = 9,
		.lines = 3,
		.accepted = 1,
		.invalid = 1,
		.error_count = 1,
		.started_ms = 1000,
		.finished_ms = 2000,
		.outcome = DROP_FAILED,
		.why = "no line was accepted",
		.range_count = 1,
		.ranges = {{7, KIND_ORDER, 5, 5, 1}}};
	struct drop_error error = {.line = 2};
	const struct drop_report report = {&drop, &error, "berlin-1", "in"};
	struct buffer text;

	complaint_set(&error.complaint, REASON_BAD_FRAME, "", "the line is no JSON object");
	buffer_init(&text, 65536);
	drop_report_encode(&report, &text);
	buffer_append_byte(&text, '\0');
	assert_string_equal((const char *)text.bytes,
		"{\"file\":\"a.csv\",\"outcome\":\"failed\",\"why\":\"no line was accepted\","
		"\"edge\":\"berlin-1\",\"source\":\"in\",\"size\":9,"
		"\"digest\":\"00000000000000000000000000000000\",\"lines\":3,\"accepted\":1,"
		"\"invalid\":1,\"repeated\":0,\"errors\":[{\"line\":2,\"code\":\"bad_frame\","
		"\"message\":\"the line is no JSON object\"}],\"seq\":[{\"run\":7,"
		"\"kind\":\"order\",\"first\":5,\"last\":5,\"count\":1}],"
		"\"started\":\"1970-01-01T00:00:01.000Z\",\"finished\":\"1970-01-01T00:00:02."
		"000Z\"}\n");
	buffer_deinit(&text);
}

/* Why a file failed may hold a column's name, cut where there was no more room. */
static void test_the_report_is_utf_8_though_words_were_cut_within_a_character(void **state)
{
	(void)state;
	struct drop_state drop = {.name = "caf\xe9.csv", .outcome = DROP_FAILED};
	const struct drop_report report = {&drop, NULL, "berlin-1", "in"};
	struct buffer text;

	memset(drop.why, 'x', sizeof drop.why - 2);
	drop.why[sizeof drop.why - 2] = '\xc3';
	buffer_init(&text, 65536);
	drop_report_encode(&report, &text);
	assert_int_equal(text.error, 0);
	assert_true(utf8_is_valid(buffer_slice(&text)));
	buffer_deinit(&text);
}

static void test_files_come_oldest_first_and_then_by_name(void **state)
{
	(void)state;
	struct drop_list list = {0};

	assert_null(drop_list_next(&list));
	assert_int_equal(drop_list_add(&list, "c", 5), 0);
	assert_int_equal(drop_list_add(&list, "b", 5), 0);
	assert_int_equal(drop_list_add(&list, "z", 1), 0);
	drop_list_sort(&list);
	assert_string_equal(drop_list_next(&list), "z");
	assert_string_equal(drop_list_next(&list), "b");
	assert_string_equal(drop_list_next(&list), "c");
	assert_null(drop_list_next(&list));
	assert_false(list.left_out);
	drop_list_clear(&list);
}

static void test_of_too_many_files_the_oldest_are_kept(void **state)
{
	(void)state;
	struct drop_list list = {0};
	char name[16];
	int given = 0;

	for (int i = 5 * DROP_LIST_MAX; i > 0; i--) { /* the oldest comes last */
		snprintf(name, sizeof name, "%d", i);
		assert_int_equal(drop_list_add(&list, name, i), 0);
	}
	drop_list_sort(&list);
	assert_true(list.left_out);
	assert_string_equal(drop_list_next(&list), "1");
	while (drop_list_next(&list) != NULL) {
		given++;
	}
	assert_int_equal(given, DROP_LIST_MAX - 1);
	drop_list_clear(&list);
}

static void test_names_of_unfinished_files_are_not_wanted(void **state)
{
	(void)state;
	assert_true(drop_name_is_wanted("a.csv"));
	assert_true(drop_name_is_wanted("tmp"));
	assert_false(drop_name_is_wanted(".a.csv"));
	assert_false(drop_name_is_wanted("a.csv.tmp"));
	assert_false(drop_name_is_wanted("a.csv.part"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seqs_of_a_run_become_one_range),
		cmocka_unit_test(test_a_state_is_read_as_it_was_written_and_fits_into_a_mark),
		cmocka_unit_test(test_an_error_is_read_as_it_was_written),
		cmocka_unit_test(test_the_report_says_all_of_it),
		cmocka_unit_test(test_the_report_is_utf_8_though_words_were_cut_within_a_character),
		cmocka_unit_test(test_files_come_oldest_first_and_then_by_name),
		cmocka_unit_test(test_of_too_many_files_the_oldest_are_kept),
		cmocka_unit_test(test_names_of_unfinished_files_are_not_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
