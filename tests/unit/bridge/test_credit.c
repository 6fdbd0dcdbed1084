#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge/credit.h"
#include <cmocka.h>

enum { BATCH = BATCH_SIZE_MAX };

static void test_the_lanes_together_fill_the_bound(void **state)
{
	(void)state;
	uint64_t sum = 0;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		sum += credit_lane_bytes_max((enum kind)lane);
	}
	assert_int_equal(sum, CREDIT_TOTAL_BYTES);
}

static void test_a_session_is_told_its_share_of_the_lane(void **state)
{
	(void)state;
	uint64_t all = credit_lane_bytes_max(KIND_ORDER);
	assert_int_equal(credit_share(KIND_ORDER, 0), CREDIT_SESSION_BYTES_MAX);
	assert_int_equal(credit_share(KIND_ORDER, 1), CREDIT_SESSION_BYTES_MAX);
	assert_int_equal(credit_share(KIND_ORDER, 64), all / 64);
}

static void test_the_largest_batch_always_fits_a_share(void **state)
{
	(void)state;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		assert_true(credit_share((enum kind)lane, 1000000) >= BATCH);
	}
}

static void test_one_batch_may_be_in_flight_whatever_the_share(void **state)
{
	(void)state;
	struct credit_use use = {.session_count = 1000000};
	assert_true(credit_admits(&use, KIND_VIEW, BATCH));
	use.session_bytes = use.lane_bytes = 2 * BATCH;
	assert_false(credit_admits(&use, KIND_VIEW, 1));
}

/* It was told 8 MiB when it was alone, and may have them all in flight when the second comes. */
static void test_an_edge_may_still_use_what_it_was_told_before_others_came(void **state)
{
	(void)state;
	struct credit_use use = {.session_count = 8};
	use.session_bytes = use.lane_bytes = CREDIT_SESSION_BYTES_MAX - BATCH;
	assert_true(credit_admits(&use, KIND_ORDER, BATCH));
	use.session_bytes = use.lane_bytes = CREDIT_SESSION_BYTES_MAX;
	assert_false(credit_admits(&use, KIND_ORDER, 1));
}

static void test_a_full_lane_takes_nothing_and_leaves_the_others_alone(void **state)
{
	(void)state;
	struct credit_use use = {.session_count = 3};
	use.lane_bytes = credit_lane_bytes_max(KIND_CART) - BATCH + 1;
	assert_false(credit_admits(&use, KIND_CART, BATCH));
	assert_true(credit_admits(&use, KIND_ORDER, BATCH));
}

static void test_tiny_batches_are_bounded_by_number(void **state)
{
	(void)state;
	const struct credit_use use = {.session_count = 1, .batch_count = CREDIT_BATCHES_MAX};
	assert_false(credit_admits(&use, KIND_ORDER, 1));
}

/* A thousand edges with a backlog each: were they told the same short wait, they would all come back at once. */
static void test_the_more_edges_the_longer_they_wait_and_not_all_alike(void **state)
{
	(void)state;
	struct credit_use use = {.session_count = 1};
	assert_in_range(credit_busy_ms(&use, KIND_ORDER, 0), 100, 400);
	use.session_count = 1000;
	uint32_t shortest_ms = credit_busy_ms(&use, KIND_ORDER, 0);
	assert_true(shortest_ms > 500);
	assert_true(credit_busy_ms(&use, KIND_ORDER, 1000) > shortest_ms);
	use.session_count = 100000000;
	assert_in_range(credit_busy_ms(&use, KIND_VIEW_DLQ, UINT64_MAX), 5000, 15000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_lanes_together_fill_the_bound),
		cmocka_unit_test(test_a_session_is_told_its_share_of_the_lane),
		cmocka_unit_test(test_the_largest_batch_always_fits_a_share),
		cmocka_unit_test(test_one_batch_may_be_in_flight_whatever_the_share),
		cmocka_unit_test(test_an_edge_may_still_use_what_it_was_told_before_others_came),
		cmocka_unit_test(test_a_full_lane_takes_nothing_and_leaves_the_others_alone),
		cmocka_unit_test(test_tiny_batches_are_bounded_by_number),
		cmocka_unit_test(test_the_more_edges_the_longer_they_wait_and_not_all_alike),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
