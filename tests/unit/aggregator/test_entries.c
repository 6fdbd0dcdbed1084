/* Values by key over a real store: the newest counts, written or not; walks tell what memory and store have as one. */
#include "aggregator/books/ledger.h"
#include "aggregator/store/commit.h"
#include "aggregator/store/entries.h"
#include "aggregator/store/entry_forget.h"
#include "aggregator/store/store_layout.h"
#include "draw.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include <errno.h>

enum {
	MAP_SIZE = 64 * 1024 * 1024,
	CLEAN_BYTES_MAX = 1000, /* a few entries: most are forgotten and loaded again */
	KEYS = 60, /* "b00" to "b29", then "t30" to "t59" */
	STEPS = 4000,
	VALUE_SIZE = 40,
};

struct fixture {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct store *store;
	struct entries *entries;
	struct commit next; /* what is handed over for it so far */
	struct commit commit; /* frozen, perhaps not written */
	bool is_frozen;
	uint64_t commits;
	char model[KEYS][VALUE_SIZE]; /* "": none */
	int load_result;
};

static int load(void *owner, struct slice key, struct buffer *ret_value)
{
	struct fixture *fixture = owner;
	struct snapshot *snapshot = NULL;
	struct slice value;

	if (fixture->load_result != 0) {
		return fixture->load_result;
	}
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	int r = snapshot_get(snapshot, TABLE_ENTRIES, key, &value);
	if (r == 0) {
		buffer_append(ret_value, value.bytes, value.size);
	}
	snapshot_end(snapshot);
	return r == STORE_E_ABSENT ? 1 : r;
}

static void open_all(struct fixture *fixture)
{
	const struct store_options store = {.dir = fixture->dir, .map_size = MAP_SIZE};
	const struct entries_options options = {
		.clean_bytes_max = CLEAN_BYTES_MAX, .load = load, .owner = fixture};

	assert_int_equal(store_new(&store, &fixture->store), 0);
	assert_int_equal(entries_new(&options, &fixture->entries), 0);
	entries_committed(fixture->entries, fixture->commits);
}

/* So that the next one to open the store looks at it whole. */
static void close_in_doubt(struct fixture *fixture)
{
	store_distrust(fixture->store);
	fixture->entries = entries_free(fixture->entries);
	fixture->store = store_free(fixture->store);
}

static void close_all(struct fixture *fixture)
{
	commit_deinit(&fixture->next);
	commit_init(&fixture->next);
	fixture->entries = entries_free(fixture->entries);
	fixture->store = store_free(fixture->store);
}

static int set_up(void **state)
{
	const struct store_root root = {
		.shard_count = 1, .live = 1, .next = 2, .live_id = "the-first"};
	struct fixture *fixture = calloc(1, sizeof *fixture);

	scratch_make(fixture->dir);
	commit_init(&fixture->next);
	fixture->views = sample_views();
	open_all(fixture);
	*state = fixture;
	return store_create_generation(fixture->store, &root, fixture->views);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	close_all(fixture);
	view_set_free(fixture->views);
	scratch_remove(fixture->dir);
	free(fixture);
	return 0;
}

static struct slice key_of(uint32_t number, char bytes[8])
{
	snprintf(bytes, 8, "%c%02u", number < KEYS / 2 ? 'b' : 't', number % 100);
	return slice_of_text(bytes);
}

static void put(struct fixture *fixture, uint32_t number, const char *value)
{
	char bytes[8];
	struct slice key = key_of(number, bytes);

	snprintf(fixture->model[number], VALUE_SIZE, "%s", value);
	assert_int_equal(value[0] == '\0'
				 ? entries_delete(fixture->entries, key)
				 : entries_put(fixture->entries, key, slice_of_text(value)),
		0);
}

static void look(struct fixture *fixture, uint32_t number)
{
	char bytes[8];
	struct slice value;
	const char *wanted = fixture->model[number];
	int r = entries_get(fixture->entries, key_of(number, bytes), &value);

	assert_int_equal(r, wanted[0] == '\0' ? ENTRIES_E_ABSENT : 0);
	assert_true(r != 0 || slice_equals_text(value, wanted));
}

static int put_entry(void *owner, struct slice key, struct slice value)
{
	struct commit *commit = owner;

	if (value.size == 0) {
		commit_delete(commit, TABLE_ENTRIES, key);
	} else {
		commit_put(commit, TABLE_ENTRIES, key, value);
	}
	return commit->puts.error;
}

static void hand_over(struct fixture *fixture, size_t count_max)
{
	assert_int_equal(entries_hand_over(fixture->entries, fixture->commits + 1, count_max,
				 put_entry, &fixture->next),
		0);
}

static void freeze(struct fixture *fixture)
{
	struct ledger ledger = {.commit = fixture->commits + 1};
	struct buffer buffer;
	struct commit *commit = &fixture->commit;

	hand_over(fixture, SIZE_MAX);
	*commit = fixture->next;
	commit_init(&fixture->next);
	commit->generation = 1;
	commit->number = ++fixture->commits;
	commit->views = fixture->views;
	commit->overlay = new_overlay(fixture->views);
	buffer_init(&buffer, 1 << 20);
	ledger_encode(&ledger, &buffer);
	commit_put(commit, TABLE_SUMMARY, SUMMARY_LEDGER, buffer_slice(&buffer));
	buffer_deinit(&buffer);
	fixture->is_frozen = true;
}

static void write_frozen(struct fixture *fixture)
{
	assert_int_equal(store_commit(fixture->store, &fixture->commit), 0);
}

static void hear_of_commit(struct fixture *fixture)
{
	entries_committed(fixture->entries, fixture->commits);
	commit_deinit(&fixture->commit);
	fixture->is_frozen = false;
}

static void commit_all(struct fixture *fixture)
{
	freeze(fixture);
	write_frozen(fixture);
	hear_of_commit(fixture);
}

/* ---- walks */

struct expectation {
	struct fixture *fixture;
	uint32_t next, end; /* the numbers whose keys are walked */
	uint32_t told, limit;
};

static int expect(void *owner, struct slice key, struct slice value)
{
	struct expectation *expectation = owner;
	char bytes[8];

	while (expectation->next < expectation->end &&
		expectation->fixture->model[expectation->next][0] == '\0') {
		expectation->next++;
	}
	assert_true(expectation->next < expectation->end);
	assert_true(slice_equal(key, key_of(expectation->next, bytes)));
	assert_true(slice_equals_text(value, expectation->fixture->model[expectation->next]));
	expectation->next++;
	return ++expectation->told == expectation->limit ? 42 : 0;
}

static void walk(struct fixture *fixture, const char *prefix, uint32_t first, uint32_t limit)
{
	char bytes[8];
	struct snapshot *snapshot = NULL;
	struct expectation expectation = {.fixture = fixture,
		.next = first,
		.end = prefix[0] == 'b' ? KEYS / 2 : KEYS,
		.limit = limit};
	uint32_t there = 0;

	for (uint32_t i = first; i < expectation.end; i++) {
		there += fixture->model[i][0] != '\0';
	}
	assert_int_equal(snapshot_begin(fixture->store, 1, &snapshot), 0);
	int r = entries_walk(fixture->entries, snapshot, slice_of_text(prefix),
		first % (KEYS / 2) == 0 ? slice_of(NULL, 0) : key_of(first, bytes), expect,
		&expectation);
	snapshot_end(snapshot);
	bool is_cut = there >= limit;
	assert_int_equal(r, is_cut ? 42 : 0);
	assert_int_equal(expectation.told, is_cut ? limit : there);
}

/* ---- tests */

static void step(struct fixture *fixture, struct draw *draw)
{
	uint32_t number = draw_below(draw, KEYS);
	char value[VALUE_SIZE];

	switch (draw_below(draw, 10)) {
	case 0:
		put(fixture, number, "");
		break;
	case 1:
		if (!fixture->is_frozen) {
			freeze(fixture);
		}
		break;
	case 8:
		if (!fixture->is_frozen) {
			hand_over(fixture, draw_below(draw, 5));
		}
		break;
	case 9:
		entries_settle(fixture->entries, draw_below(draw, 10));
		break;
	case 2:
		if (fixture->is_frozen) { /* written, and the loop has not heard of it */
			write_frozen(fixture);
			look(fixture, number);
			walk(fixture, "t", KEYS / 2 + number / 2, 5);
			hear_of_commit(fixture);
		}
		break;
	case 3:
		walk(fixture, "b", number / 2, 1 + draw_below(draw, 40));
		break;
	default:
		snprintf(value, sizeof value, "%.*s", 1 + (int)draw_below(draw, 30),
			"a value that may be long or not");
		put(fixture, number, value);
		break;
	}
	look(fixture, draw_below(draw, KEYS));
}

static void test_the_newest_value_is_told_whatever_is_written_yet(void **state)
{
	struct fixture *fixture = *state;
	struct draw draw = {4711};

	for (int i = 0; i < STEPS; i++) {
		step(fixture, &draw);
	}
	if (fixture->is_frozen) {
		write_frozen(fixture);
		hear_of_commit(fixture);
	}
	commit_all(fixture);
	close_in_doubt(fixture);
	open_all(fixture); /* what entries add up to fits */
	for (uint32_t i = 0; i < KEYS; i++) {
		look(fixture, i);
	}
	walk(fixture, "b", 0, KEYS);
	walk(fixture, "t", KEYS / 2, KEYS);
}

static void test_what_is_not_written_is_lost_with_the_process(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, 1, "kept");
	commit_all(fixture);
	put(fixture, 1, "lost");
	close_all(fixture);
	open_all(fixture);
	strcpy(fixture->model[1], "kept");
	look(fixture, 1);
}

static void test_what_a_freeze_will_cost_is_known_before(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(entries_changed_count(fixture->entries), 0);
	put(fixture, 1, "one");
	put(fixture, 2, "two");
	put(fixture, 1, "one more time");
	assert_int_equal(entries_changed_count(fixture->entries), 2);
	assert_true(entries_changed_bytes(fixture->entries) > 2 * sizeof "one");
	commit_all(fixture);
	assert_int_equal(entries_changed_count(fixture->entries), 0);
	assert_int_equal(entries_changed_bytes(fixture->entries), 0);
}

static void test_what_the_store_cannot_say_is_passed_on(void **state)
{
	struct fixture *fixture = *state;
	struct slice value;

	fixture->load_result = -EBADMSG;
	assert_int_equal(entries_get(fixture->entries, slice_of_text("t40"), &value), -EBADMSG);
	fixture->load_result = 0;
	look(fixture, 40);
}

/* In the place of the owners' rules: what is his goes, what names him is told without, and what begins with "?" nobody can read. */
enum entry_fate __wrap_entry_forget(
	struct entry_sweep *sweep, struct slice key, struct slice value, struct buffer *ret_value);
enum entry_fate __wrap_entry_forget(
	struct entry_sweep *sweep, struct slice key, struct slice value, struct buffer *ret_value)
{
	assert_true(sweep->forgotten->has_key && key.size == 3);
	if (value.bytes[0] == '?') {
		return ENTRY_UNREADABLE;
	}
	if (slice_equals_text(value, "names him")) {
		buffer_append(ret_value, "names nobody", strlen("names nobody"));
		return ENTRY_CHANGES;
	}
	return slice_equals_text(value, "his") ? ENTRY_GOES : ENTRY_STAYS;
}

static int forget(struct fixture *fixture, const char *user, struct forget_counts *ret_counts)
{
	struct forgotten wanted = {.has_key = true, .key = {1}};
	struct tombstone tombstone = {.when_ms = 1, .until_ms = FORGOTTEN_FOR_EVER, .by = "me"};

	forgotten_hash(&wanted, slice_of_text(user), tombstone.hash);
	assert_int_equal(forgotten_put(&wanted, &tombstone), 0);
	int r = store_forget(fixture->store, &wanted, slice_of_text(user), ret_counts);
	forgotten_deinit(&wanted);
	return r;
}

static void test_who_is_forgotten_is_in_no_entry(void **state)
{
	struct fixture *fixture = *state;
	struct forget_counts counts;

	put(fixture, 1, "his");
	put(fixture, 2, "names him");
	put(fixture, 3, "of others");
	put(fixture, KEYS - 1, "his");
	commit_all(fixture);
	assert_int_equal(forget(fixture, "u1", &counts), 0);
	assert_int_equal(counts.rows, 2);
	assert_int_equal(counts.texts, 1);
	entries_forget(fixture->entries);
	fixture->model[1][0] = fixture->model[KEYS - 1][0] = '\0';
	strcpy(fixture->model[2], "names nobody");
	close_in_doubt(fixture);
	open_all(fixture); /* what entries add up to fits */
	for (uint32_t i = 0; i < KEYS; i++) {
		look(fixture, i);
	}
}

static void test_an_entry_that_cannot_be_read_keeps_everything_as_it_is(void **state)
{
	struct fixture *fixture = *state;
	struct forget_counts counts;

	put(fixture, 1, "his");
	put(fixture, 2, "?");
	commit_all(fixture);
	assert_int_equal(forget(fixture, "u1", &counts), STORE_E_CORRUPT);
	entries_forget(fixture->entries);
	look(fixture, 1);
}

static void test_what_is_too_large_is_refused(void **state)
{
	static const uint8_t bytes[ENTRY_VALUE_SIZE_MAX + 1] = {1};
	struct fixture *fixture = *state;
	struct slice key = slice_of_text("t40");

	assert_int_equal(entries_put(fixture->entries, key, slice_of(bytes, 0)), -EINVAL);
	assert_int_equal(
		entries_put(fixture->entries, key, slice_of(bytes, sizeof bytes)), -EINVAL);
	assert_int_equal(
		entries_put(fixture->entries, slice_of(bytes, ENTRY_KEY_SIZE_MAX + 1), key),
		-EINVAL);
	assert_int_equal(entries_put(fixture->entries, key, slice_of(bytes, sizeof bytes - 1)), 0);
}

static void test_an_entry_that_is_damaged_condemns_the_store(void **state)
{
	struct fixture *fixture = *state;
	const struct store_options options = {.dir = fixture->dir, .map_size = MAP_SIZE};
	char path[SCRATCH_PATH_SIZE + 16];

	put(fixture, 40, "this one is there");
	commit_all(fixture);
	close_in_doubt(fixture);
	snprintf(path, sizeof path, "%s/data.mdb", fixture->dir);
	assert_true(scratch_flip_behind(path, "this one", 8) > 0);
	assert_int_equal(store_new(&options, &fixture->store), STORE_E_CORRUPT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_newest_value_is_told_whatever_is_written_yet),
		TEST(test_what_is_not_written_is_lost_with_the_process),
		TEST(test_what_a_freeze_will_cost_is_known_before),
		TEST(test_what_the_store_cannot_say_is_passed_on),
		TEST(test_who_is_forgotten_is_in_no_entry),
		TEST(test_an_entry_that_cannot_be_read_keeps_everything_as_it_is),
		TEST(test_what_is_too_large_is_refused),
		TEST(test_an_entry_that_is_damaged_condemns_the_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
