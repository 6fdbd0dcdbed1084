/* What entries keep in memory: thousands of them come, change and are forgotten beside a store of the test's own, which is asked for
 * nothing that it does not have yet. */
#include "aggregator/store/entries.h"
#include "draw.h"
#include "sample_views.h"
#include <stdio.h>
#include <stdlib.h>

enum {
	KEYS = 6000, /* the table grows thrice, and a third of its places are taken by others */
	STEPS = 300000,
	KEPT_BYTES_MAX = 200000, /* some 2,000 */
	VERSIONS_MAX = 90, /* of growing length */
};

/* 0: there is none. */
struct place {
	uint8_t newest, frozen, stored;
};

struct world {
	struct entries *entries;
	struct place places[KEYS];
	uint64_t commit;
	bool is_frozen;
	size_t loads;
};

static struct slice key_of(uint32_t number, char bytes[16])
{
	int size = snprintf(bytes, 16, "bo%u", number);
	return slice_of(bytes, (size_t)size);
}

static struct slice value_of(uint32_t number, uint8_t version, char bytes[VERSIONS_MAX + 32])
{
	int size = snprintf(bytes, VERSIONS_MAX + 32, "%u/%u%*s", number, version, version, "");
	return version == 0 ? slice_of(NULL, 0) : slice_of(bytes, (size_t)size);
}

static uint32_t number_of(struct slice key)
{
	char text[16] = {0};

	memcpy(text, key.bytes, key.size);
	return (uint32_t)strtoul(text + 2, NULL, 10);
}

static int load(void *owner, struct slice key, struct buffer *ret_value)
{
	struct world *world = owner;
	uint32_t number = number_of(key);
	const struct place *place = &world->places[number];
	char bytes[VERSIONS_MAX + 32];

	world->loads++;
	assert_int_equal(place->newest, place->stored); /* else what was not written is lost */
	struct slice value = value_of(number, place->stored, bytes);
	buffer_append(ret_value, value.bytes, value.size);
	return value.size == 0 ? 1 : 0;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const struct entries_options options = {
		.clean_bytes_max = KEPT_BYTES_MAX, .load = load, .owner = world};

	assert_non_null(world);
	assert_int_equal(entries_new(&options, &world->entries), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	entries_free(world->entries);
	free(world);
	return 0;
}

static void look(struct world *world, uint32_t number, bool peeks)
{
	char key[16], bytes[VERSIONS_MAX + 32];
	struct slice expected = value_of(number, world->places[number].newest, bytes), value;

	int r = (peeks ? entries_peek : entries_get)(world->entries, key_of(number, key), &value);
	assert_int_equal(r, expected.size == 0 ? ENTRIES_E_ABSENT : 0);
	assert_true(r != 0 || slice_equal(value, expected));
}

static void put(struct world *world, uint32_t number, uint8_t version)
{
	char key[16], bytes[VERSIONS_MAX + 32];

	assert_int_equal(
		entries_put(world->entries, key_of(number, key), value_of(number, version, bytes)),
		0);
	world->places[number].newest = version;
}

static void drop(struct world *world, uint32_t number)
{
	char key[16];

	assert_int_equal(entries_delete(world->entries, key_of(number, key)), 0);
	world->places[number].newest = 0;
}

static int take_frozen(void *owner, struct slice key, struct slice value)
{
	struct world *world = owner;
	uint32_t number = number_of(key);
	char bytes[VERSIONS_MAX + 32];

	assert_true(slice_equal(value, value_of(number, world->places[number].newest, bytes)));
	world->places[number].frozen = world->places[number].newest;
	return 0;
}

static void hand_over(struct world *world, size_t count_max)
{
	assert_int_equal(
		entries_hand_over(world->entries, world->commit + 1, count_max, take_frozen, world),
		0);
}

static void freeze(struct world *world)
{
	hand_over(world, SIZE_MAX);
	world->commit++;
	world->is_frozen = true;
}

static void commit(struct world *world)
{
	for (uint32_t i = 0; i < KEYS; i++) {
		world->places[i].stored = world->places[i].frozen;
	}
	entries_committed(world->entries, world->commit);
	world->is_frozen = false;
}

/* Some for the next commit, while what the last one wrote is looked at. */
static void gather(struct world *world, struct draw *draw)
{
	entries_settle(world->entries, draw_below(draw, 400));
	if (!world->is_frozen) {
		hand_over(world, draw_below(draw, 400));
	}
}

static void step(struct world *world, struct draw *draw)
{
	uint32_t number = draw_below(draw, KEYS);

	switch (draw_below(draw, 1000) < 2 ? 0 : 1 + draw_below(draw, 6)) {
	case 0:
		if (world->is_frozen) {
			commit(world);
		} else {
			freeze(world);
		}
		break;
	case 1:
		drop(world, number);
		if (number % 100 == 0) {
			gather(world, draw);
		}
		break;
	case 2:
	case 3:
		put(world, number, (uint8_t)(1 + draw_below(draw, VERSIONS_MAX)));
		break;
	default:
		look(world, number, draw_below(draw, 2) == 0);
		break;
	}
}

static void test_nothing_is_lost_or_old_however_entries_come_and_go(void **state)
{
	struct world *world = *state;
	struct draw draw = {4711};

	for (int i = 0; i < STEPS; i++) {
		step(world, &draw);
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		look(world, i, true);
	}
	assert_true(world->loads > 1000); /* many were forgotten */
}

static void test_a_value_may_be_made_of_what_was_borrowed(void **state)
{
	struct world *world = *state;
	struct slice key = slice_of_text("bo1"), value;
	char expected[65];

	memset(expected, 'x', sizeof expected);
	world->places[1].newest = 1; /* the store is not asked */
	for (size_t size = 64; size <= 65;
		size++) { /* in its place, and in a larger one; then again from there */
		assert_int_equal(entries_put(world->entries, key, slice_of(expected, size)), 0);
		assert_int_equal(entries_peek(world->entries, key, &value), 0);
		assert_int_equal(
			entries_put(world->entries, key, slice_of(value.bytes + 1, value.size - 1)),
			0);
		assert_int_equal(entries_peek(world->entries, key, &value), 0);
		assert_true(slice_equal(value, slice_of(expected, size - 1)));
	}
}

static void test_who_is_asked_for_stays_longest_and_who_is_only_looked_at_takes_no_place(
	void **state)
{
	struct world *world = *state;

	for (uint32_t i = 1; i < KEYS; i++) {
		look(world, 0, false);
		look(world, i, false);
		look(world, i, true); /* it is there */
	}
	assert_int_equal(world->loads, KEYS);
	look(world, 0, true);
	assert_int_equal(world->loads, KEYS);
	for (int i = 0; i < 3; i++) {
		look(world, 1, true); /* forgotten long ago */
	}
	assert_int_equal(world->loads, KEYS + 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_lost_or_old_however_entries_come_and_go),
		TEST(test_a_value_may_be_made_of_what_was_borrowed),
		TEST(test_who_is_asked_for_stays_longest_and_who_is_only_looked_at_takes_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
