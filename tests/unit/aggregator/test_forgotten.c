/* Tombstones: of whom they are, what they hide, and what is left of them in a store. */
#include "aggregator/books/forgotten.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

static struct forgotten forgotten;

static int set_up(void **state)
{
	(void)state;
	forgotten = (struct forgotten){.has_key = true, .key = "0123456789abcde"};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	forgotten_deinit(&forgotten);
	return 0;
}

static struct tombstone tombstone_of(const char *user, int64_t until_ms)
{
	struct tombstone tombstone = {.when_ms = 5, .until_ms = until_ms, .by = "boss"};
	forgotten_hash(&forgotten, slice_of_text(user), tombstone.hash);
	return tombstone;
}

static void put(const char *user, int64_t until_ms)
{
	const struct tombstone tombstone = tombstone_of(user, until_ms);
	assert_int_equal(forgotten_put(&forgotten, &tombstone), 0);
}

static struct standing standing(const char *user, int64_t append_ms)
{
	return forgotten_standing(&forgotten, slice_of_text(user), append_ms);
}

static void test_who_is_forgotten_is_hidden_in_all_events_to_come_too(void **state)
{
	(void)state;
	assert_false(standing("anna", 1).is_hidden);
	put("anna", FORGOTTEN_FOR_EVER);
	assert_true(standing("anna", 1).is_hidden);
	assert_true(standing("anna", INT64_MAX - 1).is_hidden);
	assert_true(forgotten_has(&forgotten, slice_of_text("anna")));
	assert_false(standing("ann", 1).is_hidden);
	assert_false(forgotten_standing(&forgotten, slice_of(NULL, 0), 1).is_hidden);
	assert_int_equal(standing("ann", 1).epoch, 0);
}

/* The broker's time of the record decides and nothing else, so that a rebuild comes to the same. */
static void test_who_counts_again_stays_hidden_in_what_was_appended_before(void **state)
{
	(void)state;
	put("anna", FORGOTTEN_FOR_EVER);
	assert_int_equal(forgotten.in_force, 1);
	put("anna", 1000);
	assert_int_equal(forgotten.count, 1);
	assert_int_equal(forgotten.in_force, 0);
	assert_true(standing("anna", 999).is_hidden);
	assert_false(standing("anna", 1000).is_hidden);
	assert_int_equal(standing("anna", 1000).epoch, 1000);
	assert_false(forgotten_has(&forgotten, slice_of_text("anna")));
	put("anna", FORGOTTEN_FOR_EVER); /* and once more */
	assert_true(standing("anna", 2000).is_hidden);
	assert_int_equal(forgotten.in_force, 1);
}

static void test_every_one_of_many_is_found(void **state)
{
	struct forgotten copy = {0};
	char user[16];
	(void)state;

	for (int i = 0; i < 1000; i += 2) {
		snprintf(user, sizeof user, "u%d", i);
		put(user, FORGOTTEN_FOR_EVER);
	}
	assert_int_equal(forgotten_copy(&forgotten, &copy), 0);
	assert_int_equal(copy.count, 500);
	for (int i = 0; i < 1000; i++) {
		snprintf(user, sizeof user, "u%d", i);
		assert_int_equal(forgotten_has(&copy, slice_of_text(user)), i % 2 == 0);
	}
	forgotten_deinit(&copy);
}

static void test_another_key_makes_another_name_of_everybody(void **state)
{
	struct forgotten other = {.has_key = true, .key = "another key xyz"};
	uint8_t ours[FORGOTTEN_HASH_SIZE], theirs[FORGOTTEN_HASH_SIZE];
	char text[FORGOTTEN_HASH_TEXT_SIZE];
	(void)state;

	forgotten_hash(&forgotten, slice_of_text("anna"), ours);
	forgotten_hash(&other, slice_of_text("anna"), theirs);
	assert_memory_not_equal(ours, theirs, sizeof ours);
	forgotten_hash_text(ours, text);
	assert_int_equal(strlen(text), 32);
}

static void test_a_tombstone_survives_its_row_and_is_refused_when_it_is_cut(void **state)
{
	const struct tombstone tombstone = tombstone_of("anna", 77);
	struct tombstone again;
	struct buffer buffer;
	(void)state;

	buffer_init(&buffer, 1024);
	tombstone_encode(&tombstone, &buffer);
	struct slice hash = slice_of(tombstone.hash, sizeof tombstone.hash);
	assert_true(tombstone_decode(hash, buffer_slice(&buffer), &again));
	assert_true(tombstone_equal(&tombstone, &again));
	for (size_t size = 0; size < buffer.size; size++) {
		assert_false(tombstone_decode(hash, slice_of(buffer.bytes, size), &again));
	}
	assert_false(tombstone_decode(slice_of("x", 1), buffer_slice(&buffer), &again));
	buffer_deinit(&buffer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_is_forgotten_is_hidden_in_all_events_to_come_too),
		TEST(test_who_counts_again_stays_hidden_in_what_was_appended_before),
		TEST(test_every_one_of_many_is_found),
		TEST(test_another_key_makes_another_name_of_everybody),
		TEST(test_a_tombstone_survives_its_row_and_is_refused_when_it_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
