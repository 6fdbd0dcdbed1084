/* Forgetting while not all that was counted can be written: without memory (every allocation fails once; linked with --wrap for
 * the allocating calls), and with a shard that a record broke half-way. */
#include "aggregator/desk/forgetting.h"
#include "failing_memory.h"
#include "many_logs.h"
#include <errno.h>

enum { ORDERS = 40, USERS = 3, TRIES_MAX = 2000 };

#define GONE_MS (START_MS + DAY_MS)

/* One partition, and baskets of it, so that a shard has entries; some are closed when all is read. */
static struct world *new_sales(void)
{
	static const char *views[][2] = {
		{"users", "kind = basket\ngroup_by = user_id\nmeasures = n = count()\n"}};
	struct world *world = new_world(views, 1);

	world->logs[0] = calloc(ORDERS, sizeof *world->logs[0]);
	for (int i = 0; i < ORDERS; i++) {
		char order_id[16], user_id[16];
		struct event event = sample_order(1, START_MS + i * MINUTE_MS, "tea", 1, 2500000);
		snprintf(order_id, sizeof order_id, "o%d", i);
		snprintf(user_id, sizeof user_id, "u%d", i % USERS);
		event.text[FIELD_ORDER_ID] = slice_of_text(order_id);
		event.text[FIELD_USER_ID] = slice_of_text(user_id);
		log_event(world, 0, &event, START_MS + i * MINUTE_MS);
	}
	return world;
}

static void read_all(struct world *world)
{
	while (!is_read(world)) {
		take(world, 0);
	}
}

/* As somebody asks for it; the calls_left-th allocation of carrying it out fails. */
static int forget(struct world *world, int calls, struct complaint *complaint)
{
	const struct query query = {.user = slice_of_text("u1")};
	const struct forgetting forgetting = {.stores = world->stores,
		.live = world->pipeline,
		.views = world->views,
		.now_ms = GONE_MS,
		.by = "boss"};
	struct forget_plan plan;

	assert_int_equal(forgetting_plan(&forgetting, &query, &plan, complaint), 0);
	calls_left = calls;
	int r = forgetting_carry_out(&forgetting, &plan, complaint);
	calls_left = 0;
	forget_plan_deinit(&plan);
	return r;
}

/* What fails ends the process; the next one reads on from what is on disk, and is asked again. */
static bool forget_in_spite_of_failure(struct world *world, int calls)
{
	struct complaint complaint = {0};

	start_counting(world, 1);
	read_all(world);
	int r = forget(world, calls, &complaint);
	if (r < 0) {
		assert_int_equal(r, -ENOMEM);
		drop_world(world);
		open_world(world);
		read_all(world);
		assert_int_equal(forget(world, 0, &complaint), 0);
	} else {
		assert_int_equal(r, 0);
	}
	end_counting(world);
	return r < 0;
}

static void test_without_memory_it_fails_and_is_done_after_the_next_start(void **state)
{
	static char expected[DUMP_SIZE];
	struct world *world = new_sales();
	int failures = 0;
	(void)state;

	assert_false(forget_in_spite_of_failure(world, 0));
	memcpy(expected, world->dump, sizeof expected);
	assert_non_null(strstr(expected, "\"user_id\":\"u0\""));
	assert_null(strstr(expected, "\"user_id\":\"u1\""));
	while (forget_in_spite_of_failure(world, failures + 1)) {
		failures++;
		assert_same(world->dump, expected);
		assert_true(failures < TRIES_MAX);
	}
	assert_true(failures > 10);
	free_world(world);
}

static void test_with_entries_that_no_commit_will_carry_it_is_refused(void **state)
{
	struct world *world = new_sales();
	struct complaint complaint = {0};
	bool is_clean = true;
	(void)state;

	start_counting(world, 1);
	read_all(world);
	commit(world);
	struct shard *shard = world->pipeline->shards[0];
	/* As a record leaves it whose second entry can't be read. */
	assert_int_equal(entries_put(shard->entries, slice_of_text("t"), slice_of_text("half")), 0);
	shard->is_broken = true;
	assert_false(shard->is_changed);
	assert_int_equal(pipeline_flush(world->pipeline, &is_clean), 0);
	assert_false(is_clean);
	assert_int_equal(forget(world, 0, &complaint), REASON_INTERNAL);
	assert_non_null(strstr(complaint.message, "can't be written to the store now"));
	end_counting(world);
	assert_non_null(strstr(world->dump, "\"user_id\":\"u1\""));
	free_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_memory_it_fails_and_is_done_after_the_next_start),
		cmocka_unit_test(test_with_entries_that_no_commit_will_carry_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
