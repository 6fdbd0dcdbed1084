/* Interval sets against a naive set, and at every edge of an interval. */
#include "aggregator/books/counted.h"
#include "draw.h"
#include "proto/buffer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void add_all(struct counted *counted, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++) {
		assert_int_equal(counted_add(counted, seq), 0);
	}
}

static void assert_interval(
	const struct counted *counted, uint32_t index, uint64_t first, uint64_t last)
{
	assert_true(index < counted->count);
	assert_int_equal(counted->intervals[index].first, first);
	assert_int_equal(counted->intervals[index].last, last);
}

static void test_a_stream_in_order_is_one_interval(void **state)
{
	struct counted counted = {0};
	(void)state;

	assert_int_equal(counted_max(&counted), 0);
	assert_false(counted_has(&counted, 1));
	add_all(&counted, 1, 1000);
	assert_int_equal(counted.count, 1);
	assert_int_equal(counted.size, 1000);
	assert_int_equal(counted_max(&counted), 1000);
	assert_interval(&counted, 0, 1, 1000);
	counted_deinit(&counted);
}

/* 10-12 and 20-22: one below, at, inside and above each edge. */
static void test_neighbours_of_an_interval_join_it_and_others_do_not(void **state)
{
	static const struct {
		uint64_t seq;
		int result;
		uint32_t count;
	} cases[] = {
		{8, 0, 3},
		{9, 0, 2},
		{10, COUNTED_E_REPEATED, 2},
		{11, COUNTED_E_REPEATED, 2},
		{12, COUNTED_E_REPEATED, 2},
		{13, 0, 2},
		{14, 0, 3},
		{18, 0, 3},
		{19, 0, 2},
		{20, COUNTED_E_REPEATED, 2},
		{22, COUNTED_E_REPEATED, 2},
		{23, 0, 2},
		{24, 0, 3},
		{1, 0, 3},
		{UINT64_MAX, 0, 3},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct counted counted = {0};
		add_all(&counted, 10, 12);
		add_all(&counted, 20, 22);
		bool had = counted_has(&counted, cases[i].seq);
		assert_int_equal(counted_add(&counted, cases[i].seq), cases[i].result);
		assert_int_equal(had, cases[i].result == COUNTED_E_REPEATED);
		assert_true(counted_has(&counted, cases[i].seq));
		assert_int_equal(counted.count, cases[i].count);
		assert_int_equal(counted.size, 6 + (cases[i].result == 0));
		counted_deinit(&counted);
	}
}

static void test_the_seq_in_between_joins_two_intervals(void **state)
{
	struct counted counted = {0};
	(void)state;

	add_all(&counted, 1, 2);
	add_all(&counted, 4, 5);
	add_all(&counted, 7, 8);
	assert_int_equal(counted.count, 3);
	assert_int_equal(counted_add(&counted, 3), 0);
	assert_int_equal(counted.count, 2);
	assert_interval(&counted, 0, 1, 5);
	assert_interval(&counted, 1, 7, 8);
	assert_int_equal(counted_add(&counted, 6), 0);
	assert_int_equal(counted.count, 1);
	assert_interval(&counted, 0, 1, 8);
	counted_deinit(&counted);
}

static void fill_to_the_limit(struct counted *counted)
{
	for (uint64_t i = 1; i <= COUNTED_INTERVALS_MAX; i++) {
		assert_int_equal(counted_add(counted, i * 2), 0);
	}
}

static void test_a_full_set_takes_what_needs_no_new_interval(void **state)
{
	struct counted counted = {0};
	(void)state;

	fill_to_the_limit(&counted);
	uint64_t beyond = COUNTED_INTERVALS_MAX * 2 + 2;
	assert_int_equal(counted_add(&counted, beyond), COUNTED_E_FULL);
	assert_false(counted_has(&counted, beyond));
	assert_int_equal(counted.size, COUNTED_INTERVALS_MAX);
	assert_int_equal(counted_add(&counted, beyond - 1), 0); /* beside the last one */
	assert_int_equal(counted_add(&counted, 4), COUNTED_E_REPEATED);
	assert_int_equal(counted_add(&counted, 3), 0); /* joins two, and makes room */
	assert_int_equal(counted_add(&counted, beyond + 2), 0);
	assert_int_equal(counted_add(&counted, beyond + 4), COUNTED_E_FULL);
	counted_deinit(&counted);
}

static void round_trip(const struct counted *counted)
{
	struct counted again = {0};
	struct buffer buffer;
	buffer_init(&buffer, 1 << 20);

	counted_encode(counted, &buffer);
	assert_int_equal(buffer.error, 0);
	assert_int_equal(counted_decode(buffer_slice(&buffer), &again), 0);
	assert_int_equal(again.count, counted->count);
	assert_int_equal(again.size, counted->size);
	if (counted->count > 0) {
		assert_memory_equal(again.intervals, counted->intervals,
			counted->count * sizeof *counted->intervals);
	}
	counted_deinit(&again);
	buffer_deinit(&buffer);
}

static void test_sets_survive_their_encoding(void **state)
{
	struct counted counted = {0};
	(void)state;

	round_trip(&counted);
	assert_int_equal(counted_add(&counted, UINT64_MAX), 0);
	round_trip(&counted);
	assert_int_equal(counted_add(&counted, 1), 0);
	round_trip(&counted);
	counted_deinit(&counted);
	fill_to_the_limit(&counted);
	round_trip(&counted);
	counted_deinit(&counted);
}

static void test_malformed_bytes_change_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{"", 0}, {"\x01", 1}, /* an interval is missing */
		{"\x01\x01\x00\x00", 4}, /* a byte too many */
		{"\x01\x00\x00", 3}, /* begins at 0 */
		{"\x02\x01\x00\x01\x00", 5}, /* the second touches the first */
		{"\xff\xff\xff\xff\x0f", 5}, /* more intervals than there are bytes */
		{"\x81\x20\x01\x00", 4}, /* 4097 intervals */
		{"\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* past 2^64 */
		{"\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x00", 12}, /* a varint past 2^64 */
	};
	struct counted counted = {0};
	(void)state;

	add_all(&counted, 5, 7);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(counted_decode(slice_of(cases[i].bytes, cases[i].size), &counted),
			COUNTED_E_MALFORMED);
		assert_int_equal(counted.size, 3);
	}
	counted_deinit(&counted);
}

enum { UNIVERSE = 3000, DRAWS = 20000 };

static void test_random_sets_are_what_a_naive_set_is(void **state)
{
	struct draw draw = {2026};
	(void)state;

	for (int round = 0; round < 5; round++) {
		struct counted counted = {0};
		bool naive[UNIVERSE + 1] = {false};
		uint64_t size = 0;
		for (int i = 0; i < DRAWS / (round + 1); i++) {
			uint64_t seq = 1 + draw_below(&draw, UNIVERSE);
			int expected = naive[seq] ? COUNTED_E_REPEATED : 0;
			assert_int_equal(counted_add(&counted, seq), expected);
			size += expected == 0;
			naive[seq] = true;
			assert_int_equal(counted.size, size);
		}
		for (uint64_t seq = 1; seq <= UNIVERSE; seq++) {
			assert_int_equal(counted_has(&counted, seq), naive[seq]);
		}
		for (uint32_t i = 1; i < counted.count; i++) {
			assert_true(counted.intervals[i].first > counted.intervals[i - 1].last + 1);
		}
		round_trip(&counted);
		counted_deinit(&counted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stream_in_order_is_one_interval),
		cmocka_unit_test(test_neighbours_of_an_interval_join_it_and_others_do_not),
		cmocka_unit_test(test_the_seq_in_between_joins_two_intervals),
		cmocka_unit_test(test_a_full_set_takes_what_needs_no_new_interval),
		cmocka_unit_test(test_sets_survive_their_encoding),
		cmocka_unit_test(test_malformed_bytes_change_nothing),
		cmocka_unit_test(test_random_sets_are_what_a_naive_set_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
