/* The spool on a real directory: what is there after a restart, a kill, damage, and a full map. */
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

static void open_spool(struct bench *bench)
{
	int r = spool_new(&bench->options, &bench->spool, &bench->error);
	if (r != 0) {
		print_error("spool_new: %d %s\n", r, bench->error.text);
	}
	assert_int_equal(r, 0);
}

static void reopen(struct bench *bench)
{
	bench->spool = spool_free(bench->spool);
	open_spool(bench);
}

static int make_bench(void **state)
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

static int drop_bench(void **state)
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

static void add(struct bench *bench, enum kind lane, size_t size, uint8_t byte)
{
	uint64_t seq;
	uint8_t *room = buffer_extend(draft_begin(&bench->draft, lane, &seq), size);
	assert_non_null(room);
	memset(room, byte, size);
	assert_int_equal(draft_end(&bench->draft, lane, WALL_MS), 0);
}

static int commit(struct bench *bench)
{
	int r = spool_commit(bench->spool, &bench->draft, &bench->removals, WALL_MS);
	if (r == 0) {
		draft_clear(&bench->draft);
		removals_clear(&bench->removals);
	}
	return r;
}

static void add_block(struct bench *bench, enum kind lane, size_t size, uint8_t byte)
{
	add(bench, lane, size, byte);
	assert_int_equal(commit(bench), 0);
}

static int read_from(struct bench *bench, enum kind lane, uint64_t first, uint32_t size_max,
	struct spool_batch *ret_batch)
{
	struct spool_query query = {
		.lane = lane, .first = first, .last = UINT64_MAX, .size_max = size_max};
	buffer_clear(&bench->events);
	return spool_read(bench->spool, &query, &bench->events, ret_batch);
}

static const struct spool_lane *lane_of(const struct bench *bench, enum kind lane)
{
	return &spool_index(bench->spool)->lanes[lane];
}

/* ---- what was committed is there */

static void test_blocks_survive_a_restart(void **state)
{
	struct bench *bench = *state;
	struct spool_batch batch;

	add(bench, KIND_ORDER, 10, 'a');
	add(bench, KIND_ORDER, 10, 'b');
	add(bench, KIND_VIEW_DLQ, 20, 'c');
	assert_int_equal(commit(bench), 0);
	struct spool_lane before = *lane_of(bench, KIND_ORDER);
	reopen(bench);
	assert_memory_equal(lane_of(bench, KIND_ORDER), &before, sizeof before);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 2);
	assert_int_equal(lane_of(bench, KIND_VIEW_DLQ)->blocks, 1);
	assert_int_equal(read_from(bench, KIND_ORDER, 0, 1000, &batch), 0);
	assert_int_equal(batch.count, 2);
	assert_memory_equal(bench->events.bytes, "aaaaaaaaaabbbbbbbbbb", 20);
	assert_int_equal(spool_oldest_ms(bench->spool), WALL_MS);
}

static void test_what_was_not_committed_is_not_there(void **state)
{
	struct bench *bench = *state;

	add(bench, KIND_ORDER, 10, 'a');
	reopen(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 0);
	assert_int_equal(spool_oldest_ms(bench->spool), 0);
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
	char path[FIXTURE_PATH_SIZE * 2];
	static char bytes[1 << 16];
	ssize_t size;

	snprintf(path, sizeof path, "%s/%s", from_dir, name);
	int from = open(path, O_RDONLY);
	snprintf(path, sizeof path, "%s/%s", to_dir, name);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(from >= 0 && to >= 0);
	while ((size = read(from, bytes, sizeof bytes)) > 0) {
		assert_int_equal(write(to, bytes, (size_t)size), size);
	}
	close(from);
	close(to);
}

/* A killed process leaves its files as they are: so does a copy of them while it lives. */
static void test_a_killed_edge_left_everything_that_it_committed(void **state)
{
	struct bench *bench = *state;
	char dir[FIXTURE_PATH_SIZE];
	struct spool *copy = NULL;
	struct spool_options options = bench->options;

	for (int i = 0; i < 20; i++) {
		add_block(bench, KIND_ORDER, 3000, (uint8_t)i);
	}
	add(bench, KIND_ORDER, 10, 'x');
	make_temp_dir(dir);
	copy_file(bench->dir, dir, "data.mdb");
	options.dir = dir;
	assert_int_equal(spool_new(&options, &copy, &bench->error), 0);
	assert_int_equal(spool_index(copy)->lanes[KIND_ORDER].blocks, 20);
	spool_free(copy);
	remove_temp_dir(dir);
}

static void test_small_blocks_leave_together_up_to_the_size_asked_for(void **state)
{
	struct bench *bench = *state;
	struct spool_batch batch;

	for (int i = 0; i < 10; i++) {
		add_block(bench, KIND_ORDER, 100, (uint8_t)('0' + i));
	}
	assert_int_equal(read_from(bench, KIND_ORDER, 2, 350, &batch), 0);
	assert_int_equal(batch.first, 2);
	assert_int_equal(batch.last, 4);
	assert_int_equal(batch.count, 3);
	assert_int_equal(batch.size, 300);
	assert_int_equal(read_from(bench, KIND_ORDER, 2, 99, &batch), SPOOL_E_FULL);
	assert_int_equal(read_from(bench, KIND_ORDER, 10, 1000, &batch), SPOOL_E_END);
	assert_int_equal(read_from(bench, KIND_CART, 0, 1000, &batch), SPOOL_E_END);
	struct spool_query query = {.lane = KIND_ORDER, .first = 1, .last = 1, .size_max = 1000};
	buffer_clear(&bench->events);
	assert_int_equal(spool_read(bench->spool, &query, &bench->events, &batch), 0);
	assert_int_equal(batch.last, 1);
}

static void test_acknowledged_blocks_are_deleted_and_no_others(void **state)
{
	struct bench *bench = *state;
	struct spool_batch batch;

	for (int i = 0; i < 10; i++) {
		add_block(bench, KIND_ORDER, 100, (uint8_t)i);
		add_block(bench, KIND_CART, 5000, (uint8_t)i);
	}
	removals_add(&bench->removals, KIND_ORDER, 0, 3);
	removals_add(&bench->removals, KIND_CART, 9, 9);
	removals_add(&bench->removals, KIND_ORDER, 5, 5);
	removals_add(&bench->removals, KIND_ORDER, 5, 5); /* twice does no harm */
	assert_int_equal(spool_commit(bench->spool, NULL, &bench->removals, WALL_MS), 0);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 5);
	assert_int_equal(lane_of(bench, KIND_CART)->blocks, 9);
	assert_int_equal(read_from(bench, KIND_ORDER, 0, 100, &batch), 0);
	assert_int_equal(batch.first, 4);
	assert_int_equal(read_from(bench, KIND_ORDER, 5, 100, &batch), 0);
	assert_int_equal(batch.first, 6);
	struct spool_index before = *spool_index(bench->spool);
	reopen(bench);
	for (int i = 0; i < KIND_COUNT; i++) {
		assert_int_equal(
			spool_index(bench->spool)->lanes[i].events, before.lanes[i].events);
		assert_int_equal(spool_index(bench->spool)->lanes[i].bytes, before.lanes[i].bytes);
	}
}

static void test_many_blocks_come_and_go_and_the_map_stays_in_use(void **state)
{
	struct bench *bench = *state;
	uint64_t first = 0;

	for (int round = 0; round < 300; round++) { /* 45 MB through a map of some 30 */
		for (int i = 0; i < 3; i++) {
			add(bench, KIND_ORDER, 50000, (uint8_t)round);
		}
		assert_int_equal(commit(bench), 0);
		uint64_t end = lane_of(bench, KIND_ORDER)->end;
		if (round >= 20) {
			removals_add(&bench->removals, KIND_ORDER, first, end - 41);
			first = end - 40;
		}
	}
	assert_int_equal(spool_measure(bench->spool), 0);
	assert_false(spool_index(bench->spool)->short_of_pages);
}

/* ---- full */

/* The quota is what stops intake; the map must always have room to empty itself. */
static void test_a_full_map_writes_nothing_and_can_be_emptied(void **state)
{
	struct bench *bench = *state;
	int r = 0;
	int blocks = 0;

	while (r == 0) { /* nobody asks for room here, as the intake would */
		add(bench, KIND_ORDER, 100000, 1);
		r = commit(bench);
		blocks += r == 0;
		assert_true(blocks < 10000);
	}
	assert_int_equal(r, SPOOL_E_FULL);
	assert_true(spool_is_map_full(bench->spool));
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, blocks);
	assert_true((uint64_t)blocks * 100000 > bench->options.quota_bytes);
	draft_clear(&bench->draft);
	assert_int_equal(spool_measure(bench->spool), 0);
	assert_true(spool_index(bench->spool)->short_of_pages);

	/* A new start gives it a larger map, in which it can be emptied in small steps. */
	reopen(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, blocks);
	for (int i = 0; i < blocks; i++) {
		removals_clear(&bench->removals);
		removals_add(&bench->removals, KIND_ORDER, (uint64_t)i, (uint64_t)i);
		assert_int_equal(spool_commit(bench->spool, NULL, &bench->removals, WALL_MS), 0);
	}
	assert_int_equal(spool_index(bench->spool)->bytes, 0);
	assert_int_equal(spool_measure(bench->spool), 0);
	assert_false(spool_index(bench->spool)->short_of_pages);
}

static void add_megabyte(struct bench *bench)
{
	for (int i = 0; i < 8; i++) {
		add(bench, KIND_ORDER, 128 * 1024, (uint8_t)i);
	}
}

/* The quota is what ends the intake, with pages to spare: else a spool could be full of what it can not delete. */
static void test_what_the_quota_admits_leaves_a_quarter_of_the_map(void **state)
{
	struct bench *bench = *state;
	enum kind lane;

	bench->options.quota_bytes = 96 << 20;
	spool_free(bench->spool);
	open_spool(bench);
	add_megabyte(bench);
	while (spool_index_room(spool_index(bench->spool), &bench->draft, &lane) == SPOOL_ROOM_OK) {
		assert_int_equal(commit(bench), 0);
		assert_int_equal(spool_measure(bench->spool), 0);
		add_megabyte(bench);
	}
	assert_false(spool_index(bench->spool)->short_of_pages);
	assert_true(spool_index(bench->spool)->bytes > bench->options.quota_bytes / 20 * 19);
}

/* ---- damage */

/* Finds `size` bytes of value `byte` in the file and flips one bit there, behind LMDB's back. */
static void flip_run(const char *dir, uint8_t byte, size_t size, ptrdiff_t at)
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

static void test_a_damaged_block_is_set_aside_and_the_rest_is_read(void **state)
{
	struct bench *bench = *state;
	struct spool_batch batch;
	struct spool_block_header header;

	add_block(bench, KIND_ORDER, 5000, 0xa1);
	add_block(bench, KIND_ORDER, 5000, 0xa2);
	add_block(bench, KIND_ORDER, 5000, 0xa3);
	bench->spool = spool_free(bench->spool);
	flip_run(bench->dir, 0xa2, 5000, 2500);
	open_spool(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 3); /* events are checked when sent */

	assert_int_equal(read_from(bench, KIND_ORDER, 0, 100000, &batch), 0);
	assert_int_equal(batch.last, 0);
	assert_int_equal(read_from(bench, KIND_ORDER, 1, 100000, &batch), SPOOL_E_CORRUPT);
	assert_int_equal(batch.first, 1);
	assert_int_equal(spool_set_aside(bench->spool, KIND_ORDER, 1, &header), 0);
	assert_int_equal(header.first_seq, 2);
	assert_int_equal(header.count, 1);
	assert_int_equal(read_from(bench, KIND_ORDER, 1, 100000, &batch), 0);
	assert_int_equal(batch.first, 2);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 2);
	assert_int_equal(spool_corrupt(bench->spool).blocks, 1);
	assert_int_equal(spool_corrupt(bench->spool).events, 1);
	reopen(bench);
	assert_int_equal(spool_corrupt(bench->spool).blocks, 1);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 2);
}

static void test_a_block_without_a_readable_header_is_set_aside_at_opening(void **state)
{
	struct bench *bench = *state;

	add_block(bench, KIND_ORDER, 5000, 0xa1);
	add_block(bench, KIND_ORDER, 5000, 0xa2);
	bench->spool = spool_free(bench->spool);
	flip_run(bench->dir, 0xa2, 5000, -SPOOL_BLOCK_HEADER_SIZE + 5);
	open_spool(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 1);
	assert_int_equal(spool_corrupt(bench->spool).blocks, 1);
	assert_int_equal(spool_corrupt(bench->spool).unreadable_headers, 1);
	/* its index is not given again */
	add_block(bench, KIND_ORDER, 10, 'x');
	assert_int_equal(lane_of(bench, KIND_ORDER)->end, 3);
	reopen(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 2);
}

static void write_file(const char *dir, const char *name, const void *bytes, size_t size)
{
	char path[FIXTURE_PATH_SIZE * 2];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void expect_foreign(struct bench *bench, const char *words)
{
	assert_int_equal(spool_new(&bench->options, &bench->spool, &bench->error), SPOOL_E_FOREIGN);
	assert_non_null(strstr(bench->error.text, words));
}

static void test_a_file_that_is_no_lmdb_is_refused_and_left_alone(void **state)
{
	struct bench *bench = *state;
	char path[FIXTURE_PATH_SIZE * 2];
	static uint8_t text[100000];
	struct stat file;

	memset(text, 'x', sizeof text);
	bench->spool = spool_free(bench->spool);
	write_file(bench->dir, "data.mdb", text, sizeof text);
	expect_foreign(bench, "no LMDB file");
	snprintf(path, sizeof path, "%s/data.mdb", bench->dir);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_size, sizeof text);
}

/* Pages of nonsense where LMDB expects its tree: it would crash, so a child does. */
static void test_a_damaged_tree_is_refused(void **state)
{
	struct bench *bench = *state;
	char path[FIXTURE_PATH_SIZE * 2];
	static uint8_t nonsense[4096];

	for (int i = 0; i < 500; i++) {
		add_block(bench, KIND_ORDER, 1500, (uint8_t)i);
	}
	bench->spool = spool_free(bench->spool);
	memset(nonsense, 0xff, sizeof nonsense);
	snprintf(path, sizeof path, "%s/data.mdb", bench->dir);
	int fd = open(path, O_WRONLY);
	for (off_t page = 2; page < 150; page++) {
		assert_int_equal(pwrite(fd, nonsense, sizeof nonsense, page * 4096), 4096);
	}
	close(fd);
	expect_foreign(bench, "damaged");
}

static void test_a_file_that_was_cut_off_is_refused(void **state)
{
	struct bench *bench = *state;
	char path[FIXTURE_PATH_SIZE * 2];

	for (int i = 0; i < 30; i++) {
		add_block(bench, KIND_ORDER, 100000, (uint8_t)i);
	}
	bench->spool = spool_free(bench->spool);
	snprintf(path, sizeof path, "%s/data.mdb", bench->dir);
	assert_int_equal(truncate(path, 500000), 0);
	expect_foreign(bench, "damaged");
}

static void test_the_spool_of_another_edge_is_refused(void **state)
{
	struct bench *bench = *state;

	bench->spool = spool_free(bench->spool);
	bench->options.edge = "paris-2";
	expect_foreign(bench, "berlin-1");
}

/* Killed between making the file and the first commit. */
static void test_an_empty_file_becomes_a_spool(void **state)
{
	struct bench *bench = *state;

	bench->spool = spool_free(bench->spool);
	write_file(bench->dir, "data.mdb", "", 0);
	open_spool(bench);
	assert_int_equal(spool_index(bench->spool)->bytes, 0);
}

static void test_a_second_edge_on_one_directory_is_refused(void **state)
{
	struct bench *bench = *state;
	struct spool *second = NULL;

	assert_int_equal(spool_new(&bench->options, &second, &bench->error), SPOOL_E_IN_USE);
	assert_non_null(strstr(bench->error.text, "in use"));
}

static void test_a_directory_that_cannot_be_made_is_named(void **state)
{
	struct bench *bench = *state;
	struct spool_options options = bench->options;
	struct spool *spool = NULL;

	options.dir = "/no/such/parent/spool";
	assert_int_equal(spool_new(&options, &spool, &bench->error), -ENOENT);
	assert_non_null(strstr(bench->error.text, "/no/such/parent/spool"));
}

/* ---- what is remembered */

static void put_producer(struct bench *bench, const char *name, uint64_t n, int64_t used_ms)
{
	struct buffer bytes;
	struct producer_row row = {.n = n, .used_ms = used_ms, .reply = slice_of_text("reply")};

	buffer_init(&bytes, 1024);
	producer_row_encode(slice_of_text(name), &row, &bytes);
	assert_int_equal(
		idmap_add(&bench->draft.producers, slice_of_text(name), buffer_slice(&bytes)), 0);
	buffer_deinit(&bytes);
}

static void test_producers_survive_a_restart_with_their_last_number(void **state)
{
	struct bench *bench = *state;
	struct producer_row row;

	put_producer(bench, "p", 1, WALL_MS);
	put_producer(bench, "p", 2, WALL_MS);
	put_producer(bench, "q", 9, WALL_MS);
	assert_int_equal(commit(bench), 0);
	reopen(bench);
	struct intake_memory memory = spool_memory(bench->spool);
	assert_int_equal(memory.producer(memory.owner, slice_of_text("p"), &row), 0);
	assert_int_equal(row.n, 2);
	assert_true(slice_equals_text(row.reply, "reply"));
	assert_int_equal(memory.producer(memory.owner, slice_of_text("r"), &row), SPOOL_E_UNKNOWN);
}

static void test_producers_that_went_away_are_forgotten(void **state)
{
	struct bench *bench = *state;
	struct producer_row row;
	char name[32];

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "old-%d", i);
		put_producer(bench, name, 1, WALL_MS - 2000);
	}
	put_producer(bench, "young", 1, WALL_MS);
	for (int i = 0; i < 20; i++) {
		add(bench, KIND_ORDER, 10, 1);
		assert_int_equal(commit(bench), 0);
	}
	struct intake_memory memory = spool_memory(bench->spool);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "old-%d", i);
		assert_int_equal(
			memory.producer(memory.owner, slice_of_text(name), &row), SPOOL_E_UNKNOWN);
	}
	assert_int_equal(memory.producer(memory.owner, slice_of_text("young"), &row), 0);
}

static void add_event_id(struct bench *bench, const char *prefix, int number)
{
	char id[32];
	snprintf(id, sizeof id, "%s%d", prefix, number);
	assert_int_equal(
		idmap_add(&bench->draft.event_ids, slice_of_text(id), slice_of(NULL, 0)), 0);
}

static bool knows(struct bench *bench, const char *id)
{
	struct intake_memory memory = spool_memory(bench->spool);
	return memory.event_id(memory.owner, slice_of_text(id)) == 0;
}

static void test_event_ids_are_known_within_their_window(void **state)
{
	struct bench *bench = *state;

	add_event_id(bench, "dlq:orders/0/", 1);
	for (int i = 0; i < 250; i++) {
		add_event_id(bench, "e", i);
		if (i % 50 == 49) {
			add(bench, KIND_ORDER, 10, 1);
			assert_int_equal(commit(bench), 0);
		}
	}
	reopen(bench);
	assert_false(knows(bench, "e149"));
	assert_true(knows(bench, "e150"));
	assert_true(knows(bench, "e249"));
	assert_true(knows(bench, "dlq:orders/0/1")); /* for good */
	add_event_id(bench, "e", 250);
	add(bench, KIND_ORDER, 10, 1);
	assert_int_equal(commit(bench), 0);
	assert_false(knows(bench, "e150"));
	assert_true(knows(bench, "e151"));
}

static void test_the_cluster_is_kept(void **state)
{
	struct bench *bench = *state;

	assert_string_equal(spool_identity(bench->spool)->cluster, "");
	assert_int_equal(spool_keep_cluster(bench->spool, "C1", 77), 0);
	reopen(bench);
	assert_string_equal(spool_identity(bench->spool)->cluster, "C1");
	assert_int_equal(spool_identity(bench->spool)->topics_hash, 77);
	assert_string_equal(spool_identity(bench->spool)->edge, "berlin-1");
}

/* ---- the reader of tools */

/* In a child: one process must not open an LMDB environment twice. */
static int in_child(int (*run)(const char *dir), const char *dir)
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

/* 0 when it sees what test_the_reader_sees_all_blocks wrote, else the number of what is wrong. */
static int read_all(const char *dir)
{
	struct spool_reader *reader = NULL;
	struct spool_error error;
	struct spool_block block;

	if (spool_reader_new(dir, &reader, &error) != 0) {
		return 1;
	}
	if (strcmp(spool_reader_identity(reader)->edge, "berlin-1") != 0) {
		return 2;
	}
	if (spool_reader_next(reader, &block) != 0 || block.lane != KIND_ORDER ||
		block.index != 0 || block.state != SPOOL_BLOCK_OK || block.count != 2 ||
		block.events.size != 20) {
		return 3;
	}
	if (spool_reader_next(reader, &block) != 0 || block.index != 1 || block.first_seq != 3) {
		return 4;
	}
	if (spool_reader_next(reader, &block) != 0 || block.lane != KIND_CART_DLQ) {
		return 5;
	}
	int r = spool_reader_next(reader, &block);
	spool_reader_free(reader);
	return r == SPOOL_E_END ? 0 : 6;
}

static void test_the_reader_sees_all_blocks_beside_a_running_edge(void **state)
{
	struct bench *bench = *state;

	add(bench, KIND_ORDER, 10, 'a');
	add(bench, KIND_ORDER, 10, 'b');
	assert_int_equal(commit(bench), 0);
	add_block(bench, KIND_ORDER, 5000, 'c');
	add_block(bench, KIND_CART_DLQ, 10, 'd');
	assert_int_equal(in_child(read_all, bench->dir), 0);
	bench->spool = spool_free(bench->spool);
	assert_int_equal(in_child(read_all, bench->dir), 0); /* and of one that stopped */
	open_spool(bench);
}

static int read_damaged(const char *dir)
{
	struct spool_reader *reader = NULL;
	struct spool_error error;
	struct spool_block blocks[3];

	if (spool_reader_new(dir, &reader, &error) != 0) {
		return 1;
	}
	for (int i = 0; i < 3; i++) {
		if (spool_reader_next(reader, &blocks[i]) != 0) {
			return 2;
		}
	}
	spool_reader_free(reader);
	if (blocks[0].state != SPOOL_BLOCK_OK) {
		return 3;
	}
	if (blocks[1].state != SPOOL_BLOCK_CORRUPT || blocks[1].set_aside || !blocks[1].header_ok) {
		return 4;
	}
	return blocks[2].state == SPOOL_BLOCK_CORRUPT && blocks[2].set_aside ? 0 : 5;
}

static void test_the_reader_names_damaged_and_set_aside_blocks(void **state)
{
	struct bench *bench = *state;
	struct spool_block_header header;

	add_block(bench, KIND_ORDER, 5000, 0xb1);
	add_block(bench, KIND_ORDER, 5000, 0xb2);
	add_block(bench, KIND_ORDER, 5000, 0xb3);
	bench->spool = spool_free(bench->spool);
	flip_run(bench->dir, 0xb2, 5000, 0);
	flip_run(bench->dir, 0xb3, 5000, 0);
	open_spool(bench);
	assert_int_equal(spool_set_aside(bench->spool, KIND_ORDER, 1, &header), 0);
	assert_int_equal(in_child(read_damaged, bench->dir), 0);
}

static void test_the_reader_of_nothing_says_so(void **state)
{
	struct spool_reader *reader = NULL;
	struct spool_error error;

	(void)state;
	assert_int_equal(spool_reader_new("/no/such/spool", &reader, &error), SPOOL_E_ABSENT);
	assert_non_null(strstr(error.text, "/no/such/spool"));
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_blocks_survive_a_restart),
		BENCH_TEST(test_what_was_not_committed_is_not_there),
		BENCH_TEST(test_a_killed_edge_left_everything_that_it_committed),
		BENCH_TEST(test_small_blocks_leave_together_up_to_the_size_asked_for),
		BENCH_TEST(test_acknowledged_blocks_are_deleted_and_no_others),
		BENCH_TEST(test_many_blocks_come_and_go_and_the_map_stays_in_use),
		BENCH_TEST(test_a_full_map_writes_nothing_and_can_be_emptied),
		BENCH_TEST(test_what_the_quota_admits_leaves_a_quarter_of_the_map),
		BENCH_TEST(test_a_damaged_block_is_set_aside_and_the_rest_is_read),
		BENCH_TEST(test_a_block_without_a_readable_header_is_set_aside_at_opening),
		BENCH_TEST(test_a_file_that_is_no_lmdb_is_refused_and_left_alone),
		BENCH_TEST(test_a_damaged_tree_is_refused),
		BENCH_TEST(test_a_file_that_was_cut_off_is_refused),
		BENCH_TEST(test_the_spool_of_another_edge_is_refused),
		BENCH_TEST(test_an_empty_file_becomes_a_spool),
		BENCH_TEST(test_a_second_edge_on_one_directory_is_refused),
		BENCH_TEST(test_a_directory_that_cannot_be_made_is_named),
		BENCH_TEST(test_producers_survive_a_restart_with_their_last_number),
		BENCH_TEST(test_producers_that_went_away_are_forgotten),
		BENCH_TEST(test_event_ids_are_known_within_their_window),
		BENCH_TEST(test_the_cluster_is_kept),
		BENCH_TEST(test_the_reader_sees_all_blocks_beside_a_running_edge),
		BENCH_TEST(test_the_reader_names_damaged_and_set_aside_blocks),
		BENCH_TEST(test_the_reader_of_nothing_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
