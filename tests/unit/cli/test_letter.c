/* Dead letters: which are meant, what is sent again, and how records read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/json_text.h"
#include "cli/record_text.h"
#include "proto/letter.h"
#include <errno.h>
#include <string.h>

static const struct letter_place place = {.topic = "orders.dlq", .partition = 3, .offset = 1200};

static struct dead_letter letter_of(const char *bytes, const char *refused_by)
{
	return (struct dead_letter){.certificate = {.edge = slice_of_text("berlin"),
					    .run = 5,
					    .kind = KIND_ORDER_DLQ,
					    .seq = 1},
		.reason = REASON_BAD_VALUE,
		.refused_by = slice_of_text(refused_by),
		.message = slice_of_text("no"),
		.bytes = slice_of_text(bytes)};
}

static void expect_replay(const char *bytes, const char *refused_by, const struct pair_list *set,
	const char *expected)
{
	struct dead_letter letter = letter_of(bytes, refused_by);
	struct document document;
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	assert_int_equal(document_init(&document, 100), 0);
	assert_int_equal(letter_replay(&letter, &place, set, &document, &buffer), 0);
	buffer_append_byte(&buffer, '\0');
	assert_string_equal((const char *)buffer.bytes, expected);
	buffer_deinit(&buffer);
	document_deinit(&document);
}

static void test_a_letter_bears_its_place_when_it_is_sent_again(void **state)
{
	(void)state;
	static const struct pair_list none = {.count = 0};
	struct pair_list fix = {.count = 0};
	struct pairs_error error;

	assert_int_equal(pairs_add(&fix, "--set", slice_of_text("unit_price=2.55"), &error), 0);
	expect_replay("{\"unit_price\":\"2,55\",\"event_id\":\"x\"}", "edge", &none,
		"{\"event_id\":\"dlq:orders.dlq/3/1200\",\"unit_price\":\"2,55\"}");
	expect_replay("{\"unit_price\":\"2,55\",\"a\":1.50}", "edge", &fix,
		"{\"event_id\":\"dlq:orders.dlq/3/1200\",\"unit_price\":\"2.55\",\"a\":1.50}");
}

/* Its certificate is another event's now; the edge would refuse it as reserved. */
static void test_what_the_bridge_refused_loses_its_certificate(void **state)
{
	(void)state;
	static const struct pair_list none = {.count = 0};

	expect_replay("{\"kind\":\"order\",\"edge\":\"b\",\"run\":1,\"seq\":2,\"ts\":3}", "bridge",
		&none, "{\"event_id\":\"dlq:orders.dlq/3/1200\",\"kind\":\"order\",\"ts\":3}");
	expect_replay("{\"edge\":\"b\"}", "edge", &none,
		"{\"event_id\":\"dlq:orders.dlq/3/1200\",\"edge\":\"b\"}");
}

static void test_what_is_no_map_is_not_sent(void **state)
{
	(void)state;
	static const struct pair_list none = {.count = 0};
	static const char *const rubbish[] = {"", "{", "[1]", "17", "\xc1"};
	struct document document;
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	assert_int_equal(document_init(&document, 100), 0);
	for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
		struct dead_letter letter = letter_of(rubbish[i], "edge");
		assert_int_equal(letter_replay(&letter, &place, &none, &document, &buffer),
			LETTER_E_UNREADABLE);
	}
	struct letter_place far = place;
	memset(far.topic, 't', 100);
	far.topic[100] = '\0';
	struct dead_letter letter = letter_of("{}", "edge");
	assert_int_equal(letter_replay(&letter, &far, &none, &document, &buffer), LETTER_E_NAME);
	buffer_deinit(&buffer);
	document_deinit(&document);
}

static void test_letters_are_chosen_by_code_and_edge(void **state)
{
	(void)state;
	struct dead_letter letter = letter_of("{}", "edge");

	assert_true(letter_is_meant(&(struct letter_filter){NULL, NULL}, &letter));
	assert_true(letter_is_meant(&(struct letter_filter){"bad_value", "berlin"}, &letter));
	assert_false(letter_is_meant(&(struct letter_filter){"too_deep", NULL}, &letter));
	assert_false(letter_is_meant(&(struct letter_filter){NULL, "bonn"}, &letter));
}

static void test_places_are_read(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "orders.dlq", "orders.dlq/1", "/1/2", "t//2", "t/1/",
		"t/x/2", "t/1/2x", "t/-1/2", "t/1/-2", "t/99999999999/2"};
	struct letter_place read;

	assert_true(letter_place_parse("orders.dlq/3/1200", &read));
	assert_string_equal(read.topic, "orders.dlq");
	assert_int_equal(read.partition, 3);
	assert_int_equal(read.offset, 1200);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(letter_place_parse(bad[i], &read));
	}
}

static void expect_line(const char *topic, const struct topic_record *record, const char *line)
{
	struct document document;
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	assert_int_equal(document_init(&document, 100), 0);
	assert_int_equal(record_text_line(&document, topic, record, &buffer), 0);
	buffer_append_byte(&buffer, '\0');
	assert_string_equal((const char *)buffer.bytes, line);
	buffer_deinit(&buffer);
	document_deinit(&document);
}

static void test_records_read_as_lines(void **state)
{
	(void)state;
	struct topic_record record = {.partition = 2, .offset = 17};

	record.value = slice_of_text(
		"{\"kind\":\"order\",\"edge\":\"uk\",\"run\":4711,\"seq\":17,\"ts\":1291191960000,"
		"\"order_id\":\"536365\",\"product_id\":\"85123A\",\"quantity\":6,\"unit_price\":2."
		"55,"
		"\"currency\":\"GBP\"}");
	expect_line("orders", &record,
		"orders/2@17  order  uk 4711:17  2010-12-01T08:26:00.000Z  85123A x 6 @ 2.55 = "
		"15.30 GBP"
		"  order 536365");
	record.value = slice_of_text("{\"kind\":\"order\",\"edge\":\"uk\",\"run\":4711,\"seq\":18,"
				     "\"rejected\":\"bad_value\"}");
	expect_line("orders", &record, "orders/2@17  order  uk 4711:18  rejected: bad_value");
}

static void test_dead_letters_read_as_lines_and_json(void **state)
{
	(void)state;
	struct topic_record record = {.partition = 0,
		.offset = 1,
		.timestamp_ms = 5,
		.key = slice_of_text("uk"),
		.value = slice_of_text("\xc1\x1b"),
		.headers = {{"till.edge", slice_of_text("uk")}, {"till.run", slice_of_text("4711")},
			{"till.kind", slice_of_text("order.dlq")}, {"till.seq", slice_of_text("3")},
			{"till.received_ms", slice_of_text("1291191960000")},
			{"till.source", slice_of_text("zmq")},
			{"till.refused_by", slice_of_text("edge")},
			{"__connect.errors.topic", slice_of_text("orders")},
			{"__connect.errors.exception.class.name", slice_of_text("bad_frame")},
			{"__connect.errors.exception.message", slice_of_text("no \x1b[31m")}},
		.header_count = 10};
	struct document document;
	struct buffer buffer;

	expect_line("orders.dlq", &record,
		"orders.dlq/0@1  order.dlq  uk 4711:3  bad_frame: no ?[31m  (2 bytes)");
	buffer_init(&buffer, 4096);
	assert_int_equal(document_init(&document, 100), 0);
	record.header_count = 1;
	assert_int_equal(record_text_json(&document, "orders.dlq", &record, &buffer), 0);
	buffer_append_byte(&buffer, '\0');
	assert_string_equal((const char *)buffer.bytes,
		"{\"topic\":\"orders.dlq\",\"partition\":0,\"offset\":1,\"timestamp_ms\":5,\"key\":"
		"\"uk\","
		"\"headers\":{\"till.edge\":\"uk\"},\"value\":\"wRs=\"}");
	buffer_deinit(&buffer);
	document_deinit(&document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_letter_bears_its_place_when_it_is_sent_again),
		cmocka_unit_test(test_what_the_bridge_refused_loses_its_certificate),
		cmocka_unit_test(test_what_is_no_map_is_not_sent),
		cmocka_unit_test(test_letters_are_chosen_by_code_and_edge),
		cmocka_unit_test(test_places_are_read),
		cmocka_unit_test(test_records_read_as_lines),
		cmocka_unit_test(test_dead_letters_read_as_lines_and_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
