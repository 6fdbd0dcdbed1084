/* Damaged files, and the reader that tools use to look at them. */
#include "spool_bench.h"
#include "tests/unit/rounds.h"

/* ---- damage */

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

/* Of "tail:kkkk…": the bit makes it another source's, so no source misses it. */
static void test_a_mark_whose_name_is_damaged_is_counted(void **state)
{
	struct bench *bench = *state;
	static const char mark[] = "tail:kkkkkkkkkkkkkkkkkkkk\0position";

	assert_int_equal(
		draft_add_mark(&bench->draft, slice_of((const uint8_t *)mark, sizeof mark - 1),
			slice_of_text("17")),
		0);
	add_block(bench, KIND_ORDER, 100, 'x');
	reopen(bench);
	assert_int_equal(spool_corrupt(bench->spool).marks, 0);
	bench->spool = spool_free(bench->spool);
	flip_run(bench->dir, 'k', 20, 3);
	open_spool(bench);
	assert_int_equal(spool_corrupt(bench->spool).marks, 1);
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

/* Lines of seqs, with what was set aside beside them: what the edge reports of its disk. */
static void test_the_seqs_on_disk_are_listed(void **state)
{
	struct bench *bench = *state;
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	struct spool_block_header header;
	uint32_t count = 99;
	bool is_cut = true;

	assert_int_equal(spool_list_ranges(bench->spool, ranges, &count, &is_cut), 0);
	assert_int_equal(count, 0);
	assert_false(is_cut);
	for (uint8_t byte = 1; byte <= 6; byte++) {
		add_block(bench, KIND_ORDER, 10, byte);
	}
	add_block(bench, KIND_CART, 10, 7);
	assert_int_equal(removals_add(&bench->removals, KIND_ORDER, 1, 1), 0);
	assert_int_equal(removals_add(&bench->removals, KIND_ORDER, 3, 3), 0);
	assert_int_equal(commit(bench), 0);
	assert_int_equal(spool_set_aside(bench->spool, KIND_ORDER, 5, &header), 0);
	assert_int_equal(spool_list_ranges(bench->spool, ranges, &count, &is_cut), 0);
	assert_false(is_cut);
	const struct {
		enum kind kind;
		uint64_t first, last;
		bool is_aside;
	} wanted[] = {{KIND_ORDER, 1, 1, false}, {KIND_ORDER, 3, 3, false},
		{KIND_ORDER, 5, 5, false}, {KIND_CART, 1, 1, false}, {KIND_ORDER, 6, 6, true}};
	assert_int_equal(count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(ranges[i].run, 4711);
		assert_int_equal(ranges[i].kind, wanted[i].kind);
		assert_int_equal(ranges[i].first, wanted[i].first);
		assert_int_equal(ranges[i].last, wanted[i].last);
		assert_int_equal(ranges[i].is_aside, wanted[i].is_aside);
	}
}

/* More pieces than a report holds: that is said, so that nobody misses the rest. */
static void test_a_list_of_too_many_pieces_says_that_it_is_cut(void **state)
{
	struct bench *bench = *state;
	struct telemetry_range ranges[TELEMETRY_RANGES_MAX];
	uint32_t count = 0;
	bool is_cut = false;

	for (int i = 0; i < 2 * (TELEMETRY_RANGES_MAX + 1); i++) {
		add_block(bench, KIND_ORDER, 10, 1);
	}
	uint64_t end = lane_of(bench, KIND_ORDER)->end;
	for (uint64_t index = 1; index < end; index += 2) {
		assert_int_equal(removals_add(&bench->removals, KIND_ORDER, index, index), 0);
	}
	assert_int_equal(commit(bench), 0);
	assert_int_equal(spool_list_ranges(bench->spool, ranges, &count, &is_cut), 0);
	assert_true(is_cut);
	assert_int_equal(count, TELEMETRY_RANGES_MAX);
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

/* Reads everything, then deletes it: 0 when all 400 events came whole or what is missing was set aside, 1 when the spool
 * was refused; anything else is a lie. */
static int read_and_delete(const char *dir)
{
	struct spool_options options = {.dir = dir,
		.edge = "berlin-1",
		.quota_bytes = 8 << 20,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.event_id_window = 100,
		.producer_ttl_ms = 1000};
	struct spool *spool = NULL;
	struct spool_error error;
	struct removals removals = {0};
	struct buffer events;
	uint32_t count = 0;

	int r = spool_new(&options, &spool, &error);
	if (r != 0) {
		return 1;
	}
	buffer_init(&events, 1 << 20);
	for (uint64_t next = 0; r != SPOOL_E_END;) {
		struct spool_query query = {.lane = KIND_ORDER,
			.first = next,
			.last = UINT64_MAX,
			.size_max = BATCH_SIZE_MAX};
		struct spool_batch batch;
		struct spool_block_header header;
		buffer_clear(&events);
		r = spool_read(spool, &query, &events, &batch);
		if (r == SPOOL_E_CORRUPT) {
			r = spool_set_aside(spool, KIND_ORDER, batch.first, &header);
		} else if (r == 0) {
			count += batch.count;
			next = batch.last + 1;
			removals_add(&removals, KIND_ORDER, batch.first, batch.last);
		}
		if (r < 0) {
			return 2;
		}
		for (size_t i = 0; i < events.size; i++) {
			if (events.bytes[i] != 'v') {
				return 3;
			}
		}
	}
	if (spool_commit(spool, NULL, &removals, WALL_MS) != 0) {
		return 4;
	}
	if (spool_index(spool)->lanes[KIND_ORDER].blocks != 0) {
		return 5;
	}
	return count == 400 || spool_corrupt(spool).blocks > 0 ? 0 : 6;
}

/* LMDB has no checksums. Wherever a bit flips, the spool is refused or what is missing is known: never is something
 * else sent, and never does the edge itself crash. */
static void test_no_flipped_bit_anywhere_is_taken_for_truth(void **state)
{
	struct bench *bench = *state;
	char path[FIXTURE_PATH_SIZE * 2];
	struct stat file;
	uint32_t chance = 1;

	for (int i = 0; i < 200; i++) {
		add(bench, KIND_ORDER, 300, 'v');
		add_event_id(bench, "id", i);
		add_block(bench, KIND_ORDER, 2500, 'v');
	}
	bench->spool = spool_free(bench->spool);
	snprintf(path, sizeof path, "%s/data.mdb", bench->dir);
	int fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &file), 0);
	uint8_t *bytes = malloc((size_t)file.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)file.st_size, 0), file.st_size);
	for (int i = 0; i < rounds_of(200); i++) {
		chance = chance * 1664525 + 1013904223;
		off_t at = (off_t)(chance % (uint32_t)file.st_size);
		uint8_t flipped = bytes[at] ^ (uint8_t)(1 << (chance >> 29));
		assert_int_equal(pwrite(fd, bytes, (size_t)file.st_size, 0), file.st_size);
		assert_int_equal(ftruncate(fd, file.st_size), 0);
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		int code = in_child(read_and_delete, bench->dir);
		if (code > 1) {
			fail_msg("bit at page %lld + %lld: %d", (long long)at / 4096,
				(long long)at % 4096, code);
		}
	}
	free(bytes);
	close(fd);
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

/* ---- the reader of tools */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_a_damaged_block_is_set_aside_and_the_rest_is_read),
		BENCH_TEST(test_a_block_without_a_readable_header_is_set_aside_at_opening),
		BENCH_TEST(test_a_mark_whose_name_is_damaged_is_counted),
		BENCH_TEST(test_the_seqs_on_disk_are_listed),
		BENCH_TEST(test_a_list_of_too_many_pieces_says_that_it_is_cut),
		BENCH_TEST(test_a_file_that_is_no_lmdb_is_refused_and_left_alone),
		BENCH_TEST(test_a_damaged_tree_is_refused),
		BENCH_TEST(test_a_file_that_was_cut_off_is_refused),
		BENCH_TEST(test_no_flipped_bit_anywhere_is_taken_for_truth),
		BENCH_TEST(test_the_spool_of_another_edge_is_refused),
		BENCH_TEST(test_an_empty_file_becomes_a_spool),
		BENCH_TEST(test_a_second_edge_on_one_directory_is_refused),
		BENCH_TEST(test_a_directory_that_cannot_be_made_is_named),
		BENCH_TEST(test_the_reader_sees_all_blocks_beside_a_running_edge),
		BENCH_TEST(test_the_reader_names_damaged_and_set_aside_blocks),
		BENCH_TEST(test_the_reader_of_nothing_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
