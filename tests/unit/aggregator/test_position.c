/* Offsets, anchors, books and gaps: the decisions as a table, and the rows that keep them. */
#include "aggregator/books/gap.h"
#include "aggregator/books/position.h"
#include "aggregator/books/text_set.h"
#include "aggregator/shard/partition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_the_log_is_judged_by_what_it_still_has(void **state)
{
	static const struct {
		const char *what;
		int64_t next, anchor, low, high;
		enum position_verdict verdict;
		int64_t offset;
	} cases[] = {
		{"a new store, an empty log", 0, -1, 0, 0, POSITION_READ, 0},
		{"a new store, a log from its start", 0, -1, 0, 500, POSITION_READ, 0},
		{"a new store, the start is gone", 0, -1, 1, 500, POSITION_MISSING, 0},
		{"a new store, all is gone", 0, -1, 500, 500, POSITION_MISSING, 0},
		{"nothing new", 100, 99, 0, 100, POSITION_CHECK, 99},
		{"new records", 100, 99, 0, 101, POSITION_CHECK, 99},
		{"the anchor is the first that is left", 100, 99, 99, 200, POSITION_CHECK, 99},
		{"the anchor is just gone", 100, 99, 100, 200, POSITION_ANCHOR_GONE, 100},
		{"all is gone, nothing is missing", 100, 99, 100, 100, POSITION_ANCHOR_GONE, 100},
		{"one record is missing", 100, 99, 101, 200, POSITION_MISSING, 0},
		{"the log ends one before", 100, 99, 0, 99, POSITION_RECREATED, 0},
		{"the log is empty", 100, 99, 0, 0, POSITION_RECREATED, 0},
		{"control records behind the anchor", 105, 99, 0, 110, POSITION_CHECK, 99},
		{"after an accepted gap", 100, -1, 100, 200, POSITION_READ, 100},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct position position = POSITION_START;
		int64_t offset = -7;
		position.next = cases[i].next;
		position.anchor.offset = cases[i].anchor;
		enum position_verdict verdict =
			position_judge(&position, cases[i].low, cases[i].high, &offset);
		if (verdict != cases[i].verdict) {
			fail_msg("%s: %d", cases[i].what, (int)verdict);
		}
		bool goes_on = verdict != POSITION_MISSING && verdict != POSITION_RECREATED;
		assert_int_equal(offset, goes_on ? cases[i].offset : -7);
	}
}

static void test_an_anchor_knows_its_record(void **state)
{
	struct slice key = slice_of_text("berlin"), value = slice_of_text("{}");
	struct anchor anchor = anchor_of(7, 1000, key, value);
	(void)state;

	struct anchor same = anchor_of(7, 1000, key, value);
	struct anchor other_offset = anchor_of(8, 1000, key, value);
	struct anchor other_time = anchor_of(7, 1001, key, value);
	struct anchor other_value = anchor_of(7, 1000, key, slice_of_text("[]"));
	struct anchor other_key = anchor_of(7, 1000, slice_of_text("paris"), value);
	assert_true(anchor_equal(&anchor, &same));
	assert_false(anchor_equal(&anchor, &other_offset));
	assert_false(anchor_equal(&anchor, &other_time));
	assert_false(anchor_equal(&anchor, &other_value));
	assert_false(anchor_equal(&anchor, &other_key));
}

static void test_books_add_up_whatever_becomes_of_records(void **state)
{
	struct books books = {0};
	(void)state;

	assert_true(books_add_up(&books));
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		for (int i = 0; i <= fate; i++) {
			books_enter(&books, (enum fate)fate);
		}
		assert_int_equal(books.fates[fate], fate + 1);
		assert_true(books_add_up(&books));
		assert_true(fate_name((enum fate)fate)[0] != '\0');
	}
	assert_int_equal(books.read, 15);
	books.fates[FATE_FOREIGN]++;
	assert_false(books_add_up(&books));
}

static void test_a_position_survives_its_row(void **state)
{
	struct position position = {.next = 1000,
		.anchor = {.offset = 990, .timestamp_ms = 1291191960000, .checksum = 0xdeadbeef},
		.candidate = {.offset = 995, .timestamp_ms = 1291191960001, .checksum = 7},
		.last = {.offset = 998, .timestamp_ms = 1291191960002, .checksum = 8}};
	struct position again = POSITION_START;
	struct buffer buffer;
	(void)state;

	for (int fate = 0; fate < FATE_COUNT; fate++) {
		books_enter(&position.books, (enum fate)fate);
	}
	buffer_init(&buffer, 1024);
	position_encode(&position, &buffer);
	assert_true(position_decode(buffer_slice(&buffer), &again));
	assert_int_equal(again.next, position.next);
	assert_true(anchor_equal(&again.anchor, &position.anchor));
	assert_true(anchor_equal(&again.candidate, &position.candidate));
	assert_true(anchor_equal(&again.last, &position.last));
	assert_memory_equal(&again.books, &position.books, sizeof position.books);

	for (size_t size = 0; size < buffer.size; size++) {
		assert_false(position_decode(slice_of(buffer.bytes, size), &again));
	}
	pack_u8(&buffer, 0);
	assert_false(position_decode(buffer_slice(&buffer), &again));
	buffer_deinit(&buffer);
}

static void test_an_anchor_behind_the_position_is_refused(void **state)
{
	struct position position = {.next = 5, .anchor = {.offset = 5}};
	struct buffer buffer;
	(void)state;

	buffer_init(&buffer, 1024);
	position_encode(&position, &buffer);
	assert_false(position_decode(buffer_slice(&buffer), &position));
	buffer_deinit(&buffer);
}

/* -1 says that there is none; no record lies further back. */
static void test_an_anchor_before_any_record_is_refused(void **state)
{
	struct position position = {.next = 5, .anchor = {.offset = -2}};
	struct buffer buffer;
	(void)state;

	buffer_init(&buffer, 1024);
	position_encode(&position, &buffer);
	assert_false(position_decode(buffer_slice(&buffer), &position));
	buffer_deinit(&buffer);
}

static void test_topic_and_partition_are_the_key(void **state)
{
	uint8_t key[POSITION_KEY_SIZE_MAX];
	struct slice topic;
	int32_t partition = 0;
	(void)state;

	size_t size = position_key("orders.dlq", 70000, key);
	assert_true(position_key_parse(slice_of(key, size), &topic, &partition));
	assert_true(slice_equals_text(topic, "orders.dlq"));
	assert_int_equal(partition, 70000);
	assert_false(position_key_parse(slice_of(key, size - 1), &topic, &partition));
	assert_false(position_key_parse(slice_of(key, 5), &topic, &partition));
}

static void test_a_key_longer_than_any_topic_is_refused(void **state)
{
	uint8_t key[POSITION_KEY_SIZE_MAX + 1] = {0};
	struct slice topic;
	int32_t partition = 0;
	(void)state;

	memset(key, 'a', POSITION_KEY_SIZE_MAX - 5);
	assert_true(position_key_parse(slice_of(key, sizeof key - 1), &topic, &partition));
	key[POSITION_KEY_SIZE_MAX - 5] = 'a';
	assert_false(position_key_parse(slice_of(key, sizeof key), &topic, &partition));
}

static void test_gaps_are_named_as_operators_give_them(void **state)
{
	char text[GAP_TEXT_SIZE];
	(void)state;

	gap_of_offsets("orders", 3, 1200, 1499, text);
	assert_string_equal(text, "orders/3:1200-1499");
	gap_of_cluster("OLD", "NEW", text);
	assert_string_equal(text, "cluster:OLD->NEW");
	gap_of_topic("orders", 1, text);
	assert_string_equal(text, "topic:orders re-created");
}

static void test_a_set_of_texts_has_each_once(void **state)
{
	struct text_set set = {0};
	char text[32];
	(void)state;

	assert_null(text_set_list(&set)[0]);
	assert_int_equal(text_set_add(&set, "a"), 0);
	assert_int_equal(text_set_add(&set, "b"), 0);
	assert_int_equal(text_set_add(&set, "a"), 0);
	assert_int_equal(set.count, 2);
	assert_true(text_set_have(&set, "b"));
	assert_false(text_set_have(&set, "c"));
	assert_string_equal(text_set_list(&set)[1], "b");
	assert_null(text_set_list(&set)[2]);
	for (int i = 2; i < TEXT_SET_MAX; i++) {
		snprintf(text, sizeof text, "%d", i);
		assert_int_equal(text_set_add(&set, text), 0);
	}
	assert_int_equal(text_set_add(&set, "one more"), -ENOSPC);
	assert_int_equal(text_set_add(&set, "a"), 0); /* is there already */
	text_set_deinit(&set);
	assert_int_equal(set.count, 0);
}

static void test_the_last_word_on_the_logs_end_counts(void **state)
{
	struct partition partition = {.high = -1, .reported = 40, .position.next = 10};
	(void)state;
	partition_hear_end(&partition, -1);
	assert_int_equal(partition.high, 40); /* nobody told, but a report had it */
	partition_hear_end(&partition, INT64_C(1) << 44); /* a bit was turned on its way */
	assert_int_equal(partition_lag(&partition), (INT64_C(1) << 44) - 10);
	partition_hear_end(&partition, 52);
	assert_int_equal(partition_lag(&partition), 42);
	partition_hear_end(&partition, 20); /* older than the report */
	assert_int_equal(partition_lag(&partition), 30);
	partition.position.next = 60;
	partition_hear_end(&partition, 52); /* older than what was read */
	assert_int_equal(partition_lag(&partition), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_log_is_judged_by_what_it_still_has),
		cmocka_unit_test(test_an_anchor_knows_its_record),
		cmocka_unit_test(test_books_add_up_whatever_becomes_of_records),
		cmocka_unit_test(test_a_position_survives_its_row),
		cmocka_unit_test(test_an_anchor_behind_the_position_is_refused),
		cmocka_unit_test(test_an_anchor_before_any_record_is_refused),
		cmocka_unit_test(test_topic_and_partition_are_the_key),
		cmocka_unit_test(test_a_key_longer_than_any_topic_is_refused),
		cmocka_unit_test(test_gaps_are_named_as_operators_give_them),
		cmocka_unit_test(test_the_last_word_on_the_logs_end_counts),
		cmocka_unit_test(test_a_set_of_texts_has_each_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
