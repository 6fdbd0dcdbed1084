#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/letter.h"
#include <cmocka.h>

static struct letter_headers headers;

static struct dead_letter letter(void)
{
	return (struct dead_letter){
		.certificate = {slice_of_text("uk"), RUN_MAX, KIND_ORDER_DLQ, 17},
		.received_ms = 1291191960000,
		.source = slice_of_text("zmq"),
		.refused_by = slice_of_text("edge"),
		.reason = REASON_BAD_VALUE,
		.message = slice_of_text("unit_price is not a decimal number"),
		.bytes = slice_of_text("x"),
	};
}

/* The order of PROTOCOL.md, and what the aggregator's reader makes of it again. */
static void test_a_letter_reads_back_from_its_headers(void **state)
{
	(void)state;
	const struct dead_letter sent = letter();
	struct slice values[DLQ_HEADER_COUNT];
	struct dead_letter read;
	struct complaint complaint;
	letter_headers_fill(&headers, &sent, "orders");
	assert_int_equal(headers.count, DLQ_HEADER_COUNT);
	for (size_t i = 0; i < headers.count; i++) {
		assert_string_equal(
			headers.items[i].name, dead_letter_header_name((enum dead_letter_header)i));
		values[i] = headers.items[i].value;
	}
	assert_true(slice_equals_text(values[DLQ_HEADER_TOPIC], "orders"));
	assert_true(slice_equals_text(values[DLQ_HEADER_RUN], "9007199254740991"));
	assert_int_equal(dead_letter_from_headers(values, sent.bytes, &read, &complaint), 0);
	assert_int_equal(read.certificate.seq, 17);
	assert_int_equal(read.certificate.kind, KIND_ORDER_DLQ);
	assert_int_equal(read.reason, REASON_BAD_VALUE);
	assert_int_equal(read.received_ms, sent.received_ms);
}

static void test_an_event_without_certificate_has_no_run_and_seq(void **state)
{
	(void)state;
	struct dead_letter sent = letter();
	sent.certificate.run = 0;
	sent.certificate.seq = 0;
	letter_headers_fill(&headers, &sent, "orders");
	assert_int_equal(headers.count, DLQ_HEADER_COUNT - 2);
	for (size_t i = 0; i < headers.count; i++) {
		assert_string_not_equal(headers.items[i].name, "till.run");
		assert_string_not_equal(headers.items[i].name, "till.seq");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_letter_reads_back_from_its_headers),
		cmocka_unit_test(test_an_event_without_certificate_has_no_run_and_seq),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
