/* A shard's store on a real file: what a commit holds, what a reopened, damaged, full or foreign file does. */
#include "aggregator/books/ledger.h"
#include "aggregator/store/commit.h"
#include "aggregator/view/measure_row.h"
#include "aggregator/view/pack.h"
#include "aggregator/view/view_summary.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include "tests/lib/killed_reader.h"
#include <sys/stat.h>
#include <unistd.h>

enum { MAP_SIZE = 64 * 1024 * 1024, SMALL_MAP_SIZE = 512 * 1024 };

struct fixture {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct store *store;
	uint64_t seq;
};

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
	store_free(fixture->store);
	view_set_free(fixture->views);
	scratch_remove(fixture->dir);
	free(fixture);
	return 0;
}

static int open_store(struct fixture *fixture, int64_t map_size)
{
	const struct store_options options = {.dir = fixture->dir, .map_size = map_size};
	fixture->store = store_free(fixture->store);
	return store_new(&options, &fixture->store);
}

static void make_generation(struct fixture *fixture)
{
	const struct store_root root = {
		.shard_count = 1, .live = 1, .next = 2, .live_id = "the-first"};
	assert_int_equal(store_create_generation(fixture->store, &root, fixture->views), 0);
}

/* An order of edge "berlin" into an overlay. */
static void sell(struct fixture *fixture, struct overlay *overlay, const char *product)
{
	struct event event = sample_order(++fixture->seq, 1291191960000, product, 2, 2550000);
	apply(overlay, &event);
}

/* Writes the overlay as commit `number`; the ledger says what was accepted. */
static int write_commit(
	struct fixture *fixture, uint32_t generation, uint64_t number, struct overlay *overlay)
{
	struct ledger ledger = {.commit = number};
	struct buffer buffer;
	struct commit commit;
	uint8_t key[STREAM_KEY_SIZE_MAX];
	struct stream_id id = {slice_of_text("berlin"), 4711, KIND_ORDER};
	struct counted counted = {0};
	struct stream_sums sums = {.accepted = fixture->seq};

	commit_init(&commit);
	commit.generation = generation;
	commit.number = number;
	commit.views = fixture->views;
	commit.overlay = overlay;
	ledger.tallies[KIND_ORDER].accepted = fixture->seq;
	buffer_init(&buffer, 1 << 20);
	ledger_encode(&ledger, &buffer);
	commit_put(&commit, TABLE_SUMMARY, SUMMARY_LEDGER, buffer_slice(&buffer));
	for (uint64_t seq = 1; seq <= fixture->seq; seq++) {
		assert_int_equal(counted_add(&counted, seq), 0);
	}
	buffer_clear(&buffer);
	stream_encode(&sums, &counted, &buffer);
	commit_put(
		&commit, TABLE_STREAMS, slice_of(key, stream_key(&id, key)), buffer_slice(&buffer));
	int r = store_commit(fixture->store, &commit);
	counted_deinit(&counted);
	buffer_deinit(&buffer);
	commit_deinit(&commit);
	return r;
}

static void commit_products(struct fixture *fixture, uint64_t number, const char *prefix, int count)
{
	struct overlay *overlay = new_overlay(fixture->views);
	for (int i = 0; i < count; i++) {
		char product[32];
		snprintf(product, sizeof product, "%s%05d", prefix, i);
		sell(fixture, overlay, product);
	}
	assert_int_equal(write_commit(fixture, 1, number, overlay), 0);
}

static uint32_t id_of(const struct fixture *fixture, const char *view)
{
	return view_id(view_set_find(fixture->views, slice_of_text(view)));
}

static int find_product(struct fixture *fixture, const char *product, uint64_t *ret_count)
{
	struct snapshot *snapshot = NULL;
	struct slice value;
	struct row_key key = sample_key((const char *const[]){product, "GBP"}, 2);
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	int r = snapshot_row(
		snapshot, id_of(fixture, "products"), slice_of(key.bytes, key.size), &value);
	if (r == 0) {
		assert_int_equal(
			row_event_count(view_set_find(fixture->views, slice_of_text("products")),
				value, ret_count),
			0);
	}
	snapshot_end(snapshot);
	return r;
}

static void test_totals_survive_a_restart(void **state)
{
	struct fixture *fixture = *state;
	uint64_t count = 0;
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	assert_int_equal(store_root(fixture->store)->live, 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 10);
	commit_products(fixture, 2, "p", 10);

	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	assert_int_equal(store_root(fixture->store)->live, 1);
	assert_string_equal(store_root(fixture->store)->live_id, "the-first");
	assert_int_equal(find_product(fixture, "p00003", &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(find_product(fixture, "p00010", &count), STORE_E_ABSENT);
	assert_true(store_size(fixture->store) > 4096);

	struct snapshot *snapshot = NULL;
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	assert_int_equal(snapshot_commit(snapshot), 2);
	snapshot_end(snapshot);
	assert_int_equal(snapshot_begin(fixture->store, 2, &snapshot), STORE_E_ABSENT);
}

static void test_members_are_counted_once(void **state)
{
	struct fixture *fixture = *state;
	struct snapshot *snapshot = NULL;
	struct slice value;
	struct row row;
	struct row_key key = sample_key((const char *const[]){"berlin", "GBP"}, 2);
	const struct view *stores = view_set_find(fixture->views, slice_of_text("stores"));

	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 3); /* all of one basket */
	commit_products(fixture, 2, "q", 3);
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	assert_int_equal(snapshot_row(snapshot, id_of(fixture, "stores"),
				 slice_of(key.bytes, key.size), &value),
		0);
	assert_int_equal(row_read(stores, value, &row), 0);
	assert_int_equal(row.event_count, 6);
	assert_int_equal(row.cells[2].count, 1); /* basket_count */
	assert_int_equal(snapshot_find_member(snapshot, id_of(fixture, "stores"),
				 (const uint8_t[MEMBER_KEY_SIZE]){1}),
		STORE_E_ABSENT);
	snapshot_end(snapshot);
}

static void test_rows_come_in_key_order_and_stop_at_the_view(void **state)
{
	struct fixture *fixture = *state;
	struct snapshot *snapshot = NULL;
	struct row_cursor cursor;
	struct buffer before;
	int count = 1;

	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 500);
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	assert_int_equal(
		row_cursor_open(snapshot, id_of(fixture, "products"), slice_of(NULL, 0), &cursor),
		0);
	buffer_init(&before, 1024);
	buffer_append(&before, cursor.key.bytes, cursor.key.size);
	int r = row_cursor_next(&cursor);
	for (; r == 0; r = row_cursor_next(&cursor), count++) {
		size_t common = before.size < cursor.key.size ? before.size : cursor.key.size;
		assert_true(memcmp(before.bytes, cursor.key.bytes, common) < 0);
		buffer_clear(&before);
		buffer_append(&before, cursor.key.bytes, cursor.key.size);
	}
	assert_int_equal(r, STORE_E_ABSENT);
	assert_int_equal(count, 500);
	row_cursor_close(&cursor);
	/* From a key on, and past the last. */
	struct row_key from = sample_key((const char *const[]){"p00499"}, 1);
	assert_int_equal(row_cursor_open(snapshot, id_of(fixture, "products"),
				 slice_of(from.bytes, from.size), &cursor),
		0);
	assert_int_equal(row_cursor_next(&cursor), STORE_E_ABSENT);
	row_cursor_close(&cursor);
	from = sample_key((const char *const[]){"q"}, 1);
	assert_int_equal(row_cursor_open(snapshot, id_of(fixture, "products"),
				 slice_of(from.bytes, from.size), &cursor),
		STORE_E_ABSENT);
	snapshot_end(snapshot);
	buffer_deinit(&before);
}

static void test_a_snapshot_does_not_see_a_later_commit(void **state)
{
	struct fixture *fixture = *state;
	struct snapshot *old = NULL, *new = NULL;
	struct slice value;
	struct row_key key = sample_key((const char *const[]){"q00000", "GBP"}, 2);

	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 1);
	assert_int_equal(snapshot_begin(fixture->store, 1, &old), 0);
	commit_products(fixture, 2, "q", 1);
	assert_int_equal(snapshot_begin(fixture->store, 1, &new), 0);
	assert_int_equal(snapshot_commit(old), 1);
	assert_int_equal(snapshot_commit(new), 2);
	struct slice bytes = slice_of(key.bytes, key.size);
	assert_int_equal(
		snapshot_row(old, id_of(fixture, "products"), bytes, &value), STORE_E_ABSENT);
	assert_int_equal(snapshot_row(new, id_of(fixture, "products"), bytes, &value), 0);
	snapshot_end(old);
	snapshot_end(new);
}

/* The byte behind a row's key is the first of its value: the number of events. */
static void damage_product(struct fixture *fixture, const char *product)
{
	char path[SCRATCH_PATH_SIZE + 16];
	struct row_key key = sample_key((const char *const[]){product, "GBP"}, 2);
	fixture->store = store_free(fixture->store);
	snprintf(path, sizeof path, "%s/data.mdb", fixture->dir);
	assert_true(scratch_flip_behind(path, key.bytes, key.size) > 0);
}

/* LMDB itself would give wrong bytes as if they were right. */
static void test_a_flipped_bit_in_a_row_is_corrupt_and_never_an_answer(void **state)
{
	struct fixture *fixture = *state;
	char error[256] = "";
	uint64_t count = 0;
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 50);

	damage_product(fixture, "p00025");
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	assert_int_equal(find_product(fixture, "p00025", &count), STORE_E_CORRUPT);
	int r = 0;
	for (int i = 0; i < 100 && r == 0; i++) {
		r = store_scrub(fixture->store, fixture->views, 1000, error, sizeof error);
	}
	assert_int_equal(r, STORE_E_CORRUPT);
	assert_non_null(strstr(error, "products"));
	/* A commit that would change it writes nothing. */
	struct overlay *overlay = new_overlay(fixture->views);
	sell(fixture, overlay, "p00025");
	assert_int_equal(write_commit(fixture, 1, 2, overlay), STORE_E_CORRUPT);
	/* Nothing else of its view is told either: the bit might be in a key, and a row that is missing looks like none. */
	assert_int_equal(find_product(fixture, "p00024", &count), STORE_E_CORRUPT);
	assert_int_equal(
		store_damaged_views(fixture->store), UINT64_C(1) << id_of(fixture, "products"));
	struct snapshot *snapshot = NULL;
	struct row_cursor cursor;
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	assert_int_equal(
		row_cursor_open(snapshot, id_of(fixture, "products"), slice_of(NULL, 0), &cursor),
		STORE_E_CORRUPT);
	assert_int_equal(
		row_cursor_open(snapshot, id_of(fixture, "stores"), slice_of(NULL, 0), &cursor), 0);
	row_cursor_close(&cursor);
	snapshot_end(snapshot);
}

static void test_the_scrub_passes_and_follows_commits_behind_it(void **state)
{
	struct fixture *fixture = *state;
	char error[256] = "";
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 300);
	for (uint64_t number = 2; number < 60; number++) {
		/* 7 rows at a time, and rows before, at and behind it change meanwhile. */
		assert_int_equal(
			store_scrub(fixture->store, fixture->views, 7, error, sizeof error), 0);
		commit_products(fixture, number, number % 2 == 0 ? "p" : "a", 3);
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(
			store_scrub(fixture->store, fixture->views, 7, error, sizeof error), 0);
	}
	assert_int_equal(
		store_check_sums(fixture->store, 1, fixture->views, error, sizeof error), 0);
}

static void test_sums_that_do_not_fit_are_told(void **state)
{
	struct fixture *fixture = *state;
	char error[256] = "";
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 5);
	fixture->seq++; /* the ledger and the stream say six, the views five */
	struct overlay *nothing = new_overlay(fixture->views);
	assert_int_equal(write_commit(fixture, 1, 2, nothing), 0);
	assert_int_equal(store_check_sums(fixture->store, 1, fixture->views, error, sizeof error),
		STORE_E_CORRUPT);
	assert_non_null(strstr(error, "accepted"));
}

static void test_a_row_that_vanished_is_found_by_the_scrub(void **state)
{
	struct fixture *fixture = *state;
	char error[256] = "";
	struct commit commit;
	struct buffer buffer;
	struct row_key key = sample_key((const char *const[]){"p00002", "GBP"}, 2);
	int r = 0;

	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 5);
	buffer_init(&buffer, 1024);
	pack_u8(&buffer, (uint8_t)id_of(fixture, "products"));
	buffer_append(&buffer, key.bytes, key.size);
	commit_init(&commit);
	commit.generation = 1;
	commit.views = fixture->views;
	commit.overlay = new_overlay(fixture->views);
	commit_delete(&commit, TABLE_ROWS, buffer_slice(&buffer));
	assert_int_equal(store_commit(fixture->store, &commit), 0);
	for (int i = 0; i < 10 && r == 0; i++) {
		r = store_scrub(fixture->store, fixture->views, 1000, error, sizeof error);
	}
	assert_int_equal(r, STORE_E_CORRUPT);
	assert_non_null(strstr(error, "products"));
	commit_deinit(&commit);
	buffer_deinit(&buffer);
}

static void write_file(const struct fixture *fixture, const char *content, size_t size)
{
	char path[SCRATCH_PATH_SIZE + 16];
	snprintf(path, sizeof path, "%s/data.mdb", fixture->dir);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void test_a_foreign_file_is_refused(void **state)
{
	struct fixture *fixture = *state;
	static char text[20000] = "SQLite format 3";
	write_file(fixture, text, sizeof text);
	assert_int_equal(open_store(fixture, MAP_SIZE), STORE_E_FOREIGN);
	assert_null(fixture->store);
	write_file(fixture, "", 0); /* an empty file is a store that is yet to be made */
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
}

static void test_a_cut_file_is_refused_and_kills_nobody(void **state)
{
	struct fixture *fixture = *state;
	char path[SCRATCH_PATH_SIZE + 16];
	struct stat status;
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 2000);
	fixture->store = store_free(fixture->store);
	snprintf(path, sizeof path, "%s/data.mdb", fixture->dir);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(truncate(path, 3 * 4096), 0);
	int r = open_store(fixture, MAP_SIZE);
	assert_true(r == STORE_E_CORRUPT || r == STORE_E_FOREIGN);
}

static void test_a_full_map_writes_nothing_and_the_rest_goes_on(void **state)
{
	struct fixture *fixture = *state;
	uint64_t count = 0;
	assert_int_equal(open_store(fixture, SMALL_MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 10);
	struct overlay *large = new_overlay(fixture->views);
	for (int i = 0; i < 5000; i++) {
		char product[32];
		snprintf(product, sizeof product, "q%05d", i);
		sell(fixture, large, product);
	}
	assert_int_equal(write_commit(fixture, 1, 2, large), STORE_E_FULL);
	assert_int_equal(find_product(fixture, "q00000", &count), STORE_E_ABSENT);
	assert_int_equal(find_product(fixture, "p00000", &count), 0);
	fixture->seq = 10;
	commit_products(fixture, 2, "p", 10); /* what fits is written */
	assert_int_equal(find_product(fixture, "p00000", &count), 0);
	assert_int_equal(count, 2);
}

static void test_a_shadow_is_filled_switched_in_and_the_old_one_dropped(void **state)
{
	struct fixture *fixture = *state;
	uint64_t count = 0;
	bool is_empty = false;
	int steps = 0;
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_products(fixture, 1, "p", 300);
	struct store_root root = *store_root(fixture->store);
	root.shadow = root.next++;
	snprintf(root.shadow_id, sizeof root.shadow_id, "the-second");
	assert_int_equal(store_create_generation(fixture->store, &root, fixture->views), 0);
	struct overlay *overlay = new_overlay(fixture->views);
	sell(fixture, overlay, "s00001");
	assert_int_equal(write_commit(fixture, 2, 1, overlay), 0);
	assert_int_equal(find_product(fixture, "s00001", &count), STORE_E_ABSENT); /* in 1 */

	assert_int_equal(open_store(fixture, MAP_SIZE), 0); /* both are still there */
	assert_int_equal(store_root(fixture->store)->shadow, 2);
	assert_int_equal(store_switch(fixture->store), 0);
	assert_int_equal(store_root(fixture->store)->live, 2);
	assert_string_equal(store_root(fixture->store)->live_id, "the-second");
	assert_int_equal(store_root(fixture->store)->dropping, 1);
	while (!is_empty) {
		assert_int_equal(store_drop_step(fixture->store, 100, &is_empty), 0);
		steps++;
	}
	assert_true(steps > 3);
	assert_int_equal(store_finish_drop(fixture->store), 0);
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	assert_int_equal(store_root(fixture->store)->dropping, 0);
	struct snapshot *snapshot = NULL;
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), STORE_E_ABSENT);
	assert_int_equal(snapshot_begin(fixture->store, 2, &snapshot), 0);
	snapshot_end(snapshot);
}

/* Sales of users u0, u1 … of one product. */
static void commit_users(struct fixture *fixture, uint32_t generation, uint64_t number, int count)
{
	struct overlay *overlay = new_overlay(fixture->views);
	for (int i = 0; i < count; i++) {
		char user[32];
		snprintf(user, sizeof user, "u%d", i);
		struct event event = sample_order(++fixture->seq, 1291191960000, "tea", 2, 2550000);
		set_text(&event, FIELD_USER_ID, user);
		apply(overlay, &event);
	}
	assert_int_equal(write_commit(fixture, generation, number, overlay), 0);
}

static int find_user(struct fixture *fixture, uint32_t generation, const char *user)
{
	struct snapshot *snapshot = NULL;
	struct slice value;
	struct row_key key = sample_key((const char *const[]){user, "GBP"}, 2);
	assert_int_equal(snapshot_begin(fixture->store, generation, &snapshot), 0);
	int r = snapshot_row(
		snapshot, id_of(fixture, "users"), slice_of(key.bytes, key.size), &value);
	snapshot_end(snapshot);
	return r;
}

static uint64_t held_of(struct fixture *fixture, const char *view)
{
	struct snapshot *snapshot = NULL;
	uint64_t held = 0;
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	assert_int_equal(snapshot_held(snapshot, id_of(fixture, view), &held), 0);
	snapshot_end(snapshot);
	return held;
}

static void want(struct forgotten *wanted, const char *user)
{
	struct tombstone tombstone = {.when_ms = 1, .until_ms = FORGOTTEN_FOR_EVER, .by = "boss"};

	memcpy(wanted->key, "0123456789abcdef", FORGOTTEN_KEY_SIZE);
	wanted->has_key = true;
	forgotten_hash(wanted, slice_of_text(user), tombstone.hash);
	assert_int_equal(forgotten_put(wanted, &tombstone), 0);
}

static int forget_user(
	struct fixture *fixture, const char *user, bool is_named, struct forget_counts *ret_counts)
{
	struct forgotten wanted = {0};
	assert_int_equal(forgotten_copy(store_forgotten(fixture->store), &wanted), 0);
	want(&wanted, user);
	struct slice name = is_named ? slice_of_text(user) : slice_of(NULL, 0);
	int r = store_forget(fixture->store, &wanted, name, ret_counts);
	forgotten_deinit(&wanted);
	return r;
}

static void assert_sums_fit(struct fixture *fixture)
{
	char error[256] = "";
	for (size_t i = 0; i < 2 * store_scrub_parts(fixture->views); i++) {
		assert_int_equal(
			store_scrub(fixture->store, fixture->views, 1000, error, sizeof error), 0);
	}
	assert_int_equal(
		store_check_sums(fixture->store, 1, fixture->views, error, sizeof error), 0);
	assert_string_equal(error, "a counted set or the ledger can't be read");
}

static void test_who_is_forgotten_is_gone_from_all_generations_and_the_sums_fit(void **state)
{
	struct fixture *fixture = *state;
	struct forget_counts counts;
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_users(fixture, 1, 1, 20);
	commit_users(fixture, 1, 2, 20);
	struct store_root root = *store_root(fixture->store);
	root.shadow = root.next++;
	assert_int_equal(store_create_generation(fixture->store, &root, fixture->views), 0);
	uint64_t seq = fixture->seq;
	commit_users(fixture, 2, 1, 20);
	fixture->seq = seq;

	assert_int_equal(forget_user(fixture, "u1", true, &counts), 0); /* not u10 to u19 */
	assert_int_equal(counts.rows, 1);
	assert_int_equal(counts.events, 2);
	assert_int_equal(forget_user(fixture, "u7", false, &counts), 0);
	assert_int_equal(counts.rows, 1); /* by a walk over all rows; u1 is not there any more */
	assert_int_equal(forget_user(fixture, "u7", true, &counts), 0);
	assert_int_equal(counts.rows, 0);
	for (int round = 0; round < 2; round++) { /* at once, and after a restart */
		for (uint32_t generation = 1; generation <= 2; generation++) {
			assert_int_equal(find_user(fixture, generation, "u1"), STORE_E_ABSENT);
			assert_int_equal(find_user(fixture, generation, "u7"), STORE_E_ABSENT);
			assert_int_equal(find_user(fixture, generation, "u10"), 0);
		}
		assert_int_equal(held_of(fixture, "users"), 4);
		assert_int_equal(held_of(fixture, "products"), 0);
		assert_sums_fit(fixture);
		assert_true(store_root(fixture->store)->is_forgetful);
		assert_int_equal(store_forgotten(fixture->store)->in_force, 2);
		assert_true(forgotten_has(store_forgotten(fixture->store), slice_of_text("u7")));
		char path[SCRATCH_PATH_SIZE + 16];
		snprintf(path, sizeof path, "%s/looked", fixture->dir);
		unlink(path); /* the whole file is read again, and found whole */
		assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	}
}

/* There was no room for one of them when he was forgotten elsewhere. */
static void test_who_was_to_be_forgotten_earlier_goes_with_the_next(void **state)
{
	struct fixture *fixture = *state;
	struct forgotten wanted = {0};
	struct forget_counts counts;
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	commit_users(fixture, 1, 1, 20);
	want(&wanted, "u7");
	want(&wanted, "u1");
	assert_int_equal(store_forget(fixture->store, &wanted, slice_of_text("u1"), &counts), 0);
	forgotten_deinit(&wanted);
	assert_int_equal(counts.rows, 2);
	assert_int_equal(find_user(fixture, 1, "u1"), STORE_E_ABSENT);
	assert_int_equal(find_user(fixture, 1, "u7"), STORE_E_ABSENT);
	assert_sums_fit(fixture);
}

static void test_a_store_without_room_forgets_nobody_by_half(void **state)
{
	enum { MANY = 6000 }; /* their tombstones alone are more than the map holds */
	struct fixture *fixture = *state;
	struct forget_counts counts = {0};
	struct forgotten wanted = {.has_key = true};
	assert_int_equal(open_store(fixture, SMALL_MAP_SIZE), 0);
	make_generation(fixture);
	commit_users(fixture, 1, 1, 20);
	for (int i = 0; i < MANY; i++) {
		struct tombstone tombstone = {.until_ms = FORGOTTEN_FOR_EVER};
		char user[32];
		snprintf(user, sizeof user, "u%d", i);
		forgotten_hash(&wanted, slice_of_text(user), tombstone.hash);
		memset(tombstone.by, 'b', sizeof tombstone.by - 1);
		assert_int_equal(forgotten_put(&wanted, &tombstone), 0);
	}
	int r = store_forget(fixture->store, &wanted, slice_of(NULL, 0), &counts);
	forgotten_deinit(&wanted);
	assert_int_equal(r, STORE_E_FULL);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(find_user(fixture, 1, "u1"), 0);
		assert_int_equal(store_forgotten(fixture->store)->count, 0);
		assert_int_equal(held_of(fixture, "users"), 0);
		assert_sums_fit(fixture);
		assert_int_equal(open_store(fixture, SMALL_MAP_SIZE), 0);
	}
	assert_int_equal(forget_user(fixture, "u1", true, &counts), 0); /* there is room for one */
	assert_int_equal(find_user(fixture, 1, "u1"), STORE_E_ABSENT);
}

static void test_a_generation_keeps_its_declarations(void **state)
{
	struct fixture *fixture = *state;
	struct view_set *views = new_view_set();
	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	assert_int_equal(store_load_views(fixture->store, 1, views), 0);
	assert_int_equal(view_set_count(views), view_set_count(fixture->views));
	for (size_t i = 0; i < view_set_count(views); i++) {
		assert_string_equal(view_name(view_set_at(views, i)),
			view_name(view_set_at(fixture->views, i)));
		assert_string_equal(view_text(view_set_at(views, i)),
			view_text(view_set_at(fixture->views, i)));
	}
	view_set_free(views);
}

/* Pages that its transaction could see are used for nothing else as long as it counts as a reader: the file would grow with every
 * commit, until the next start. */
static void test_a_tool_that_is_killed_over_a_store_costs_no_room(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = 1;

	assert_int_equal(open_store(fixture, MAP_SIZE), 0);
	make_generation(fixture);
	for (; number <= 20; number++) {
		commit_products(fixture, number, "p", 20);
	}
	uint64_t size = store_size(fixture->store);
	assert_int_equal(killed_reader_leave(fixture->dir), 0);
	for (; number <= 120; number++) {
		commit_products(fixture, number, "p", 20);
	}
	assert_true(store_size(fixture->store) < size + size / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_totals_survive_a_restart),
		TEST(test_members_are_counted_once),
		TEST(test_rows_come_in_key_order_and_stop_at_the_view),
		TEST(test_a_snapshot_does_not_see_a_later_commit),
		TEST(test_a_flipped_bit_in_a_row_is_corrupt_and_never_an_answer),
		TEST(test_the_scrub_passes_and_follows_commits_behind_it),
		TEST(test_sums_that_do_not_fit_are_told),
		TEST(test_a_row_that_vanished_is_found_by_the_scrub),
		TEST(test_a_foreign_file_is_refused),
		TEST(test_a_cut_file_is_refused_and_kills_nobody),
		TEST(test_a_full_map_writes_nothing_and_the_rest_goes_on),
		TEST(test_a_shadow_is_filled_switched_in_and_the_old_one_dropped),
		TEST(test_who_is_forgotten_is_gone_from_all_generations_and_the_sums_fit),
		TEST(test_who_was_to_be_forgotten_earlier_goes_with_the_next),
		TEST(test_a_store_without_room_forgets_nobody_by_half),
		TEST(test_a_generation_keeps_its_declarations),
		TEST(test_a_tool_that_is_killed_over_a_store_costs_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
