#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "proto/buffer.h"
#include "proto/timestamp.h"
#include "proto/zone.h"

static void put_be(struct buffer *buffer, uint64_t number, int size)
{
	for (int i = size - 1; i >= 0; i--) {
		buffer_append_byte(buffer, (uint8_t)(number >> (8 * i)));
	}
}

struct change {
	int64_t at;
	uint8_t type;
};

/* Header and data of one block: types' offsets, transitions. */
static void put_block(struct buffer *buffer, char version, int time_size, const int32_t *offsets,
	size_t type_count, const struct change *changes, size_t change_count)
{
	buffer_append_text(buffer, "TZif");
	buffer_append_byte(buffer, (uint8_t)version);
	buffer_append(buffer, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
	put_be(buffer, 0, 4);
	put_be(buffer, 0, 4);
	put_be(buffer, 0, 4);
	put_be(buffer, change_count, 4);
	put_be(buffer, type_count, 4);
	put_be(buffer, 4, 4);
	for (size_t i = 0; i < change_count; i++) {
		put_be(buffer, (uint64_t)changes[i].at, time_size);
	}
	for (size_t i = 0; i < change_count; i++) {
		buffer_append_byte(buffer, changes[i].type);
	}
	for (size_t i = 0; i < type_count; i++) {
		put_be(buffer, (uint32_t)offsets[i], 4);
		buffer_append(buffer, "\0\0", 2);
	}
	buffer_append(buffer, "XXX", 4);
}

/* Parses a heap block of exactly the file's size, so that ASan sees a read past its end. */
static int new_zone(struct slice file, struct zone **ret_zone)
{
	uint8_t *copy = malloc(file.size == 0 ? 1 : file.size);

	assert_non_null(copy);
	if (file.size > 0) {
		memcpy(copy, file.bytes, file.size);
	}
	int r = zone_new("Test/Zone", slice_of(copy, file.size), ret_zone);
	free(copy);
	return r;
}

/* A file of version 2 with one type, no transition, and this footer. */
static int zone_of_rule(const char *rule, struct zone **ret_zone)
{
	const int32_t offset = 0;
	struct buffer buffer;

	buffer_init(&buffer, 1000);
	put_block(&buffer, '2', 4, &offset, 1, NULL, 0);
	put_block(&buffer, '2', 8, &offset, 1, NULL, 0);
	buffer_append_text(&buffer, "\n");
	buffer_append_text(&buffer, rule);
	buffer_append_text(&buffer, "\n");
	int r = new_zone(buffer_slice(&buffer), ret_zone);
	buffer_deinit(&buffer);
	return r;
}

static int64_t utc_of(const char *text)
{
	int64_t ms = 0;

	assert_int_equal(timestamp_parse_text(slice_of_text(text), NULL, &ms), 0);
	return ms / 1000;
}

static void test_no_zone_is_utc(void **state)
{
	int64_t utc = 0;

	(void)state;
	assert_string_equal(zone_name(NULL), "UTC");
	assert_int_equal(zone_offset_at(NULL, 1291191960), 0);
	assert_true(zone_to_utc(NULL, 1291191960, &utc));
	assert_int_equal(utc, 1291191960);
	assert_int_equal(zone_to_utc_or_skip(NULL, 5), 5);
	assert_null(zone_free(NULL));
}

static void test_rules_say_when_clocks_change(void **state)
{
	static const struct {
		const char *rule;
		const char *utc;
		int32_t before; /* the second before it */
		int32_t after;
	} cases[] = {
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2010-03-28T01:00", 3600, 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2010-10-31T01:00", 7200, 3600},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "9999-03-28T01:00", 3600, 7200},
		{"EST5EDT,M3.2.0,M11.1.0", "2024-03-10T07:00", -18000, -14400},
		{"EST5EDT,M3.2.0,M11.1.0", "2024-11-03T06:00", -14400, -18000},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-04-06T16:00", 39600, 36000}, /* south */
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-10-05T16:00", 36000, 39600},
		{"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2024-04-06T15:00", 39600, 37800},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2024-03-31T01:00", -7200, -3600},
		{"IST-2IDT,M3.4.4/26,M10.5.0", "2024-03-29T00:00", 7200, 10800},
		{"XXX0YYY,J60/0,J300", "2024-03-01T00:00", 0, 3600}, /* J60 is March 1 every year */
		{"XXX0YYY,J60/0,J300", "2023-03-01T00:00", 0, 3600},
		{"XXX0YYY,60/0,J300", "2024-03-01T00:00", 0,
			3600}, /* 60 from 0, leap day counted */
		{"XXX0YYY,60/0,J300", "2023-03-02T00:00", 0, 3600},
		{"XXX3:30:15YYY,J60/0,J300", "2023-03-01T03:30:15", -12615, -9015},
	};
	struct zone *zone = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(zone_of_rule(cases[i].rule, &zone), 0);
		int64_t utc = utc_of(cases[i].utc);
		if (zone_offset_at(zone, utc - 1) != cases[i].before ||
			zone_offset_at(zone, utc) != cases[i].after) {
			fail_msg("%s %s: %d, %d", cases[i].rule, cases[i].utc,
				zone_offset_at(zone, utc - 1), zone_offset_at(zone, utc));
		}
		zone = zone_free(zone);
	}
}

static void test_rules_without_summer_and_with_nothing_else(void **state)
{
	struct zone *zone = NULL;

	(void)state;
	assert_int_equal(zone_of_rule("<+03>-3", &zone), 0);
	assert_string_equal(zone_name(zone), "Test/Zone");
	assert_int_equal(zone_offset_at(zone, 0), 10800);
	assert_int_equal(zone_offset_at(zone, INT64_C(253402300799)), 10800);
	zone = zone_free(zone);
	/* summer time that never ends */
	assert_int_equal(zone_of_rule("XXX3EDT4,0/0,J365/23", &zone), 0);
	for (int64_t utc = utc_of("2010-01-01T04:00"); utc < utc_of("2014-01-01T00:00");
		utc += 1800) {
		assert_int_equal(zone_offset_at(zone, utc), -14400);
	}
	zone = zone_free(zone);
	assert_int_equal(zone_of_rule("", &zone), 0);
	assert_int_equal(zone_offset_at(zone, 0), 0);
	zone_free(zone);
}

static void test_broken_rules_are_refused(void **state)
{
	static const char *const rules[] = {"CE-1", "CET", "CET-", "CET-1CEST", "CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/168",
		"CET-1CEST,M3.5.0,M10.5.0/3x", "CET-1CEST,J0,J300", "CET-1CEST,J366,J300",
		"CET-1CEST,366,J300", "<CET-1", "<+03-3", "CET-25", "CET-1:60", "CET-1:00:60", "-1",
		"CET-1CEST,M3.5.0,M10.5.0,", "CET-1C,M3.5.0,M10.5.0", "CET-1CEST,M.5.0,M10.5.0"};
	struct zone *zone = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (zone_of_rule(rules[i], &zone) != ZONE_E_MALFORMED) {
			fail_msg("%s", rules[i]);
		}
		assert_null(zone);
	}
}

/* A file of version 1, and each of its prefixes. */
static void test_a_file_cut_anywhere_is_refused(void **state)
{
	static const int32_t offsets[] = {3600, 7200};
	static const struct change changes[] = {{100000, 1}, {200000, 0}};
	struct buffer buffer;
	struct zone *zone = NULL;

	(void)state;
	buffer_init(&buffer, 1000);
	put_block(&buffer, '\0', 4, offsets, 2, changes, 2);
	for (size_t size = 0; size < buffer.size; size++) {
		assert_int_equal(new_zone(slice_of(buffer.bytes, size), &zone), ZONE_E_MALFORMED);
	}
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), 0);
	assert_int_equal(zone_offset_at(zone, 99999), 3600);
	assert_int_equal(zone_offset_at(zone, 100000), 7200);
	assert_int_equal(zone_offset_at(zone, 200000), 3600);
	zone_free(zone);
	buffer_deinit(&buffer);
}

static void test_files_that_lie_are_refused(void **state)
{
	static const int32_t offsets[] = {3600};
	static const int32_t far[] = {27 * 3600};
	static const struct change unsorted[] = {{200000, 0}, {100000, 0}};
	static const struct change other_type[] = {{100000, 1}};
	struct buffer buffer;
	struct zone *zone = NULL;

	(void)state;
	buffer_init(&buffer, 1000);
	put_block(&buffer, '\0', 4, offsets, 1, unsorted, 2);
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), ZONE_E_MALFORMED);
	buffer_clear(&buffer);
	put_block(&buffer, '\0', 4, offsets, 1, other_type, 1);
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), ZONE_E_MALFORMED);
	buffer_clear(&buffer);
	put_block(&buffer, '\0', 4, far, 1, NULL, 0);
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), ZONE_E_MALFORMED);
	buffer_clear(&buffer);
	put_block(&buffer, '\0', 4, NULL, 0, NULL, 0);
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), ZONE_E_MALFORMED);
	/* counts near 2^32 */
	memset(buffer.bytes + 32, 0xff, 12);
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), ZONE_E_MALFORMED);
	/* no footer after a block of version 2 */
	buffer_clear(&buffer);
	put_block(&buffer, '2', 4, offsets, 1, NULL, 0);
	put_block(&buffer, '2', 8, offsets, 1, NULL, 0);
	assert_int_equal(new_zone(buffer_slice(&buffer), &zone), ZONE_E_MALFORMED);
	assert_null(zone);
	buffer_deinit(&buffer);
}

static void test_local_times_that_occur_twice_or_never(void **state)
{
	struct zone *zone = NULL;
	int64_t ms = 0;

	(void)state;
	assert_int_equal(zone_of_rule("GMT0BST,M3.5.0/1,M10.5.0", &zone), 0);
	assert_int_equal(timestamp_parse_text(slice_of_text("2010-10-31T01:30"), zone, &ms), 0);
	assert_int_equal(ms / 1000, utc_of("2010-10-31T00:30"));
	assert_int_equal(timestamp_parse_text(slice_of_text("2010-10-31T02:00"), zone, &ms), 0);
	assert_int_equal(ms / 1000, utc_of("2010-10-31T02:00"));
	assert_int_equal(timestamp_parse_text(slice_of_text("2010-03-28T01:00"), zone, &ms),
		TIMESTAMP_E_NO_SUCH_TIME);
	assert_int_equal(timestamp_parse_text(slice_of_text("2010-03-28T01:59:59"), zone, &ms),
		TIMESTAMP_E_NO_SUCH_TIME);
	assert_int_equal(timestamp_parse_text(slice_of_text("2010-03-28T02:00"), zone, &ms), 0);
	assert_int_equal(ms / 1000, utc_of("2010-03-28T01:00"));
	assert_int_equal(timestamp_parse_text(slice_of_text("2010-03-28T01:30Z"), zone, &ms), 0);
	zone_free(zone);
}

static void check_names(const char *rule, const char *utc, const char *const names[5])
{
	struct zone *zone = NULL;
	char text[TIMESTAMP_TEXT_SIZE];

	assert_int_equal(zone_of_rule(rule, &zone), 0);
	for (int bucket = BUCKET_MINUTE; bucket <= BUCKET_MONTH; bucket++) {
		int64_t value = timestamp_bucket(utc_of(utc) * 1000, (enum bucket)bucket, zone);
		int64_t again = 0;
		size_t size = timestamp_format_bucket(value, (enum bucket)bucket, zone, text);
		assert_string_equal(text, names[bucket]);
		assert_int_equal(timestamp_parse_bucket(
					 slice_of(text, size), (enum bucket)bucket, zone, &again),
			0);
		assert_int_equal(again, value);
	}
	zone_free(zone);
}

static void test_buckets_carry_their_offset(void **state)
{
	(void)state;
	check_names("GMT0BST,M3.5.0/1,M10.5.0", "2010-10-31T00:30",
		(const char *const[]){"2010-10-31T01:30+01:00", "2010-10-31T01:00+01:00",
			"2010-10-31", "2010-10-25", "2010-10"});
	check_names("GMT0BST,M3.5.0/1,M10.5.0", "2010-10-31T01:30",
		(const char *const[]){"2010-10-31T01:30+00:00", "2010-10-31T01:00+00:00",
			"2010-10-31", "2010-10-25", "2010-10"});
	check_names("EST5EDT,M3.2.0,M11.1.0", "2024-01-01T03:00",
		(const char *const[]){"2023-12-31T22:00-05:00", "2023-12-31T22:00-05:00",
			"2023-12-31", "2023-12-25", "2023-12"});
	check_names("<+0530>-5:30", "1970-01-01T00:00",
		(const char *const[]){"1970-01-01T05:30+05:30", "1970-01-01T05:00+05:30",
			"1970-01-01", "1969-12-29", "1970-01"});
}

/* Half an hour back at 02:00: the hour from 01:00 comes a second time, but only its second half. */
static void test_an_hour_that_begins_at_a_change(void **state)
{
	const char *rule = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

	(void)state;
	check_names(rule, "2024-04-06T14:45",
		(const char *const[]){"2024-04-07T01:45+11:00", "2024-04-07T01:00+11:00",
			"2024-04-07", "2024-04-01", "2024-04"});
	check_names(rule, "2024-04-06T15:15",
		(const char *const[]){"2024-04-07T01:45+10:30", "2024-04-07T01:00+10:30",
			"2024-04-07", "2024-04-01", "2024-04"});
}

/* Clocks that go forward at midnight: the day begins at 01:00. */
static void test_a_day_without_midnight(void **state)
{
	struct zone *zone = NULL;

	(void)state;
	assert_int_equal(zone_of_rule("<-03>3<-02>,M10.3.0/0,M2.3.0/0", &zone), 0);
	int64_t start = utc_of("2024-10-20T03:00"); /* a Sunday */
	assert_int_equal(timestamp_bucket((start + 7200) * 1000, BUCKET_DAY, zone), start * 1000);
	assert_int_equal(
		timestamp_bucket(start * 1000 - 1, BUCKET_DAY, zone), (start - 86400) * 1000);
	zone_free(zone);
	check_names("<-03>3<-02>,M10.3.0/0,M2.3.0/0", "2024-10-20T12:00",
		(const char *const[]){"2024-10-20T10:00-02:00", "2024-10-20T10:00-02:00",
			"2024-10-20", "2024-10-14", "2024-10"});
}

/* The system's database, where there is one, read by libc on one side and by us on the other. */
static struct zone *load_zone(const char *name)
{
	char path[200];
	uint8_t bytes[65536];
	struct zone *zone = NULL;

	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		return NULL;
	}
	size_t size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	assert_int_equal(zone_new(name, slice_of(bytes, size), &zone), 0);
	return zone;
}

static uint64_t next_random(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *random >> 16;
}

static void check_against_libc(const struct zone *zone, int64_t utc)
{
	time_t when = (time_t)utc;
	struct tm tm;
	int64_t first = 0;

	assert_non_null(localtime_r(&when, &tm));
	if (zone_offset_at(zone, utc) != tm.tm_gmtoff) {
		fail_msg("%s at %lld: %d, libc says %ld", zone_name(zone), (long long)utc,
			zone_offset_at(zone, utc), tm.tm_gmtoff);
	}
	int64_t local = utc + tm.tm_gmtoff;
	assert_true(zone_to_utc(zone, local, &first));
	assert_true(first <= utc);
	assert_int_equal(first + zone_offset_at(zone, first), local);
	for (int bucket = BUCKET_MINUTE; bucket <= BUCKET_MONTH && utc < 253402214400; bucket++) {
		char text[TIMESTAMP_TEXT_SIZE];
		int64_t value = timestamp_bucket(utc * 1000, (enum bucket)bucket, zone);
		int64_t again = 0;
		assert_true(value <= utc * 1000);
		assert_int_equal(timestamp_bucket(value, (enum bucket)bucket, zone), value);
		size_t size = timestamp_format_bucket(value, (enum bucket)bucket, zone, text);
		int r = timestamp_parse_bucket(
			slice_of(text, size), (enum bucket)bucket, zone, &again);
		if (r != 0 || again != value) {
			fail_msg("%s %s: %d, %lld for %lld", zone_name(zone), text, r,
				(long long)again, (long long)value);
		}
	}
}

static void test_it_agrees_with_libc(void **state)
{
	static const char *const names[] = {"Europe/Berlin", "Europe/London", "America/New_York",
		"America/Sao_Paulo", "America/St_Johns", "America/Havana", "Australia/Lord_Howe",
		"Pacific/Apia", "Africa/Casablanca", "Africa/Monrovia", "Asia/Kolkata", "Asia/Gaza",
		"Asia/Tehran", "Antarctica/Troll", "Pacific/Kiritimati", "America/Nuuk",
		"Etc/GMT+12"};
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct zone *zone = load_zone(names[i]);
		if (zone == NULL) {
			skip();
		}
		setenv("TZ", names[i], 1);
		tzset();
		/* around every change of the years that sales come from, and anywhere */
		for (int64_t utc = 0; utc < INT64_C(2100000000); utc += 86400 * 3) {
			check_against_libc(zone, utc + (int64_t)(next_random(&random) % 259200));
			int64_t change = zone_offset_since(zone, utc, utc + 86400 * 3);
			for (int64_t near = change - 5400; near <= change + 5400 && change > utc;
				near += 1799) {
				check_against_libc(zone, near);
			}
		}
		for (int n = 0; n < 500; n++) {
			check_against_libc(zone, (int64_t)(next_random(&random) % 253402300800));
		}
		zone_free(zone);
	}
	unsetenv("TZ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_zone_is_utc),
		cmocka_unit_test(test_rules_say_when_clocks_change),
		cmocka_unit_test(test_rules_without_summer_and_with_nothing_else),
		cmocka_unit_test(test_broken_rules_are_refused),
		cmocka_unit_test(test_a_file_cut_anywhere_is_refused),
		cmocka_unit_test(test_files_that_lie_are_refused),
		cmocka_unit_test(test_local_times_that_occur_twice_or_never),
		cmocka_unit_test(test_buckets_carry_their_offset),
		cmocka_unit_test(test_an_hour_that_begins_at_a_change),
		cmocka_unit_test(test_a_day_without_midnight),
		cmocka_unit_test(test_it_agrees_with_libc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
