/* When events were received that can be read soon: told once, and however many there are never as faster than they were. */
#include "aggregator/log/receipts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct {
	size_t calls;
	uint64_t events, least_ms, most_ms, sum_ms;
} heard;

static void hear(void *owner, uint64_t latency_ms, uint64_t count)
{
	assert_ptr_equal(owner, &heard);
	heard.least_ms =
		heard.calls == 0 || latency_ms < heard.least_ms ? latency_ms : heard.least_ms;
	heard.most_ms = latency_ms > heard.most_ms ? latency_ms : heard.most_ms;
	heard.calls++;
	heard.events += count;
	heard.sum_ms += latency_ms * count;
}

static int set_up(void **state)
{
	(void)state;
	heard.calls = 0;
	heard.events = heard.least_ms = heard.most_ms = heard.sum_ms = 0;
	return 0;
}

static void note(struct receipts *receipts, int64_t received_ms, uint32_t count)
{
	const struct receipt receipt = {received_ms, count};

	receipts_note(receipts, &receipt);
}

static void test_each_is_told_once(void **state)
{
	static struct receipts receipts;

	(void)state;
	note(&receipts, 1000, 3);
	note(&receipts, 1090, 1);
	assert_int_equal(receipts_tell(&receipts, 1100, hear, &heard), 0);
	assert_int_equal(heard.calls, 2);
	assert_int_equal(heard.events, 4);
	assert_int_equal(heard.least_ms, 10);
	assert_int_equal(heard.most_ms, 100);
	assert_int_equal(receipts_tell(&receipts, 1200, hear, &heard), 0);
	assert_int_equal(heard.calls, 2);
}

static void test_what_lies_ahead_took_no_time_and_is_said(void **state)
{
	static struct receipts receipts;

	(void)state;
	note(&receipts, 2000, 5);
	note(&receipts, 1000, 1);
	assert_int_equal(receipts_tell(&receipts, 1500, hear, &heard), 5);
	assert_int_equal(heard.least_ms, 0);
	assert_int_equal(heard.most_ms, 500);
}

/* Held through a long start: none is lost, and none gets faster. */
static void test_very_many_are_held_in_bounds(void **state)
{
	static struct receipts receipts;
	const uint64_t count = 100 * RECEIPTS_MAX;
	uint64_t exact_ms = 0;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		note(&receipts, (int64_t)(i * 7919 % 100003), 1);
		exact_ms += 200000 - i * 7919 % 100003;
		assert_true(receipts.count <= RECEIPTS_MAX);
	}
	receipts_tell(&receipts, 200000, hear, &heard);
	assert_int_equal(heard.events, count);
	assert_true(heard.sum_ms >= exact_ms);
	assert_true(heard.most_ms <= 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_is_told_once, set_up),
		cmocka_unit_test_setup(test_what_lies_ahead_took_no_time_and_is_said, set_up),
		cmocka_unit_test_setup(test_very_many_are_held_in_bounds, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
