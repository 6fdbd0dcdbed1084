/* spool_bench.h - a spool in a directory that goes away, and what the tests of it do all the time. */
#pragma once
#include "edge/spool.h"
#include "edge/spool_reader.h"
#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

enum { WALL_MS = 1700000000 };

struct bench {
	char dir[FIXTURE_PATH_SIZE];
	struct spool_options options;
	struct spool *spool;
	struct draft draft;
	struct removals removals;
	struct buffer events;
	struct spool_error error;
};

static inline void open_spool(struct bench *bench)
{
	int r = spool_new(&bench->options, &bench->spool, &bench->error);
	if (r != 0) {
		print_error("spool_new: %d %s\n", r, bench->error.text);
	}
	assert_int_equal(r, 0);
}

static inline void reopen(struct bench *bench)
{
	bench->spool = spool_free(bench->spool);
	open_spool(bench);
}

static inline int make_bench(void **state)
{
	static const uint8_t seed[16] = {9};
	struct bench *bench = calloc(1, sizeof *bench);

	make_temp_dir(bench->dir);
	bench->options = (struct spool_options){.dir = bench->dir,
		.edge = "berlin-1",
		.quota_bytes = 8 << 20,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.event_id_window = 100,
		.producer_ttl_ms = 1000};
	buffer_init(&bench->events, 1 << 20);
	assert_int_equal(draft_init(&bench->draft, 4711, seed), 0);
	open_spool(bench);
	*state = bench;
	return 0;
}

static inline int drop_bench(void **state)
{
	struct bench *bench = *state;
	spool_free(bench->spool);
	draft_deinit(&bench->draft);
	removals_deinit(&bench->removals);
	buffer_deinit(&bench->events);
	remove_temp_dir(bench->dir);
	free(bench);
	return 0;
}

static inline void add(struct bench *bench, enum kind lane, size_t size, uint8_t byte)
{
	uint64_t seq;
	uint8_t *room = buffer_extend(draft_begin(&bench->draft, lane, &seq), size);
	assert_non_null(room);
	memset(room, byte, size);
	assert_int_equal(draft_end(&bench->draft, lane, WALL_MS), 0);
}

static inline int commit(struct bench *bench)
{
	int r = spool_commit(bench->spool, &bench->draft, &bench->removals, WALL_MS);
	if (r == 0) {
		draft_clear(&bench->draft);
		removals_clear(&bench->removals);
	}
	return r;
}

static inline void add_block(struct bench *bench, enum kind lane, size_t size, uint8_t byte)
{
	add(bench, lane, size, byte);
	assert_int_equal(commit(bench), 0);
}

static inline int read_from(struct bench *bench, enum kind lane, uint64_t first, uint32_t size_max,
	struct spool_batch *ret_batch)
{
	struct spool_query query = {
		.lane = lane, .first = first, .last = UINT64_MAX, .size_max = size_max};
	buffer_clear(&bench->events);
	return spool_read(bench->spool, &query, &bench->events, ret_batch);
}

static inline const struct spool_lane *lane_of(const struct bench *bench, enum kind lane)
{
	return &spool_index(bench->spool)->lanes[lane];
}

static inline void add_event_id(struct bench *bench, const char *prefix, int number)
{
	char id[32];
	snprintf(id, sizeof id, "%s%d", prefix, number);
	assert_int_equal(
		idmap_add(&bench->draft.event_ids, slice_of_text(id), slice_of(NULL, 0)), 0);
}

/* In a child: one process must not open an LMDB environment twice. */
static inline int in_child(int (*run)(const char *dir), const char *dir)
{
	int status = 0;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		_exit(run(dir));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

/* Finds `size` bytes of value `byte` in the file and flips one bit there, behind LMDB's back. */
static inline void flip_run(const char *dir, uint8_t byte, size_t size, ptrdiff_t at)
{
	char path[FIXTURE_PATH_SIZE * 2];
	struct stat file;
	size_t run = 0;

	snprintf(path, sizeof path, "%s/data.mdb", dir);
	int fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &file), 0);
	uint8_t *bytes = malloc((size_t)file.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)file.st_size, 0), file.st_size);
	for (off_t i = 0; i < file.st_size; i++) {
		run = bytes[i] == byte ? run + 1 : 0;
		if (run == size) {
			off_t where = i - (off_t)size + 1 + at;
			uint8_t flipped = bytes[where] ^ 4;
			assert_int_equal(pwrite(fd, &flipped, 1, where), 1);
		}
	}
	free(bytes);
	close(fd);
}
