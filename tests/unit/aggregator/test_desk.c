/* When a question may be answered: not before the start is over, and not before what it asks to be counted is counted. */
#include "aggregator/desk/desk.h"
#include "log_world.h"

struct counter {
	struct log_world *world;
	struct feed live;
	struct desk desk;
};

static int make(void **state)
{
	struct counter *counter = calloc(1, sizeof *counter);
	counter->world = new_log_world();
	*state = counter;
	return 0;
}

static int unmake(void **state)
{
	struct counter *counter = *state;
	free_log_world(counter->world);
	free(counter);
	return 0;
}

static void open_counter(struct counter *counter)
{
	open_store(counter->world, ROOMY_MAP);
	counter->live = (struct feed){.pipeline = counter->world->pipeline};
	counter->desk = (struct desk){
		.stores = counter->world->stores,
		.live = &counter->live,
		.views = counter->world->views,
		.health = {.live = &counter->live, .check_error = "", .scrub_error = ""},
	};
}

static enum verdict judge(struct counter *counter, int64_t max_lag)
{
	struct wish wish = {.max_lag = max_lag};
	return desk_judge(&counter->desk, &wish);
}

static enum verdict judge_after(struct counter *counter, uint64_t seq)
{
	struct certificate after = {slice_of_text("berlin"), 4711, KIND_ORDER, seq};
	struct wish wish = {.max_lag = -1, .after = &after, .after_count = 1};
	return desk_judge(&counter->desk, &wish);
}

static void test_nothing_is_answered_before_what_the_log_held_at_start_is_counted(void **state)
{
	struct counter *counter = *state;
	struct log_world *world = counter->world;

	log_order(world, 1, "tea");
	start_and_read(world);
	drop_store(world);
	log_order(world, 2, "tea");
	log_order(world, 3, "tea");
	open_counter(counter);
	assert_int_equal(judge(counter, -1), VERDICT_NOT_READY); /* Kafka has not said anything */
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(judge(counter, -1), VERDICT_NOT_READY);
	take_one(world, 0);
	take_one(world, 1);
	assert_int_equal(judge(counter, -1), VERDICT_NOT_READY);
	take_one(world, 2);
	assert_int_equal(judge(counter, -1), VERDICT_ANSWER);
	/* Once over, the start does not come back, however far the log runs ahead. */
	log_order(world, 4, "tea");
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(judge(counter, -1), VERDICT_ANSWER);
}

static void test_status_is_answered_at_any_time(void **state)
{
	struct counter *counter = *state;
	struct wish wish = {.is_exempt = true, .max_lag = -1};

	open_counter(counter);
	assert_int_equal(desk_judge(&counter->desk, &wish), VERDICT_ANSWER);
	assert_int_equal(judge(counter, -1), VERDICT_NOT_READY);
}

static void test_without_kafka_the_store_answers(void **state)
{
	struct counter *counter = *state;
	struct log_report report = {.is_reachable = false};

	open_counter(counter);
	assert_int_equal(pipeline_observe(counter->world->pipeline, &report), 0);
	assert_int_equal(judge(counter, -1), VERDICT_ANSWER);
	assert_int_equal(
		judge(counter, 1000), VERDICT_WAIT); /* but nobody knows how far it is behind */
}

static void test_a_demand_for_freshness_waits_until_it_is_met(void **state)
{
	struct counter *counter = *state;
	struct log_world *world = counter->world;

	open_counter(counter);
	assert_int_equal(observe_log(world), 0);
	log_order(world, 1, "tea");
	log_order(world, 2, "tea");
	assert_int_equal(observe_log(world), 0);
	assert_int_equal(judge(counter, 2), VERDICT_ANSWER);
	assert_int_equal(judge(counter, 1), VERDICT_WAIT);
	take_one(world, 0);
	assert_int_equal(judge(counter, 1), VERDICT_ANSWER);
	assert_int_equal(judge(counter, 0), VERDICT_WAIT);
}

static void test_after_waits_until_the_event_is_counted_or_rejected(void **state)
{
	struct counter *counter = *state;
	struct log_world *world = counter->world;

	log_order(world, 1, "tea");
	log_marker(world, 2);
	open_counter(counter);
	assert_int_equal(observe_log(world), 0);
	counter->desk.health.is_ready = true;
	assert_int_equal(judge_after(counter, 1), VERDICT_WAIT);
	take_one(world, 0);
	assert_int_equal(judge_after(counter, 1), VERDICT_ANSWER);
	assert_int_equal(judge_after(counter, 2), VERDICT_WAIT);
	take_one(world, 1);
	assert_int_equal(judge_after(counter, 2), VERDICT_ANSWER);
	assert_int_equal(judge_after(counter, 3), VERDICT_WAIT);
}

static enum verdict judge_view(struct counter *counter, const char *view)
{
	struct wish wish = {.max_lag = -1, .view = slice_of_text(view)};
	return desk_judge(&counter->desk, &wish);
}

static void test_baskets_are_not_shown_before_all_that_are_open_are_known(void **state)
{
	struct counter *counter = *state;
	struct view_set *views = sample_views();

	add_view(views, "baskets", "kind = basket\ngroup_by = edge\nmeasures = n = count()\n");
	open_counter(counter);
	assert_int_equal(observe_log(counter->world), 0);
	counter->desk.views = views;
	counter->world->pipeline->shards[0]->is_loading = true;
	assert_int_equal(judge_view(counter, "baskets"), VERDICT_NOT_READY);
	assert_int_equal(judge_view(counter, "products"), VERDICT_ANSWER);
	assert_int_equal(judge_view(counter, "basket"), VERDICT_ANSWER); /* there is none */
	assert_int_equal(judge_view(counter, ""), VERDICT_ANSWER);
	counter->world->pipeline->shards[0]->is_loading = false;
	assert_int_equal(judge_view(counter, "baskets"), VERDICT_ANSWER);
	view_set_free(views);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_nothing_is_answered_before_what_the_log_held_at_start_is_counted, make,
			unmake),
		cmocka_unit_test_setup_teardown(test_status_is_answered_at_any_time, make, unmake),
		cmocka_unit_test_setup_teardown(test_without_kafka_the_store_answers, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_demand_for_freshness_waits_until_it_is_met, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_after_waits_until_the_event_is_counted_or_rejected, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_baskets_are_not_shown_before_all_that_are_open_are_known, make,
			unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
