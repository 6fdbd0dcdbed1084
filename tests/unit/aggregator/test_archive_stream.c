/* What `till archive cat` writes, taken apart: whole and byte by byte, and what no archive has. */
#include "aggregator/log/archive_stream.h"
#include "proto/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ITEMS_MAX = 16, BYTES_MAX = 4 * 1024 * 1024 };

/* ---- to write */

struct pen {
	struct buffer buffer;
	struct writer writer;
};

static void pen_init(struct pen *pen)
{
	buffer_init(&pen->buffer, BYTES_MAX);
	writer_init(&pen->writer, ENCODING_MSGPACK, &pen->buffer);
}

static void head(struct pen *pen, uint64_t version, const char *cluster, uint32_t partitions)
{
	write_map(&pen->writer, 3);
	write_key(&pen->writer, "till_archive");
	write_unsigned(&pen->writer, version);
	write_key(&pen->writer, "cluster");
	write_text(&pen->writer, slice_of_text(cluster));
	write_key(&pen->writer, "partitions");
	write_array(&pen->writer, partitions);
}

static void place(struct pen *pen, const char *topic, int64_t partition, int64_t offset)
{
	write_array(&pen->writer, 7);
	write_text(&pen->writer, slice_of_text(topic));
	write_integer(&pen->writer, partition);
	write_integer(&pen->writer, offset);
}

static void partition(
	struct pen *pen, const char *topic, int64_t number, int64_t next, int64_t last)
{
	place(pen, topic, number, next);
	write_map(&pen->writer, last < 0 ? 3 : 5);
	write_key(&pen->writer, "duplicates");
	write_unsigned(&pen->writer, 5);
	write_key(&pen->writer, "foreign");
	write_unsigned(&pen->writer, 6);
	write_key(&pen->writer, "unreadable");
	write_unsigned(&pen->writer, 7);
	if (last >= 0) {
		write_key(&pen->writer, "archived");
		write_unsigned(&pen->writer, 1);
		write_key(&pen->writer, "from");
		write_unsigned(&pen->writer, 4);
	}
	if (last < 0) {
		write_nil(&pen->writer);
		write_nil(&pen->writer);
		write_nil(&pen->writer);
		return;
	}
	write_integer(&pen->writer, last);
	write_bin(&pen->writer, slice_of("last", 4));
	write_integer(&pen->writer, 1291191960000);
}

static void record(struct pen *pen, int64_t offset, struct slice value)
{
	place(pen, "orders", 3, offset);
	write_integer(&pen->writer, 1291191960000 + offset);
	write_bin(&pen->writer, slice_of("uk-1", 4));
	write_bin(&pen->writer, value);
	write_nil(&pen->writer);
}

static void letter(struct pen *pen)
{
	place(pen, "orders.dlq", 0, 9);
	write_integer(&pen->writer, 1291191960009);
	write_nil(&pen->writer);
	write_nil(&pen->writer);
	write_map(&pen->writer, 3);
	write_key(&pen->writer, "till.edge");
	write_bin(&pen->writer, slice_of("uk-1", 4));
	write_key(&pen->writer, "somebody's");
	write_nil(&pen->writer);
	write_key(&pen->writer, "till.seq");
	write_bin(&pen->writer, slice_of("17", 2));
}

static void finish(struct pen *pen, uint64_t records)
{
	write_map(&pen->writer, 2);
	write_key(&pen->writer, "end");
	write_bool(&pen->writer, true);
	write_key(&pen->writer, "records");
	write_unsigned(&pen->writer, records);
}

static void write_whole(struct pen *pen)
{
	pen_init(pen);
	head(pen, 1, "kafka-A", 2);
	partition(pen, "orders", 3, 20, 19);
	partition(pen, "carts", 0, 0, -1);
	record(pen, 4, slice_of("{}", 2));
	letter(pen);
	finish(pen, 2);
	assert_int_equal(pen->buffer.error, 0);
}

/* ---- to read */

/* All there is of `bytes`, which come in pieces of `step`, each time without those that were taken. What ended it. */
static int read_all(struct archive_stream *stream, struct slice bytes, size_t step,
	struct archive_item items[ITEMS_MAX], size_t *ret_count)
{
	size_t at = 0, end = 0, count = 0;
	int r = ARCHIVE_E_MORE;

	while (r != ARCHIVE_E_BAD && (end < bytes.size || r == 0)) {
		size_t size = 0;
		if (r == ARCHIVE_E_MORE) {
			end = bytes.size - end < step ? bytes.size : end + step;
		}
		r = archive_stream_next(
			stream, slice_of(bytes.bytes + at, end - at), &items[count], &size);
		at += r == 0 ? size : 0;
		count += r == 0;
		assert_true(count < ITEMS_MAX);
	}
	*ret_count = count;
	return r;
}

static void check_whole(const struct archive_item *items, size_t count)
{
	assert_int_equal(count, 6);
	assert_int_equal(items[0].type, ARCHIVE_HEAD);
	assert_true(slice_equals_text(items[0].cluster_id, "kafka-A"));
	assert_int_equal(items[1].type, ARCHIVE_PARTITION);
	assert_true(slice_equals_text(items[1].topic, "orders"));
	assert_int_equal(items[1].partition, 3);
	assert_int_equal(items[1].offset, 20);
	assert_int_equal(items[1].last_offset, 19);
	assert_true(slice_equals_text(items[1].value, "last"));
	assert_int_equal(items[1].timestamp_ms, 1291191960000);
	assert_int_equal(items[1].left_out[FATE_DUPLICATE], 5);
	assert_int_equal(items[1].left_out[FATE_FOREIGN], 6);
	assert_int_equal(items[1].left_out[FATE_UNREADABLE], 7);
	assert_int_equal(items[1].left_out[FATE_COUNTED], 0);
	assert_int_equal(items[1].archived, 1);
	assert_int_equal(items[1].from, 4);
	assert_int_equal(items[2].type, ARCHIVE_PARTITION);
	assert_int_equal(items[2].last_offset, -1);
	assert_int_equal(items[2].archived, -1);
	assert_int_equal(items[2].from, 0);
	assert_int_equal(items[3].type, ARCHIVE_RECORD);
	assert_int_equal(items[3].offset, 4);
	assert_int_equal(items[3].timestamp_ms, 1291191960004);
	assert_true(slice_equals_text(items[3].key, "uk-1"));
	assert_true(slice_equals_text(items[3].value, "{}"));
	assert_int_equal(items[3].headers[DLQ_HEADER_EDGE].size, 0);
	assert_int_equal(items[4].type, ARCHIVE_RECORD);
	assert_null(items[4].key.bytes);
	assert_null(items[4].value.bytes);
	assert_true(slice_equals_text(items[4].headers[DLQ_HEADER_EDGE], "uk-1"));
	assert_true(slice_equals_text(items[4].headers[DLQ_HEADER_SEQ], "17"));
	assert_int_equal(items[4].headers[DLQ_HEADER_CODE].size, 0);
	assert_int_equal(items[5].type, ARCHIVE_END);
	assert_int_equal(items[5].count, 2);
}

static void test_an_archive_is_the_same_in_pieces_of_any_size(void **state)
{
	struct archive_item items[ITEMS_MAX];
	struct pen pen;
	size_t count = 0;
	(void)state;

	write_whole(&pen);
	for (size_t step = 1; step <= pen.buffer.size; step++) {
		struct archive_stream stream = {0};
		assert_int_equal(read_all(&stream, buffer_slice(&pen.buffer), step, items, &count),
			ARCHIVE_E_MORE);
		check_whole(items, count);
		assert_true(archive_stream_is_over(&stream));
	}
	buffer_deinit(&pen.buffer);
}

static void test_a_stream_that_was_cut_off_is_never_over(void **state)
{
	struct archive_item items[ITEMS_MAX];
	struct pen pen;
	size_t count = 0;
	(void)state;

	write_whole(&pen);
	for (size_t size = 0; size < pen.buffer.size; size++) {
		struct archive_stream stream = {0};
		assert_int_equal(read_all(&stream, slice_of(pen.buffer.bytes, size), size + 1,
					 items, &count),
			ARCHIVE_E_MORE);
		assert_false(archive_stream_is_over(&stream));
	}
	buffer_deinit(&pen.buffer);
}

static void expect_bad(struct slice bytes, const char *why)
{
	struct archive_item items[ITEMS_MAX];
	struct archive_stream stream = {0};
	size_t count = 0, size = 0;

	assert_int_equal(read_all(&stream, bytes, bytes.size, items, &count), ARCHIVE_E_BAD);
	assert_string_equal(stream.why, why);
	/* And it stays so, whatever comes. */
	assert_int_equal(archive_stream_next(&stream, bytes, &items[0], &size), ARCHIVE_E_BAD);
	assert_string_equal(stream.why, why);
}

static void expect_bad_pen(struct pen *pen, const char *why)
{
	assert_int_equal(pen->buffer.error, 0);
	expect_bad(buffer_slice(&pen->buffer), why);
	buffer_deinit(&pen->buffer);
}

static void test_what_is_no_archive_is_named(void **state)
{
	struct pen pen;
	(void)state;

	expect_bad(slice_of("{\"n\":1}", 7), "it does not begin like an archive of till's");
	expect_bad(slice_of("\x83\xc1\x01", 3), "it has a value of a type that no archive has");
	pen_init(&pen);
	head(&pen, 2, "kafka-A", 0);
	expect_bad_pen(&pen, "it is of version 2, this program knows version 1");
	pen_init(&pen);
	head(&pen, 1, "", 0);
	expect_bad_pen(&pen, "its head can't be read");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", ARCHIVE_PARTITIONS_MAX + 1);
	expect_bad_pen(&pen, "it has 65537 partitions, more than 65536");
}

static void test_what_is_wrong_within_is_named(void **state)
{
	struct pen pen;
	(void)state;

	pen_init(&pen);
	head(&pen, 1, "kafka-A", 1);
	partition(&pen, "orders", 3, 20, 20); /* its last one is not below the next */
	expect_bad_pen(&pen, "a partition in its head can't be read");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", 1);
	record(&pen, 1, slice_of("{}", 2)); /* where a partition should be */
	expect_bad_pen(&pen, "a partition in its head can't be read");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", 0);
	record(&pen, 1, slice_of("{}", 2));
	record(&pen, -1, slice_of("{}", 2));
	expect_bad_pen(&pen, "record 2 can't be read");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", 0);
	write_text(&pen.writer, slice_of_text("words"));
	expect_bad_pen(&pen, "record 1 can't be read");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", 0);
	write_double(&pen.writer, 0.5);
	expect_bad_pen(&pen, "it has a value of a type that no archive has");
}

static void test_an_end_that_does_not_fit_is_named(void **state)
{
	struct pen pen;
	(void)state;

	pen_init(&pen);
	head(&pen, 1, "kafka-A", 0);
	record(&pen, 1, slice_of("{}", 2));
	finish(&pen, 2);
	expect_bad_pen(&pen, "its end speaks of 2 records, and 1 were there");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", 0);
	finish(&pen, 0);
	record(&pen, 1, slice_of("{}", 2));
	expect_bad_pen(&pen, "something follows its end");
	pen_init(&pen);
	head(&pen, 1, "kafka-A", 0);
	write_map(&pen.writer, 1);
	write_key(&pen.writer, "end");
	write_bool(&pen.writer, true);
	expect_bad_pen(&pen, "its end can't be read");
}

/* Such lengths are told in some bytes; nobody waits for, or makes room for, what they speak of. */
static void test_lengths_that_nothing_can_have_are_refused_at_once(void **state)
{
	static const char *const lengths[] = {
		"\xc6\xff\xff\xff\xff", /* bin */
		"\xdb\xff\xff\xff\xff", /* text */
		"\xdd\xff\xff\xff\xff", /* array */
		"\xdf\xff\xff\xff\xff", /* map */
		"\xdd\x00\x21\x00\x00", /* an array of 2,162,688: each a byte at least */
	};
	(void)state;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct pen pen;
		pen_init(&pen);
		head(&pen, 1, "kafka-A", 0);
		buffer_append(&pen.buffer, lengths[i], 5);
		expect_bad_pen(&pen, "an item of it has more than 2162688 bytes");
	}
}

static void test_the_largest_record_is_taken_and_one_byte_more_is_not(void **state)
{
	struct archive_item items[ITEMS_MAX];
	size_t count = 0, around = 0;
	(void)state;

	for (size_t more = 0; more <= 1; more++) {
		struct archive_stream stream = {0};
		struct pen pen;
		pen_init(&pen);
		head(&pen, 1, "kafka-A", 0);
		size_t head_size = pen.buffer.size;
		uint8_t *zeros = test_calloc(1, ARCHIVE_ITEM_SIZE_MAX);
		/* 31 bytes of array, topic, numbers, key, nil and the value's length */
		around = 31;
		record(&pen, 4, slice_of(zeros, ARCHIVE_ITEM_SIZE_MAX - around + more));
		assert_int_equal(pen.buffer.size - head_size, ARCHIVE_ITEM_SIZE_MAX + more);
		int r = read_all(&stream, buffer_slice(&pen.buffer), 64 * 1024, items, &count);
		assert_int_equal(r, more == 0 ? ARCHIVE_E_MORE : ARCHIVE_E_BAD);
		assert_int_equal(count, more == 0 ? 2 : 1);
		test_free(zeros);
		buffer_deinit(&pen.buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_archive_is_the_same_in_pieces_of_any_size),
		cmocka_unit_test(test_a_stream_that_was_cut_off_is_never_over),
		cmocka_unit_test(test_what_is_no_archive_is_named),
		cmocka_unit_test(test_what_is_wrong_within_is_named),
		cmocka_unit_test(test_an_end_that_does_not_fit_is_named),
		cmocka_unit_test(test_lengths_that_nothing_can_have_are_refused_at_once),
		cmocka_unit_test(test_the_largest_record_is_taken_and_one_byte_more_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
