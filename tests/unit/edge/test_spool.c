/* The spool on a real directory: what is there after a restart, a kill, and a full map; what it remembers. */
#include "spool_bench.h"
#include "tests/lib/killed_reader.h"

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
	assert_int_equal(spool_oldest_ms(bench->spool, KIND_ORDER), WALL_MS);
}

static void test_what_was_not_committed_is_not_there(void **state)
{
	struct bench *bench = *state;

	add(bench, KIND_ORDER, 10, 'a');
	reopen(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 0);
	assert_int_equal(spool_oldest_ms(bench->spool, KIND_ORDER), 0);
}

/* Live-first deletes what came last while the first block stays; NACKs leave holes anywhere. */
static void test_the_oldest_is_found_whatever_was_deleted_before_it(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 6; i++) {
		uint64_t seq;
		uint8_t *room = buffer_extend(draft_begin(&bench->draft, KIND_ORDER, &seq), 10);
		memset(room, 'a', 10);
		assert_int_equal(draft_end(&bench->draft, KIND_ORDER, WALL_MS + i), 0);
		assert_int_equal(commit(bench), 0);
	}
	static const uint64_t deleted[] = {5, 4, 1, 0, 2, 3};
	static const int64_t oldest_ms[] = {WALL_MS, WALL_MS, WALL_MS, WALL_MS + 2, WALL_MS + 3, 0};
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(
			removals_add(&bench->removals, KIND_ORDER, deleted[i], deleted[i]), 0);
		assert_int_equal(commit(bench), 0);
		assert_int_equal(spool_oldest_ms(bench->spool, KIND_ORDER), oldest_ms[i]);
		assert_int_equal(spool_oldest_ms(bench->spool, KIND_VIEW), 0);
		assert_int_equal(lane_of(bench, KIND_ORDER)->blocks, 5 - i);
	}
}

static void test_a_reading_ends_when_there_is_enough(void **state)
{
	struct bench *bench = *state;
	struct spool_batch batch;
	struct spool_query query = {
		.lane = KIND_ORDER, .last = UINT64_MAX, .size_max = 1000, .size_enough = 15};

	for (int i = 0; i < 4; i++) {
		add_block(bench, KIND_ORDER, 10, 'a');
	}
	assert_int_equal(spool_read(bench->spool, &query, &bench->events, &batch), 0);
	assert_int_equal(batch.last, 1);
	query.size_enough = 1; /* a whole block all the same */
	assert_int_equal(spool_read(bench->spool, &query, &bench->events, &batch), 0);
	assert_int_equal(batch.count, 1);
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

/* 150 kB a round, of which forty blocks stay; `*first` is the oldest. */
static void pass_blocks(struct bench *bench, int rounds, uint64_t *first)
{
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 3; i++) {
			add(bench, KIND_ORDER, 50000, (uint8_t)round);
		}
		assert_int_equal(commit(bench), 0);
		uint64_t end = lane_of(bench, KIND_ORDER)->end;
		if (end > *first + 60) {
			removals_add(&bench->removals, KIND_ORDER, *first, end - 41);
			*first = end - 40;
		}
	}
}

static void test_many_blocks_come_and_go_and_the_map_stays_in_use(void **state)
{
	struct bench *bench = *state;
	uint64_t first = 0;

	pass_blocks(bench, 300, &first); /* 45 MB through a map of some 30 */
	assert_int_equal(spool_measure(bench->spool), 0);
	assert_false(spool_index(bench->spool)->short_of_pages);
}

/* Pages that its transaction could see are used for nothing else as long as it counts as a reader. */
static void test_a_tool_that_is_killed_over_a_spool_costs_no_room(void **state)
{
	struct bench *bench = *state;
	uint64_t first = 0;

	pass_blocks(bench, 30, &first);
	assert_int_equal(killed_reader_leave(bench->dir), 0);
	for (int seconds = 0; seconds < 30; seconds++) { /* 45 MB, too */
		pass_blocks(bench, 10, &first);
		assert_int_equal(spool_measure(bench->spool), 0);
		assert_false(spool_index(bench->spool)->short_of_pages);
	}
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

static bool knows(struct bench *bench, const char *id)
{
	struct intake_memory memory = spool_memory(bench->spool);
	struct slice kept;
	return memory.event_id(memory.owner, slice_of_text(id), &kept) == 0;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_blocks_survive_a_restart),
		BENCH_TEST(test_what_was_not_committed_is_not_there),
		BENCH_TEST(test_the_oldest_is_found_whatever_was_deleted_before_it),
		BENCH_TEST(test_a_reading_ends_when_there_is_enough),
		BENCH_TEST(test_a_killed_edge_left_everything_that_it_committed),
		BENCH_TEST(test_small_blocks_leave_together_up_to_the_size_asked_for),
		BENCH_TEST(test_acknowledged_blocks_are_deleted_and_no_others),
		BENCH_TEST(test_many_blocks_come_and_go_and_the_map_stays_in_use),
		BENCH_TEST(test_a_tool_that_is_killed_over_a_spool_costs_no_room),
		BENCH_TEST(test_a_full_map_writes_nothing_and_can_be_emptied),
		BENCH_TEST(test_what_the_quota_admits_leaves_a_quarter_of_the_map),
		BENCH_TEST(test_producers_survive_a_restart_with_their_last_number),
		BENCH_TEST(test_producers_that_went_away_are_forgotten),
		BENCH_TEST(test_event_ids_are_known_within_their_window),
		BENCH_TEST(test_the_cluster_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
