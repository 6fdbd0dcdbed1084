/* All shards of a directory: made together, opened together, and brought to where shard 0 is after a kill in between. */
#include "aggregator/shard/stores.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include <errno.h>
#include <sys/statvfs.h>

enum { MAP_SIZE = 16 * 1024 * 1024, SHARDS = 3 };

struct fixture {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct stores *stores;
	char error[512];
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
	stores_free(fixture->stores);
	view_set_free(fixture->views);
	scratch_remove(fixture->dir);
	free(fixture);
	return 0;
}

static int open_stores(struct fixture *fixture, uint32_t shard_count, bool may_create)
{
	const struct stores_options options = {
		.dir = fixture->dir,
		.shard_count = shard_count,
		.map_size = MAP_SIZE,
		.may_create = may_create,
		.views = fixture->views,
		.new_id = "made-here",
	};
	fixture->stores = stores_free(fixture->stores);
	fixture->error[0] = '\0';
	return stores_new(&options, &fixture->stores, fixture->error, sizeof fixture->error);
}

static void assert_all_are(
	const struct fixture *fixture, uint32_t live, uint32_t shadow, const char *id)
{
	for (size_t i = 0; i < fixture->stores->count; i++) {
		const struct store_root *root = store_root(fixture->stores->items[i]);
		assert_int_equal(root->shard, i);
		assert_int_equal(root->live, live);
		assert_int_equal(root->shadow, shadow);
		assert_string_equal(root->live_id, id);
	}
}

static void test_shards_are_made_once_and_found_again(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_true(fixture->stores->is_new);
	assert_all_are(fixture, 1, 0, "made-here");
	assert_true(stores_root(fixture->stores)->is_complete);
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_false(fixture->stores->is_new);
	assert_int_equal(open_stores(fixture, 0, false), 0); /* as many as there are */
	assert_int_equal(fixture->stores->count, SHARDS);
	assert_true(stores_size(fixture->stores) > 0);
	assert_true(stores_are_idle(fixture->stores));
}

static void test_a_disk_tells_how_much_room_it_has(void **state)
{
	struct fixture *fixture = *state;
	const struct stores elsewhere = {.lock_fd = -1};
	struct statvfs disk;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_int_equal(statvfs(fixture->dir, &disk), 0);
	assert_in_range(stores_disk_room(fixture->stores), 1, disk.f_blocks * disk.f_frsize);
	assert_int_equal(stores_disk_room(&elsewhere), -1);
}

static void test_other_shards_than_were_made_need_a_decision(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_int_equal(open_stores(fixture, 2, true), STORES_E_DECISION);
	assert_non_null(strstr(fixture->error, "3 shards"));
}

static void test_nothing_is_made_where_one_only_looks(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, 0, false), -ENOENT);
	assert_non_null(strstr(fixture->error, fixture->dir));
}

static void test_a_second_owner_is_kept_out(void **state)
{
	struct fixture *fixture = *state;
	struct fixture other = *fixture;
	other.stores = NULL;
	assert_int_equal(open_stores(fixture, 1, true), 0);
	assert_int_equal(open_stores(&other, 1, true), -EBUSY);
	assert_non_null(strstr(other.error, "another aggregator"));
}

static void remove_shard(const struct fixture *fixture, int shard)
{
	char path[SCRATCH_PATH_SIZE + 32];
	snprintf(path, sizeof path, "%s/shard-%d", fixture->dir, shard);
	scratch_remove(path);
}

static void test_a_lost_shard_needs_a_decision(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	fixture->stores = stores_free(fixture->stores);
	remove_shard(fixture, 1);
	assert_int_equal(open_stores(fixture, SHARDS, true), STORES_E_DECISION);
	assert_non_null(strstr(fixture->error, "shard-1"));
}

/* Killed after shard 0 was made: it was not yet complete, so the others are made now. */
static void test_a_creation_that_was_cut_short_is_finished(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	struct store_root root = *stores_root(fixture->stores);
	root.is_complete = false;
	assert_int_equal(store_set_root(fixture->stores->items[0], &root), 0);
	fixture->stores = stores_free(fixture->stores);
	remove_shard(fixture, 1);
	remove_shard(fixture, 2);
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_all_are(fixture, 1, 0, "made-here");
}

static void test_a_switch_is_decided_in_shard_0_and_rolled_forward(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_int_equal(stores_begin_shadow(fixture->stores, fixture->views, "rebuilt"), 0);
	assert_all_are(fixture, 1, 2, "made-here");
	assert_int_equal(store_switch(fixture->stores->items[0]), 0); /* and then a kill */
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_all_are(fixture, 2, 0, "rebuilt");
	for (size_t i = 0; i < SHARDS; i++) {
		assert_int_equal(store_root(fixture->stores->items[i])->dropping, 1);
	}
}

static void test_a_switch_of_all_shards(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_int_equal(stores_begin_shadow(fixture->stores, fixture->views, "rebuilt"), 0);
	assert_int_equal(stores_switch(fixture->stores), 0);
	assert_all_are(fixture, 2, 0, "rebuilt");
}

/* Killed while a shadow was begun: shard 0, which comes last, does not have it, so nobody has. */
static void test_a_shadow_that_shard_0_never_had_is_given_up(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	struct store_root root = *store_root(fixture->stores->items[2]);
	root.shadow = 2;
	root.next = 3;
	assert_int_equal(
		store_create_generation(fixture->stores->items[2], &root, fixture->views), 0);
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_all_are(fixture, 1, 0, "made-here");
	/* Its number is free again only once it is dropped: a new shadow is another one. */
	assert_int_equal(store_root(fixture->stores->items[2])->dropping, 2);
}

/* Killed after two of three shards had begun: what they drop now must not be what the next shadow fills. */
static void test_a_shadow_begun_anew_is_none_that_is_being_dropped(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	for (size_t i = 1; i < SHARDS; i++) {
		struct store_root root = *store_root(fixture->stores->items[i]);
		root.shadow = root.next++;
		snprintf(root.shadow_id, sizeof root.shadow_id, "cut-short");
		assert_int_equal(
			store_create_generation(fixture->stores->items[i], &root, fixture->views),
			0);
	}
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_int_equal(stores_begin_shadow(fixture->stores, fixture->views, "the-next"), 0);
	for (size_t i = 0; i < SHARDS; i++) {
		const struct store_root *root = store_root(fixture->stores->items[i]);
		assert_int_equal(root->shadow, stores_root(fixture->stores)->shadow);
		assert_int_not_equal(root->shadow, root->dropping);
		assert_int_equal(root->next, root->shadow + 1);
	}
	assert_int_equal(open_stores(fixture, SHARDS, true), 0); /* and is found again */
	assert_int_not_equal(stores_root(fixture->stores)->shadow, 0);
}

static void test_a_discarded_shadow_leaves_the_live_one(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(open_stores(fixture, SHARDS, true), 0);
	assert_int_equal(stores_begin_shadow(fixture->stores, fixture->views, "rebuilt"), 0);
	assert_int_equal(stores_discard_shadow(fixture->stores), 0);
	assert_all_are(fixture, 1, 0, "made-here");
	/* And once more, though the first is not yet dropped. */
	assert_int_equal(stores_begin_shadow(fixture->stores, fixture->views, "again"), 0);
	assert_all_are(fixture, 1, 3, "made-here");
	assert_int_equal(stores_discard_shadow(fixture->stores), 0);
	assert_all_are(fixture, 1, 0, "made-here");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shards_are_made_once_and_found_again),
		TEST(test_a_disk_tells_how_much_room_it_has),
		TEST(test_other_shards_than_were_made_need_a_decision),
		TEST(test_nothing_is_made_where_one_only_looks),
		TEST(test_a_second_owner_is_kept_out),
		TEST(test_a_lost_shard_needs_a_decision),
		TEST(test_a_creation_that_was_cut_short_is_finished),
		TEST(test_a_switch_is_decided_in_shard_0_and_rolled_forward),
		TEST(test_a_switch_of_all_shards),
		TEST(test_a_shadow_that_shard_0_never_had_is_given_up),
		TEST(test_a_shadow_begun_anew_is_none_that_is_being_dropped),
		TEST(test_a_discarded_shadow_leaves_the_live_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
