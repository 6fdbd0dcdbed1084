/* A commit of the store is on disk when its thread says so. */
#include "log_world.h"
#include "tests/lib/syncs.h"

static void test_a_commit_ends_after_data_and_meta_page_were_synced(void **state)
{
	struct log_world *world = new_log_world();
	(void)state;

	log_order(world, 1, "tea");
	start_and_read(world);
	log_order(world, 2, "tea");
	read_log(world);
	data_syncs = 0;
	meta_syncs = 0;
	commit_all(world);
	assert_int_equal(data_syncs, 1);
	assert_int_equal(meta_syncs, 1);
	free_log_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_commit_ends_after_data_and_meta_page_were_synced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
