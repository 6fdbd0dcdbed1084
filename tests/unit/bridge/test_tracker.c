#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/tracker.h"
#include <cmocka.h>

static struct tracker tracker;
static struct outbox outbox, other;
static struct sending_end end;

static int set_up(void **state)
{
	(void)state;
	tracker_init(&tracker);
	outbox_init(&outbox);
	outbox_init(&other);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tracker_abandon(&tracker, &outbox);
	tracker_abandon(&tracker, &other);
	outbox_deinit(&outbox);
	outbox_deinit(&other);
	tracker_deinit(&tracker);
	return 0;
}

/* A sending of `record_count` records, all handed to Kafka. */
static uint64_t start(struct outbox *of, uint64_t number, int record_count)
{
	const struct sending_start first = {.number = number, .lane = KIND_ORDER, .bytes = 100};
	struct sending *sending = NULL;
	assert_int_equal(tracker_open(&tracker, of, &first, &sending), 0);
	uint64_t ticket = sending_ticket(sending);
	for (int i = 0; i < record_count; i++) {
		tracker_expect(&tracker, sending);
	}
	assert_int_equal(tracker_release(&tracker, sending, &end), record_count == 0);
	return ticket;
}

static bool report(uint64_t ticket)
{
	struct sending *sending = tracker_find(&tracker, ticket);
	assert_non_null(sending);
	return tracker_report(&tracker, sending, &end);
}

static void assert_done(const struct outbox *of, int code, uint64_t first, uint64_t last)
{
	assert_int_equal(of->done[code].count, 1);
	assert_int_equal(of->done[code].items[0].first, first);
	assert_int_equal(of->done[code].items[0].last, last);
}

static void test_a_sending_is_acknowledged_at_its_last_report(void **state)
{
	(void)state;
	uint64_t ticket = start(&outbox, 1, 3);
	assert_false(report(ticket));
	assert_false(report(ticket));
	assert_false(outbox_has_news(&outbox));
	assert_true(report(ticket));
	assert_int_equal(end.nack, 0);
	assert_ptr_equal(end.outbox, &outbox);
	assert_done(&outbox, 0, 1, 1);
	assert_int_equal(tracker.batch_count, 0);
	assert_int_equal(tracker.record_count, 0);
	assert_int_equal(tracker.lane_bytes[KIND_ORDER], 0);
}

/* Reports may come while the batch is still being handed over. */
static void test_a_held_sending_does_not_end(void **state)
{
	(void)state;
	const struct sending_start first = {.number = 1, .lane = KIND_CART, .bytes = 10};
	struct sending *sending = NULL;
	assert_int_equal(tracker_open(&tracker, &outbox, &first, &sending), 0);
	tracker_expect(&tracker, sending);
	assert_false(tracker_report(&tracker, sending, &end));
	tracker_expect(&tracker, sending);
	assert_false(tracker_release(&tracker, sending, &end));
	assert_true(tracker_report(&tracker, sending, &end));
	assert_int_equal(end.lane, KIND_CART);
}

static void test_one_failed_record_makes_the_whole_sending_a_nack(void **state)
{
	(void)state;
	uint64_t ticket = start(&outbox, 1, 2);
	tracker_fail(tracker_find(&tracker, ticket), NACK_DELIVERY_FAILED, 200);
	tracker_fail(tracker_find(&tracker, ticket), NACK_TOPIC_REFUSED, 700);
	assert_false(report(ticket));
	assert_true(report(ticket));
	assert_int_equal(end.nack, NACK_DELIVERY_FAILED);
	assert_done(&outbox, NACK_DELIVERY_FAILED, 1, 1);
	assert_int_equal(outbox.retry_after_ms[NACK_DELIVERY_FAILED], 700);
	assert_int_equal(outbox.done[0].count, 0);
}

static void test_a_sending_that_never_had_records_ends_at_its_release(void **state)
{
	(void)state;
	start(&outbox, 1, 0);
	assert_done(&outbox, 0, 1, 1);
}

/* The edge gave up waiting and sent the same block again under the next number: each number has an end of its own. */
static void test_two_sendings_of_one_block_are_told_apart(void **state)
{
	(void)state;
	uint64_t first = start(&outbox, 1, 2), second = start(&outbox, 2, 2);
	report(second);
	assert_true(report(second));
	assert_done(&outbox, 0, 2, 2);
	report(first);
	assert_true(report(first));
	assert_done(&outbox, 0, 1, 2);
}

static void test_numbers_that_end_out_of_order_merge_into_ranges(void **state)
{
	(void)state;
	uint64_t tickets[9];
	for (uint64_t number = 1; number <= 8; number++) {
		tickets[number] = start(&outbox, number, 1);
	}
	static const int order[] = {8, 2, 6, 4, 1, 7, 5, 3};
	for (int i = 0; i < 8; i++) {
		assert_true(report(tickets[order[i]]));
	}
	assert_done(&outbox, 0, 1, 8);
}

static void test_reports_of_an_ended_session_are_dropped_and_counted(void **state)
{
	(void)state;
	uint64_t ticket = start(&outbox, 1, 2);
	report(ticket);
	tracker_abandon(&tracker, &outbox);
	assert_int_equal(tracker.lane_bytes[KIND_ORDER], 100); /* still in librdkafka's queue */
	assert_true(report(ticket));
	assert_null(end.outbox);
	assert_int_equal(tracker.dropped_count, 1);
	assert_int_equal(tracker.lane_bytes[KIND_ORDER], 0);
	assert_false(outbox_has_news(&outbox));
}

static void test_a_ticket_does_not_fit_the_next_sending_in_its_slot(void **state)
{
	(void)state;
	uint64_t old = start(&outbox, 1, 1);
	assert_true(report(old));
	assert_null(tracker_find(&tracker, old));
	uint64_t fresh = start(&outbox, 2, 1);
	assert_int_equal((uint32_t)old, (uint32_t)fresh);
	assert_null(tracker_find(&tracker, old));
	assert_non_null(tracker_find(&tracker, fresh));
	assert_null(tracker_find(&tracker, UINT64_C(1) << 32 | 99999));
}

static void test_a_lost_producer_fails_all_that_is_in_flight(void **state)
{
	(void)state;
	uint64_t mine = start(&outbox, 1, 5), theirs = start(&other, 1, 5);
	start(&outbox, 2, 1);
	tracker_abandon(&tracker, &other);
	assert_int_equal(tracker_fail_all(&tracker, NACK_PRODUCER_REBUILT, 50), 2);
	assert_done(&outbox, NACK_PRODUCER_REBUILT, 1, 2);
	assert_null(tracker_find(&tracker, mine));
	assert_null(tracker_find(&tracker, theirs));
	assert_int_equal(tracker.batch_count, 0);
	assert_int_equal(tracker.record_count, 0);
	assert_int_equal(tracker_fail_all(&tracker, NACK_PRODUCER_REBUILT, 50), 0);
}

/* The producer may be lost in the middle of handing a batch over. */
static void test_a_held_sending_outlives_a_lost_producer_and_ends_as_nack(void **state)
{
	(void)state;
	const struct sending_start first = {.number = 1, .lane = KIND_VIEW, .bytes = 10};
	struct sending *sending = NULL;
	assert_int_equal(tracker_open(&tracker, &outbox, &first, &sending), 0);
	assert_int_equal(tracker_fail_all(&tracker, NACK_PRODUCER_REBUILT, 50), 0);
	assert_true(tracker_release(&tracker, sending, &end));
	assert_int_equal(end.nack, NACK_PRODUCER_REBUILT);
}

static void test_bytes_are_counted_per_lane_and_session(void **state)
{
	(void)state;
	start(&outbox, 1, 1);
	start(&outbox, 2, 1);
	start(&other, 1, 1);
	assert_int_equal(outbox.lane_bytes[KIND_ORDER], 200);
	assert_int_equal(other.lane_bytes[KIND_ORDER], 100);
	assert_int_equal(tracker.lane_bytes[KIND_ORDER], 300);
	assert_int_equal(tracker.lane_batches[KIND_ORDER], 3);
	assert_int_equal(tracker.record_count, 3);
}

static void test_thousands_of_sendings_find_room(void **state)
{
	(void)state;
	uint64_t tickets[5000];
	for (uint64_t number = 0; number < 5000; number++) {
		tickets[number] = start(&outbox, number + 1, 1);
	}
	for (size_t i = 0; i < 5000; i += 2) { /* every other one: the most ranges there can be */
		assert_true(report(tickets[i]));
	}
	assert_int_equal(outbox.done[0].count, 2500);
	for (size_t i = 1; i < 5000; i += 2) {
		assert_true(report(tickets[i]));
	}
	assert_done(&outbox, 0, 1, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_a_sending_is_acknowledged_at_its_last_report),
		CASE(test_a_held_sending_does_not_end),
		CASE(test_one_failed_record_makes_the_whole_sending_a_nack),
		CASE(test_a_sending_that_never_had_records_ends_at_its_release),
		CASE(test_two_sendings_of_one_block_are_told_apart),
		CASE(test_numbers_that_end_out_of_order_merge_into_ranges),
		CASE(test_reports_of_an_ended_session_are_dropped_and_counted),
		CASE(test_a_ticket_does_not_fit_the_next_sending_in_its_slot),
		CASE(test_a_lost_producer_fails_all_that_is_in_flight),
		CASE(test_a_held_sending_outlives_a_lost_producer_and_ends_as_nack),
		CASE(test_bytes_are_counted_per_lane_and_session),
		CASE(test_thousands_of_sendings_find_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
