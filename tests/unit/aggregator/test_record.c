/* What a Kafka record is taken for. */
#include "sample_records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
	struct document document;
	struct sample_record sample;
	struct reading reading;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	*state = fixture;
	return document_init(&fixture->document, EVENT_NODES_MAX);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	document_deinit(&fixture->document);
	free(fixture);
	return 0;
}

static enum record_class read_it(struct fixture *fixture)
{
	assert_int_equal(
		record_read(&fixture->document, &fixture->sample.record, &fixture->reading), 0);
	return fixture->reading.class;
}

static enum record_class read_value(struct fixture *fixture, const char *value)
{
	snprintf(fixture->sample.value, sizeof fixture->sample.value, "%s", value);
	set_record(&fixture->sample, KIND_ORDER, 0, "berlin");
	return read_it(fixture);
}

static void test_an_order_is_an_event_of_its_stream(void **state)
{
	struct fixture *fixture = *state;
	sample_order_record(&fixture->sample, 5, "berlin", 17, 255);
	assert_int_equal(read_it(fixture), RECORD_EVENT);
	assert_true(slice_equals_text(fixture->reading.stream.edge, "berlin"));
	assert_int_equal(fixture->reading.stream.run, 4711);
	assert_int_equal(fixture->reading.stream.kind, KIND_ORDER);
	assert_int_equal(fixture->reading.seq, 17);
	assert_int_equal(fixture->reading.event.unit_price, 2550000);
	assert_int_equal(fixture->reading.letter_code.size, 0);
}

static void test_a_marker_takes_its_seq_whatever_its_code(void **state)
{
	struct fixture *fixture = *state;
	sample_marker_record(&fixture->sample, 5, "berlin", 18);
	assert_int_equal(read_it(fixture), RECORD_MARKER);
	assert_int_equal(fixture->reading.seq, 18);
	assert_int_equal(
		read_value(fixture, "{\"kind\":\"order\",\"edge\":\"berlin\",\"run\":1,\"seq\":2,"
				    "\"rejected\":\"a_code_of_tomorrow\"}"),
		RECORD_MARKER);
}

static void test_what_never_had_a_certificate_is_foreign(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(read_value(fixture, "{\"hello\":\"world\"}"), RECORD_FOREIGN);
	assert_int_equal(read_value(fixture, "[1,2,3]"), RECORD_FOREIGN);
	assert_int_equal(read_value(fixture, "\x01"), RECORD_FOREIGN); /* msgpack's 1 */
	fixture->sample.record.value = slice_of(NULL, 0); /* a tombstone */
	assert_int_equal(read_it(fixture), RECORD_FOREIGN);
	assert_true(fixture->reading.complaint.message[0] != '\0');
}

static void test_broken_bytes_and_broken_events_are_unreadable(void **state)
{
	struct fixture *fixture = *state;
	static uint8_t large[EVENT_SIZE_MAX + 1];
	assert_int_equal(read_value(fixture, "{\"kind\":"), RECORD_UNREADABLE);
	assert_int_equal(read_value(fixture, "\xc1"), RECORD_UNREADABLE);
	assert_int_equal(
		read_value(fixture, "{\"kind\":\"order\",\"edge\":\"berlin\",\"run\":0,\"seq\":1}"),
		RECORD_UNREADABLE);
	assert_int_equal(read_value(fixture,
				 "{\"kind\":\"order\",\"edge\":\"berlin\",\"run\":4711,\"seq\":1,"
				 "\"ts\":1,\"order_id\":\"1\"}"),
		RECORD_UNREADABLE);
	assert_true(fixture->reading.complaint.message[0] != '\0');
	fixture->sample.record.value = slice_of(large, sizeof large);
	assert_int_equal(read_it(fixture), RECORD_UNREADABLE);
}

/* Counting once rests on one partition for each edge: another key may lie in another. */
static void test_an_event_under_another_key_is_foreign(void **state)
{
	struct fixture *fixture = *state;
	sample_order_record(&fixture->sample, 5, "berlin", 17, 255);
	fixture->sample.record.key = slice_of_text("paris");
	assert_int_equal(read_it(fixture), RECORD_FOREIGN);
	fixture->sample.record.key = slice_of(NULL, 0);
	assert_int_equal(read_it(fixture), RECORD_FOREIGN);
}

static void test_an_event_in_the_topic_of_another_kind_is_foreign(void **state)
{
	struct fixture *fixture = *state;
	sample_order_record(&fixture->sample, 5, "berlin", 17, 255);
	fixture->sample.record.topic = KIND_CART;
	assert_int_equal(read_it(fixture), RECORD_FOREIGN);
}

static void test_a_letter_of_the_edge_is_an_event_of_its_own_stream(void **state)
{
	struct fixture *fixture = *state;
	sample_letter_record(&fixture->sample, 5, "berlin", "order.dlq", 3);
	assert_int_equal(read_it(fixture), RECORD_EVENT);
	assert_int_equal(fixture->reading.stream.kind, KIND_ORDER_DLQ);
	assert_int_equal(fixture->reading.seq, 3);
	assert_int_equal(fixture->reading.event.kind, KIND_ORDER_DLQ);
	assert_int_equal(fixture->reading.event.ts_ms, INT64_C(1291191960000));
	assert_true(slice_equals_text(fixture->reading.letter_code, "bad_value"));
}

/* Its certificate is the refused event's, which the marker in the event's own topic bears too. */
static void test_a_letter_of_the_bridge_does_not_collide_with_its_marker(void **state)
{
	struct fixture *fixture = *state;
	sample_letter_record(&fixture->sample, 5, "berlin", "order", 17);
	assert_int_equal(read_it(fixture), RECORD_EVENT);
	assert_int_equal(fixture->reading.stream.kind, stream_kind_of(KIND_ORDER, true));
	assert_string_equal(stream_kind_name(fixture->reading.stream.kind), "order.refused");
	assert_int_equal(fixture->reading.event.kind, KIND_ORDER_DLQ);
	assert_int_equal(stream_kind_counts_as(fixture->reading.stream.kind), KIND_ORDER_DLQ);
}

static void test_letters_without_or_with_broken_headers(void **state)
{
	struct fixture *fixture = *state;
	set_record(&fixture->sample, KIND_ORDER_DLQ, 5, "berlin");
	assert_int_equal(read_it(fixture), RECORD_FOREIGN);
	sample_letter_record(&fixture->sample, 5, "berlin", "order.dlq", 3);
	fixture->sample.record.headers[DLQ_HEADER_RUN] = slice_of_text("many");
	assert_int_equal(read_it(fixture), RECORD_UNREADABLE);
	sample_letter_record(&fixture->sample, 5, "berlin", "cart.dlq", 3);
	assert_int_equal(read_it(fixture), RECORD_FOREIGN); /* in the topic of orders' letters */
}

static void test_a_stream_has_one_key(void **state)
{
	struct stream_id id = {slice_of_text("United Kingdom"), RUN_MAX, KIND_VIEW_DLQ}, again;
	uint8_t key[STREAM_KEY_SIZE_MAX];
	(void)state;

	size_t size = stream_key(&id, key);
	assert_true(stream_key_parse(slice_of(key, size), &again));
	assert_true(slice_equal(again.edge, id.edge));
	assert_int_equal(again.run, id.run);
	assert_int_equal(again.kind, id.kind);
	assert_false(stream_key_parse(slice_of(key, 10), &again));
	key[id.edge.size + 1] = STREAM_KIND_COUNT;
	assert_false(stream_key_parse(slice_of(key, size), &again));
	key[id.edge.size + 1] = KIND_VIEW;
	key[6] = 0; /* an edge's name ends at the first NUL */
	assert_false(stream_key_parse(slice_of(key, size), &again));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_order_is_an_event_of_its_stream),
		TEST(test_a_marker_takes_its_seq_whatever_its_code),
		TEST(test_what_never_had_a_certificate_is_foreign),
		TEST(test_broken_bytes_and_broken_events_are_unreadable),
		TEST(test_an_event_under_another_key_is_foreign),
		TEST(test_an_event_in_the_topic_of_another_kind_is_foreign),
		TEST(test_a_letter_of_the_edge_is_an_event_of_its_own_stream),
		TEST(test_a_letter_of_the_bridge_does_not_collide_with_its_marker),
		TEST(test_letters_without_or_with_broken_headers),
		TEST(test_a_stream_has_one_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
