/* Rows that went missing, or are as they were earlier, without a trace in LMDB's trees: the sums know. Rows are changed here
 * through LMDB, and the file is then copied, as LMDB numbers the transactions of a copy anew: only the sums can tell. */
#include "edge/spool_block.h"
#include "edge/spool_identity.h"
#include "spool_bench.h"
#include "tests/unit/lmdb_file.h"

enum { ROW_SIZE_MAX = 64 * 1024 };

struct row {
	size_t size; /* 0: there is none */
	uint8_t bytes[ROW_SIZE_MAX];
};

/* No table: among their names. */
static void get_row(const char *dir, const char *table, struct slice key, struct row *row)
{
	MDB_env *env = open_file(dir);
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val name = {key.size, (void *)(uintptr_t)key.bytes}, value;

	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &name, &value), 0);
	assert_in_range(value.mv_size, 1, sizeof row->bytes);
	row->size = value.mv_size;
	memcpy(row->bytes, value.mv_data, value.mv_size);
	mdb_txn_abort(txn);
	mdb_env_close(env);
}

/* A row of no bytes: it is taken away. */
static void put_row_and_number(
	const char *dir, const char *table, struct slice key, const struct row *row, bool numbers)
{
	MDB_env *env = open_file(dir);

	file_put(env, table, (MDB_val){key.size, (void *)(uintptr_t)key.bytes},
		(MDB_val){row->size, (void *)(uintptr_t)row->bytes});
	if (numbers) {
		mdb_env_close(env);
	} else {
		copy_over(env, dir);
	}
}

static void put_row(const char *dir, const char *table, struct slice key, const struct row *row)
{
	put_row_and_number(dir, table, key, row, false);
}

static void forget_that_it_was_looked_at(const struct bench *bench)
{
	char path[FIXTURE_PATH_SIZE * 2];
	snprintf(path, sizeof path, "%s/looked", bench->dir);
	(void)unlink(path);
}

/* The file is read whole. */
static void expect_sound(struct bench *bench)
{
	bench->spool = spool_free(bench->spool);
	forget_that_it_was_looked_at(bench);
	open_spool(bench);
}

static void expect_refused(struct bench *bench, const char *words)
{
	int r = spool_new(&bench->options, &bench->spool, &bench->error);
	assert_int_equal(r, SPOOL_E_FOREIGN);
	if (strstr(bench->error.text, words) == NULL) {
		fail_msg("\"%s\" is not in \"%s\"", words, bench->error.text);
	}
}

/* ---- what lies in it */

static void put_producer(struct bench *bench, uint64_t n)
{
	struct producer_row row = {.n = n, .used_ms = WALL_MS, .reply = slice_of_text("reply")};
	struct buffer bytes;

	buffer_init(&bytes, 1024);
	producer_row_encode(slice_of_text("till-1"), &row, &bytes);
	assert_int_equal(
		idmap_add(&bench->draft.producers, slice_of_text("till-1"), buffer_slice(&bytes)),
		0);
	buffer_deinit(&bytes);
}

static struct slice mark_key(void)
{
	static const char key[] = "tail:a\0position";
	return slice_of(key, sizeof key - 1);
}

static void put_mark(struct bench *bench, const char *value)
{
	assert_int_equal(draft_add_mark(&bench->draft, mark_key(), slice_of_text(value)), 0);
}

static struct slice block_key(uint64_t index, uint8_t out[SPOOL_KEY_SIZE])
{
	spool_key_encode(KIND_ORDER, index, out);
	return slice_of(out, SPOOL_KEY_SIZE);
}

/* One row of each kind, at least, and all of them again with other values. */
static void fill(struct bench *bench, uint64_t n)
{
	struct spool_block_header header;
	struct slice request = slice_of("\0key", 4);
	char text[16];

	snprintf(text, sizeof text, "%d", (int)n);
	put_producer(bench, n);
	put_mark(bench, text);
	add_event_id(bench, "id-", (int)n);
	add_event_id(bench, "dlq:orders.dlq/0/", (int)n);
	if (n == 1) {
		assert_int_equal(idmap_add(&bench->draft.event_ids, request,
					 slice_of_text("what was answered")),
			0);
	}
	add(bench, KIND_ORDER, 700, (uint8_t)n);
	assert_int_equal(commit(bench), 0);
	add_block(bench, KIND_ORDER, 700, (uint8_t)n);
	uint64_t last = lane_of(bench, KIND_ORDER)->end - 1;
	assert_int_equal(spool_set_aside(bench->spool, KIND_ORDER, last, &header), 0);
}

struct place {
	const char *table;
	struct slice key;
	const char *words;
};

enum { PLACES = 6 };

static void list_places(struct place places[PLACES], uint8_t key[2][SPOOL_KEY_SIZE])
{
	const struct place all[PLACES] = {
		{"producers", slice_of_text("till-1"), "earlier: producers@"},
		{"marks", mark_key(), "earlier: marks@"},
		{"event_ids", slice_of_text("dlq:orders.dlq/0/1"), "earlier: event-ids@"},
		{"event_ids", slice_of("\0key", 4), "damaged"},
		{"blocks", block_key(0, key[0]), "earlier: events@"},
		{"corrupt", block_key(1, key[1]), "earlier: set-aside@"},
	};
	memcpy(places, all, sizeof all);
}

/* ---- tests */

static void test_a_row_that_is_missing_from_any_table_is_noticed(void **state)
{
	struct bench *bench = *state;
	static struct row row, none;
	struct place places[PLACES];
	uint8_t keys[2][SPOOL_KEY_SIZE];

	fill(bench, 1);
	fill(bench, 2);
	expect_sound(bench);
	bench->spool = spool_free(bench->spool);
	list_places(places, keys);
	for (int i = 0; i < PLACES; i++) {
		get_row(bench->dir, places[i].table, places[i].key, &row);
		put_row(bench->dir, places[i].table, places[i].key, &none);
		expect_refused(bench, places[i].words);
		put_row(bench->dir, places[i].table, places[i].key, &row);
		open_spool(bench);
		bench->spool = spool_free(bench->spool);
	}
}

/* Each is sound for itself, and there are as many as there should be. */
static void test_a_row_as_it_was_earlier_is_noticed_in_any_table(void **state)
{
	struct bench *bench = *state;
	static struct row older, row;
	struct place places[2];
	const struct place changing[] = {{"producers", slice_of_text("till-1"), "producers"},
		{"marks", mark_key(), "marks"}};

	for (size_t i = 0; i < 2; i++) {
		places[i] = changing[i];
		fill(bench, 2 * i + 1);
		bench->spool = spool_free(bench->spool);
		get_row(bench->dir, places[i].table, places[i].key, &older);
		open_spool(bench);
		fill(bench, 2 * i + 2);
		bench->spool = spool_free(bench->spool);
		get_row(bench->dir, places[i].table, places[i].key, &row);
		put_row(bench->dir, places[i].table, places[i].key, &older);
		expect_refused(bench, places[i].words);
		put_row(bench->dir, places[i].table, places[i].key, &row);
		open_spool(bench);
	}
}

/* A lane that was empty at a start begins again with 0. */
static void test_an_earlier_block_under_the_key_of_a_later_one_is_noticed(void **state)
{
	struct bench *bench = *state;
	static struct row older;
	uint8_t key[SPOOL_KEY_SIZE];

	add_block(bench, KIND_ORDER, 700, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "blocks", block_key(0, key), &older);
	open_spool(bench);
	assert_int_equal(removals_add(&bench->removals, KIND_ORDER, 0, 0), 0);
	assert_int_equal(commit(bench), 0);
	reopen(bench);
	add_block(bench, KIND_ORDER, 700, 2);
	assert_int_equal(lane_of(bench, KIND_ORDER)->end, 1);
	bench->spool = spool_free(bench->spool);
	put_row(bench->dir, "blocks", block_key(0, key), &older);
	expect_refused(bench, "earlier: events@");
}

static void test_what_was_answered_to_a_request_is_what_was_written(void **state)
{
	struct bench *bench = *state;
	static struct row row;

	fill(bench, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "event_ids", slice_of("\0key", 4), &row);
	row.bytes[row.size - 1] ^= 1;
	put_row(bench->dir, "event_ids", slice_of("\0key", 4), &row);
	expect_refused(bench, "event-ids");
}

static void test_sums_of_an_earlier_time_beside_later_rows_are_noticed(void **state)
{
	struct bench *bench = *state;
	static struct row older;

	fill(bench, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, NULL, slice_of_text("sums"), &older);
	open_spool(bench);
	fill(bench, 2);
	bench->spool = spool_free(bench->spool);
	put_row(bench->dir, NULL, slice_of_text("sums"), &older);
	expect_refused(bench, "events,set-aside,producers,event-ids,marks");
}

/* As the whole tree of an earlier time would be under the newest first page. */
static void test_a_state_that_is_not_of_the_last_transaction_is_noticed(void **state)
{
	struct bench *bench = *state;
	static struct row row;

	fill(bench, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "producers", slice_of_text("till-1"), &row);
	put_row_and_number(bench->dir, "producers", slice_of_text("till-1"), &row, true);
	expect_refused(bench, "damaged");
}

static void test_a_table_or_the_sums_that_are_missing_are_noticed(void **state)
{
	struct bench *bench = *state;
	static struct row sums, none;

	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, NULL, slice_of_text("sums"), &sums);
	put_row(bench->dir, NULL, slice_of_text("sums"), &none);
	expect_refused(bench, "damaged");
	put_row(bench->dir, NULL, slice_of_text("sums"), &sums);
	open_spool(bench);
	bench->spool = spool_free(bench->spool);
	drop_table(bench->dir, "marks");
	expect_refused(bench, "damaged");
}

/* ---- going on all the same */

/* What the refusal says after --accept-lost. */
static void read_words(const struct bench *bench, char words[64])
{
	const char *at = strstr(bench->error.text, "--accept-lost ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "--accept-lost %63[^;]", words), 1);
}

static void test_an_operator_may_go_on_without_what_is_missing(void **state)
{
	struct bench *bench = *state;
	static struct row none;
	char words[64];
	uint8_t key[SPOOL_KEY_SIZE];

	fill(bench, 1);
	fill(bench, 2);
	bench->spool = spool_free(bench->spool);
	put_row_and_number(bench->dir, "producers", slice_of_text("till-1"), &none, false);
	put_row(bench->dir, "blocks", block_key(0, key), &none);
	expect_refused(bench, "earlier: events,producers@");
	read_words(bench, words);
	bench->options.accept_lost = "producers@1";
	expect_refused(bench, words);
	bench->options.accept_lost = words;
	open_spool(bench);
	assert_true(spool_has_lost(bench->spool));
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 1);
	assert_int_equal(spool_compact(bench->spool), 0);
	expect_sound(bench);
	assert_false(spool_has_lost(bench->spool));
	fill(bench, 3);
	expect_sound(bench);
	/* words that are left on the command line cover no other loss */
	bench->spool = spool_free(bench->spool);
	put_row(bench->dir, "producers", slice_of_text("till-1"), &none);
	expect_refused(bench, "earlier: producers@");
}

/* 1: it says nothing of it; 2: it does not read what is there. */
static int read_what_is_there(const char *dir)
{
	struct spool_reader *reader = NULL;
	struct spool_error error;
	struct spool_block block;

	if (spool_reader_new(dir, &reader, &error) != 0) {
		return 2;
	}
	bool is_said = strstr(spool_reader_lost(reader), "earlier: events@") != NULL;
	int r = spool_reader_next(reader, &block);
	bool is_read = r == 0 && block.index == 2 && block.state == SPOOL_BLOCK_OK;
	spool_reader_free(reader);
	return is_said ? is_read ? 0 : 2 : 1;
}

static void test_a_tool_says_what_is_missing_and_reads_what_is_there(void **state)
{
	struct bench *bench = *state;
	static struct row none;
	uint8_t key[SPOOL_KEY_SIZE];

	fill(bench, 1);
	fill(bench, 2);
	bench->spool = spool_free(bench->spool);
	put_row(bench->dir, "blocks", block_key(0, key), &none);
	assert_int_equal(in_child(read_what_is_there, bench->dir), 0);
}

/* ---- what is said elsewhere is not refused */

static void test_a_damaged_mark_is_counted_until_it_is_written_again(void **state)
{
	struct bench *bench = *state;
	static struct row row;

	fill(bench, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "marks", mark_key(), &row);
	row.bytes[row.size - 1] ^= 1;
	put_row(bench->dir, "marks", mark_key(), &row);
	open_spool(bench);
	assert_int_equal(spool_corrupt(bench->spool).marks, 1);
	expect_sound(bench);
	assert_int_equal(spool_corrupt(bench->spool).marks, 1);
	fill(bench, 2);
	expect_sound(bench);
	assert_int_equal(spool_corrupt(bench->spool).marks, 0);
}

static void test_a_block_without_a_header_is_set_aside_and_the_rest_adds_up(void **state)
{
	struct bench *bench = *state;
	static struct row row;
	uint8_t key[SPOOL_KEY_SIZE];

	fill(bench, 1);
	fill(bench, 2);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "blocks", block_key(0, key), &row);
	row.bytes[9] ^= 1;
	put_row(bench->dir, "blocks", block_key(0, key), &row);
	open_spool(bench);
	assert_int_equal(spool_corrupt(bench->spool).unreadable_headers, 1);
	expect_sound(bench);
	fill(bench, 3);
	expect_sound(bench);
}

/* Once it was said, the other rows are held against sums again. */
static void test_beside_a_mark_that_is_known_to_be_damaged_another_is_missed(void **state)
{
	struct bench *bench = *state;
	static struct row row, older;
	struct slice other = slice_of_text("tail:b");

	assert_int_equal(draft_add_mark(&bench->draft, other, slice_of_text("1")), 0);
	fill(bench, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "marks", other, &older);
	open_spool(bench);
	assert_int_equal(draft_add_mark(&bench->draft, other, slice_of_text("2")), 0);
	fill(bench, 2);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "marks", mark_key(), &row);
	row.bytes[row.size - 1] ^= 1;
	put_row(bench->dir, "marks", mark_key(), &row);
	open_spool(bench);
	bench->spool = spool_free(bench->spool);
	put_row(bench->dir, "marks", other, &older);
	expect_refused(bench, "earlier: marks@");
}

/* Nobody reads it any more, but its header told which events are missing. */
static void test_a_header_that_is_damaged_after_it_was_set_aside_is_counted(void **state)
{
	struct bench *bench = *state;
	static struct row row;
	uint8_t key[SPOOL_KEY_SIZE];

	fill(bench, 1);
	bench->spool = spool_free(bench->spool);
	get_row(bench->dir, "corrupt", block_key(1, key), &row);
	row.bytes[9] ^= 1;
	put_row(bench->dir, "corrupt", block_key(1, key), &row);
	open_spool(bench);
	assert_int_equal(spool_corrupt(bench->spool).unreadable_headers, 1);
	expect_sound(bench);
}

/* ---- spools of an older till */

static void make_it_old(struct bench *bench, bool has_marks)
{
	static struct row row, none;
	struct spool_identity identity = *spool_identity(bench->spool);
	struct buffer bytes;

	bench->spool = spool_free(bench->spool);
	identity.version = SPOOL_VERSION_WITHOUT_SUMS;
	buffer_init(&bytes, 1024);
	spool_identity_encode(&identity, &bytes);
	row.size = bytes.size;
	memcpy(row.bytes, bytes.bytes, bytes.size);
	buffer_deinit(&bytes);
	put_row(bench->dir, "meta", slice_of_text("identity"), &row);
	put_row(bench->dir, NULL, slice_of_text("sums"), &none);
	if (!has_marks) {
		drop_table(bench->dir, "marks");
	}
}

static void test_a_spool_without_sums_gets_them_when_it_is_opened(void **state)
{
	struct bench *bench = *state;
	static struct row none;

	fill(bench, 1);
	make_it_old(bench, true);
	open_spool(bench);
	assert_int_equal(lane_of(bench, KIND_ORDER)->events, 1);
	expect_sound(bench);
	fill(bench, 2);
	expect_sound(bench);
	bench->spool = spool_free(bench->spool);
	put_row(bench->dir, "producers", slice_of_text("till-1"), &none);
	expect_refused(bench, "producers");
}

static void test_an_empty_spool_without_sums_and_marks_gets_them(void **state)
{
	struct bench *bench = *state;

	make_it_old(bench, false);
	open_spool(bench);
	expect_sound(bench);
	fill(bench, 1);
	expect_sound(bench);
}

/* ---- whatever is done */

static void test_sums_hold_through_all_that_a_spool_does(void **state)
{
	struct bench *bench = *state;
	char name[64];

	for (int i = 1; i < 60; i++) {
		fill(bench, (uint64_t)i);
		for (int j = 0; j < 20; j++) { /* a window of 100 */
			add_event_id(bench, "more-", 20 * i + j);
		}
		if (i % 3 == 0) {
			snprintf(name, sizeof name, "cluster-%d", i);
			assert_int_equal(spool_keep_cluster(bench->spool, name, 7), 0);
			assert_int_equal(
				draft_add_mark(&bench->draft, mark_key(), slice_of(NULL, 0)), 0);
		}
		assert_int_equal(
			removals_add(&bench->removals, KIND_ORDER, (uint64_t)i, 2 * (uint64_t)i),
			0);
		assert_int_equal(spool_commit(bench->spool, &bench->draft, &bench->removals,
					 WALL_MS + 400 * i), /* producers go after 1000 ms */
			0);
		draft_clear(&bench->draft);
		removals_clear(&bench->removals);
		if (i % 10 == 0) {
			assert_int_equal(spool_compact(bench->spool), 0);
		}
		expect_sound(bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_a_row_that_is_missing_from_any_table_is_noticed),
		BENCH_TEST(test_a_row_as_it_was_earlier_is_noticed_in_any_table),
		BENCH_TEST(test_an_earlier_block_under_the_key_of_a_later_one_is_noticed),
		BENCH_TEST(test_what_was_answered_to_a_request_is_what_was_written),
		BENCH_TEST(test_sums_of_an_earlier_time_beside_later_rows_are_noticed),
		BENCH_TEST(test_a_state_that_is_not_of_the_last_transaction_is_noticed),
		BENCH_TEST(test_a_table_or_the_sums_that_are_missing_are_noticed),
		BENCH_TEST(test_an_operator_may_go_on_without_what_is_missing),
		BENCH_TEST(test_a_tool_says_what_is_missing_and_reads_what_is_there),
		BENCH_TEST(test_a_damaged_mark_is_counted_until_it_is_written_again),
		BENCH_TEST(test_a_block_without_a_header_is_set_aside_and_the_rest_adds_up),
		BENCH_TEST(test_beside_a_mark_that_is_known_to_be_damaged_another_is_missed),
		BENCH_TEST(test_a_header_that_is_damaged_after_it_was_set_aside_is_counted),
		BENCH_TEST(test_a_spool_without_sums_gets_them_when_it_is_opened),
		BENCH_TEST(test_an_empty_spool_without_sums_and_marks_gets_them),
		BENCH_TEST(test_sums_hold_through_all_that_a_spool_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
