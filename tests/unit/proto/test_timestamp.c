#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/timestamp.h"

static const int64_t UNTOUCHED = 4711;

static void test_numbers_are_seconds_milliseconds_or_microseconds(void **state)
{
	static const struct {
		int64_t number;
		int result;
		int64_t ms;
	} cases[] = {
		{0, 0, 0},
		{1291193160, 0, INT64_C(1291193160000)},
		{INT64_C(99999999999), 0, INT64_C(99999999999000)},
		{INT64_C(100000000000), 0, INT64_C(100000000000)},
		{INT64_C(1291193160123), 0, INT64_C(1291193160123)},
		{INT64_C(99999999999999), 0, INT64_C(99999999999999)},
		{INT64_C(100000000000000), 0, INT64_C(100000000000)},
		{INT64_C(1291193160123999), 0, INT64_C(1291193160123)},
		{INT64_C(99999999999999999), 0, INT64_C(99999999999999)},
		{INT64_C(100000000000000000), TIMESTAMP_E_RANGE, 0},
		{INT64_MAX, TIMESTAMP_E_RANGE, 0},
		{-1, TIMESTAMP_E_RANGE, 0},
		{INT64_MIN, TIMESTAMP_E_RANGE, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ms = UNTOUCHED;
		assert_int_equal(timestamp_from_integer(cases[i].number, &ms), cases[i].result);
		assert_int_equal(ms, cases[i].result == 0 ? cases[i].ms : UNTOUCHED);
	}
}

static void test_doubles_go_to_the_nearest_millisecond(void **state)
{
	static const struct {
		double number;
		int result;
		int64_t ms;
	} cases[] = {
		{1291193160.5, 0, INT64_C(1291193160500)},
		{1291193160.123, 0, INT64_C(1291193160123)},
		{1291193160123.0, 0, INT64_C(1291193160123)},
		{1291193160123456.0, 0, INT64_C(1291193160123)},
		{0.0, 0, 0},
		{-0.0, 0, 0},
		{NAN, TIMESTAMP_E_SYNTAX, 0},
		{INFINITY, TIMESTAMP_E_RANGE, 0},
		{-INFINITY, TIMESTAMP_E_RANGE, 0},
		{1e17, TIMESTAMP_E_RANGE, 0},
		{-0.001, TIMESTAMP_E_RANGE, 0},
		{1e300, TIMESTAMP_E_RANGE, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ms = UNTOUCHED;
		assert_int_equal(timestamp_from_double(cases[i].number, &ms), cases[i].result);
		assert_int_equal(ms, cases[i].result == 0 ? cases[i].ms : UNTOUCHED);
	}
}

static void test_text_forms(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t ms;
	} cases[] = {
		{"2010-12-01T08:26", 0, INT64_C(1291191960000)},
		{"2010-12-01 08:26", 0, INT64_C(1291191960000)},
		{"2010-12-01T08:26:00Z", 0, INT64_C(1291191960000)},
		{"2010-12-01T08:26Z", 0, INT64_C(1291191960000)},
		{"2010-12-01T08:26:59.1", 0, INT64_C(1291192019100)},
		{"2010-12-01T08:26:59.123999999Z", 0, INT64_C(1291192019123)},
		{"2010-12-01T08:26:00+01:00", 0, INT64_C(1291188360000)},
		{"2010-12-01T08:26:00-0130", 0, INT64_C(1291197360000)},
		{"1970-01-01T00:00", 0, 0},
		{"1970-01-01T01:00+01:00", 0, 0},
		{"9999-12-31T23:59:59.999Z", 0, TIMESTAMP_MS_MAX},
		{"2000-02-29T00:00", 0, INT64_C(951782400000)},
		{"1969-12-31T23:59:59.999Z", TIMESTAMP_E_RANGE, 0},
		{"1970-01-01T00:00+00:01", TIMESTAMP_E_RANGE, 0},
		{"9999-12-31T23:59:59-00:01", TIMESTAMP_E_RANGE, 0},
		{"0000-01-01T00:00", TIMESTAMP_E_RANGE, 0},
		{"", TIMESTAMP_E_SYNTAX, 0},
		{"2010", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:2", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01t08:26", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26z", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26:", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26:00.", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26:00.Z", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26.5", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26+1", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26+24:00", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26+01:60", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26Z ", TIMESTAMP_E_SYNTAX, 0},
		{" 2010-12-01T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T24:00", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:60", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-01T08:26:60", TIMESTAMP_E_SYNTAX, 0},
		{"2010-13-01T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"2010-00-01T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-00T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"2010-12-32T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"2010-02-29T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"1900-02-29T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"12/1/2010 8:26", TIMESTAMP_E_SYNTAX, 0},
		{"-2010-12-01T08:26", TIMESTAMP_E_SYNTAX, 0},
		{"+010-12-01T08:26", TIMESTAMP_E_SYNTAX, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ms = UNTOUCHED;
		int r = timestamp_parse_text(slice_of_text(cases[i].text), NULL, &ms);
		if (r != cases[i].result || ms != (r == 0 ? cases[i].ms : UNTOUCHED)) {
			fail_msg("\"%s\": result %d, %lld", cases[i].text, r, (long long)ms);
		}
	}
}

static void test_text_and_instant_agree_over_all_years(void **state)
{
	char text[TIMESTAMP_TEXT_SIZE];
	int64_t again = 0;

	(void)state;
	for (int64_t ms = 0; ms <= TIMESTAMP_MS_MAX; ms += INT64_C(86399999) * 97) {
		size_t size = timestamp_format(ms, text);
		assert_int_equal(timestamp_parse_text(slice_of(text, size), NULL, &again), 0);
		assert_int_equal(again, ms);
	}
	timestamp_format(TIMESTAMP_MS_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	timestamp_format(951825599001, text);
	assert_string_equal(text, "2000-02-29T11:59:59.001Z");
}

static const char *const NAMES[] = {
	"2010-12-01T08:26", "2010-12-01T08:00", "2010-12-01", "2010-11-29", "2010-12", "3", "8"};

static void test_buckets_in_utc(void **state)
{
	const int64_t ts = INT64_C(1291191960000) + 59999;
	char text[TIMESTAMP_TEXT_SIZE];

	(void)state;
	for (int bucket = BUCKET_MINUTE; bucket <= BUCKET_HOUR_OF_DAY; bucket++) {
		int64_t value = timestamp_bucket(ts, (enum bucket)bucket, NULL);
		int64_t again = UNTOUCHED;
		size_t size = timestamp_format_bucket(value, (enum bucket)bucket, NULL, text);
		assert_string_equal(text, NAMES[bucket]);
		assert_int_equal(size, strlen(text));
		assert_int_equal(timestamp_parse_bucket(
					 slice_of(text, size), (enum bucket)bucket, NULL, &again),
			0);
		assert_int_equal(again, value);
	}
}

static void test_weeks_begin_on_monday(void **state)
{
	char text[TIMESTAMP_TEXT_SIZE];
	int64_t value = 0;

	(void)state;
	/* 2010-12-05 was a Sunday */
	assert_int_equal(
		timestamp_parse_text(slice_of_text("2010-12-05T23:59:59"), NULL, &value), 0);
	assert_int_equal(timestamp_bucket(value, BUCKET_WEEKDAY, NULL), 7);
	timestamp_format_bucket(
		timestamp_bucket(value, BUCKET_WEEK, NULL), BUCKET_WEEK, NULL, text);
	assert_string_equal(text, "2010-11-29");
	assert_int_equal(timestamp_bucket(value + 1000, BUCKET_WEEKDAY, NULL), 1);
	/* the first week of all begins before 1970, and can still be asked for */
	value = timestamp_bucket(0, BUCKET_WEEK, NULL);
	timestamp_format_bucket(value, BUCKET_WEEK, NULL, text);
	assert_string_equal(text, "1969-12-29");
	int64_t again = UNTOUCHED;
	assert_int_equal(timestamp_parse_bucket(slice_of_text(text), BUCKET_WEEK, NULL, &again), 0);
	assert_int_equal(again, value);
}

static void test_ranges_are_named_in_many_ways(void **state)
{
	static const struct {
		const char *text;
		enum bucket bucket;
		int result;
		const char *name;
	} cases[] = {
		{"2010-12", BUCKET_MINUTE, 0, "2010-12-01T00:00"},
		{"2010-12-03", BUCKET_HOUR, 0, "2010-12-03T00:00"},
		{"2010-12-03T08:26:59.5Z", BUCKET_MINUTE, 0, "2010-12-03T08:26"},
		{"2010-12-03T08:26+02:00", BUCKET_HOUR, 0, "2010-12-03T06:00"},
		{"2010-12-03", BUCKET_WEEK, 0, "2010-11-29"},
		{"2010-12-03T08:26", BUCKET_MONTH, 0, "2010-12"},
		{"7", BUCKET_WEEKDAY, 0, "7"},
		{"23", BUCKET_HOUR_OF_DAY, 0, "23"},
		{"0", BUCKET_HOUR_OF_DAY, 0, "0"},
		{"2010", BUCKET_MONTH, TIMESTAMP_E_SYNTAX, NULL},
		{"2010-12-", BUCKET_DAY, TIMESTAMP_E_SYNTAX, NULL},
		{"2010-12-03T", BUCKET_DAY, TIMESTAMP_E_SYNTAX, NULL},
		{"", BUCKET_DAY, TIMESTAMP_E_SYNTAX, NULL},
		{"1960-12-03", BUCKET_DAY, TIMESTAMP_E_RANGE, NULL},
		{"0", BUCKET_WEEKDAY, TIMESTAMP_E_RANGE, NULL},
		{"8", BUCKET_WEEKDAY, TIMESTAMP_E_RANGE, NULL},
		{"24", BUCKET_HOUR_OF_DAY, TIMESTAMP_E_RANGE, NULL},
		{"", BUCKET_HOUR_OF_DAY, TIMESTAMP_E_SYNTAX, NULL},
		{"-1", BUCKET_HOUR_OF_DAY, TIMESTAMP_E_SYNTAX, NULL},
		{"100", BUCKET_HOUR_OF_DAY, TIMESTAMP_E_SYNTAX, NULL},
	};
	char text[TIMESTAMP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t value = UNTOUCHED;
		int r = timestamp_parse_bucket(
			slice_of_text(cases[i].text), cases[i].bucket, NULL, &value);
		if (r != cases[i].result) {
			fail_msg("\"%s\": result %d", cases[i].text, r);
		}
		if (r == 0) {
			timestamp_format_bucket(value, cases[i].bucket, NULL, text);
			assert_string_equal(text, cases[i].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_seconds_milliseconds_or_microseconds),
		cmocka_unit_test(test_doubles_go_to_the_nearest_millisecond),
		cmocka_unit_test(test_text_forms),
		cmocka_unit_test(test_text_and_instant_agree_over_all_years),
		cmocka_unit_test(test_buckets_in_utc),
		cmocka_unit_test(test_weeks_begin_on_monday),
		cmocka_unit_test(test_ranges_are_named_in_many_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
