/* The books of one stream: every seq that its edge gave is in exactly one place. */
#include "aggregator/books/account.h"
#include "aggregator/desk/reports.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { RUN = 4711, OTHER_RUN = 4712 };

static struct counted counted;
static struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
static struct telemetry report;
static struct account_sight sight;
static struct account account;

/* 3-5 and 8 were not counted; the edge says that it has numbered 12. */
static int set_up(void **state)
{
	(void)state;
	counted = (struct counted){0};
	for (uint64_t seq = 1; seq <= 10; seq++) {
		if ((seq < 3 || seq > 5) && seq != 8) {
			assert_int_equal(counted_add(&counted, seq), 0);
		}
	}
	report = (struct telemetry){.run = RUN, .numbered = {12}, .ranges = ranges};
	sight = (struct account_sight){.run = RUN,
		.kind = KIND_ORDER,
		.counted = &counted,
		.of_run = &report,
		.of_edge = &report,
		.judged = &report,
		.judged_up_to = 12};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	counted_deinit(&counted);
	return 0;
}

static void lie_on_disk(uint64_t run, enum kind kind, uint64_t first, uint64_t last)
{
	ranges[report.range_count++] =
		(struct telemetry_range){.run = run, .kind = kind, .first = first, .last = last};
}

/* What the account says of all is what is said of each. */
static void make(void)
{
	uint64_t places[PLACE_UNKNOWN + 1] = {0};

	account_make(&sight, &account);
	for (uint64_t seq = 1; seq <= account.numbered; seq++) {
		places[account_place(&sight, seq)]++;
	}
	assert_int_equal(places[PLACE_COUNTED], counted.size);
	assert_int_equal(places[PLACE_ON_DISK], account.on_disk);
	assert_int_equal(places[PLACE_SET_ASIDE], account.set_aside);
	assert_int_equal(places[PLACE_UNREAD], account.unread);
	assert_int_equal(places[PLACE_MISSING], account.missing);
	assert_int_equal(places[PLACE_UNKNOWN], 0);
	assert_int_equal(account_place(&sight, account.numbered + 1), PLACE_UNKNOWN);
	uint64_t named = 0;
	for (uint32_t i = 0; i < account.range_count; i++) {
		named += account.ranges[i].last - account.ranges[i].first + 1;
	}
	assert_int_equal(named, account.missing);
}

static void test_what_is_neither_counted_nor_on_disk_is_missing_by_name(void **state)
{
	(void)state;
	make();
	assert_true(account.is_reported);
	assert_int_equal(account.numbered, 12);
	assert_int_equal(account.missing, 6);
	assert_int_equal(account.range_count, 3);
	assert_int_equal(account.ranges[0].first, 3);
	assert_int_equal(account.ranges[0].last, 5);
	assert_int_equal(account.ranges[1].first, 8);
	assert_int_equal(account.ranges[2].first, 11);
	assert_int_equal(account.ranges[2].last, 12);
}

static void test_it_says_whose_report_judges_and_when_the_run_itself_last_spoke(void **state)
{
	const struct telemetry later = {.run = OTHER_RUN};

	(void)state;
	sight.of_run_ms = 5000;
	make();
	assert_int_equal(account.judged_by, RUN);
	assert_int_equal(account.reported_ms, 5000);
	sight.of_edge = sight.judged = &later; /* of the same disk, or of another */
	sight.judged_up_to = UINT64_MAX;
	make();
	assert_int_equal(account.missing, 6);
	assert_int_equal(account.judged_by, OTHER_RUN);
	assert_int_equal(account.reported_ms, 5000);
	sight.of_run = sight.of_edge = sight.judged = NULL;
	make();
	assert_int_equal(account.judged_by, 0);
	assert_int_equal(account.reported_ms, 0);
}

static void test_what_lies_on_disk_is_not_missing(void **state)
{
	(void)state;
	lie_on_disk(RUN, KIND_ORDER, 4, 9);
	lie_on_disk(RUN, KIND_ORDER, 11, 11);
	make();
	assert_int_equal(account.on_disk, 4); /* 4, 5, 8, 11: the rest of 4-9 was counted */
	assert_int_equal(account.missing, 2);
	assert_int_equal(account.ranges[0].first, 3);
	assert_int_equal(account.ranges[1].first, 12);
}

static void test_what_lies_on_disk_of_others_helps_nobody(void **state)
{
	(void)state;
	lie_on_disk(OTHER_RUN, KIND_ORDER, 1, 12);
	lie_on_disk(RUN, KIND_CART, 1, 12);
	make();
	assert_int_equal(account.on_disk, 0);
	assert_int_equal(account.missing, 6);
}

static void test_damaged_blocks_are_named_as_such(void **state)
{
	(void)state;
	lie_on_disk(RUN, KIND_ORDER, 3, 5);
	ranges[0].is_aside = true;
	make();
	assert_int_equal(account.set_aside, 3);
	assert_int_equal(account.missing, 3);
}

/* It may be on its way: an alarm that is false once is not believed again. */
static void test_nothing_is_missing_before_all_is_read(void **state)
{
	(void)state;
	sight.judged = NULL;
	make();
	assert_int_equal(account.missing, 0);
	assert_int_equal(account.unread, 6);
}

/* What was on disk then, and is no more, is on its way; what was not even numbered then is not spoken of. */
static void test_only_what_a_settled_report_speaks_of_is_missing(void **state)
{
	struct telemetry_range then = {.run = RUN, .kind = KIND_ORDER, .first = 4, .last = 4};
	struct telemetry judged = {.ranges = &then, .range_count = 1};

	(void)state;
	sight.judged = &judged;
	sight.judged_up_to = 11;
	make();
	assert_int_equal(account.missing, 4); /* 3, 5, 8, 11 */
	assert_int_equal(account.unread, 2); /* 4, 12 */
}

static void test_a_disk_with_more_pieces_than_a_report_holds_may_have_anything(void **state)
{
	(void)state;
	report.is_cut = true;
	make();
	assert_int_equal(account.missing, 0);
	assert_int_equal(account.on_disk, 6);
}

/* The process that gave the numbers was killed; the next one found the rest on its disk. */
static void test_a_former_run_goes_on_as_far_as_the_disk_says(void **state)
{
	struct telemetry next = {.run = OTHER_RUN, .ranges = ranges};

	(void)state;
	lie_on_disk(RUN, KIND_ORDER, 13, 20);
	next.range_count = report.range_count;
	report.range_count = 0;
	sight.of_edge = sight.judged = &next;
	sight.judged_up_to = UINT64_MAX;
	make();
	assert_int_equal(account.numbered, 20);
	assert_int_equal(account.on_disk, 8);
	assert_int_equal(account.missing, 6);
}

static void test_without_a_report_what_was_passed_over_is_missed(void **state)
{
	(void)state;
	sight.of_run = sight.of_edge = sight.judged = NULL;
	make();
	assert_false(account.is_reported);
	assert_int_equal(account.numbered, 10);
	assert_int_equal(account.missing, 4);
}

static void test_more_ranges_than_are_named_are_counted(void **state)
{
	(void)state;
	for (uint64_t seq = 12; seq < 12 + 4 * ACCOUNT_RANGES_MAX; seq += 2) {
		assert_int_equal(counted_add(&counted, seq), 0);
	}
	sight.judged_up_to = UINT64_MAX;
	account_make(&sight, &account);
	assert_int_equal(account.range_count, ACCOUNT_RANGES_MAX);
	assert_int_equal(account.missing, account.numbered - counted.size);
}

/* ---- what edges last said */

static struct reports *reports;

static void say(const char *edge, uint64_t run, uint64_t numbered, int64_t now_ms)
{
	const struct telemetry telemetry = {.edge = slice_of_text(edge),
		.run = run,
		.number = numbered,
		.program = slice_of_text("till-edge 9"),
		.numbered = {numbered},
		.ranges = ranges,
		.range_count = 2};

	ranges[0].first = ranges[1].first = numbered;
	assert_int_equal(reports_take(reports, &telemetry, now_ms, now_ms), 0);
}

static void test_the_newest_report_of_run_and_edge_is_kept(void **state)
{
	(void)state;
	assert_null(reports_of_edge(NULL, slice_of_text("uk")));
	assert_null(reports_of_run(NULL, slice_of_text("uk"), 1));
	assert_int_equal(reports_count(NULL), 0);
	assert_int_equal(reports_new(3, &reports), 0);
	say("uk", 9, 1, 10);
	say("uk", 5, 2, 20);
	say("uk1", 1, 3, 30);
	say("uk", 9, 4, 40);
	say("uk", 5, 6, 50);
	assert_int_equal(reports_count(reports), 3);
	const struct report *found = reports_of_edge(reports, slice_of_text("uk"));
	assert_int_equal(found->telemetry.run, 5);
	assert_int_equal(found->telemetry.ranges[1].first, 6);
	assert_true(slice_equals_text(found->telemetry.program, "till-edge 9"));
	found = reports_of_run(reports, slice_of_text("uk"), 9);
	assert_int_equal(found->telemetry.numbered[KIND_ORDER], 4);
	assert_null(reports_of_edge(reports, slice_of_text("u")));
	assert_null(reports_of_run(reports, slice_of_text("uk"), 6));

	/* The first is held until it is judged, whatever comes meanwhile. */
	struct slice uk = slice_of_text("uk");
	assert_null(reports_judged(reports, uk));
	assert_int_equal(reports_settle(reports, 9), 0);
	assert_null(reports_judged(reports, uk));
	assert_int_equal(reports_judged_up_to(reports, uk, 9, KIND_ORDER), 0);
	assert_int_equal(reports_settle(reports, 10), 0);
	assert_int_equal(reports_judged(reports, uk)->telemetry.numbered[KIND_ORDER], 1);
	assert_int_equal(reports_judged_up_to(reports, uk, 9, KIND_ORDER), 1);
	assert_int_equal(reports_judged_up_to(reports, uk, 5, KIND_ORDER), 0); /* reported later */
	say("uk", 5, 7, 55);
	assert_int_equal(reports_settle(reports, 55), 0);
	assert_int_equal(reports_judged_up_to(reports, uk, 5, KIND_ORDER), 7);

	say("fr", 1, 7, 60); /* no place: uk1 was silent longest */
	assert_null(reports_of_edge(reports, slice_of_text("uk1")));
	assert_int_equal(reports_count(reports), 3);
	assert_true(reports_forgotten(reports) >= 1);
	assert_true(slice_equals_text(reports_at(reports, 0)->telemetry.edge, "fr"));
	reports = reports_free(reports);
	assert_null(reports_free(NULL));
}

static void test_a_run_that_has_not_reported_yet_is_no_former_one(void **state)
{
	const struct slice uk = slice_of_text("uk");

	(void)state;
	assert_int_equal(reports_new(3, &reports), 0);
	say("uk", 9, 4, 10);
	assert_int_equal(reports_settle(reports, 10), 0);
	assert_int_equal(reports_judged_up_to(reports, uk, 5, KIND_ORDER), 0);
	reports = reports_free(reports);
}

static void test_two_machines_of_one_name_do_not_speak_of_each_others_disks(void **state)
{
	const struct slice uk = slice_of_text("uk");

	(void)state;
	assert_int_equal(reports_new(5, &reports), 0);
	say("uk", 1, 4, 10);
	say("uk", 2, 3, 20);
	assert_int_equal(reports_settle(reports, 10), 0);
	say("uk", 2, 4, 30);
	assert_int_equal(reports_settle(reports, 30), 0);
	say("uk", 1, 4, 35); /* both are read once more */
	assert_int_equal(reports_settle(reports, 35), 0);
	say("uk", 2, 4, 36);
	assert_int_equal(reports_settle(reports, 36), 0);
	assert_int_equal(reports_judged_up_to(reports, uk, 1, KIND_ORDER), UINT64_MAX);
	say("uk", 1, 8, 40); /* it is not a former run: it goes on */
	say("uk", 3, 1, 50); /* whose, nobody knows */
	assert_int_equal(reports_settle(reports, 50), 0);
	assert_int_equal(reports_judged_up_to(reports, uk, 2, KIND_ORDER), 0);
	say("uk", 3, 2, 60);
	assert_int_equal(reports_settle(reports, 60), 0);
	assert_int_equal(reports_judged_up_to(reports, uk, 3, KIND_ORDER), 2); /* its own */
	assert_int_equal(reports_judged_up_to(reports, uk, 2, KIND_ORDER), 0);
	assert_int_equal(reports_judged_up_to(reports, uk, 1, KIND_ORDER), 0);
	reports = reports_free(reports);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_neither_counted_nor_on_disk_is_missing_by_name),
		TEST(test_it_says_whose_report_judges_and_when_the_run_itself_last_spoke),
		TEST(test_what_lies_on_disk_is_not_missing),
		TEST(test_what_lies_on_disk_of_others_helps_nobody),
		TEST(test_damaged_blocks_are_named_as_such),
		TEST(test_nothing_is_missing_before_all_is_read),
		TEST(test_only_what_a_settled_report_speaks_of_is_missing),
		TEST(test_a_disk_with_more_pieces_than_a_report_holds_may_have_anything),
		TEST(test_a_former_run_goes_on_as_far_as_the_disk_says),
		TEST(test_without_a_report_what_was_passed_over_is_missed),
		TEST(test_more_ranges_than_are_named_are_counted),
		cmocka_unit_test(test_the_newest_report_of_run_and_edge_is_kept),
		cmocka_unit_test(test_a_run_that_has_not_reported_yet_is_no_former_one),
		cmocka_unit_test(test_two_machines_of_one_name_do_not_speak_of_each_others_disks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
