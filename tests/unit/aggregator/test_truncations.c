/* Tables that were truncated: what was written before goes, whatever comes, stops or starts in between. */
#include "aggregator/shard/truncations.h"
#include "aggregator/store/store.h"
#include "aggregator/view/pack.h"
#include "sample_views.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
	struct entries *entries;
	struct truncations *truncations;
	int dropped, looked_at;
};

/* What is not in memory is nowhere. */
int snapshot_walk(struct snapshot *snapshot, enum store_table table, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner)
{
	(void)snapshot, (void)table, (void)from, (void)each, (void)owner;
	return 0;
}

static int load_none(void *owner, struct slice key, struct buffer *ret_value)
{
	(void)owner, (void)key, (void)ret_value;
	return 1;
}

/* A row is the place where it was written, and goes as a whole. */
static int drop(void *owner, struct slice key, struct slice value, uint64_t log)
{
	struct fixture *fixture = owner;
	struct unpack unpack = unpack_of(value);

	fixture->looked_at++;
	if (unpack_u64(&unpack) >= log) {
		return 0;
	}
	fixture->dropped++;
	return entries_delete(fixture->entries, key);
}

static void begin(struct fixture *fixture)
{
	const struct truncations_options options = {
		.entries = fixture->entries, .drop = drop, .owner = fixture};

	assert_int_equal(truncations_new(&options, &fixture->truncations), 0);
}

static int set_up(void **state)
{
	const struct entries_options options = {.clean_bytes_max = 1 << 20, .load = load_none};
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(entries_new(&options, &fixture->entries), 0);
	begin(fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	truncations_free(fixture->truncations);
	entries_free(fixture->entries);
	free(fixture);
	return 0;
}

static void put(struct fixture *fixture, const char *key, uint64_t log)
{
	uint8_t value[8];

	pack_big_endian(value, log, sizeof value);
	assert_int_equal(
		entries_put(fixture->entries, slice_of_text(key), slice_of(value, sizeof value)),
		0);
}

static bool has(struct fixture *fixture, const char *key)
{
	struct slice value;
	return entries_get(fixture->entries, slice_of_text(key), &value) == 0;
}

static void step(struct fixture *fixture, size_t rows)
{
	assert_int_equal(truncations_step(fixture->truncations, NULL, rows), 0);
}

static void truncate_under(struct fixture *fixture, const char *prefix, uint64_t log)
{
	assert_int_equal(truncations_begin(fixture->truncations, slice_of_text(prefix), log), 0);
}

static int load(void *owner, struct slice key, struct slice value)
{
	return truncations_load(owner, key, value);
}

/* As whoever was killed begins: with what lies among the entries. */
static void start_anew(struct fixture *fixture)
{
	truncations_free(fixture->truncations);
	begin(fixture);
	assert_int_equal(entries_walk(fixture->entries, NULL, TRUNCATIONS_FIRST, slice_of(NULL, 0),
				 load, fixture->truncations),
		0);
}

static void what_was_written_before_goes_and_the_rest_stays(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, "cA1", 5);
	put(fixture, "cA2", 10);
	put(fixture, "cA3", 11);
	put(fixture, "cB1", 5);
	truncate_under(fixture, "cA", 10);
	assert_true(has(fixture, "ucA"));
	step(fixture, 100);
	assert_false(has(fixture, "cA1"));
	assert_true(has(fixture, "cA2") && has(fixture, "cA3") && has(fixture, "cB1"));
	assert_int_equal(truncations_count(fixture->truncations), 0);
	assert_false(has(fixture, "ucA"));
	step(fixture, 100); /* there is nothing to do */
	assert_int_equal(fixture->dropped, 1);
}

static void each_row_is_looked_at_once_however_small_the_steps(void **state)
{
	struct fixture *fixture = *state;
	char key[16];
	int steps = 0;

	for (uint64_t i = 0; i < 50; i++) {
		snprintf(key, sizeof key, "cA%02d", (int)i);
		put(fixture, key, i);
	}
	truncate_under(fixture, "cA", 25);
	for (; truncations_count(fixture->truncations) > 0; steps++) {
		step(fixture, 7);
	}
	assert_int_equal(steps, 8);
	assert_int_equal(fixture->looked_at, 50);
	assert_int_equal(fixture->dropped, 25);
}

static void who_was_killed_on_the_way_goes_on(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, "cA1", 1);
	put(fixture, "cA2", 2);
	put(fixture, "cA3", 3);
	truncate_under(fixture, "cA", 9);
	step(fixture, 1);
	start_anew(fixture);
	assert_int_equal(truncations_count(fixture->truncations), 1);
	step(fixture, 100);
	assert_int_equal(fixture->dropped, 3);
	start_anew(fixture);
	assert_int_equal(truncations_count(fixture->truncations), 0);
}

static void a_second_one_begins_where_the_first_began(void **state)
{
	struct fixture *fixture = *state;
	uint64_t log = 0;

	put(fixture, "cA1", 7);
	put(fixture, "cA2", 1);
	truncate_under(fixture, "cA", 5);
	step(fixture, 1); /* the first row stays */
	truncate_under(fixture, "cA", 8);
	truncate_under(fixture, "cA", 5); /* is told again */
	assert_true(truncations_find(fixture->truncations, slice_of_text("cA1"), &log));
	assert_int_equal(log, 8);
	assert_false(truncations_find(fixture->truncations, slice_of_text("cB1"), &log));
	step(fixture, 100);
	assert_int_equal(fixture->dropped, 2);
}

static void several_tables_are_done_one_by_one(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, "cA1", 1);
	put(fixture, "tB1", 1);
	truncate_under(fixture, "cA", 9);
	truncate_under(fixture, "tB", 9);
	step(fixture, 100);
	assert_true(!has(fixture, "cA1") && has(fixture, "tB1"));
	step(fixture, 100);
	assert_false(has(fixture, "tB1"));
}

static void more_than_can_be_are_refused(void **state)
{
	struct fixture *fixture = *state;
	char prefix[TRUNCATION_PREFIX_SIZE_MAX + 2];

	for (int i = 0; i < TRUNCATIONS_MAX; i++) {
		snprintf(prefix, sizeof prefix, "c%02d", i);
		truncate_under(fixture, prefix, 1);
	}
	assert_int_equal(truncations_begin(fixture->truncations, slice_of_text("cX"), 1), -ENOSPC);
	assert_int_equal(
		truncations_load(fixture->truncations, slice_of_text("u"), slice_of("1234567", 7)),
		-EBADMSG);
	assert_int_equal(
		truncations_load(fixture->truncations, slice_of_text("v"), slice_of("12345678", 8)),
		TRUNCATIONS_E_PASSED);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(what_was_written_before_goes_and_the_rest_stays),
		WITH_FIXTURE(each_row_is_looked_at_once_however_small_the_steps),
		WITH_FIXTURE(who_was_killed_on_the_way_goes_on),
		WITH_FIXTURE(a_second_one_begins_where_the_first_began),
		WITH_FIXTURE(several_tables_are_done_one_by_one),
		WITH_FIXTURE(more_than_can_be_are_refused),
	};

	return cmocka_run_group_tests_name("truncations", tests, NULL, NULL);
}
