/* The sources of an edge, with a type of source that does what the test says. */
#include "desk_bench.h"
#include "edge/sources.h"
#include "runtime/metrics.h"
#include <errno.h>

enum { FAKES_MAX = 40, SERIES_SIZE = 64 * 1024 };

struct fake {
	struct source_options options;
	struct submission_result heard;
	uint64_t ticket;
	int heard_count;
	int polls;
	int stops;
	int closes;
	int64_t wait_ms; /* what poll gives; 0: nothing */
	int failure; /* of poll */
	bool is_busy; /* it says so when it was stopped */
};

/* What the type's functions work on: sources are made by open, so there is nobody else to ask. */
static struct {
	struct fake fakes[FAKES_MAX];
	size_t count;
	int open_result;
	const char *open_words;
} world;

static int fake_open(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	if (world.open_result < 0) {
		snprintf(error->text, sizeof error->text, "%s", world.open_words);
		return world.open_result;
	}
	assert_in_range(world.count, 0, FAKES_MAX - 1);
	struct fake *fake = &world.fakes[world.count++];
	fake->options = *options;
	*ret_source = fake;
	return 0;
}

static int fake_poll(void *owner, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	struct fake *fake = owner;

	assert_int_equal(now_ms, 5000);
	assert_int_equal(wall_ms, WALL_MS);
	fake->polls++;
	if (fake->wait_ms != 0) {
		*ret_wait_ms = fake->wait_ms;
	}
	return fake->failure;
}

static void fake_acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct fake *fake = owner;

	fake->heard = *result;
	fake->ticket = ticket;
	fake->heard_count++;
}

static void fake_stop(void *owner)
{
	struct fake *fake = owner;

	fake->stops++;
}

static bool fake_is_stopped(const void *owner)
{
	const struct fake *fake = owner;

	return fake->stops > 0 && !fake->is_busy;
}

static void *fake_close(void *owner)
{
	struct fake *fake = owner;

	fake->closes++;
	return NULL;
}

static void fake_describe(const void *owner, FILE *out)
{
	const struct fake *fake = owner;

	fprintf(out, "source %s: as it should be\n", fake->options.name);
}

static const char *const *fake_endpoints(const void *owner)
{
	static const char *const endpoints[] = {"fake://here", NULL};

	(void)owner;
	return endpoints;
}

static const struct config_option fake_keys[] = {{0}};
static const struct config_schema fake_schema = {.options = fake_keys};

static const struct source_type fake_type = {
	.name = "fake",
	.schema = &fake_schema,
	.open = fake_open,
	.poll = fake_poll,
	.acknowledge = fake_acknowledge,
	.stop = fake_stop,
	.is_stopped = fake_is_stopped,
	.close = fake_close,
	.describe = fake_describe,
	.endpoints = fake_endpoints,
};

/* As ZeroMQ's: opened by the edge itself; and nothing but what a type must have. */
static const struct source_type bare_type = {
	.name = "bare",
	.open = fake_open,
	.acknowledge = fake_acknowledge,
	.close = fake_close,
};

struct sources_bench {
	struct bench *bench;
	struct metrics *metrics;
	struct sources *sources;
};

static int make_sources(void **state)
{
	struct sources_bench *made = calloc(1, sizeof *made);
	void *bench = NULL;

	memset(&world, 0, sizeof world);
	make_bench(&bench);
	made->bench = bench;
	open_desk(made->bench, 0);
	assert_int_equal(metrics_new(&made->metrics), 0);
	const struct sources_options options = {
		.edge = "berlin-1", .desk = made->bench->desk, .metrics = made->metrics};
	assert_int_equal(sources_new(&options, &made->sources), 0);
	*state = made;
	return 0;
}

static int drop_sources(void **state)
{
	struct sources_bench *made = *state;
	void *bench = made->bench;

	sources_free(made->sources);
	drop_bench(&bench);
	metrics_free(made->metrics);
	free(made);
	return 0;
}

static struct fake *open_fake(
	struct sources_bench *made, const struct source_type *type, const char *name)
{
	struct source_error error = {0};

	assert_int_equal(sources_open(made->sources, type, name, "config", &error), 0);
	return &world.fakes[world.count - 1];
}

static int hand_in(const struct fake *fake, uint64_t ticket, const char *events)
{
	const struct submission submission = {
		.events = slice_of_text(events), .ticket = ticket, .reply = SUBMISSION_REPLY_JSON};

	return port_submit(fake->options.port, &submission, WALL_MS);
}

/* ---- opening */

static void test_a_source_hears_of_what_it_handed_in(void **state)
{
	struct sources_bench *made = *state;
	struct fake *shop = open_fake(made, &fake_type, "shop");
	struct fake *other = open_fake(made, &fake_type, "other");

	assert_string_equal(shop->options.name, "shop");
	assert_string_equal(shop->options.edge, "berlin-1");
	assert_string_equal(shop->options.config, "config");
	assert_int_equal(hand_in(shop, 7, ORDER_JSON), 0);
	round_of(made->bench);
	assert_int_equal(shop->heard_count, 1);
	assert_int_equal(shop->ticket, 7);
	assert_int_equal(shop->heard.outcome, SUBMISSION_TAKEN);
	assert_int_equal(other->heard_count, 0);
}

static int count_mark(void *owner, struct slice key, struct slice value)
{
	int *count = owner;

	assert_true(slice_equals_text(key, "k"));
	assert_true(slice_equals_text(value, "v"));
	++*count;
	return 0;
}

static int count_marks(struct sources_bench *made, const char *label)
{
	int count = 0;

	assert_int_equal(port_each_mark(open_port(made->bench, label), &count, count_mark), 0);
	return count;
}

static void test_marks_belong_to_type_and_name(void **state)
{
	struct sources_bench *made = *state;
	const struct source_mark mark = {slice_of_text("k"), slice_of_text("v")};
	const struct submission submission = {.marks = &mark, .mark_count = 1, .unattended = true};
	struct fake *declared = open_fake(made, &fake_type, "shop");
	struct fake *bare = open_fake(made, &bare_type, "zmq2");

	assert_int_equal(port_submit(declared->options.port, &submission, WALL_MS), 0);
	assert_int_equal(port_submit(bare->options.port, &submission, WALL_MS), 0);
	round_of(made->bench);
	assert_int_equal(count_marks(made, "fake:shop"), 1);
	assert_int_equal(count_marks(made, "zmq2"), 1);
	assert_int_equal(count_marks(made, "shop"), 0);
	assert_int_equal(count_marks(made, "bare:zmq2"), 0);
}

static void test_one_that_can_not_be_opened_leaves_the_others_to_be_closed(void **state)
{
	struct sources_bench *made = *state;
	struct fake *first = open_fake(made, &fake_type, "first");
	const struct source_declarations declared = {
		.of = {{.name = "second", .type = &fake_type}}, .count = 1};
	struct source_error error = {0};

	world.open_result = -EADDRINUSE;
	world.open_words = "can't bind it";
	assert_int_equal(sources_open_declared(made->sources, &declared, &error), -EADDRINUSE);
	assert_string_equal(error.text, "[source.second] can't bind it");
	made->sources = sources_free(made->sources);
	assert_int_equal(first->closes, 1);
	assert_int_equal(world.count, 1);
}

static void test_a_failure_without_words_is_told_by_its_code(void **state)
{
	struct sources_bench *made = *state;
	const struct source_declarations declared = {
		.of = {{.name = "second", .type = &fake_type}}, .count = 1};
	struct source_error error = {0};

	world.open_result = -ENOMEM;
	world.open_words = "";
	assert_int_equal(sources_open_declared(made->sources, &declared, &error), -ENOMEM);
	assert_string_equal(error.text, "[source.second] Cannot allocate memory");
}

static void test_as_many_as_can_be_declared_can_be_opened(void **state)
{
	struct sources_bench *made = *state;
	char name[SOURCE_NAME_SIZE];

	open_fake(made, &bare_type, "zmq2");
	open_fake(made, &bare_type, "push");
	for (int i = 0; i < SOURCES_DECLARED_MAX; i++) {
		snprintf(name, sizeof name, "%040d", i); /* as long as names may be */
		struct fake *fake = open_fake(made, &fake_type, name);
		assert_string_equal(fake->options.name, name);
		assert_int_equal(hand_in(fake, 1, ORDER_JSON), 0);
	}
	round_of(made->bench);
	assert_int_equal(orders_on_disk(made->bench), SOURCES_DECLARED_MAX);
}

/* ---- running */

static void test_the_shortest_wait_of_all_counts(void **state)
{
	struct sources_bench *made = *state;
	int64_t wait_ms = 1000;

	open_fake(made, &bare_type, "bare");
	struct fake *one = open_fake(made, &fake_type, "one");
	struct fake *two = open_fake(made, &fake_type, "two");
	assert_int_equal(sources_poll(made->sources, 5000, WALL_MS, &wait_ms), 0);
	assert_int_equal(wait_ms, 1000);
	one->wait_ms = 20;
	two->wait_ms = 300;
	assert_int_equal(sources_poll(made->sources, 5000, WALL_MS, &wait_ms), 0);
	assert_int_equal(wait_ms, 20);
	one->wait_ms = 5000; /* longer than somebody else's */
	two->wait_ms = 0;
	assert_int_equal(sources_poll(made->sources, 5000, WALL_MS, &wait_ms), 0);
	assert_int_equal(wait_ms, 20);
	assert_int_equal(one->polls, 3);
	assert_int_equal(two->polls, 3);
}

static void test_a_source_that_fails_ends_the_program(void **state)
{
	struct sources_bench *made = *state;
	struct fake *one = open_fake(made, &fake_type, "one");
	int64_t wait_ms = 1000;

	one->failure = -ENOMEM;
	assert_int_equal(sources_poll(made->sources, 5000, WALL_MS, &wait_ms), -ENOMEM);
}

static void test_all_are_stopped_when_the_last_one_is(void **state)
{
	struct sources_bench *made = *state;

	open_fake(made, &bare_type, "bare"); /* has nothing to say */
	struct fake *one = open_fake(made, &fake_type, "one");
	struct fake *two = open_fake(made, &fake_type, "two");
	two->is_busy = true;
	sources_stop(made->sources);
	assert_int_equal(one->stops, 1);
	assert_int_equal(two->stops, 1);
	assert_false(sources_are_stopped(made->sources));
	two->is_busy = false;
	assert_true(sources_are_stopped(made->sources));
}

/* What was submitted before is still told, whatever comes after is not taken. */
static void test_a_stopped_source_hears_what_became_of_the_rest(void **state)
{
	struct sources_bench *made = *state;
	struct fake *one = open_fake(made, &fake_type, "one");

	assert_int_equal(hand_in(one, 1, ORDER_JSON), 0);
	desk_close(made->bench->desk);
	sources_stop(made->sources);
	assert_int_equal(hand_in(one, 2, ORDER_JSON), 0);
	round_of(made->bench);
	assert_int_equal(one->heard_count, 2);
	assert_int_equal(one->heard.outcome, SUBMISSION_REFUSED);
	assert_int_equal(one->heard.refusal, REASON_SHUTTING_DOWN);
	assert_int_equal(orders_on_disk(made->bench), 1);
}

/* ---- what is told of them */

static void test_those_that_listen_are_listed(void **state)
{
	struct sources_bench *made = *state;
	struct program_source list[SOURCES_DECLARED_MAX + 1];

	assert_null(sources_endpoints(made->sources, &fake_type)[0]);
	open_fake(made, &bare_type, "bare");
	open_fake(made, &fake_type, "shop");
	assert_string_equal(sources_endpoints(made->sources, &fake_type)[0], "fake://here");
	assert_null(sources_endpoints(made->sources, &bare_type)[0]);
	sources_list(made->sources, list);
	assert_string_equal(list[0].name, "shop");
	assert_string_equal(list[0].listen[0], "fake://here");
	assert_null(list[1].name);
}

static void read_series(struct sources_bench *made, char text[SERIES_SIZE])
{
	FILE *out = fmemopen(text, SERIES_SIZE, "w");

	assert_non_null(out);
	sources_collect(made->sources);
	metrics_render(made->metrics, out);
	fclose(out);
}

static void assert_series(const char *text, const char *line)
{
	if (strstr(text, line) == NULL) {
		fail_msg("no %s in:\n%s", line, text);
	}
}

static void test_each_has_books_that_add_up(void **state)
{
	struct sources_bench *made = *state;
	struct fake *shop = open_fake(made, &fake_type, "shop");
	struct fake *other = open_fake(made, &fake_type, "other");
	static char text[SERIES_SIZE];
	char *pair = many_orders(2);

	assert_int_equal(hand_in(shop, 1, ORDER_JSON), 0);
	assert_int_equal(hand_in(shop, 2, pair), 0);
	assert_int_equal(hand_in(shop, 3, BAD_ORDER_JSON), 0);
	assert_int_equal(hand_in(shop, 4, "[nonsense"), 0);
	assert_int_equal(hand_in(other, 5, ORDER_JSON), 0);
	round_of(made->bench);
	free(pair);
	read_series(made, text);
	assert_series(text, "till_edge_source_frames_total{source=\"shop\",type=\"fake\"} 4\n");
	assert_series(text, "till_edge_source_received_total{source=\"shop\",type=\"fake\"} 5\n");
	assert_series(text, "{source=\"shop\",type=\"fake\",outcome=\"accepted\"} 3\n");
	assert_series(text, "{source=\"shop\",type=\"fake\",outcome=\"invalid\"} 1\n");
	assert_series(text, "{source=\"shop\",type=\"fake\",outcome=\"refused\"} 1\n");
	assert_series(text, "{source=\"shop\",type=\"fake\",outcome=\"repeated\"} 0\n");
	assert_series(text, "till_edge_source_received_total{source=\"other\",type=\"fake\"} 1\n");
}

static void test_each_may_say_what_is_not_as_it_should_be(void **state)
{
	struct sources_bench *made = *state;
	char text[200] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	open_fake(made, &bare_type, "bare");
	open_fake(made, &fake_type, "shop");
	sources_describe(made->sources, out);
	fclose(out);
	assert_string_equal(text, "source shop: as it should be\n");
}

#define SOURCES_TEST(name) cmocka_unit_test_setup_teardown(name, make_sources, drop_sources)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCES_TEST(test_a_source_hears_of_what_it_handed_in),
		SOURCES_TEST(test_marks_belong_to_type_and_name),
		SOURCES_TEST(test_one_that_can_not_be_opened_leaves_the_others_to_be_closed),
		SOURCES_TEST(test_a_failure_without_words_is_told_by_its_code),
		SOURCES_TEST(test_as_many_as_can_be_declared_can_be_opened),
		SOURCES_TEST(test_the_shortest_wait_of_all_counts),
		SOURCES_TEST(test_a_source_that_fails_ends_the_program),
		SOURCES_TEST(test_all_are_stopped_when_the_last_one_is),
		SOURCES_TEST(test_a_stopped_source_hears_what_became_of_the_rest),
		SOURCES_TEST(test_those_that_listen_are_listed),
		SOURCES_TEST(test_each_has_books_that_add_up),
		SOURCES_TEST(test_each_may_say_what_is_not_as_it_should_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
