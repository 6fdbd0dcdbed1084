#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/money.h"

struct text_case {
	const char *text;
	int result;
	int64_t micros;
};

static const int64_t UNTOUCHED = 4711;

static void check_texts(
	const struct text_case *cases, size_t count, int (*parse)(struct slice, int64_t *))
{
	for (size_t i = 0; i < count; i++) {
		int64_t micros = UNTOUCHED;
		int r = parse(slice_of_text(cases[i].text), &micros);
		if (r != cases[i].result || micros != (r == 0 ? cases[i].micros : UNTOUCHED)) {
			fail_msg("\"%s\": result %d, micros %lld", cases[i].text, r,
				(long long)micros);
		}
	}
}

static void test_text_is_read_to_the_last_digit(void **state)
{
	static const struct text_case cases[] = {
		{"2.55", 0, 2550000},
		{"+2.55", 0, 2550000},
		{"-2.55", 0, -2550000},
		{"0", 0, 0},
		{"-0", 0, 0},
		{"007", 0, 7000000},
		{"0.000001", 0, 1},
		{"0.0000010000000000000000000000000", 0, 1},
		{"999999999999.999999", 0, INT64_C(999999999999999999)},
		{"", MONEY_E_SYNTAX, 0},
		{"-", MONEY_E_SYNTAX, 0},
		{"+-1", MONEY_E_SYNTAX, 0},
		{"2,55", MONEY_E_SYNTAX, 0},
		{"2.", MONEY_E_SYNTAX, 0},
		{".5", MONEY_E_SYNTAX, 0},
		{"1e3", MONEY_E_SYNTAX, 0},
		{"1.5e3", MONEY_E_SYNTAX, 0},
		{" 1", MONEY_E_SYNTAX, 0},
		{"1 ", MONEY_E_SYNTAX, 0},
		{"1.0000001x", MONEY_E_SYNTAX, 0},
		{"0x10", MONEY_E_SYNTAX, 0},
		{"nan", MONEY_E_SYNTAX, 0},
		{"0.0000001", MONEY_E_PRECISION, 0},
		{"1.23456789", MONEY_E_PRECISION, 0},
		{"1000000000000", MONEY_E_RANGE, 0},
		{"99999999999999999999999999999999999", MONEY_E_RANGE, 0},
		{"1000000000000.0000001", MONEY_E_RANGE, 0},
		{"1000000000000.x", MONEY_E_SYNTAX, 0},
	};
	(void)state;
	check_texts(cases, sizeof cases / sizeof cases[0], money_parse_text);
}

static void test_json_numbers_are_read_from_their_digits(void **state)
{
	static const struct text_case cases[] = {
		{"2.55", 0, 2550000},
		{"2.5e-3", 0, 2500},
		{"25E2", 0, 2500000000},
		{"1e+2", 0, 100000000},
		{"-0", 0, 0},
		{"-0.0e99", 0, 0},
		{"0e400000000", 0, 0},
		{"100000000000000000000e-20", 0, 1000000},
		{"0.00000000000000000001e20", 0, 1000000},
		{"1e12", 0, INT64_C(1000000000000000000)},
		{"-1e12", 0, INT64_C(-1000000000000000000)},
		{"0.1000000000000000055511151231257827", MONEY_E_PRECISION, 0},
		{"1e-7", MONEY_E_PRECISION, 0},
		{"1E-400000000", MONEY_E_PRECISION, 0},
		{"1e-99999999999999999999999", MONEY_E_PRECISION, 0},
		{"1e300", MONEY_E_RANGE, 0},
		{"1E400000000", MONEY_E_RANGE, 0},
		{"1e99999999999999999999999", MONEY_E_RANGE, 0},
		{"1000000000000.000001", MONEY_E_RANGE, 0},
		{"1000000000000000000000000000000000000001", MONEY_E_RANGE, 0},
		{"+1", MONEY_E_SYNTAX, 0},
		{"01", MONEY_E_SYNTAX, 0},
		{"1.", MONEY_E_SYNTAX, 0},
		{".1", MONEY_E_SYNTAX, 0},
		{"1e", MONEY_E_SYNTAX, 0},
		{"1e+", MONEY_E_SYNTAX, 0},
		{"--1", MONEY_E_SYNTAX, 0},
		{"1.5.5", MONEY_E_SYNTAX, 0},
		{"", MONEY_E_SYNTAX, 0},
		{"-", MONEY_E_SYNTAX, 0},
		{"NaN", MONEY_E_SYNTAX, 0},
	};
	(void)state;
	check_texts(cases, sizeof cases / sizeof cases[0], money_parse_number);
}

static void test_integers_are_whole_units(void **state)
{
	int64_t micros = UNTOUCHED;

	(void)state;
	assert_int_equal(money_from_integer(-3, &micros), 0);
	assert_int_equal(micros, -3000000);
	assert_int_equal(money_from_integer(INT64_C(1000000000000), &micros), 0);
	assert_int_equal(micros, INT64_C(1000000000000000000));
	assert_int_equal(money_from_integer(INT64_C(1000000000001), &micros), MONEY_E_RANGE);
	assert_int_equal(money_from_integer(INT64_MIN, &micros), MONEY_E_RANGE);
	assert_int_equal(micros, INT64_C(1000000000000000000));
}

static void test_doubles_are_rounded_only_by_a_billionth(void **state)
{
	static const struct {
		double value;
		int result;
		int64_t micros;
	} cases[] = {
		{2.55, 0, 2550000},
		{-2.55, 0, -2550000},
		{0.1 + 0.2, 0, 300000},
		{0.0, 0, 0},
		{-0.0, 0, 0},
		{0.000001, 0, 1},
		{1e12, 0, INT64_C(1000000000000000000)},
		{1024.0078125, 0, 1024007812}, /* a tie goes to even */
		{1024.0234375, 0, 1024023438}, /* up as well as down */
		{0.0078125, MONEY_E_PRECISION, 0},
		{1e-7, MONEY_E_PRECISION, 0},
		{1.0000001, MONEY_E_PRECISION, 0},
		{5e-324, MONEY_E_PRECISION, 0},
		{1e300, MONEY_E_RANGE, 0},
		{-1000000000001.0, MONEY_E_RANGE, 0},
		{NAN, MONEY_E_SYNTAX, 0},
		{INFINITY, MONEY_E_SYNTAX, 0},
		{-INFINITY, MONEY_E_SYNTAX, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t micros = UNTOUCHED;
		int r = money_from_double(cases[i].value, &micros);
		if (r != cases[i].result || micros != (r == 0 ? cases[i].micros : UNTOUCHED)) {
			fail_msg("%.17g: result %d, micros %lld", cases[i].value, r,
				(long long)micros);
		}
	}
}

/* Every price of up to two digits after the point that a producer may send as a double comes through exactly. */
static void test_cents_survive_a_double(void **state)
{
	(void)state;
	for (int64_t cents = -200000; cents <= 200000; cents += 7) {
		int64_t micros = UNTOUCHED;
		assert_int_equal(money_from_double((double)cents / 100, &micros), 0);
		assert_int_equal(micros, cents * 10000);
	}
}

static const money MONEY_MAX = ((money)1 << 126) - 1 + ((money)1 << 126);

static void test_amounts_are_written_with_two_to_six_places(void **state)
{
	static const struct {
		int64_t micros;
		const char *text;
	} cases[] = {
		{0, "0.00"},
		{1, "0.000001"},
		{-1, "-0.000001"},
		{10000, "0.01"},
		{2550000, "2.55"},
		{2555000, "2.555"},
		{-100000000, "-100.00"},
		{INT64_MAX, "9223372036854.775807"},
		{INT64_MIN, "-9223372036854.775808"},
	};
	char text[MONEY_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(money_format(cases[i].micros, text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
	money_format(MONEY_MAX, text);
	assert_string_equal(text, "170141183460469231731687303715884.105727");
	money_format(-MONEY_MAX - 1, text);
	assert_string_equal(text, "-170141183460469231731687303715884.105728");
	money_format((money)1000000000000000000 * 1000000000000, text);
	assert_string_equal(text, "1000000000000000000000000.00");
}

static void test_averages_round_half_to_even(void **state)
{
	static const struct {
		int64_t sum;
		uint64_t count;
		const char *text;
	} cases[] = {
		{10000000, 4, "2.50"},
		{10000000, 3, "3.333333"},
		{20000000, 3, "6.666667"},
		{1, 2, "0.00"},
		{3, 2, "0.000002"},
		{5, 2, "0.000002"},
		{-3, 2, "-0.000002"},
		{-1, 2, "0.00"},
		{1, UINT64_MAX, "0.00"},
	};
	char text[MONEY_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		money_format_average(cases[i].sum, cases[i].count, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_shares_round_half_to_even(void **state)
{
	static const struct {
		int64_t part, whole;
		const char *text; /* NULL: there is none */
	} cases[] = {
		{1, 4, "0.25"},
		{1, 3, "0.333333"},
		{2, 3, "0.666667"},
		{-2, 3, "-0.666667"},
		{7, 2, "3.50"},
		{1, 2000000, "0.00"},
		{3, 2000000, "0.000002"},
		{5, 2000000, "0.000002"},
		{0, 5, "0.00"},
		{INT64_MAX, INT64_MAX, "1.00"},
		{1, 0, NULL},
		{1, -5, NULL},
	};
	char text[MONEY_TEXT_SIZE];
	money share = 42;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool has = money_share(cases[i].part, cases[i].whole, &share);
		assert_int_equal(has, cases[i].text != NULL);
		if (has) {
			money_format(share, text);
			assert_string_equal(text, cases[i].text);
		}
	}
	/* Ten times what is left of it would leave 128 bits: never a wrong share. */
	share = 42;
	assert_false(money_share(MONEY_MAX - 1, MONEY_MAX, &share));
	assert_true(share == 42);
}

static void test_sums_read_back_what_was_written(void **state)
{
	static const int64_t factors[] = {0, 1, -1, 99, 10000, -2550000, INT64_MAX, INT64_MIN};
	char text[MONEY_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		money amount = (money)factors[i % 8] * factors[i / 8];
		money again = 0;
		size_t size = money_format(amount, text);
		assert_int_equal(money_parse_sum(slice_of(text, size), &again), 0);
		assert_true(again == amount);
	}
}

static void test_other_forms_are_no_sums(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"", MONEY_E_SYNTAX},
		{"-", MONEY_E_SYNTAX},
		{"1", MONEY_E_SYNTAX},
		{"1.5", MONEY_E_SYNTAX},
		{"1.500", MONEY_E_SYNTAX},
		{"01.50", MONEY_E_SYNTAX},
		{"+1.50", MONEY_E_SYNTAX},
		{"-0.00", MONEY_E_SYNTAX},
		{"1.0000001", MONEY_E_SYNTAX},
		{"1..50", MONEY_E_SYNTAX},
		{"1.50 ", MONEY_E_SYNTAX},
		{"x", MONEY_E_SYNTAX},
		{"170141183460469231731687303715884.105728", MONEY_E_RANGE},
		{"-170141183460469231731687303715884.105729", MONEY_E_RANGE},
		{"999999999999999999999999999999999999999.00", MONEY_E_RANGE},
		{"99999999999999999999999999999999999999999999999999.00", MONEY_E_RANGE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		money amount = 1;
		int r = money_parse_sum(slice_of_text(cases[i].text), &amount);
		if (r != cases[i].result) {
			fail_msg("\"%s\": result %d", cases[i].text, r);
		}
		assert_true(amount == 1);
	}
}

static void test_a_sum_never_wraps(void **state)
{
	money sum = MONEY_MAX - 1;

	(void)state;
	assert_true(money_add(&sum, 1));
	assert_true(sum == MONEY_MAX);
	assert_false(money_add(&sum, 1));
	assert_true(sum == MONEY_MAX);
	assert_true(money_add(&sum, -MONEY_MAX));
	assert_true(sum == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_read_to_the_last_digit),
		cmocka_unit_test(test_json_numbers_are_read_from_their_digits),
		cmocka_unit_test(test_integers_are_whole_units),
		cmocka_unit_test(test_doubles_are_rounded_only_by_a_billionth),
		cmocka_unit_test(test_cents_survive_a_double),
		cmocka_unit_test(test_amounts_are_written_with_two_to_six_places),
		cmocka_unit_test(test_averages_round_half_to_even),
		cmocka_unit_test(test_shares_round_half_to_even),
		cmocka_unit_test(test_sums_read_back_what_was_written),
		cmocka_unit_test(test_other_forms_are_no_sums),
		cmocka_unit_test(test_a_sum_never_wraps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
