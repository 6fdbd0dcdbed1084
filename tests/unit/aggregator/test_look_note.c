/* The note that a store's file was looked at whole. */
#include "aggregator/look_note.h"
#include "tests/unit/aggregator/scratch_dir.h"
#include <fcntl.h>
#include <unistd.h>

static char dir[SCRATCH_PATH_SIZE];
static const char this_run[] = "6f1c0f5e-run";

static const char *in_dir(const char *name)
{
	static char path[SCRATCH_PATH_SIZE + 32];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_dir(name), "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	(void)state;
	scratch_make(dir);
	write_file("data.mdb", "pages");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

static void test_a_file_without_a_note_is_looked_at(void **state)
{
	(void)state;
	assert_false(look_note_holds(dir, this_run));
}

static void test_what_a_killed_program_left_need_not_be_looked_at_again(void **state)
{
	(void)state;
	look_note_write(dir, this_run, false);
	write_file("data.mdb", "pages that were written later");
	assert_true(look_note_holds(dir, this_run));
}

static void test_after_the_machine_went_down_it_is_looked_at(void **state)
{
	(void)state;
	look_note_write(dir, this_run, false);
	assert_false(look_note_holds(dir, "another-run"));
	assert_false(look_note_holds(dir, "")); /* nobody knows */
}

static void test_a_closed_file_that_somebody_wrote_to_is_looked_at(void **state)
{
	(void)state;
	look_note_write(dir, this_run, true);
	assert_true(look_note_holds(dir, this_run));
	write_file("data.mdb", "pagez");
	assert_false(look_note_holds(dir, this_run));
}

static void test_a_copy_in_its_place_is_looked_at(void **state)
{
	(void)state;
	char aside[SCRATCH_PATH_SIZE + 32];

	look_note_write(dir, this_run, false);
	snprintf(aside, sizeof aside, "%s",
		in_dir("aside")); /* it keeps its inode, so the copy has another */
	assert_int_equal(rename(in_dir("data.mdb"), aside), 0);
	write_file("data.mdb", "pages");
	assert_false(look_note_holds(dir, this_run));
}

static void test_a_note_that_is_cut_short_or_taken_back_does_not_hold(void **state)
{
	(void)state;
	look_note_write(dir, this_run, false);
	assert_int_equal(truncate(in_dir("looked"), 9), 0);
	assert_false(look_note_holds(dir, this_run));
	look_note_write(dir, this_run, false);
	assert_true(look_note_holds(dir, this_run));
	look_note_remove(dir);
	assert_false(look_note_holds(dir, this_run));
}

static void test_this_run_of_the_machine_has_one_name(void **state)
{
	(void)state;
	char first[BOOT_ID_SIZE], second[BOOT_ID_SIZE];

	boot_id_read(first);
	boot_id_read(second);
	assert_true(strlen(first) > 8);
	assert_string_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_a_file_without_a_note_is_looked_at),
		CASE(test_what_a_killed_program_left_need_not_be_looked_at_again),
		CASE(test_after_the_machine_went_down_it_is_looked_at),
		CASE(test_a_closed_file_that_somebody_wrote_to_is_looked_at),
		CASE(test_a_copy_in_its_place_is_looked_at),
		CASE(test_a_note_that_is_cut_short_or_taken_back_does_not_hold),
		CASE(test_this_run_of_the_machine_has_one_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
