/* Snapshot and stream joined: whatever the order in which pages and messages come, the rows are the aggregator's. */
#include "client/live_table.h"
#include "proto/buffer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct bench {
	struct live_table *table;
	struct document document;
	unsigned changes, gone;
};

static int on_changed(void *owner, const struct live_change *change)
{
	struct bench *bench = owner;

	bench->changes += change->row.bytes != NULL;
	bench->gone += change->row.bytes == NULL;
	return 0;
}

static const struct node *decode(struct bench *bench, const char *json)
{
	struct complaint complaint;

	assert_int_equal(document_decode(&bench->document, ENCODING_JSON, slice_of_text(json),
				 NESTING_MAX, &complaint),
		0);
	return bench->document.nodes;
}

static struct bench *new_bench(size_t rows_max)
{
	struct bench *bench = calloc(1, sizeof *bench);
	const struct live_table_options options = {rows_max, on_changed, bench};

	assert_non_null(bench);
	assert_int_equal(document_init(&bench->document, 10000), 0);
	assert_int_equal(live_table_new(&options, &bench->table), 0);
	assert_int_equal(
		live_table_name_key(bench->table, decode(bench, "[\"id\",\"currency\"]")), 0);
	return bench;
}

static void free_bench(struct bench *bench)
{
	live_table_free(bench->table);
	document_deinit(&bench->document);
	free(bench);
}

static int take(struct bench *bench, const char *type, const char *stream, int n, const char *rest)
{
	char json[1024];

	snprintf(json, sizeof json, "{\"type\":\"%s\",\"stream\":\"%s\",\"n\":%d%s,\"as_of\":{}}",
		type, stream, n, rest);
	return live_table_take(bench->table, slice_of_text(json));
}

#define ROW(id, count) "{\"id\":\"" id "\",\"currency\":\"EUR\",\"count\":" count "}"
#define ROWS(rows, gone) ",\"rows\":[" rows "],\"gone\":[" gone "]"

static int page(struct bench *bench, const char *stream, int n, const char *rows, const char *next)
{
	char json[1024];

	snprintf(json, sizeof json,
		"{\"ok\":true,\"rows\":[%s]%s,\"live\":{\"stream\":\"%s\",\"n\":%d}}", rows, next,
		stream, n);
	return live_table_page(bench->table, decode(bench, json));
}

struct wanted {
	const char *key;
	struct slice row;
};

static int find_row(void *owner, const struct live_change *row)
{
	struct wanted *wanted = owner;

	if (slice_equals_text(row->key, wanted->key)) {
		wanted->row = row->row;
	}
	return 0;
}

static void expect_row(const struct bench *bench, const char *id, const char *row)
{
	char key[64];
	struct wanted wanted = {.key = key};

	snprintf(key, sizeof key, "\"%s\",\"EUR\"", id);
	live_table_each(bench->table, find_row, &wanted);
	if (row == NULL) {
		assert_null(wanted.row.bytes);
	} else {
		assert_true(slice_equals_text(wanted.row, row));
	}
}

/* Listens, has heard number 7 of stream "a", and reads. */
static struct bench *reading_bench(void)
{
	struct bench *bench = new_bench(0);

	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_LISTENS);
	assert_int_equal(take(bench, "hello", "a", 7, ",\"rate\":10"), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_READS);
	return bench;
}

static struct bench *following_bench(void)
{
	struct bench *bench = reading_bench();

	assert_int_equal(page(bench, "a", 7, ROW("tea", "1") "," ROW("salt", "5"), ""), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_FOLLOWS);
	return bench;
}

static void test_changes_follow_the_snapshot(void **state)
{
	struct bench *bench = following_bench();

	(void)state;
	assert_int_equal(
		take(bench, "rows", "a", 8, ROWS(ROW("tea", "2") "," ROW("rice", "1"), "")), 0);
	expect_row(bench, "tea", ROW("tea", "2"));
	expect_row(bench, "rice", ROW("rice", "1"));
	expect_row(bench, "salt", ROW("salt", "5"));
	assert_int_equal(take(bench, "rows", "a", 9, ROWS("", "[\"salt\",\"EUR\"]")), 0);
	expect_row(bench, "salt", NULL);
	assert_int_equal(live_table_count(bench->table), 2);
	assert_int_equal(bench->changes, 4);
	assert_int_equal(bench->gone, 1);
	free_bench(bench);
}

/* The answer was made after message 8, which came before it: its older row must not come back. */
static void test_what_an_answer_had_already_is_skipped(void **state)
{
	struct bench *bench = reading_bench();

	(void)state;
	assert_int_equal(take(bench, "rows", "a", 8, ROWS(ROW("tea", "2"), "")), 0);
	assert_int_equal(take(bench, "rows", "a", 9, ROWS(ROW("salt", "6"), "")), 0);
	assert_int_equal(page(bench, "a", 8, ROW("tea", "3") "," ROW("salt", "5"), ""), 0);
	expect_row(bench, "tea", ROW("tea", "3"));
	expect_row(bench, "salt", ROW("salt", "6"));
	free_bench(bench);
}

static void test_each_page_has_a_place_of_its_own_in_the_stream(void **state)
{
	struct bench *bench = reading_bench();

	(void)state;
	assert_int_equal(page(bench, "a", 7, ROW("rice", "1"), ",\"next\":\"c1\""), 0);
	assert_string_equal(live_table_cursor(bench->table), "c1");
	assert_int_equal(
		take(bench, "rows", "a", 8, ROWS(ROW("rice", "2") "," ROW("tea", "1"), "")), 0);
	assert_int_equal(page(bench, "a", 8, ROW("tea", "2"), ""), 0);
	expect_row(bench, "rice", ROW("rice", "2"));
	expect_row(bench, "tea", ROW("tea", "2"));
	free_bench(bench);
}

static void test_a_gap_means_reading_anew(void **state)
{
	struct bench *bench = following_bench();

	(void)state;
	assert_int_equal(take(bench, "rows", "a", 9, ROWS(ROW("tea", "9"), "")), 0); /* 8 is lost */
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_READS);
	assert_int_equal(live_table_gaps(bench->table), 1);
	assert_int_equal(page(bench, "a", 8, ROW("tea", "8"), ""), 0);
	expect_row(bench, "tea", ROW("tea", "9"));
	expect_row(bench, "salt", NULL); /* it vanished unseen */
	assert_int_equal(bench->gone, 1);
	free_bench(bench);
}

static void test_an_idle_stream_shows_a_loss_at_its_end(void **state)
{
	struct bench *bench = following_bench();

	(void)state;
	assert_int_equal(take(bench, "idle", "a", 7, ""), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_FOLLOWS);
	assert_int_equal(take(bench, "idle", "a", 8, ""), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_READS);
	free_bench(bench);
}

static void test_a_reset_and_another_process_mean_reading_anew(void **state)
{
	struct bench *bench = following_bench();

	(void)state;
	assert_int_equal(take(bench, "reset", "a", 8, ""), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_READS);
	assert_int_equal(page(bench, "a", 8, ROW("tea", "1"), ""), 0);
	assert_int_equal(take(bench, "hello", "b", 8, ",\"rate\":10"), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_READS);
	assert_int_equal(live_table_gaps(bench->table), 2);
	free_bench(bench);
}

/* The aggregator began anew between stream and answer: the answer's place says nothing about the stream that is heard. */
static void test_an_answer_of_another_stream_is_not_joined(void **state)
{
	struct bench *bench = reading_bench();

	(void)state;
	assert_int_equal(page(bench, "b", 1, ROW("tea", "1"), ""), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_LISTENS);
	assert_int_equal(take(bench, "hello", "b", 1, ",\"rate\":10"), 0);
	assert_int_equal(page(bench, "b", 1, ROW("tea", "1"), ""), 0);
	assert_int_equal(live_table_state(bench->table), LIVE_TABLE_FOLLOWS);
	free_bench(bench);
}

static void test_rows_that_did_not_change_are_not_told_again(void **state)
{
	struct bench *bench = following_bench();

	(void)state;
	take(bench, "reset", "a", 8, "");
	assert_int_equal(page(bench, "a", 8, ROW("tea", "1") "," ROW("salt", "6"), ""), 0);
	assert_int_equal(bench->changes, 3);
	assert_int_equal(bench->gone, 0);
	free_bench(bench);
}

static void test_too_many_rows_and_garbage_are_refused(void **state)
{
	struct bench *bench = new_bench(1);
	const char *bad[] = {"", "{}", "[]", "{\"type\":\"rows\",\"stream\":\"a\",\"n\":1}",
		"{\"type\":\"later\",\"stream\":\"a\",\"n\":1}",
		"{\"type\":\"idle\",\"n\":-1,\"stream\":\"a\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(live_table_take(bench->table, slice_of_text(bad[i])),
			LIVE_TABLE_E_MALFORMED);
	}
	take(bench, "hello", "a", 7, ",\"rate\":10");
	assert_int_equal(page(bench, "a", 7, ROW("tea", "1") "," ROW("salt", "5"), ""),
		LIVE_TABLE_E_TOO_LARGE);
	assert_int_equal(live_table_take(bench->table,
				 slice_of_text("{\"type\":\"error\",\"error\":{\"code\":\"unknown_"
					       "view\",\"message\":\"no\"}}")),
		LIVE_TABLE_E_REFUSED);
	assert_string_equal(live_table_complaint(bench->table), "unknown_view: no");
	free_bench(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_follow_the_snapshot),
		cmocka_unit_test(test_what_an_answer_had_already_is_skipped),
		cmocka_unit_test(test_each_page_has_a_place_of_its_own_in_the_stream),
		cmocka_unit_test(test_a_gap_means_reading_anew),
		cmocka_unit_test(test_an_idle_stream_shows_a_loss_at_its_end),
		cmocka_unit_test(test_a_reset_and_another_process_mean_reading_anew),
		cmocka_unit_test(test_an_answer_of_another_stream_is_not_joined),
		cmocka_unit_test(test_rows_that_did_not_change_are_not_told_again),
		cmocka_unit_test(test_too_many_rows_and_garbage_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
