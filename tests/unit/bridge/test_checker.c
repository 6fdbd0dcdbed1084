#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/checker.h"
#include "samples.h"
#include <cmocka.h>

static struct samples samples;
static struct checker checker;

static int set_up(void **state)
{
	(void)state;
	samples_init(&samples);
	return checker_init(&checker);
}

static int tear_down(void **state)
{
	(void)state;
	samples_deinit(&samples);
	checker_deinit(&checker);
	return 0;
}

static void begin(enum kind lane, uint32_t count)
{
	const struct checker_batch batch = {
		.edge = slice_of_text("uk"),
		.lane = lane,
		.count = count,
		.events = buffer_slice(&samples.batch),
		.now_ms = 1234,
	};
	checker_begin(&checker, &batch);
}

static void assert_refused(enum reason reason, bool has_certificate)
{
	assert_int_equal(checker_next(&checker), CHECK_REFUSED);
	assert_string_equal(reason_code(checker.letter.reason), reason_code(reason));
	assert_int_equal(checker.has_certificate, has_certificate);
	assert_true(slice_equals_text(checker.letter.refused_by, "bridge"));
	assert_int_equal(checker.letter.received_ms, 1234);
	assert_true(checker.letter.message.size > 0);
	assert_true(slice_equal(checker.letter.bytes, checker.bytes));
}

static void test_good_events_pass_byte_for_byte(void **state)
{
	(void)state;
	struct slice first = samples_add_order(&samples, 1);
	struct slice second = samples_add_order(&samples, 2);
	begin(KIND_ORDER, 2);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
	assert_ptr_equal(checker.bytes.bytes, first.bytes);
	assert_int_equal(checker.bytes.size, first.size);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
	assert_ptr_equal(checker.bytes.bytes, second.bytes);
	assert_int_equal(checker.event.certificate.seq, 2);
	assert_int_equal(checker_next(&checker), CHECK_END);
	assert_int_equal(checker_next(&checker), CHECK_END);
}

/* A spool holds blocks of the runs before: only the edge must be the session's. */
static void test_any_run_of_the_edge_passes(void **state)
{
	(void)state;
	samples_add(&samples, "{\"kind\":\"view\",\"edge\":\"uk\",\"run\":1,\"seq\":1,\"ts\":0}");
	samples_add(&samples, "{\"kind\":\"view\",\"edge\":\"uk\",\"run\":2,\"seq\":1,\"ts\":0}");
	begin(KIND_VIEW, 2);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
}

static void test_a_bad_event_keeps_its_certificate_and_spoils_no_other(void **state)
{
	(void)state;
	samples_spoil(samples_add_order(&samples, 1), "2.55", "2,55");
	samples_add_order(&samples, 2);
	begin(KIND_ORDER, 2);
	assert_refused(REASON_BAD_VALUE, true);
	assert_int_equal(checker.letter.certificate.seq, 1);
	assert_int_equal(checker.letter.certificate.run, 7);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
}

/* No marker: it would take the seq of another store's sale. */
static void test_an_event_of_another_edge_gets_no_marker(void **state)
{
	(void)state;
	samples_spoil(samples_add_order(&samples, 1), "uk", "fr");
	begin(KIND_ORDER, 1);
	assert_refused(REASON_BAD_CERTIFICATE, false);
	assert_true(slice_equals_text(checker.letter.certificate.edge, "uk"));
	assert_int_equal(checker.letter.certificate.seq, 0);
}

static void test_an_event_in_the_wrong_lane_gets_no_marker(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	begin(KIND_CART, 1);
	assert_refused(REASON_BAD_CERTIFICATE, false);
	assert_int_equal(checker.letter.certificate.kind, KIND_CART);
}

static void test_a_marker_from_an_edge_is_refused(void **state)
{
	(void)state;
	const struct certificate certificate = {slice_of_text("uk"), 7, KIND_ORDER, 3};
	event_encode_marker(&certificate, REASON_BAD_VALUE, ENCODING_MSGPACK, &samples.batch);
	begin(KIND_ORDER, 1);
	assert_refused(REASON_RESERVED_FIELD, true);
}

static void test_bytes_that_are_no_msgpack_are_one_refused_event(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	samples_add_bytes(&samples, "\xc1\xc1\xc1", 3);
	begin(KIND_ORDER, 5);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
	assert_refused(REASON_BAD_FRAME, false);
	assert_int_equal(checker.bytes.size, 3);
	assert_int_equal(checker_next(&checker), CHECK_END);
}

static void test_msgpack_that_is_no_event_is_refused(void **state)
{
	(void)state;
	samples_add_bytes(&samples, "\x2a", 1);
	begin(KIND_ORDER, 1);
	assert_int_equal(checker_next(&checker), CHECK_REFUSED);
	assert_false(checker.has_certificate);
}

static bool count_fits(uint32_t declared_count)
{
	begin(KIND_ORDER, declared_count);
	while (checker_next(&checker) != CHECK_END) {
	}
	return checker_count_fits(&checker);
}

static void test_a_batch_must_have_as_many_events_as_it_says(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	samples_add_order(&samples, 2);
	assert_true(count_fits(2));
	assert_false(count_fits(1));
	assert_false(count_fits(3));
	samples_add_bytes(&samples, "\xc1", 1); /* who knows how many these were */
	assert_true(count_fits(2));
	assert_true(count_fits(9));
}

static void test_dead_letters_are_opened_and_checked(void **state)
{
	(void)state;
	samples_add_letter(&samples, 9, "uk");
	samples_add_letter(&samples, 10, "fr");
	samples_add_order(&samples, 1);
	begin(KIND_ORDER_DLQ, 3);
	assert_int_equal(checker_next(&checker), CHECK_EVENT);
	assert_true(slice_equals_text(checker.letter.bytes, "{\"price\":\"2,55\"}"));
	assert_int_equal(checker.letter.certificate.seq, 9);
	assert_int_equal(checker_next(&checker), CHECK_REFUSED);
	assert_int_equal(checker.letter.reason, REASON_BAD_CERTIFICATE);
	assert_int_equal(checker_next(&checker), CHECK_REFUSED);
	assert_int_equal(checker_next(&checker), CHECK_END);
}

static void test_what_kafka_refuses_becomes_a_letter_with_its_certificate(void **state)
{
	(void)state;
	struct slice order = samples_add_order(&samples, 4);
	assert_int_equal(
		checker_condemn(&checker, ENCODING_MSGPACK, order, "INVALID_RECORD", 77), 0);
	assert_int_equal(checker.letter.reason, REASON_REFUSED_BY_KAFKA);
	assert_int_equal(checker.letter.certificate.seq, 4);
	assert_int_equal(checker.letter.received_ms, 77);
	assert_true(checker.has_certificate);
	assert_non_null(memmem(
		checker.letter.message.bytes, checker.letter.message.size, "INVALID_RECORD", 14));
}

static void test_a_marker_or_a_letter_that_kafka_refuses_can_not_become_a_letter(void **state)
{
	(void)state;
	const struct certificate certificate = {slice_of_text("uk"), 7, KIND_ORDER, 3};
	event_encode_marker(&certificate, REASON_BAD_VALUE, ENCODING_MSGPACK, &samples.batch);
	assert_int_not_equal(checker_condemn(&checker, ENCODING_MSGPACK,
				     buffer_slice(&samples.batch), "INVALID_RECORD", 77),
		0);
	assert_int_not_equal(checker_condemn(&checker, ENCODING_MSGPACK, slice_of_text("raw"),
				     "INVALID_RECORD", 77),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_good_events_pass_byte_for_byte),
		CASE(test_any_run_of_the_edge_passes),
		CASE(test_a_bad_event_keeps_its_certificate_and_spoils_no_other),
		CASE(test_an_event_of_another_edge_gets_no_marker),
		CASE(test_an_event_in_the_wrong_lane_gets_no_marker),
		CASE(test_a_marker_from_an_edge_is_refused),
		CASE(test_bytes_that_are_no_msgpack_are_one_refused_event),
		CASE(test_msgpack_that_is_no_event_is_refused),
		CASE(test_a_batch_must_have_as_many_events_as_it_says),
		CASE(test_dead_letters_are_opened_and_checked),
		CASE(test_what_kafka_refuses_becomes_a_letter_with_its_certificate),
		CASE(test_a_marker_or_a_letter_that_kafka_refuses_can_not_become_a_letter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
