/* When a spool is read whole before it is opened, and when not. */
#include "runtime/look_child.h"
#include "spool_bench.h"
#include <signal.h>

static int looks; /* in a child process, since the last count_looks */

int __real_look_child_run(int (*look)(void *owner), void *owner);
int __wrap_look_child_run(int (*look)(void *owner), void *owner);
int __wrap_look_child_run(int (*look)(void *owner), void *owner)
{
	looks++;
	return __real_look_child_run(look, owner);
}

static int count_looks(void)
{
	int count = looks;
	looks = 0;
	return count;
}

/* `names` of the shell. */
static void copy(const char *from_dir, const char *names, const char *to_dir, const char *to_name)
{
	char command[3 * FIXTURE_PATH_SIZE];
	snprintf(command, sizeof command, "cp -p %s/%s %s/%s", from_dir, names, to_dir, to_name);
	assert_int_equal(system(command), 0);
}

/* An edge that opens the spool, commits a block, and dies. */
static void live_and_be_killed(struct bench *bench)
{
	int status = 0;

	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		open_spool(bench);
		add_block(bench, KIND_ORDER, 100, 7);
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	count_looks();
}

static void test_after_a_kill_and_after_a_stop_it_is_not_read_whole_again(void **state)
{
	struct bench *bench = *state;

	count_looks();
	reopen(bench);
	assert_int_equal(count_looks(), 0);
	bench->spool = spool_free(bench->spool);
	live_and_be_killed(bench);
	open_spool(bench);
	assert_int_equal(count_looks(), 0);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 1);
}

static void test_a_copied_spool_is_read_whole(void **state)
{
	struct bench *bench = *state;
	char other[FIXTURE_PATH_SIZE];

	bench->spool = spool_free(bench->spool);
	make_temp_dir(other);
	copy(bench->dir, "*", other, "");
	bench->options.dir = other;
	count_looks();
	open_spool(bench);
	assert_int_equal(count_looks(), 1);
	bench->spool = spool_free(bench->spool);
	remove_temp_dir(other);
}

/* cp keeps the inode of what it writes over. */
static void test_an_older_spool_that_is_copied_over_a_killed_ones_file_is_read_whole(void **state)
{
	struct bench *bench = *state;

	bench->spool = spool_free(bench->spool);
	copy(bench->dir, "data.mdb", bench->dir, "aside");
	live_and_be_killed(bench);
	live_and_be_killed(bench);
	copy(bench->dir, "aside", bench->dir, "data.mdb");
	open_spool(bench);
	assert_int_equal(count_looks(), 1);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 0);
}

static void test_a_spool_in_which_something_did_not_fit_is_read_whole(void **state)
{
	struct bench *bench = *state;
	struct spool_batch batch;

	add_block(bench, KIND_ORDER, 5000, 0xa1);
	bench->spool = spool_free(bench->spool);
	flip_run(bench->dir, 0xa1, 5000, 2500);
	count_looks();
	open_spool(bench);
	assert_int_equal(count_looks(), 1); /* somebody wrote to it while it was closed */
	assert_int_equal(read_from(bench, KIND_ORDER, 0, 100000, &batch), SPOOL_E_CORRUPT);
	reopen(bench);
	assert_int_equal(count_looks(), 1);
	reopen(bench);
	assert_int_equal(count_looks(), 0);
}

static void test_who_may_not_open_it_says_nothing_about_it(void **state)
{
	struct bench *bench = *state;
	struct spool *second = NULL;

	assert_int_equal(spool_new(&bench->options, &second, &bench->error), SPOOL_E_IN_USE);
	add_block(bench, KIND_ORDER, 100, 1); /* a note of a closed file would not hold now */
	count_looks();
	reopen(bench);
	assert_int_equal(count_looks(), 0);
}

static void test_a_compacted_spool_is_another_file(void **state)
{
	struct bench *bench = *state;

	add_block(bench, KIND_ORDER, 5000, 1);
	assert_int_equal(spool_compact(bench->spool), 0);
	count_looks();
	reopen(bench);
	assert_int_equal(count_looks(), 1);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 1);
	reopen(bench);
	assert_int_equal(count_looks(), 0);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_after_a_kill_and_after_a_stop_it_is_not_read_whole_again),
		BENCH_TEST(test_a_copied_spool_is_read_whole),
		BENCH_TEST(
			test_an_older_spool_that_is_copied_over_a_killed_ones_file_is_read_whole),
		BENCH_TEST(test_a_spool_in_which_something_did_not_fit_is_read_whole),
		BENCH_TEST(test_who_may_not_open_it_says_nothing_about_it),
		BENCH_TEST(test_a_compacted_spool_is_another_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
