/* What is told of a view, when, and under which number. */
#include "aggregator/live/live_streams.h"
#include "sample_views.h"

enum { RATE = 10, INTERVAL_MS = 1000 / RATE };

struct bench {
	struct view_set *views;
	struct live_streams *streams;
	uint32_t products;
};

static struct bench new_bench(void)
{
	struct bench bench = {.views = sample_views()};
	struct live_streams_options options = {
		.views = bench.views, .name = UINT64_C(0x9f3c21d07a5be644), .rate = RATE};

	memcpy(options.hash_key, sample_hash_key, sizeof options.hash_key);
	assert_int_equal(live_streams_new(&options, &bench.streams), 0);
	bench.products = view_id(view_set_find(bench.views, slice_of_text("products")));
	return bench;
}

static void free_bench(struct bench *bench)
{
	live_streams_free(bench->streams);
	view_set_free(bench->views);
}

static enum live_subject subscribe(struct bench *bench, struct slice topic, bool is_on)
{
	enum live_subject subject;

	assert_int_equal(live_streams_subscribe(bench->streams, topic, is_on, &subject), 0);
	return subject;
}

#define TOPIC(literal) slice_of(literal, sizeof literal) /* with its NUL */

static void note(struct bench *bench, const char *key)
{
	const struct changed_key changed = {slice_of_text(key), slice_of(NULL, 0)};

	live_streams_note(bench->streams, bench->products, &changed);
}

static uint64_t watched(const struct bench *bench)
{
	return live_streams_place(bench->streams)->watched;
}

static uint64_t last_number(const struct bench *bench)
{
	return live_streams_place(bench->streams)->n[bench->products];
}

static enum live_task task_at(const struct bench *bench, int64_t now_ms)
{
	int64_t wait_ms = 0;

	return live_streams_task(bench->streams, bench->products, false, now_ms, &wait_ms);
}

/* Does what is to be done, all keys at once. */
static enum live_task perform(struct bench *bench, int64_t now_ms)
{
	enum live_task task = task_at(bench, now_ms);
	size_t count = changed_keys_count(live_streams_keys(bench->streams, bench->products));

	live_streams_said(bench->streams, bench->products, task, count, now_ms);
	return task;
}

static void test_only_what_somebody_listens_to_is_noted(void **state)
{
	struct bench bench = new_bench();

	(void)state;
	assert_int_equal(watched(&bench), 0);
	note(&bench, "tea"); /* nobody hears it, nothing is kept */
	assert_null(live_streams_keys(bench.streams, bench.products));
	assert_int_equal(subscribe(&bench, TOPIC("j/products"), true), LIVE_SUBJECT_VIEWS);
	assert_int_equal(watched(&bench), UINT64_C(1) << bench.products);
	note(&bench, "tea");
	assert_int_equal(changed_keys_count(live_streams_keys(bench.streams, bench.products)), 1);
	subscribe(&bench, TOPIC("j/products"), false);
	assert_int_equal(watched(&bench), 0);
	free_bench(&bench);
}

static void test_a_prefix_of_a_name_is_another_topic(void **state)
{
	struct bench bench = new_bench();

	(void)state;
	assert_int_equal(subscribe(&bench, TOPIC("j/product"), true), LIVE_SUBJECT_UNKNOWN);
	assert_int_equal(
		subscribe(&bench, slice_of_text("j/products"), true), LIVE_SUBJECT_STRANGE);
	assert_int_equal(subscribe(&bench, TOPIC("x/products"), true), LIVE_SUBJECT_STRANGE);
	assert_int_equal(subscribe(&bench, TOPIC("j/pro\nducts"), true), LIVE_SUBJECT_STRANGE);
	assert_int_equal(watched(&bench), 0);
	free_bench(&bench);
}

static void test_one_subscription_to_all_views_goes_beside_others(void **state)
{
	struct bench bench = new_bench();

	(void)state;
	subscribe(&bench, slice_of_text("m/"), true);
	subscribe(&bench, TOPIC("j/products"), true);
	assert_int_equal(__builtin_popcountll(watched(&bench)), view_set_count(bench.views));
	assert_true(live_streams_wants(
		bench.streams, bench.products, LIVE_TASK_ROWS, ENCODING_MSGPACK));
	subscribe(&bench, slice_of_text("m/"), false);
	assert_int_equal(watched(&bench), UINT64_C(1) << bench.products);
	assert_false(live_streams_wants(
		bench.streams, bench.products, LIVE_TASK_ROWS, ENCODING_MSGPACK));
	subscribe(&bench, slice_of_text(""), true);
	subscribe(&bench, TOPIC("j/products"), false);
	assert_true(
		live_streams_wants(bench.streams, bench.products, LIVE_TASK_ROWS, ENCODING_JSON));
	free_bench(&bench);
}

static void test_hello_comes_first_and_takes_no_number(void **state)
{
	struct bench bench = new_bench();

	(void)state;
	subscribe(&bench, TOPIC("j/products"), true);
	note(&bench, "tea");
	uint64_t n = last_number(&bench);
	assert_int_equal(perform(&bench, 5000), LIVE_TASK_HELLO);
	assert_int_equal(last_number(&bench), n);
	assert_int_equal(perform(&bench, 5000), LIVE_TASK_ROWS);
	assert_int_equal(last_number(&bench), n + 1);
	free_bench(&bench);
}

static void test_changes_come_at_the_rate_and_each_key_once(void **state)
{
	struct bench bench = new_bench();

	(void)state;
	subscribe(&bench, TOPIC("j/products"), true);
	perform(&bench, 5000);
	note(&bench, "tea");
	assert_int_equal(perform(&bench, 5000), LIVE_TASK_ROWS);
	note(&bench, "tea");
	note(&bench, "tea");
	assert_int_equal(live_streams_conflated(bench.streams), 1);
	assert_int_equal(task_at(&bench, 5000 + INTERVAL_MS - 1), LIVE_TASK_NONE);
	assert_int_equal(perform(&bench, 5000 + INTERVAL_MS), LIVE_TASK_ROWS);
	assert_int_equal(changed_keys_count(live_streams_keys(bench.streams, bench.products)), 0);
	free_bench(&bench);
}

static void test_silence_is_filled_each_second(void **state)
{
	struct bench bench = new_bench();
	int64_t wait_ms = 0;

	(void)state;
	subscribe(&bench, TOPIC("j/products"), true);
	perform(&bench, 5000);
	assert_int_equal(live_streams_task(bench.streams, bench.products, false, 5400, &wait_ms),
		LIVE_TASK_NONE);
	assert_int_equal(wait_ms, 600);
	uint64_t n = last_number(&bench);
	assert_int_equal(perform(&bench, 6000), LIVE_TASK_IDLE);
	assert_int_equal(last_number(&bench), n);
	free_bench(&bench);
}

/* Nothing was noted while nobody listened: who comes back must not take the stream for whole. */
static void test_a_stream_that_rested_goes_on_with_a_gap(void **state)
{
	struct bench bench = new_bench();

	(void)state;
	subscribe(&bench, TOPIC("j/products"), true);
	perform(&bench, 5000);
	uint64_t n = last_number(&bench);
	subscribe(&bench, TOPIC("j/products"), false);
	subscribe(&bench, TOPIC("j/products"), true);
	assert_int_equal(perform(&bench, 5001), LIVE_TASK_HELLO);
	assert_true(last_number(&bench) > n);
	free_bench(&bench);
}

static void test_more_keys_than_the_bound_become_a_reset(void **state)
{
	struct bench bench = new_bench();
	char key[16];

	(void)state;
	subscribe(&bench, TOPIC("j/products"), true);
	perform(&bench, 5000);
	for (int i = 0; i <= LIVE_KEYS_MAX; i++) {
		snprintf(key, sizeof key, "p%d", i);
		note(&bench, key);
	}
	uint64_t n = last_number(&bench);
	assert_int_equal(perform(&bench, 6000), LIVE_TASK_RESET);
	assert_int_equal(last_number(&bench), n + 1);
	note(&bench, "tea");
	assert_int_equal(perform(&bench, 6000 + INTERVAL_MS), LIVE_TASK_ROWS);
	free_bench(&bench);
}

static void count_ended(void *owner, const struct live_topic *topic)
{
	unsigned *count = owner;

	assert_true(slice_equals_text(topic->view, "users"));
	(*count)++;
}

static void test_another_store_resets_what_stays_and_ends_what_goes(void **state)
{
	struct bench bench = new_bench();
	struct view_set *views = new_view_set();
	unsigned ended = 0;

	(void)state;
	add_view(views, "aisles", "kind = order\ngroup_by = category\nmeasures = n = count()\n");
	add_view(
		views, "products", "kind = order\ngroup_by = product_id\nmeasures = n = count()\n");
	subscribe(&bench, TOPIC("j/products"), true);
	subscribe(&bench, TOPIC("m/users"), true);
	perform(&bench, 5000);
	uint64_t n = last_number(&bench);
	live_streams_switch(bench.streams, views, count_ended, &ended);
	assert_int_equal(ended, 1);
	bench.products = view_id(view_set_find(views, slice_of_text("products")));
	assert_int_equal(watched(&bench), UINT64_C(1) << bench.products);
	assert_int_equal(perform(&bench, 6000), LIVE_TASK_RESET);
	assert_true(last_number(&bench) > n);
	assert_int_equal(task_at(&bench, 6000), LIVE_TASK_NONE);
	free_bench(&bench);
	view_set_free(views);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_somebody_listens_to_is_noted),
		cmocka_unit_test(test_a_prefix_of_a_name_is_another_topic),
		cmocka_unit_test(test_one_subscription_to_all_views_goes_beside_others),
		cmocka_unit_test(test_hello_comes_first_and_takes_no_number),
		cmocka_unit_test(test_changes_come_at_the_rate_and_each_key_once),
		cmocka_unit_test(test_silence_is_filled_each_second),
		cmocka_unit_test(test_a_stream_that_rested_goes_on_with_a_gap),
		cmocka_unit_test(test_more_keys_than_the_bound_become_a_reset),
		cmocka_unit_test(test_another_store_resets_what_stays_and_ends_what_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
