/* Producers' headers and the edge's replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/producer.h"

static struct document document;
static struct buffer buffer;
static struct reply_error errors[REPLY_ERRORS_MAX];

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return document_init(&document, 4096);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	buffer_deinit(&buffer);
	return 0;
}

static void assert_json(const char *json)
{
	assert_int_equal(buffer.error, 0);
	buffer_append_byte(&buffer, 0);
	assert_string_equal((const char *)buffer.bytes, json);
	buffer_truncate(&buffer, buffer.size - 1);
}

static void test_a_header_comes_back(void **state)
{
	static const enum encoding encodings[] = {ENCODING_MSGPACK, ENCODING_JSON};
	struct producer_header header = {slice_of_text("till-7"), INT64_MAX};
	struct producer_header again;
	struct complaint complaint;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		buffer_clear(&buffer);
		producer_header_encode(&header, encodings[i], &buffer);
		assert_int_equal(producer_header_decode(
					 &document, buffer_slice(&buffer), &again, &complaint),
			0);
		assert_true(slice_equals_text(again.producer, "till-7"));
		assert_true(again.n == INT64_MAX);
	}
}

static void test_a_header_that_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *json, *code, *field;
	} rows[] = {
		{"{", "bad_frame", ""},
		{"[]", "bad_frame", ""},
		{"{}", "missing_field", "producer"},
		{"{\"producer\":\"a\"}", "missing_field", "n"},
		{"{\"producer\":\"a\",\"n\":1,\"more\":2}", "bad_frame", ""},
		{"{\"producer\":5,\"n\":1}", "bad_type", "producer"},
		{"{\"producer\":\"\",\"n\":1}", "bad_value", "producer"},
		{"{\"producer\":\"0123456789012345678901234567890123456789012345678901234567890123"
		 "4\",\"n\":1}",
			"bad_value", "producer"},
		{"{\"producer\":\"a\",\"n\":0}", "bad_value", "n"},
		{"{\"producer\":\"a\",\"n\":-1}", "bad_value", "n"},
		{"{\"producer\":\"a\",\"n\":1.5}", "bad_type", "n"},
		{"{\"producer\":\"a\",\"n\":9223372036854775808}", "bad_type", "n"},
		{"{\"producer\":\"a\",\"n\":true}", "bad_type", "n"},
	};
	struct producer_header header;
	struct complaint complaint;
	char large[HEADER_SIZE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = producer_header_decode(
			&document, slice_of_text(rows[i].json), &header, &complaint);
		if (r == 0 || strcmp(reason_code(complaint.reason), rows[i].code) != 0 ||
			strcmp(complaint.field, rows[i].field) != 0) {
			fail_msg("%s: %d %s", rows[i].json, r, complaint.message);
		}
	}
	memset(large, ' ', sizeof large);
	assert_int_equal(producer_header_decode(
				 &document, slice_of(large, sizeof large), &header, &complaint),
		REASON_TOO_LARGE);
}

static struct reply accepted(void)
{
	struct reply reply = {.ok = true,
		.accepted = 2,
		.durable = true,
		.edge = slice_of_text("berlin-1"),
		.run = 4711};

	reply.seq[KIND_ORDER].first = 17;
	reply.seq[KIND_ORDER].last = 18;
	return reply;
}

/* The examples of PROTOCOL.md, 3.3. */
static void test_replies_look_as_specified(void **state)
{
	struct reply reply = accepted();
	struct reply refused = {.retry_after_ms = 1000};

	(void)state;
	buffer_clear(&buffer);
	reply_encode(&reply, ENCODING_JSON, &buffer);
	assert_json("{\"ok\":true,\"accepted\":2,\"invalid\":0,\"repeated\":false,\"durable\":true,"
		    "\"edge\":\"berlin-1\",\"run\":4711,\"seq\":{\"order\":[17,18]}}");

	reply.ok = false;
	reply.accepted = 1;
	reply.invalid = 1;
	reply.last_n = 12;
	reply.seq[KIND_ORDER].first = reply.seq[KIND_ORDER].last = 19;
	reply.seq[KIND_ORDER_DLQ].first = reply.seq[KIND_ORDER_DLQ].last = 1;
	reply.errors = errors;
	reply.error_count = 1;
	errors[0].index = 1;
	complaint_set(&errors[0].complaint, REASON_BAD_VALUE, "unit_price",
		"unit_price \"2,55\" is not a decimal number");
	buffer_clear(&buffer);
	reply_encode(&reply, ENCODING_JSON, &buffer);
	assert_json(
		"{\"ok\":false,\"accepted\":1,\"invalid\":1,\"repeated\":false,\"last_n\":12,"
		"\"durable\":true,\"edge\":\"berlin-1\",\"run\":4711,\"seq\":{\"order\":[19,19],"
		"\"order.dlq\":[1,1]},\"errors\":[{\"index\":1,\"code\":\"bad_value\","
		"\"field\":\"unit_price\",\"message\":\"unit_price \\\"2,55\\\" is not a decimal "
		"number\"}]}");

	complaint_set(&refused.refusal, REASON_SPOOL_FULL, "", "the spool is full");
	buffer_clear(&buffer);
	reply_encode(&refused, ENCODING_JSON, &buffer);
	assert_json("{\"ok\":false,\"accepted\":0,\"invalid\":0,\"error\":{\"code\":\"spool_full\","
		    "\"message\":\"the spool is full\",\"retry_after_ms\":1000}}");
}

static void assert_reply_comes_back(const struct reply *reply, enum encoding encoding)
{
	static struct reply_error room[REPLY_ERRORS_MAX];
	struct complaint complaint;
	struct reply again;

	buffer_clear(&buffer);
	reply_encode(reply, encoding, &buffer);
	assert_int_equal(
		reply_decode(&document, buffer_slice(&buffer), room, &again, &complaint), 0);
	assert_int_equal(again.ok, reply->ok);
	assert_int_equal(again.accepted, reply->accepted);
	assert_int_equal(again.invalid, reply->invalid);
	assert_int_equal(again.repeated_events, reply->repeated_events);
	assert_int_equal(again.repeated, reply->repeated);
	assert_true(again.last_n == reply->last_n);
	assert_int_equal(again.durable, reply->durable);
	assert_true(slice_equal(again.edge, reply->edge));
	assert_true(again.run == reply->run);
	assert_memory_equal(again.seq, reply->seq, sizeof reply->seq);
	assert_int_equal(again.error_count, reply->error_count);
	for (uint32_t i = 0; i < reply->error_count; i++) {
		assert_int_equal(room[i].index, reply->errors[i].index);
		assert_int_equal(room[i].complaint.reason, reply->errors[i].complaint.reason);
		assert_string_equal(room[i].complaint.field, reply->errors[i].complaint.field);
		assert_string_equal(room[i].complaint.message, reply->errors[i].complaint.message);
	}
	assert_int_equal(again.refusal.reason, reply->refusal.reason);
	assert_int_equal(again.retry_after_ms, reply->retry_after_ms);
}

static void test_replies_come_back(void **state)
{
	static const enum encoding encodings[] = {ENCODING_MSGPACK, ENCODING_JSON};
	struct reply reply = accepted();
	struct reply refused = {.retry_after_ms = 1000};

	(void)state;
	complaint_set(&refused.refusal, REASON_SPOOL_FULL, "", "the spool is full");
	for (uint32_t i = 0; i < REPLY_ERRORS_MAX; i++) {
		errors[i].index = i;
		complaint_set(&errors[i].complaint, REASON_TOO_DEEP, i % 2 == 0 ? "" : "x", "no");
	}
	for (size_t i = 0; i < 2; i++) {
		assert_reply_comes_back(&refused, encodings[i]);
		reply = accepted();
		assert_reply_comes_back(&reply, encodings[i]);
		reply.ok = false;
		reply.repeated = true;
		reply.repeated_events = 3;
		reply.last_n = INT64_MAX;
		reply.durable = false;
		reply.invalid = 5000;
		reply.errors = errors;
		reply.error_count = REPLY_ERRORS_MAX;
		assert_reply_comes_back(&reply, encodings[i]);
	}
}

/* An edge may be younger than its client. */
static void test_a_client_passes_over_what_it_does_not_know(void **state)
{
	struct complaint complaint;
	struct reply reply;

	(void)state;
	assert_int_equal(
		reply_decode(&document,
			slice_of_text("{\"ok\":false,\"accepted\":0,\"invalid\":0,\"moon\":[1],"
				      "\"error\":{\"code\":\"eclipse\",\"message\":\"wait\"}}"),
			errors, &reply, &complaint),
		0);
	assert_int_equal(reply.refusal.reason, REASON_INTERNAL);
	assert_string_equal(reply.refusal.message, "wait");
}

static void test_what_is_no_reply_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"ok\":1,\"accepted\":0,\"invalid\":0,\"error\":{\"code\":\"x\",\"message\":\"\"}"
		"}",
		"{\"ok\":true,\"accepted\":-1,\"invalid\":0}",
		"{\"ok\":true,\"accepted\":20000,\"invalid\":0}",
		"{\"ok\":true,\"accepted\":1,\"invalid\":0}",
		"{\"ok\":false,\"accepted\":0,\"invalid\":0,\"error\":5}",
		"{\"ok\":false,\"accepted\":0,\"invalid\":0,\"error\":{\"code\":5,\"message\":\"\"}"
		"}",
		"{\"ok\":true,\"accepted\":1,\"invalid\":0,\"repeated\":false,\"durable\":true,"
		"\"edge\":\"e\",\"run\":1,\"seq\":{\"order\":[1]}}",
		"{\"ok\":true,\"accepted\":1,\"invalid\":0,\"repeated\":false,\"durable\":true,"
		"\"edge\":\"e\",\"run\":1,\"seq\":{},\"errors\":{}}",
		"{\"ok\":true,\"accepted\":1,\"invalid\":0,\"repeated\":false,\"durable\":true,"
		"\"edge\":\"e\",\"run\":1,\"seq\":{},\"errors\":[5]}",
		"{\"ok\":true,\"accepted\":1,\"invalid\":0,\"repeated\":false,\"durable\":true,"
		"\"edge\":5,\"run\":1,\"seq\":{}}",
	};
	struct complaint complaint;
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = reply_decode(&document, slice_of_text(rows[i]), errors, &reply, &complaint);
		if (r != REASON_BAD_FRAME) {
			fail_msg("%s: %d", rows[i], r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_header_comes_back),
		cmocka_unit_test(test_a_header_that_does_not_fit_is_refused),
		cmocka_unit_test(test_replies_look_as_specified),
		cmocka_unit_test(test_replies_come_back),
		cmocka_unit_test(test_a_client_passes_over_what_it_does_not_know),
		cmocka_unit_test(test_what_is_no_reply_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
