/* The note that an LMDB file was looked at whole. */
#include "runtime/look_note.h"
#include "tests/unit/aggregator/scratch_dir.h"
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[SCRATCH_PATH_SIZE];
static struct look_note note;

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

enum { PAGE_SIZE = 256, FILE_PAGES = 8 };

static void set_meta(uint8_t *page, uint64_t number, uint64_t transaction, uint64_t last_page)
{
	const uint16_t kind = 8;
	const uint32_t magic = 0xbeefc0de, version = 1, size = PAGE_SIZE;

	memcpy(page, &number, sizeof number);
	memcpy(page + 10, &kind, sizeof kind);
	memcpy(page + 16, &magic, sizeof magic);
	memcpy(page + 20, &version, sizeof version);
	memcpy(page + 40, &size, sizeof size);
	memcpy(page + 136, &last_page, sizeof last_page);
	memcpy(page + 144, &transaction, sizeof transaction);
}

/* As LMDB leaves it after that transaction; into the file that is there. */
static void write_data(uint64_t transaction, size_t pages)
{
	uint8_t bytes[2 * FILE_PAGES * PAGE_SIZE] = {0};
	uint64_t even = transaction - transaction % 2;

	set_meta(bytes, 0, even, pages - 1);
	set_meta(bytes + PAGE_SIZE, 1, even == transaction ? transaction - 1 : transaction,
		pages - 1);
	FILE *file = fopen(in_dir("data.mdb"), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, PAGE_SIZE, pages, file), pages);
	assert_int_equal(fclose(file), 0);
}

static void be_in_run(const char *boot_id)
{
	snprintf(note.boot_id, sizeof note.boot_id, "%s", boot_id);
}

static int set_up(void **state)
{
	(void)state;
	scratch_make(dir);
	write_data(10, FILE_PAGES);
	assert_int_equal(look_note_init(&note, dir), 0);
	be_in_run("6f1c0f5e-run");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	look_note_deinit(&note);
	scratch_remove(dir);
	return 0;
}

static void test_a_file_without_a_note_is_looked_at(void **state)
{
	(void)state;
	assert_false(look_note_holds(&note));
}

static void test_what_a_killed_program_left_need_not_be_looked_at_again(void **state)
{
	(void)state;
	look_note_write(&note, false);
	assert_true(look_note_holds(&note));
	write_data(13, FILE_PAGES + 2);
	assert_true(look_note_holds(&note));
}

static void test_after_the_machine_went_down_it_is_looked_at(void **state)
{
	(void)state;
	look_note_write(&note, false);
	be_in_run("another-run");
	assert_false(look_note_holds(&note));
	be_in_run("6f1c0f5e"); /* its beginning is not enough */
	assert_false(look_note_holds(&note));
	be_in_run(""); /* nobody knows */
	assert_false(look_note_holds(&note));
}

static void test_a_closed_file_that_somebody_wrote_to_is_looked_at(void **state)
{
	(void)state;
	look_note_write(&note, true);
	assert_true(look_note_holds(&note));
	write_data(10, FILE_PAGES);
	assert_false(look_note_holds(&note));
}

static void test_a_copy_in_its_place_is_looked_at(void **state)
{
	(void)state;
	char aside[SCRATCH_PATH_SIZE + 32];

	look_note_write(&note, false);
	snprintf(aside, sizeof aside, "%s",
		in_dir("aside")); /* it keeps its inode, so the copy has another */
	assert_int_equal(rename(in_dir("data.mdb"), aside), 0);
	write_data(10, FILE_PAGES);
	assert_false(look_note_holds(&note));
}

/* cp writes into the file that is there. */
static void test_an_older_state_or_less_of_it_in_the_same_file_is_looked_at(void **state)
{
	(void)state;
	look_note_write(&note, false);
	write_data(9, FILE_PAGES);
	assert_false(look_note_holds(&note));
	write_data(12, FILE_PAGES - 1);
	assert_false(look_note_holds(&note));
	write_file(
		"data.mdb", "no file of LMDB, and longer than it was when somebody looked at it");
	assert_false(look_note_holds(&note));
	look_note_write(&note, false); /* nor is there anything to note of such a one */
	assert_int_not_equal(access(in_dir("looked"), F_OK), 0);
}

static void test_a_file_that_was_cut_short_is_looked_at(void **state)
{
	(void)state;
	look_note_write(&note, false);
	write_data(12, FILE_PAGES + 4);
	assert_true(look_note_holds(&note));
	assert_int_equal(truncate(in_dir("data.mdb"), (FILE_PAGES + 3) * PAGE_SIZE), 0);
	assert_false(look_note_holds(&note));
}

static void start_without_an_end(int times)
{
	for (int i = 0; i < times; i++) {
		assert_true(look_note_rely(&note));
		look_note_write(&note, false);
	}
}

static void test_what_dies_again_and_again_is_looked_at(void **state)
{
	(void)state;
	look_note_write(&note, false);
	start_without_an_end(LOOK_NOTE_STARTS_MAX);
	assert_false(look_note_rely(&note));
	look_note_write(&note, false); /* it was looked at */
	start_without_an_end(LOOK_NOTE_STARTS_MAX);
	look_note_write(&note, true);
	start_without_an_end(LOOK_NOTE_STARTS_MAX);
	assert_false(look_note_rely(&note));
}

static void test_a_note_that_is_cut_short_or_taken_back_does_not_hold(void **state)
{
	(void)state;
	struct stat status;

	look_note_write(&note, false);
	assert_int_equal(stat(in_dir("looked"), &status), 0);
	assert_int_equal(truncate(in_dir("looked"), status.st_size - 1), 0);
	assert_false(look_note_holds(&note));
	look_note_write(&note, false);
	assert_true(look_note_holds(&note));
	look_note_remove(&note);
	assert_false(look_note_holds(&note));
}

static void test_this_run_of_the_machine_has_one_name(void **state)
{
	(void)state;
	struct look_note first, second;

	assert_int_equal(look_note_init(&first, dir), 0);
	assert_int_equal(look_note_init(&second, dir), 0);
	assert_true(strlen(first.boot_id) > 8);
	assert_string_equal(first.boot_id, second.boot_id);
	look_note_deinit(&first);
	look_note_deinit(&second);
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
		CASE(test_an_older_state_or_less_of_it_in_the_same_file_is_looked_at),
		CASE(test_a_file_that_was_cut_short_is_looked_at),
		CASE(test_what_dies_again_and_again_is_looked_at),
		CASE(test_a_note_that_is_cut_short_or_taken_back_does_not_hold),
		CASE(test_this_run_of_the_machine_has_one_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
