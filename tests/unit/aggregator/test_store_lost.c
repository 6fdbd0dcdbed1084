/* Rows of a store that went missing, or are as they were earlier, without a trace in LMDB's trees: the sums know. Rows are changed here
 * through LMDB, and the file is then copied, as LMDB numbers the transactions of a copy anew: only the sums can tell. */
#include "aggregator/books/ledger.h"
#include "aggregator/store/commit.h"
#include "aggregator/store/store_layout.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include "tests/unit/lmdb_file.h"

enum { MAP_SIZE = 64 * 1024 * 1024, ROW_SIZE_MAX = 8192, WORDS_SIZE = 256 };

struct fixture {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct store *store;
	uint64_t seq, commits;
};

/* ---- the file */

struct row {
	size_t key_size, size; /* size 0: there is none */
	uint8_t key[ROW_KEY_SIZE_MAX], bytes[ROW_SIZE_MAX];
};

/* The last row of a table; of no table: the one that is no table's name. */
static void get_last(const char *dir, const char *table, struct row *row)
{
	MDB_env *env = open_file(dir);
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_dbi dbi;
	MDB_val key = {4, "sums"}, value;

	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
	assert_int_equal(
		mdb_cursor_get(cursor, &key, &value, table == NULL ? MDB_SET : MDB_LAST), 0);
	assert_in_range(value.mv_size, 1, sizeof row->bytes);
	*row = (struct row){.key_size = key.mv_size, .size = value.mv_size};
	memcpy(row->key, key.mv_data, key.mv_size);
	memcpy(row->bytes, value.mv_data, value.mv_size);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
}

static void put_in(MDB_env *env, const char *table, const struct row *row)
{
	file_put(env, table, (MDB_val){row->key_size, (void *)(uintptr_t)row->key},
		(MDB_val){row->size, (void *)(uintptr_t)row->bytes});
}

static void put_row(const char *dir, const char *table, const struct row *row)
{
	MDB_env *env = open_file(dir);
	put_in(env, table, row);
	copy_over(env, dir);
}

static void put_sealed(const char *dir, const char *table, struct slice key, struct slice value)
{
	struct row row = {.key_size = key.size, .size = value.size + SEAL_SIZE};

	memcpy(row.key, key.bytes, key.size);
	seal_write(key, value, row.bytes);
	put_row(dir, table, &row);
}

/* ---- the store */

/* As a start after the machine went down: the file is read whole. */
static int open_in_doubt(struct fixture *fixture)
{
	const struct store_options options = {.dir = fixture->dir, .map_size = MAP_SIZE};
	char path[SCRATCH_PATH_SIZE + 16];

	fixture->store = store_free(fixture->store);
	snprintf(path, sizeof path, "%s/looked", fixture->dir);
	(void)unlink(path);
	return store_new(&options, &fixture->store);
}

static int open_as_after_a_kill(struct fixture *fixture)
{
	const struct store_options options = {.dir = fixture->dir, .map_size = MAP_SIZE};

	return store_new(&options, &fixture->store);
}

static void close_store(struct fixture *fixture)
{
	fixture->store = store_free(fixture->store);
}

static void put_text(struct commit *commit, enum store_table table, const char *key, uint64_t n)
{
	char text[32];
	snprintf(text, sizeof text, "as of %d", (int)n);
	commit_put(commit, table, slice_of_text(key), slice_of_text(text));
}

static void put_ledger(struct fixture *fixture, struct commit *commit)
{
	struct ledger ledger = {.commit = fixture->commits};
	struct buffer buffer;

	buffer_init(&buffer, 1 << 20);
	ledger.tallies[KIND_ORDER].accepted = fixture->seq;
	ledger_encode(&ledger, &buffer);
	commit_put(commit, TABLE_SUMMARY, SUMMARY_LEDGER, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

static void put_stream(struct fixture *fixture, struct commit *commit)
{
	struct stream_id id = {slice_of_text("berlin"), 4711, KIND_ORDER};
	struct stream_sums sums = {.accepted = fixture->seq};
	struct counted counted = {0};
	uint8_t key[STREAM_KEY_SIZE_MAX];
	struct buffer buffer;

	buffer_init(&buffer, 1 << 20);
	for (uint64_t seq = 1; seq <= fixture->seq; seq++) {
		assert_int_equal(counted_add(&counted, seq), 0);
	}
	stream_encode(&sums, &counted, &buffer);
	commit_put(
		commit, TABLE_STREAMS, slice_of(key, stream_key(&id, key)), buffer_slice(&buffer));
	counted_deinit(&counted);
	buffer_deinit(&buffer);
}

/* Sales, and a row of each other table, which each commit changes; and one more row each that stays as it is. */
static void write_commit(struct fixture *fixture, int count)
{
	struct commit commit;

	commit_init(&commit);
	commit.generation = 1;
	commit.number = ++fixture->commits;
	commit.views = fixture->views;
	commit.overlay = new_overlay(fixture->views);
	for (int i = 0; i < count; i++) {
		struct event event = sample_order(++fixture->seq, 1291191960000, "tea", 2, 2550000);
		char order[32];
		snprintf(order, sizeof order, "o%d", (int)fixture->seq);
		set_text(&event, FIELD_ORDER_ID, order);
		apply(commit.overlay, &event);
	}
	put_ledger(fixture, &commit);
	put_stream(fixture, &commit);
	for (enum store_table table = TABLE_OFFSETS; table < TABLE_COUNT; table++) {
		if (table != TABLE_SUMMARY) {
			put_text(&commit, table, "changes", fixture->commits);
			put_text(&commit, table, "a", 1);
		}
	}
	assert_int_equal(store_commit(fixture->store, &commit), 0);
	commit_deinit(&commit);
}

static void forget_user(struct fixture *fixture, const char *user, int64_t when_ms)
{
	struct tombstone tombstone = {.when_ms = when_ms, .until_ms = 5, .by = "boss"};
	struct forgotten wanted = {.has_key = true};
	struct forget_counts counts;

	assert_int_equal(forgotten_copy(store_forgotten(fixture->store), &wanted), 0);
	memcpy(wanted.key, "0123456789abcde", FORGOTTEN_KEY_SIZE);
	wanted.has_key = true;
	forgotten_hash(&wanted, slice_of_text(user), tombstone.hash);
	assert_int_equal(forgotten_put(&wanted, &tombstone), 0);
	assert_int_equal(store_forget(fixture->store, &wanted, slice_of_text(user), &counts), 0);
	forgotten_deinit(&wanted);
}

static void make_store(struct fixture *fixture)
{
	const struct store_root root = {
		.shard_count = 1, .live = 1, .next = 2, .live_id = "the-first"};

	fixture->seq = fixture->commits = 0;
	close_store(fixture);
	scratch_remove(fixture->dir);
	scratch_make(fixture->dir);
	assert_int_equal(open_in_doubt(fixture), 0);
	assert_int_equal(store_create_generation(fixture->store, &root, fixture->views), 0);
	write_commit(fixture, 3);
	forget_user(fixture, "nobody", 1);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	scratch_make(fixture->dir);
	fixture->views = sample_views();
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	close_store(fixture);
	view_set_free(fixture->views);
	scratch_remove(fixture->dir);
	free(fixture);
	return 0;
}

/* A whole round of the walk; how many parts complained, and the last words. */
static int walk(struct fixture *fixture, char words[WORDS_SIZE])
{
	int complaints = 0;

	words[0] = '\0';
	for (size_t i = 0; i < store_scrub_parts(fixture->views); i++) {
		int r = store_scrub(fixture->store, fixture->views, 1000, words, WORDS_SIZE);
		assert_true(r == 0 || r == STORE_E_CORRUPT);
		complaints += r == STORE_E_CORRUPT;
	}
	return complaints;
}

/* ---- where rows lie, and what is to be said of a missing one */

struct place {
	const char *table, *words;
	unsigned
		views; /* that are not to be read; 0: the store is refused, or what the walk says is all */
	bool is_opened;
};

enum { USERS_VIEW = 4 }; /* it is the last with rows and members */

static const struct place places[] = {
	{"rows.1", "view users: its rows do not add up", 1u << USERS_VIEW, true},
	{"members.1", "view users: what it counts as distinct does not add up", 1u << USERS_VIEW,
		true},
	{"streams.1", "table streams.1: rows are missing", 0, false},
	{"offsets.1", "table offsets.1: rows are missing", 0, false},
	{"summary.1", "table summary.1: rows are missing", 0, false},
	{"quarantine.1", "table quarantine.1: rows are missing", 0, true},
	{"fingerprints.1", "table fingerprints.1: rows are missing", 0, false},
	{"entries.1", "table entries.1: rows are missing", 0, false},
	{"meta", "table meta: rows are missing", 0, false},
};

enum { PLACES = sizeof places / sizeof places[0] };

static void expect_noticed(struct fixture *fixture, const struct place *place)
{
	char words[WORDS_SIZE];

	print_message("# %s\n", place->table);
	assert_int_equal(open_in_doubt(fixture), place->is_opened ? 0 : STORE_E_CORRUPT);
	if (place->is_opened) {
		assert_int_equal(store_damaged_views(fixture->store), place->views);
		assert_true(walk(fixture, words) > 0);
		assert_non_null(strstr(words, place->words));
	}
}

static void get_tombstone(struct row *row)
{
	const struct forgotten forgotten = {.has_key = true, .key = "0123456789abcde"};

	*row = (struct row){.key_size = 4 + FORGOTTEN_HASH_SIZE, .key = "gone"};
	forgotten_hash(&forgotten, slice_of_text("nobody"), row->key + 4);
}

/* To be taken away: the last one, but not the root. */
static void get_victim(const char *dir, const struct place *place, struct row *row)
{
	if (strcmp(place->table, "meta") == 0) {
		get_tombstone(row);
		return;
	}
	get_last(dir, place->table, row);
	row->size = 0;
}

/* ---- tests */

static void test_a_row_that_is_missing_from_any_table_is_noticed_at_the_start(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < PLACES; i++) {
		struct row row;
		make_store(fixture);
		close_store(fixture);
		get_victim(fixture->dir, &places[i], &row);
		put_row(fixture->dir, places[i].table, &row);
		expect_noticed(fixture, &places[i]);
	}
}

/* Members have no other value than none. */
static void test_a_row_of_an_earlier_time_is_noticed_in_any_table(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < PLACES; i++) {
		struct row row;
		if (strcmp(places[i].table, "members.1") == 0 ||
			strcmp(places[i].table, "meta") == 0) {
			continue;
		}
		make_store(fixture);
		close_store(fixture);
		get_last(fixture->dir, places[i].table, &row);
		assert_int_equal(open_in_doubt(fixture), 0);
		write_commit(fixture, 3);
		close_store(fixture);
		put_row(fixture->dir, places[i].table, &row);
		expect_noticed(fixture, &places[i]);
	}
}

/* The disk lost it while the aggregator runs, or while it was down after a kill and the file was not looked at. */
static void test_a_row_that_goes_missing_at_work_is_found_by_the_walk(void **state)
{
	struct fixture *fixture = *state;
	char words[WORDS_SIZE];

	for (size_t i = 0; i < PLACES; i++) {
		struct row row;
		make_store(fixture);
		close_store(fixture);
		get_victim(fixture->dir, &places[i], &row);
		assert_int_equal(open_in_doubt(fixture), 0);
		assert_int_equal(walk(fixture, words), 0);
		put_in(fixture->store->env, places[i].table, &row);
		print_message("# %s\n", places[i].table);
		assert_true(walk(fixture, words) > 0);
		assert_non_null(strstr(words, places[i].words));
		/* A view whose summary has gone is not read either. */
		bool is_summary = strcmp(places[i].table, "summary.1") == 0;
		assert_int_equal(store_damaged_views(fixture->store),
			is_summary ? 1u << USERS_VIEW : places[i].views);
	}
}

/* What is written beside it neither hides it nor is taken for more. */
static void test_what_is_committed_beside_a_missing_row_does_not_hide_it(void **state)
{
	struct fixture *fixture = *state;
	struct row row = {.key_size = 1, .key = "a"};
	char words[WORDS_SIZE];

	for (enum store_table table = TABLE_OFFSETS; table < TABLE_COUNT; table++) {
		char name[STORE_TABLE_NAME_SIZE];
		if (table == TABLE_SUMMARY) {
			continue;
		}
		make_store(fixture);
		store_table_name(table, 1, name);
		put_in(fixture->store->env, name, &row);
		struct commit commit;
		commit_init(&commit);
		commit.generation = 1;
		commit.views = fixture->views;
		commit.overlay = new_overlay(fixture->views);
		put_text(&commit, table, "changes", 7);
		commit_delete(&commit, table, slice_of_text("a"));
		assert_int_equal(store_commit(fixture->store, &commit), 0);
		commit_deinit(&commit);
		assert_int_equal(walk(fixture, words), 1);
		assert_non_null(strstr(words, name));
	}
}

static void test_the_walk_follows_commits_in_all_tables(void **state)
{
	struct fixture *fixture = *state;
	char words[WORDS_SIZE] = "";

	make_store(fixture);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(
			store_scrub(fixture->store, fixture->views, 1, words, sizeof words), 0);
		write_commit(fixture, i % 3);
		if (i % 50 == 0) {
			forget_user(fixture, "nobody", i);
		}
	}
	assert_int_equal(walk(fixture, words), 0);
	assert_int_equal(open_in_doubt(fixture), 0);
	assert_int_equal(store_damaged_views(fixture->store), 0);
}

/* A start after a mere kill does not look at the file, but reads all tombstones. */
static void test_a_tombstone_that_is_missing_is_noticed_at_any_start(void **state)
{
	struct fixture *fixture = *state;
	struct row row;

	make_store(fixture);
	get_tombstone(&row);
	put_in(fixture->store->env, "meta", &row);
	close_store(fixture);
	assert_int_equal(open_as_after_a_kill(fixture), STORE_E_CORRUPT);
}

static void test_a_table_or_the_sums_that_are_missing_condemn_the_store(void **state)
{
	static const char *const tables[] = {"rows.1", "members.1", "streams.1", "offsets.1",
		"summary.1", "quarantine.1", "fingerprints.1", "entries.1"};
	struct fixture *fixture = *state;
	struct row row;

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		make_store(fixture);
		close_store(fixture);
		drop_table(fixture->dir, tables[i]);
		assert_int_equal(open_in_doubt(fixture), STORE_E_CORRUPT);
	}
	make_store(fixture);
	close_store(fixture);
	get_last(fixture->dir, NULL, &row);
	row.size = 0;
	put_row(fixture->dir, NULL, &row);
	assert_int_equal(open_in_doubt(fixture), STORE_E_CORRUPT);
}

/* As when LMDB's newest first page names a tree of before. */
static void test_a_tree_that_is_not_of_the_last_transaction_condemns_the_store(void **state)
{
	struct fixture *fixture = *state;
	struct row row;

	make_store(fixture);
	close_store(fixture);
	get_last(fixture->dir, "offsets.1", &row);
	MDB_env *env = open_file(fixture->dir);
	put_in(env, "offsets.1", &row); /* the very same */
	mdb_env_close(env);
	assert_int_equal(open_in_doubt(fixture), STORE_E_CORRUPT);
}

/* ---- stores of before there were sums */

static void age_root(const char *dir)
{
	static const uint8_t version[] = {0, 0, 0, STORE_VERSION_WITHOUT_SUMS_FORGETFUL};
	struct slice key = slice_of_text("root");
	struct row row;

	get_last(dir, "meta", &row);
	assert_true(slice_equal(slice_of(row.key, row.key_size), key));
	memcpy(row.bytes + 4, version, sizeof version);
	put_sealed(dir, "meta", key, slice_of(row.bytes, row.size - SEAL_SIZE));
}

static void age_summary(const char *dir)
{
	uint8_t bytes[SUMMARY_KEY_SIZE];
	struct slice key = summary_key(USERS_VIEW, bytes), value;
	struct view_summary summary;
	struct buffer buffer;
	struct row row = {.key_size = key.size};

	MDB_env *env = open_file(dir);
	MDB_txn *txn;
	MDB_dbi dbi;
	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "summary.1", 0, &dbi), 0);
	assert_int_equal(sealed_get(txn, dbi, key, &value), 0);
	memcpy(row.bytes, value.bytes, value.size);
	row.size = value.size;
	mdb_txn_abort(txn);
	mdb_env_close(env);
	assert_true(view_summary_decode(slice_of(row.bytes, row.size), &summary));
	assert_true(summary.member_count > 0);
	summary.member_count = 0;
	buffer_init(&buffer, ROW_SIZE_MAX);
	view_summary_encode(&summary, &buffer);
	put_sealed(dir, "summary.1", key, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

/* The sums that it had of two of its tables. */
static void tell_old(const char *dir, struct slice name, const struct table_sum *sum)
{
	uint8_t bytes[16];

	pack_big_endian(bytes, sum->count, 8);
	pack_big_endian(bytes + 8, sum->hash_sum, 8);
	put_sealed(dir, "summary.1", name, slice_of(bytes, sizeof bytes));
}

static void make_old_store(
	struct fixture *fixture, struct table_sum *ret_entries, struct table_sum *ret_offsets)
{
	struct row sums;

	make_store(fixture);
	const struct generation_sums *told = store_sums_find(&fixture->store->upheld.sums, 1);
	*ret_entries = told->tables[TABLE_ENTRIES];
	*ret_offsets = told->tables[TABLE_OFFSETS];
	close_store(fixture);
	get_last(fixture->dir, NULL, &sums);
	sums.size = 0;
	put_row(fixture->dir, NULL, &sums);
	age_root(fixture->dir);
	age_summary(fixture->dir);
	tell_old(fixture->dir, SUMMARY_ENTRIES, ret_entries);
	tell_old(fixture->dir, SUMMARY_OFFSETS, ret_offsets);
}

static void test_a_store_without_sums_gets_them_when_it_is_opened(void **state)
{
	struct fixture *fixture = *state;
	struct table_sum entries, offsets;
	char words[WORDS_SIZE];

	for (size_t i = 0; i < PLACES; i++) {
		struct row row;
		make_old_store(fixture, &entries, &offsets);
		assert_int_equal(open_in_doubt(fixture), 0);
		assert_true(store_root(fixture->store)->is_forgetful);
		assert_int_equal(walk(fixture, words), 0);
		write_commit(fixture, 2);
		assert_int_equal(open_in_doubt(fixture), 0);
		assert_true(store_root(fixture->store)->is_summed);
		assert_int_equal(store_damaged_views(fixture->store), 0);
		close_store(fixture);
		get_victim(fixture->dir, &places[i], &row);
		put_row(fixture->dir, places[i].table, &row);
		expect_noticed(fixture, &places[i]);
	}
}

/* It was begun before positions were summed up. */
static void test_a_store_of_an_earlier_till_gets_sums_of_its_positions(void **state)
{
	struct fixture *fixture = *state;
	struct row row = {.key_size = 7, .key = "offsets"};
	struct table_sum entries, offsets;

	make_old_store(fixture, &entries, &offsets);
	put_row(fixture->dir, "summary.1", &row);
	drop_table(fixture->dir, "fingerprints.1");
	assert_int_equal(open_in_doubt(fixture), 0);
	write_commit(fixture, 2);
	assert_int_equal(open_in_doubt(fixture), 0);
}

static void test_an_entry_that_is_missing_condemns_an_older_store(void **state)
{
	struct fixture *fixture = *state;
	struct table_sum entries, offsets;

	make_old_store(fixture, &entries, &offsets);
	entries.count++;
	tell_old(fixture->dir, SUMMARY_ENTRIES, &entries);
	assert_int_equal(open_in_doubt(fixture), STORE_E_CORRUPT);
}

/* A page as it was earlier is whole in itself; only the sums know that it is not of now. */
static void test_positions_of_an_earlier_time_condemn_the_store(void **state)
{
	struct fixture *fixture = *state;
	struct table_sum entries, offsets;

	make_old_store(fixture, &entries, &offsets);
	offsets.hash_sum++;
	tell_old(fixture->dir, SUMMARY_OFFSETS, &offsets);
	assert_int_equal(open_in_doubt(fixture), STORE_E_CORRUPT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_row_that_is_missing_from_any_table_is_noticed_at_the_start),
		TEST(test_a_row_of_an_earlier_time_is_noticed_in_any_table),
		TEST(test_a_row_that_goes_missing_at_work_is_found_by_the_walk),
		TEST(test_what_is_committed_beside_a_missing_row_does_not_hide_it),
		TEST(test_the_walk_follows_commits_in_all_tables),
		TEST(test_a_tombstone_that_is_missing_is_noticed_at_any_start),
		TEST(test_a_table_or_the_sums_that_are_missing_condemn_the_store),
		TEST(test_a_tree_that_is_not_of_the_last_transaction_condemns_the_store),
		TEST(test_a_store_without_sums_gets_them_when_it_is_opened),
		TEST(test_a_store_of_an_earlier_till_gets_sums_of_its_positions),
		TEST(test_an_entry_that_is_missing_condemns_an_older_store),
		TEST(test_positions_of_an_earlier_time_condemn_the_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
