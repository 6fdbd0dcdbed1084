/* Live messages over a world of layers: rows are those that get shows. */
#include "aggregator/live/live_message.h"
#include "answer_world.h"

struct bench {
	struct world *world;
	struct live_streams *streams;
	uint32_t view_id;
	struct buffer payload;
	struct document document;
};

static struct bench new_bench(const char *view, bool is_subscribed)
{
	struct bench bench = {.world = new_world(2, true)};
	struct live_streams_options options = {
		.views = bench.world->views, .name = 0x4711, .rate = 10};
	uint8_t topic[LIVE_TOPIC_SIZE_MAX];
	enum live_subject subject;

	assert_int_equal(live_streams_new(&options, &bench.streams), 0);
	bench.view_id = view_id(view_set_find(bench.world->views, slice_of_text(view)));
	const struct live_topic name = {ENCODING_JSON, slice_of_text(view)};
	size_t size = live_topic_write(&name, topic);
	if (is_subscribed) {
		assert_int_equal(live_streams_subscribe(
					 bench.streams, slice_of(topic, size), true, &subject),
			0);
	}
	buffer_init(&bench.payload, ANSWER_SIZE_MAX);
	assert_int_equal(document_init(&bench.document, 1000000), 0);
	return bench;
}

static void free_bench(struct bench *bench)
{
	buffer_deinit(&bench->payload);
	document_deinit(&bench->document);
	live_streams_free(bench->streams);
	free_world(bench->world);
}

static void note(struct bench *bench, const char *first, const char *second)
{
	const char *const texts[] = {first, second};
	struct row_key key = sample_key(texts, 2);
	const struct changed_key changed = {row_key_slice(&key), slice_of(NULL, 0)};

	live_streams_note(bench->streams, bench->view_id, &changed);
}

static struct live_message write_task(struct bench *bench, enum live_task task, size_t keys_max,
	enum encoding encoding, size_t *ret_keys)
{
	const struct live_draft draft = {.context = &bench->world->context,
		.streams = bench->streams,
		.view_id = bench->view_id,
		.task = task,
		.rate = 10,
		.keys_max = keys_max};
	struct complaint complaint;
	struct live_message message;

	buffer_clear(&bench->payload);
	assert_int_equal(live_message_write(&draft, encoding, &bench->payload, ret_keys), 0);
	assert_int_equal(document_decode(&bench->document, encoding, buffer_slice(&bench->payload),
				 NESTING_MAX, &complaint),
		0);
	assert_int_equal(live_message_read(bench->document.nodes, &message), 0);
	return message;
}

static void test_rows_are_those_that_get_shows(void **state)
{
	struct bench bench = new_bench("products", true);
	size_t keys = 0;

	(void)state;
	note(&bench, "p07", "GBP");
	note(&bench, "p08", "EUR");
	struct live_message message =
		write_task(&bench, LIVE_TASK_ROWS, LIVE_ROWS_MAX, ENCODING_JSON, &keys);
	assert_int_equal(keys, 2);
	assert_int_equal(message.type, LIVE_ROWS);
	assert_int_equal(message.rows->count, 2);
	const struct node *answer =
		ask(bench.world, "{\"query\":\"get\",\"view\":\"products\",\"keys\":[[\"p07\","
				 "\"GBP\"],[\"p08\",\"EUR\"]]}");
	assert_true(slice_equal(rows_of(answer)->raw, message.rows->raw));
	free_bench(&bench);
}

static void test_a_row_that_is_not_there_is_gone(void **state)
{
	struct bench bench = new_bench("products", true);
	size_t keys = 0;

	(void)state;
	note(&bench, "p07", "GBP");
	note(&bench, "never", "GBP");
	struct live_message message =
		write_task(&bench, LIVE_TASK_ROWS, LIVE_ROWS_MAX, ENCODING_JSON, &keys);
	assert_int_equal(message.rows->count, 1);
	assert_int_equal(message.gone->count, 1);
	assert_true(slice_equals_text(message.gone->raw, "[[\"never\",\"GBP\"]]"));
	free_bench(&bench);
}

static void test_a_message_has_no_more_keys_than_it_may(void **state)
{
	struct bench bench = new_bench("products", true);
	size_t keys = 0;

	(void)state;
	note(&bench, "p07", "GBP");
	note(&bench, "p08", "GBP");
	note(&bench, "p09", "GBP");
	struct live_message message =
		write_task(&bench, LIVE_TASK_ROWS, 2, ENCODING_MSGPACK, &keys);
	assert_int_equal(keys, 2);
	assert_int_equal(message.rows->count + message.gone->count, 2);
	free_bench(&bench);
}

static void test_every_message_says_where_its_stream_is(void **state)
{
	static const enum live_task tasks[] = {LIVE_TASK_HELLO, LIVE_TASK_IDLE, LIVE_TASK_RESET};
	struct bench bench = new_bench("products", true);
	uint64_t n = live_streams_place(bench.streams)->n[bench.view_id];
	size_t keys = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct live_message message = write_task(&bench, tasks[i], 0, ENCODING_JSON, &keys);
		assert_true(slice_equals_text(message.stream, "0000000000004711"));
		assert_int_equal(message.n, n + (tasks[i] == LIVE_TASK_RESET));
		assert_non_null(node_find(message.as_of, "commit"));
	}
	free_bench(&bench);
}

static void test_an_unknown_view_is_suggested_another(void **state)
{
	struct bench bench = new_bench("products", true);
	const struct live_topic topic = {ENCODING_JSON, slice_of_text("prodcts")};
	struct complaint complaint;
	struct live_message message;

	(void)state;
	live_message_write_unknown(bench.world->views, &topic, &bench.payload);
	assert_int_equal(document_decode(&bench.document, ENCODING_JSON,
				 buffer_slice(&bench.payload), NESTING_MAX, &complaint),
		0);
	assert_int_equal(live_message_read(bench.document.nodes, &message), 0);
	assert_int_equal(message.type, LIVE_ERROR);
	assert_true(slice_equals_text(message.error_code, "unknown_view"));
	assert_true(slice_equals_text(
		message.error_message, "no view \"prodcts\"; did you mean \"products\"?"));
	free_bench(&bench);
}

/* Who joins skips what an answer has already: so an answer must say how far the stream was, and only where there is one. */
static void test_answers_say_how_far_the_stream_is(void **state)
{
	static const char request[] = "{\"query\":\"get\",\"view\":\"products\",\"key\":[\"p07\"]}";
	struct bench bench = new_bench("products", true);
	int64_t n = -1;

	(void)state;
	bench.world->context.live = live_streams_place(bench.streams);
	const struct node *live = node_find(ask(bench.world, request), "live");
	assert_non_null(live);
	assert_true(node_integer(node_find(live, "n"), &n));
	assert_int_equal(n, live_streams_place(bench.streams)->n[bench.view_id]);
	const struct node *other = ask(bench.world, "{\"query\":\"scan\",\"view\":\"stores\"}");
	assert_null(node_find(other, "live"));
	free_bench(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_those_that_get_shows),
		cmocka_unit_test(test_a_row_that_is_not_there_is_gone),
		cmocka_unit_test(test_a_message_has_no_more_keys_than_it_may),
		cmocka_unit_test(test_every_message_says_where_its_stream_is),
		cmocka_unit_test(test_an_unknown_view_is_suggested_another),
		cmocka_unit_test(test_answers_say_how_far_the_stream_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
