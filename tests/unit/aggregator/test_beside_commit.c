/* What a commit writes is asked for, sorted, judged and ticked past on the loop meanwhile. TSan sees whatever one thread changes under
 * the other; and the counts are right at every look. */
#include "log_world.h"

enum { ROUNDS = 6, SALES = 250, PRODUCTS = 40 };

#define HOUR_MS INT64_C(3600000)
#define START_MS INT64_C(1291161600000) /* 2010-12-01T00:00Z */

/* Each kind of state that a row may have: members, bins, stamps; and rows that end. */
static const char *const views[][2] = {
	{"products", "kind = order\ngroup_by = product_id\nmeasures = n = count(), r = "
		     "sum(revenue), q = quantile(revenue, 0.5), f = first(order_id), l = "
		     "last(order_id)\n"},
	{"edges", "kind = order\ngroup_by = edge\nmeasures = b = distinct(basket)\n"},
	{"hours", "kind = order\ngroup_by = hour(ts), product_id\nmeasures = n = count(), b = "
		  "distinct(basket)\nretain = 1d\n"},
};

static int make(void **state)
{
	struct log_world *world = new_log_world();

	view_set_free(world->views);
	world->views = new_view_set();
	for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
		add_view(world->views, views[i][0], views[i][1]);
	}
	world->later_ms = START_MS;
	*state = world;
	return 0;
}

static int unmake(void **state)
{
	free_log_world(*state);
	return 0;
}

/* An order of its own, so a member. */
static void log_sale(struct log_world *world)
{
	char product[16], name[16];
	struct buffer buffer;

	snprintf(product, sizeof product, "p%d", (int)(world->high * 7 % PRODUCTS));
	snprintf(name, sizeof name, "o%d", (int)world->high);
	struct event event = sample_order(
		(uint64_t)world->high + 1, world->later_ms, product, 1 + world->high % 9, 2500000);
	set_text(&event, FIELD_ORDER_ID, name);
	buffer_init(&buffer, RECORD_MAX);
	event_encode(&event, ENCODING_MSGPACK, &buffer);
	assert_int_equal(buffer.error, 0);
	log_bytes(world, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

/* Of the rows of an answer. */
static int64_t sum_of(const char *reply, const char *column)
{
	int64_t sum = 0;

	for (const char *at = strstr(reply, column); at != NULL; at = strstr(at + 1, column)) {
		sum += strtoll(at + strlen(column), NULL, 10);
	}
	return sum;
}

static void assert_all_shown(struct log_world *world)
{
	int64_t wait_ms = 1000;

	assert_int_equal(pipeline_tick(world->pipeline, 0, &wait_ms), 0); /* nothing is due */
	ask(world, "{\"query\":\"scan\",\"view\":\"hours\",\"limit\":50}");
	ask(world, "{\"query\":\"scan\",\"view\":\"products\",\"limit\":100}");
	assert_int_equal(sum_of(world->reply, "\"n\":"), world->high);
	ask(world, "{\"query\":\"scan\",\"view\":\"edges\",\"limit\":10}");
	assert_int_equal(sum_of(world->reply, "\"b\":"), world->high);
}

static bool is_stored(struct log_world *world, uint64_t number)
{
	struct snapshot *snapshot = NULL;

	assert_int_equal(snapshot_begin(world->stores->items[0], 1, &snapshot), 0);
	bool is_there = snapshot_commit(snapshot) >= number;
	snapshot_end(snapshot);
	return is_there;
}

static void look_until_written(struct log_world *world)
{
	const struct shard *shard = world->pipeline->shards[0];

	assert_true(shard->is_frozen);
	assert_all_shown(world);
	log_sale(world);
	read_log(world);
	do {
		assert_all_shown(world);
	} while (!is_stored(world, shard->frozen.number));
	worker_drain(world->stores->workers[0]);
	assert_false(shard->is_frozen);
}

static void test_while_a_commit_is_written_all_of_it_may_be_asked_for(void **state)
{
	struct log_world *world = *state;
	int64_t now_ms = 0, wait_ms = 1000;

	open_store(world, ROOMY_MAP);
	assert_int_equal(observe_log(world), 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SALES; i++) {
			log_sale(world);
		}
		read_log(world);
		now_ms += 100000;
		assert_int_equal(pipeline_tick(world->pipeline, now_ms, &wait_ms), 0);
		look_until_written(world);
		world->later_ms += 9 * HOUR_MS;
	}
	assert_all_shown(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_while_a_commit_is_written_all_of_it_may_be_asked_for, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
