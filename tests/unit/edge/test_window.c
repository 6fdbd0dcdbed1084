/* How much of a backlog is on its way, over links that are modelled: a rate, a queue, and what the rest takes. */
#include "edge/window.h"
#include "fixture.h"

enum { FLIGHT_MAX = 4096 };

/* Sendings leave one after the other at `rate` bytes/ms; each is acknowledged rest_ms after it got through. */
struct way {
	struct window window;
	int64_t now_ms;
	int64_t rate; /* bytes/ms */
	int64_t rest_ms;
	int64_t free_at_ms; /* when the link has sent what it was given */
	uint64_t used;
	uint64_t acked;
	struct {
		int64_t sent_ms, acked_ms;
		uint32_t bytes;
		uint64_t used;
	} flight[FLIGHT_MAX];
	size_t head, tail;
};

static void open_way(struct way *way, int64_t rate, int64_t rest_ms)
{
	memset(way, 0, sizeof *way);
	way->now_ms = 1000000;
	way->rate = rate;
	way->rest_ms = rest_ms;
	way->free_at_ms = way->now_ms;
	window_init(&way->window, way->now_ms);
}

static void take_acks(struct way *way)
{
	while (way->head < way->tail &&
		way->flight[way->head % FLIGHT_MAX].acked_ms <= way->now_ms) {
		size_t at = way->head++ % FLIGHT_MAX;
		window_see(&way->window, way->now_ms - way->flight[at].sent_ms, way->now_ms);
		window_fit(&way->window, way->flight[at].bytes, way->flight[at].used,
			way->flight[at].sent_ms, way->now_ms);
		way->used -= way->flight[at].bytes;
		way->acked += way->flight[at].bytes;
	}
}

static void send_what_fits(struct way *way)
{
	while (way->used < way->window.bytes && way->tail - way->head < FLIGHT_MAX) {
		uint32_t bytes = (uint32_t)(way->window.bytes / WINDOW_PORTIONS);
		bytes = bytes > 256 * 1024 ? 256 * 1024 : bytes;
		size_t at = way->tail++ % FLIGHT_MAX;
		int64_t begins_ms = way->free_at_ms > way->now_ms ? way->free_at_ms : way->now_ms;
		way->free_at_ms = begins_ms + bytes / way->rate;
		way->used += bytes;
		way->flight[at].sent_ms = way->now_ms;
		way->flight[at].acked_ms = way->free_at_ms + way->rest_ms;
		way->flight[at].bytes = bytes;
		way->flight[at].used = way->used;
	}
}

/* Returns the longest queue that something live would have met, over the later half of the time. */
static int64_t drain(struct way *way, int64_t ms)
{
	int64_t half_ms = way->now_ms + ms / 2;
	int64_t queue_ms_max = 0;

	way->acked = 0;
	for (int64_t until_ms = way->now_ms + ms; way->now_ms < until_ms; way->now_ms++) {
		take_acks(way);
		send_what_fits(way);
		int64_t queue_ms = way->free_at_ms - way->now_ms;
		if (way->now_ms > half_ms && queue_ms > queue_ms_max) {
			queue_ms_max = queue_ms;
		}
	}
	return queue_ms_max;
}

static void test_a_thin_link_is_used_and_its_queue_stays_short(void **state)
{
	static const int64_t rates[] = {60, 250, 1000, 12500};
	static const int64_t rests_ms[] = {20, 120, 600};
	(void)state;

	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 3; j++) {
			struct way *way = malloc(sizeof *way);
			open_way(way, rates[i], rests_ms[j]);
			int64_t queue_ms = drain(way, 120000);
			assert_true(queue_ms <
				    1000); /* 60 kB/s, the thinnest: the credit would be a minute */
			assert_true(way->acked >= (uint64_t)rates[i] * 120000 / 100 * 65);
			free(way);
		}
	}
}

/* A Kafka that takes 600 ms for each batch is no queue. */
static void test_a_slow_kafka_behind_a_fast_link_does_not_keep_the_window_small(void **state)
{
	struct way *way = malloc(sizeof *way);
	(void)state;

	open_way(way, 100000, 10);
	drain(way, 10000);
	way->rest_ms = 600; /* from now on */
	drain(way, 60000);
	drain(way, 60000);
	assert_true(
		way->acked / 60000 >
		5000); /* 5 MB/s: without a new look it would be WINDOW_MIN / 600 ms = 27 kB/s */
	free(way);
}

static void test_a_window_that_is_not_used_does_not_grow(void **state)
{
	struct window window;
	(void)state;

	window_init(&window, 1000);
	for (int64_t now_ms = 1010; now_ms < 10000; now_ms += 10) {
		window_see(&window, 10, now_ms);
		window_fit(&window, 1000, 1000, now_ms - 10, now_ms);
	}
	assert_int_equal(window.bytes, WINDOW_MIN);
	window_see(&window, 10, 10010);
	window_fit(&window, 1000, WINDOW_MIN, 10000, 10010);
	assert_int_equal(window.bytes, WINDOW_MIN + 1000);
}

static void test_one_late_acknowledgement_halves_it_once(void **state)
{
	struct window window;
	(void)state;

	window_init(&window, 0);
	window_see(&window, 10, 10);
	window_fit(&window, 1000000, WINDOW_MIN, 0, 10);
	uint64_t before = window.bytes;
	for (int i = 0; i < 10; i++) { /* all of them left before it shrank */
		window_see(&window, 5000, 5100);
		window_fit(&window, 1000, before, 100, 5100);
	}
	assert_int_equal(window.bytes, before / 2);
}

static void test_it_never_leaves_its_bounds(void **state)
{
	struct window window;
	(void)state;

	window_init(&window, 0);
	for (int64_t now_ms = 0; now_ms < 10000; now_ms++) {
		window_see(&window, 0, now_ms);
		window_fit(&window, 4 << 20, UINT64_MAX, now_ms, now_ms);
	}
	assert_in_range(window.bytes, WINDOW_MAX, WINDOW_MAX + (4 << 20));
	for (int64_t now_ms = 10000; now_ms < 200000; now_ms += 1000) {
		window_see(&window, 900, now_ms);
		window_fit(&window, 1000, UINT64_MAX, now_ms - 900, now_ms);
		assert_true(window.bytes >= WINDOW_MIN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thin_link_is_used_and_its_queue_stays_short),
		cmocka_unit_test(
			test_a_slow_kafka_behind_a_fast_link_does_not_keep_the_window_small),
		cmocka_unit_test(test_a_window_that_is_not_used_does_not_grow),
		cmocka_unit_test(test_one_late_acknowledgement_halves_it_once),
		cmocka_unit_test(test_it_never_leaves_its_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
