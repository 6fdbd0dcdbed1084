/* Space given back: the same spool in a smaller file, whatever fails and whenever it is killed. The calls that change
 * files take the place of libc's: they are written down, and one of them can be made to fail, or to be the last. */
#include "spool_bench.h"
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/syscall.h>

enum { KILLED = 77, STEPS_MAX = 64, FREE_BYTES = 2 << 20 };

enum fault { FAULT_NONE, FAULT_FAILS, FAULT_KILLS };

static struct {
	atomic_bool watching;
	enum fault fault;
	int at; /* which call it strikes */
	int code; /* errno */
	atomic_int calls;
	char names[STEPS_MAX][8];
} trap;

/* Is this call to fail? LMDB writes copies from a thread of its own. */
static bool strikes(const char *name)
{
	if (!trap.watching) {
		return false;
	}
	int call = trap.calls++;
	if (call < STEPS_MAX) {
		snprintf(trap.names[call], sizeof trap.names[call], "%s", name);
	}
	if (trap.fault == FAULT_NONE || call != trap.at) {
		return false;
	}
	if (trap.fault == FAULT_KILLS) {
		_exit(KILLED);
	}
	errno = trap.code;
	return true;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return strikes("write") ? -1 : syscall(SYS_write, fd, bytes, size);
}

int fsync(int fd)
{
	return strikes("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	return strikes("rename") ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
	return strikes("unlink") ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void watch(enum fault fault, int at, int code)
{
	trap.calls = 0;
	trap.fault = fault;
	trap.at = at;
	trap.code = code;
	trap.watching = true;
}

static off_t file_size(const struct bench *bench, const char *name)
{
	char path[FIXTURE_PATH_SIZE * 2];
	struct stat file;
	snprintf(path, sizeof path, "%s/%s", bench->dir, name);
	return stat(path, &file) == 0 ? file.st_size : -1;
}

/* Orders at both ends of much that is gone, event ids, a mark, and a block that lies aside. */
static void fill_and_drain(struct bench *bench)
{
	struct spool_block_header header;

	add_block(bench, KIND_ORDER, 100, 'a');
	for (int i = 0; i < FREE_BYTES / 32768; i++) {
		add_block(bench, KIND_ORDER, 32768, 'x');
	}
	for (int i = 0; i < 10; i++) {
		add_event_id(bench, "id", i);
	}
	static const char mark[] = "tail:a\0position";
	assert_int_equal(
		draft_add_mark(&bench->draft, slice_of((const uint8_t *)mark, sizeof mark - 1),
			slice_of_text("4711")),
		0);
	add_block(bench, KIND_ORDER, 100, 'b');
	add_block(bench, KIND_VIEW, 100, 'c');
	assert_int_equal(spool_set_aside(bench->spool, KIND_ORDER, 1, &header), 0);
	uint64_t last = lane_of(bench, KIND_ORDER)->end - 2;
	assert_int_equal(removals_add(&bench->removals, KIND_ORDER, 2, last), 0);
	assert_int_equal(commit(bench), 0);
	assert_int_equal(spool_measure(bench->spool), 0);
}

static bool knows(struct bench *bench, const char *id)
{
	struct intake_memory memory = spool_memory(bench->spool);
	struct slice value;
	return memory.event_id(memory.owner, slice_of_text(id), &value) == 0;
}

static int take_mark(void *owner, struct slice key, struct slice value)
{
	int *marks = owner;
	assert_true(slice_equals_text(key, "position") && slice_equals_text(value, "4711"));
	(*marks)++;
	return 0;
}

static void expect_contents(struct bench *bench)
{
	struct spool_batch batch;
	uint64_t last = FREE_BYTES / 32768 + 1;

	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 2);
	assert_int_equal(lane_of(bench, KIND_VIEW)->events, 1);
	assert_int_equal(spool_corrupt(bench->spool).blocks, 1);
	assert_int_equal(read_from(bench, KIND_ORDER, 0, 1000, &batch), 0);
	assert_int_equal(batch.first, 0);
	assert_int_equal(batch.last, last);
	assert_int_equal(bench->events.bytes[0], 'a');
	assert_int_equal(bench->events.bytes[100], 'b');
	assert_true(knows(bench, "id0"));
	assert_true(knows(bench, "id9"));
	assert_false(knows(bench, "id10"));
	int marks = 0;
	const struct spool_mark_walk walk = {.label = "tail:a", .owner = &marks, .take = take_mark};
	assert_int_equal(spool_each_mark(bench->spool, &walk), 0);
	assert_int_equal(marks, 1);
}

/* The next start, and life goes on. */
static void expect_healthy(struct bench *bench)
{
	expect_contents(bench);
	reopen(bench);
	expect_contents(bench);
	assert_int_equal(file_size(bench, "compact.mdb"), -1);
	uint64_t end = lane_of(bench, KIND_ORDER)->end;
	add_block(bench, KIND_ORDER, 100, 'd');
	assert_int_equal(lane_of(bench, KIND_ORDER)->end, end + 1);
	reopen(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 3);
}

static void test_a_drained_spool_is_small_again_and_the_same(void **state)
{
	struct bench *bench = *state;

	fill_and_drain(bench);
	struct spool_space before = spool_space(bench->spool);
	assert_true(before.file_bytes > FREE_BYTES);
	assert_true(before.used_bytes < 256 * 1024);
	uint64_t end = lane_of(bench, KIND_ORDER)->end;
	assert_int_equal(spool_compact(bench->spool), 0);
	struct spool_space after = spool_space(bench->spool);
	assert_true(after.file_bytes < FREE_BYTES / 8);
	assert_true((uint64_t)file_size(bench, "data.mdb") <= after.file_bytes);
	assert_int_equal(lane_of(bench, KIND_ORDER)->end, end); /* no index is given twice */
	expect_healthy(bench);
}

/* The data before its name, the name before any commit. */
static void test_each_step_is_on_disk_before_the_next(void **state)
{
	struct bench *bench = *state;

	fill_and_drain(bench);
	watch(FAULT_NONE, 0, 0);
	assert_int_equal(spool_compact(bench->spool), 0);
	trap.watching = false;
	int at = trap.calls - 4;
	assert_true(at > 0);
	for (int i = 0; i < at; i++) {
		assert_string_equal(trap.names[i], "write");
	}
	assert_string_equal(trap.names[at], "fsync");
	assert_string_equal(trap.names[at + 1], "rename");
	assert_string_equal(trap.names[at + 2], "unlink"); /* LMDB's lock file */
	assert_string_equal(trap.names[at + 3], "fsync");
}

static int compact_and_be_killed(struct bench *bench, int at)
{
	int status = 0;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		open_spool(bench);
		watch(FAULT_KILLS, at, 0);
		_exit(spool_compact(bench->spool));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_a_kill_at_any_step_leaves_the_spool(void **state)
{
	int kills = 0;

	for (int at = 0;; at++, kills++) {
		struct bench *bench = *state;
		fill_and_drain(bench);
		bench->spool = spool_free(bench->spool);
		int end = compact_and_be_killed(bench, at);
		open_spool(bench);
		expect_healthy(bench);
		drop_bench(state);
		make_bench(state);
		if (end != KILLED) {
			assert_int_equal(end, 0);
			break;
		}
	}
	assert_true(kills >= 5); /* a write, fsync, rename, unlink, fsync */
}

static void test_what_fails_before_the_new_file_has_its_name_changes_nothing(void **state)
{
	struct bench *bench = *state;
	static const struct {
		int code, result;
	} faults[] = {{ENOSPC, SPOOL_E_FULL}, {EDQUOT, SPOOL_E_FULL}, {EIO, SPOOL_E_CORRUPT}};

	fill_and_drain(bench);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		watch(FAULT_FAILS, 0, faults[i].code);
		int r = spool_compact(bench->spool);
		trap.watching = false;
		assert_int_equal(r, faults[i].result);
		assert_string_equal(trap.names[0], "write");
		assert_int_equal(file_size(bench, "compact.mdb"), -1);
		assert_true(file_size(bench, "data.mdb") > FREE_BYTES);
		expect_contents(bench);
	}
	add_block(bench, KIND_ORDER, 100, 'd');
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 3);
}

/* The calls of one compaction: all writes, then fsync, rename, unlink, fsync. Leaves a new spool. */
static int count_calls(void **state)
{
	struct bench *bench = *state;

	fill_and_drain(bench);
	watch(FAULT_NONE, 0, 0);
	assert_int_equal(spool_compact(bench->spool), 0);
	trap.watching = false;
	drop_bench(state);
	make_bench(state);
	fill_and_drain(*state);
	return trap.calls;
}

static void test_a_failed_fsync_or_rename_keeps_the_old_file(void **state)
{
	int calls = count_calls(state);
	struct bench *bench = *state;
	static const char *const names[] = {"fsync", "rename"};

	for (int i = 0; i < 2; i++) {
		watch(FAULT_FAILS, calls - 4 + i, EIO);
		int r = spool_compact(bench->spool);
		trap.watching = false;
		assert_int_equal(r, SPOOL_E_CORRUPT);
		assert_string_equal(trap.names[calls - 4 + i], names[i]);
		assert_true(file_size(bench, "data.mdb") > FREE_BYTES);
		expect_contents(bench);
	}
	expect_healthy(bench);
}

/* Which file the name will mean after a power failure is not known: nothing may be committed to either. */
static void test_a_name_that_can_not_be_synced_ends_the_process(void **state)
{
	int calls = count_calls(state);
	struct bench *bench = *state;

	watch(FAULT_FAILS, calls - 1, EIO);
	int r = spool_compact(bench->spool);
	trap.watching = false;
	assert_int_equal(r, -EIO);
	assert_string_equal(trap.names[calls - 1], "fsync");
	reopen(bench); /* the next process */
	expect_healthy(bench);
}

/* ---- tools beside */

static int read_all(const char *dir)
{
	struct spool_reader *reader = NULL;
	struct spool_block block;
	struct spool_error error;
	int blocks = 0;

	if (spool_reader_new(dir, &reader, &error) != 0) {
		return 100;
	}
	while (spool_reader_next(reader, &block) == 0) {
		blocks += block.set_aside ? 10 : 1;
	}
	spool_reader_free(reader);
	return blocks;
}

/* A tool that has the spool open until it is told to go on; its exit code is the count of blocks. */
struct tool {
	pid_t pid;
	int from, to;
};

static void start_tool(struct tool *tool, const char *dir)
{
	int from_child[2], to_child[2];
	char byte = 0;

	assert_int_equal(pipe(from_child), 0);
	assert_int_equal(pipe(to_child), 0);
	fflush(NULL);
	tool->pid = fork();
	if (tool->pid == 0) {
		struct spool_reader *reader = NULL;
		struct spool_error error;
		struct spool_block block;
		int blocks = 0;
		int r = spool_reader_new(dir, &reader, &error);
		bool told = write(from_child[1], &byte, 1) == 1 && read(to_child[0], &byte, 1) == 1;
		while (told && r == 0 && spool_reader_next(reader, &block) == 0) {
			blocks++;
		}
		_exit(blocks);
	}
	tool->from = from_child[0];
	tool->to = to_child[1];
	close(from_child[1]);
	close(to_child[0]);
	assert_int_equal(read(tool->from, &byte, 1), 1);
}

static int end_tool(struct tool *tool)
{
	char byte = 0;
	int status = 0;

	assert_int_equal(write(tool->to, &byte, 1), 1);
	assert_int_equal(waitpid(tool->pid, &status, 0), tool->pid);
	close(tool->from);
	close(tool->to);
	return WEXITSTATUS(status);
}

static void test_while_a_tool_reads_nothing_is_moved(void **state)
{
	struct bench *bench = *state;
	struct tool tool;

	fill_and_drain(bench);
	start_tool(&tool, bench->dir);
	assert_int_equal(spool_compact(bench->spool), SPOOL_E_IN_USE);
	assert_int_equal(end_tool(&tool), 4);
	assert_int_equal(spool_compact(bench->spool), 0);
	assert_int_equal(in_child(read_all, bench->dir), 13);
	expect_contents(bench);
}

/* Somebody moved another file into its place while a tool kept LMDB's lock file alive: by that, the newest root would be
 * the wrong one. */
static void test_a_file_that_was_replaced_under_a_reader_is_not_written_to(void **state)
{
	struct bench *bench = *state;
	struct bench *other = NULL;
	struct tool tool;
	char from[FIXTURE_PATH_SIZE * 2], to[FIXTURE_PATH_SIZE * 2];

	fill_and_drain(bench);
	make_bench((void **)&other);
	other->spool = spool_free(other->spool);
	bench->spool = spool_free(bench->spool);
	start_tool(&tool, bench->dir);
	snprintf(from, sizeof from, "%s/data.mdb", other->dir);
	snprintf(to, sizeof to, "%s/data.mdb", bench->dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(spool_new(&bench->options, &bench->spool, &bench->error), -EBUSY);
	end_tool(&tool);
	open_spool(bench); /* alone, LMDB begins a new lock file */
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 0);
	drop_bench((void **)&other);
}

static void test_compacting_twice_is_harmless(void **state)
{
	struct bench *bench = *state;

	fill_and_drain(bench);
	assert_int_equal(spool_compact(bench->spool), 0);
	add_block(bench, KIND_CART, 5000, 'e');
	assert_int_equal(spool_compact(bench->spool), 0);
	assert_int_equal(lane_of(bench, KIND_CART)->events, 1);
	expect_healthy(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_a_drained_spool_is_small_again_and_the_same),
		BENCH_TEST(test_each_step_is_on_disk_before_the_next),
		BENCH_TEST(test_a_kill_at_any_step_leaves_the_spool),
		BENCH_TEST(test_what_fails_before_the_new_file_has_its_name_changes_nothing),
		BENCH_TEST(test_a_failed_fsync_or_rename_keeps_the_old_file),
		BENCH_TEST(test_a_name_that_can_not_be_synced_ends_the_process),
		BENCH_TEST(test_while_a_tool_reads_nothing_is_moved),
		BENCH_TEST(test_a_file_that_was_replaced_under_a_reader_is_not_written_to),
		BENCH_TEST(test_compacting_twice_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
