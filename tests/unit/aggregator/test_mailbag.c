/* Letters that are to be sent again: each is read at its place, made into its event, and told as what became of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/log/mailbag.h"
#include <stdio.h>
#include <string.h>

static const char topic[] = "orders.dlq";

static struct topic_record record_at(int32_t partition, int64_t offset, const char *value)
{
	return (struct topic_record){
		.partition = partition, .offset = offset, .value = slice_of_text(value)};
}

/* A letter's headers, as the bridge writes them. */
static struct topic_record letter_at(int32_t partition, int64_t offset, const char *value)
{
	static const char *const values[DLQ_HEADER_COUNT] = {
		"uk", "5", "order.dlq", "1", "900", "zmq", "edge", "orders", "bad_value", "no"};
	struct topic_record record = record_at(partition, offset, value);

	for (int i = 0; i < DLQ_HEADER_COUNT; i++) {
		record.headers[i] =
			(struct topic_header){dead_letter_header_name((enum dead_letter_header)i),
				slice_of_text(values[i])};
	}
	record.header_count = DLQ_HEADER_COUNT;
	return record;
}

static struct query_replay wanted_of(const char *const *places, uint32_t count)
{
	struct query_replay wanted = {.place_count = count};

	for (uint32_t i = 0; i < count; i++) {
		assert_true(letter_place_parse(places[i], &wanted.places[i]));
	}
	return wanted;
}

static const char *written(const struct mailbag *mailbag)
{
	static char text[1 << 14];
	struct buffer reply;

	buffer_init(&reply, sizeof text - 1);
	assert_int_equal(mailbag_write(mailbag, "tcp://h:1", ENCODING_JSON, &reply), 0);
	memcpy(text, reply.bytes, reply.size);
	text[reply.size] = '\0';
	buffer_deinit(&reply);
	return text;
}

static void take(struct mailbag *mailbag, const struct topic_record *record)
{
	assert_int_equal(mailbag_take(mailbag, topic, record), 0);
}

/* The request is gone by then: its texts were copied. */
static void test_a_letter_becomes_its_event_with_what_is_put_right(void **state)
{
	static const char *const places[] = {"orders.dlq/2/7"};
	char field[] = "unit_price", value[] = "2.50";
	struct query_replay wanted = wanted_of(places, 1);
	(void)state;

	wanted.set[wanted.set_count++] = (struct pair){slice_of_text(field), slice_of_text(value)};
	struct mailbag *mailbag = mailbag_new(&wanted);
	memset(field, 'x', sizeof field - 1);
	memset(value, '9', sizeof value - 1);
	struct topic_record letter =
		letter_at(2, 7, "{\"event_id\":\"mine\",\"unit_price\":\"2,50\",\"a\":[1.50]}");
	take(mailbag, &letter);
	struct mailbag_letter *read = mailbag_first_read(mailbag);
	assert_non_null(read);
	assert_true(slice_equals_text(mailbag_event(mailbag, read),
		"{\"event_id\":\"dlq:orders.dlq/2/7\",\"unit_price\":\"2.50\",\"a\":[1.50]}"));
	mailbag_free(mailbag);
}

static void test_only_what_is_wanted_is_taken_and_each_once(void **state)
{
	static const char *const places[] = {
		"orders.dlq/2/7", "orders.dlq/2/9", "other.dlq/2/8", "orders.dlq/3/8"};
	struct query_replay wanted = wanted_of(places, 4);
	struct mailbag *mailbag = mailbag_new(&wanted);
	struct topic_record first = letter_at(2, 7, "{\"a\":1}"), other = letter_at(2, 8, "{}"),
			    again = letter_at(2, 7, "{\"a\":2}");
	(void)state;

	assert_int_equal(mailbag_next(mailbag, topic, 2, 0), 7);
	take(mailbag, &other);
	assert_int_equal(mailbag_count(mailbag, MAIL_WANTED), 4);
	take(mailbag, &first);
	take(mailbag, &again);
	assert_int_equal(mailbag_count(mailbag, MAIL_READ), 1);
	assert_non_null(memchr(mailbag->events.bytes, '1', mailbag->events.size));
	assert_null(strstr(written(mailbag), "\"a\":2"));
	assert_int_equal(mailbag_next(mailbag, topic, 2, 0), 9);
	assert_int_equal(mailbag_next(mailbag, topic, 2, 10), -1);
	assert_int_equal(mailbag_next(mailbag, "other.dlq", 2, 0), 8);
	mailbag_free(mailbag);
}

static void test_what_is_gone_or_no_event_is_told_so(void **state)
{
	static const char *const places[] = {"orders.dlq/0/1", "orders.dlq/0/2", "orders.dlq/0/3",
		"orders.dlq/0/9223372036854775807", "orders.dlq/0/5"};
	struct query_replay wanted = wanted_of(places, 5);
	struct mailbag *mailbag = mailbag_new(&wanted);
	struct topic_record strange = record_at(0, 2, "{}"), broken = letter_at(0, 3, "{\"a\":"),
			    list = letter_at(0, 5, "[1]");
	(void)state;

	mailbag_miss(mailbag, "orders", 0, 0, INT64_MAX);
	mailbag_miss(mailbag, topic, 1, 0, INT64_MAX);
	assert_int_equal(mailbag_count(mailbag, MAIL_GONE), 0);
	mailbag_miss(mailbag, topic, 0, 0, 1);
	mailbag_miss(mailbag, topic, 0, 6, INT64_MAX);
	take(mailbag, &strange);
	take(mailbag, &broken);
	take(mailbag, &list);
	assert_int_equal(mailbag_count(mailbag, MAIL_GONE), 2);
	assert_int_equal(mailbag_count(mailbag, MAIL_UNUSABLE), 3);
	assert_null(mailbag_first_read(mailbag));
	const char *text = written(mailbag);
	assert_non_null(strstr(text, "{\"place\":\"orders.dlq/0/"
				     "1\",\"result\":\"gone\",\"code\":\"bad_key\",\"message\":"
				     "\"Kafka has no such letter (any more)\"}"));
	assert_non_null(strstr(text, "{\"place\":\"orders.dlq/0/2\",\"result\":\"unusable\","));
	assert_non_null(strstr(text, "no dead letter of till's"));
	assert_non_null(strstr(text, "hold no event"));
	mailbag_free(mailbag);
}

static void test_a_letter_with_more_bytes_than_any_has_is_unusable(void **state)
{
	static const char *const places[] = {"orders.dlq/0/0"};
	static char large[MAILBAG_EVENT_SIZE_MAX + 16];
	struct query_replay wanted = wanted_of(places, 1);
	struct mailbag *mailbag = mailbag_new(&wanted);
	(void)state;

	memset(large, 'x', sizeof large - 1);
	memcpy(large, "{\"a\":\"", 6);
	memcpy(large + sizeof large - 3, "\"}", 2);
	struct topic_record letter = letter_at(0, 0, large);
	take(mailbag, &letter);
	assert_int_equal(mailbag_count(mailbag, MAIL_UNUSABLE), 1);
	mailbag_free(mailbag);
}

static void test_those_that_were_not_sent_are_told_why(void **state)
{
	static const char *const places[] = {"orders.dlq/0/1", "orders.dlq/0/2", "orders.dlq/0/3"};
	struct query_replay wanted = wanted_of(places, 3);
	struct mailbag *mailbag = mailbag_new(&wanted);
	struct complaint why;
	(void)state;

	for (int i = 1; i <= 3; i++) {
		struct topic_record letter = letter_at(0, i, "{\"a\":1}");
		take(mailbag, &letter);
	}
	mailbag_first_read(mailbag)->state = MAIL_ACCEPTED;
	complaint_set(&why, REASON_TIMEOUT, "", "silence");
	mailbag_give_up(mailbag, &why);
	assert_string_equal(written(mailbag),
		"{\"ok\":true,\"replayed\":[{\"place\":\"orders.dlq/0/1\",\"result\":\"accepted\","
		"\"code\":null,\"message\":null},{\"place\":\"orders.dlq/0/2\",\"result\":"
		"\"unsent\",\"code\":\"timeout\",\"message\":\"silence\"},{\"place\":\"orders.dlq/"
		"0/"
		"3\",\"result\":\"unsent\",\"code\":\"timeout\",\"message\":\"silence\"}],\"to\":"
		"\"tcp://h:1\"}");
	complaint_set(&mailbag->complaint, REASON_TIMEOUT, "", "Kafka does not answer");
	assert_string_equal(written(mailbag), "{\"ok\":false,\"error\":{\"code\":\"timeout\","
					      "\"message\":\"Kafka does not answer\"}}");
	mailbag_free(mailbag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_letter_becomes_its_event_with_what_is_put_right),
		cmocka_unit_test(test_only_what_is_wanted_is_taken_and_each_once),
		cmocka_unit_test(test_what_is_gone_or_no_event_is_told_so),
		cmocka_unit_test(test_a_letter_with_more_bytes_than_any_has_is_unusable),
		cmocka_unit_test(test_those_that_were_not_sent_are_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
