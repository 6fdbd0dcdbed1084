/* Queries that wait, and the thread that works: bounded, in order, nobody forgotten. */
#include "aggregator/desk/waiting.h"
#include "aggregator/store/worker.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct waiting_query query_of(const char *request, int64_t deadline_ms)
{
	return (struct waiting_query){
		.envelope = slice_of_text("envelope"),
		.request = slice_of_text(request),
		.wish = {.max_lag = -1},
		.deadline_ms = deadline_ms,
	};
}

struct judging {
	int64_t now_ms;
	size_t seen;
	char last[32];
};

/* Lets go whose deadline is over. */
static int judge(void *owner, struct waiting_query *query)
{
	struct judging *judging = owner;
	judging->seen++;
	if (query->deadline_ms > judging->now_ms) {
		return 0;
	}
	assert_true(slice_equals_text(query->envelope, "envelope"));
	memcpy(judging->last, query->request.bytes, query->request.size);
	judging->last[query->request.size] = '\0';
	return 1;
}

static void test_a_query_waits_until_it_is_let_go(void **state)
{
	struct waiting *waiting = NULL;
	struct judging judging = {.now_ms = 99};
	char request[] = "one";
	(void)state;

	assert_int_equal(waiting_new(&waiting), 0);
	assert_int_equal(waiting_next_deadline(waiting), INT64_MAX);
	struct waiting_query one = query_of(request, 100), two = query_of("two", 200);
	assert_int_equal(waiting_add(waiting, &two), 0);
	assert_int_equal(waiting_add(waiting, &one), 0);
	request[0] = '?'; /* it holds copies */
	assert_int_equal(waiting_next_deadline(waiting), 100);
	waiting_each(waiting, judge, &judging);
	assert_int_equal(waiting_count(waiting), 2);
	judging.now_ms = 100;
	waiting_each(waiting, judge, &judging);
	assert_string_equal(judging.last, "one");
	assert_int_equal(waiting_count(waiting), 1);
	assert_int_equal(waiting_next_deadline(waiting), 200);
	assert_int_equal(judging.seen, 4);
	waiting_free(waiting);
}

static void test_no_more_wait_than_there_is_room_for(void **state)
{
	struct waiting *waiting = NULL;
	struct waiting_query query = query_of("q", 1);
	struct judging judging = {.now_ms = 1};
	(void)state;

	assert_int_equal(waiting_new(&waiting), 0);
	for (int i = 0; i < WAITING_MAX; i++) {
		assert_int_equal(waiting_add(waiting, &query), 0);
	}
	assert_int_equal(waiting_add(waiting, &query), -ENOSPC);
	waiting_each(waiting, judge, &judging);
	assert_int_equal(waiting_count(waiting), 0);
	assert_int_equal(waiting_add(waiting, &query), 0); /* and there is room again */
	waiting_free(waiting);
}

static void test_large_requests_fill_the_room_sooner(void **state)
{
	struct waiting *waiting = NULL;
	uint8_t *large = calloc(1, WAITING_BYTES_MAX / 4);
	struct waiting_query query = query_of("", 1);
	(void)state;

	assert_int_equal(waiting_new(&waiting), 0);
	query.request = slice_of(large, WAITING_BYTES_MAX / 4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waiting_add(waiting, &query), 0);
	}
	assert_int_equal(waiting_add(waiting, &query), -ENOSPC);
	waiting_free(waiting);
	free(large);
}

static int reach_first(void *owner, struct waiting_query *query)
{
	(void)owner;
	if (query->wish.after_count > 1) {
		query->wish.after++;
		query->wish.after_count--;
	}
	return 0;
}

static int expect_second(void *owner, struct waiting_query *query)
{
	(void)owner;
	assert_int_equal(query->wish.after_count, 1);
	assert_int_equal(query->wish.after->seq, 2);
	assert_true(slice_equals_text(query->wish.after->edge, "paris"));
	assert_true(slice_equals_text(query->wish.view, "tea"));
	return 1;
}

static void test_certificates_that_were_reached_stay_reached(void **state)
{
	struct waiting *waiting = NULL;
	char edge[] = "paris", view[] = "tea";
	const struct certificate after[] = {{slice_of_text("berlin"), 1, KIND_ORDER, 1},
		{slice_of_text(edge), 1, KIND_CART, 2}};
	struct waiting_query query = query_of("q", 1);
	(void)state;

	query.wish.after = after;
	query.wish.after_count = 2;
	query.wish.view = slice_of_text(view);
	assert_int_equal(waiting_new(&waiting), 0);
	assert_int_equal(waiting_add(waiting, &query), 0);
	edge[0] = view[0] = '?';
	waiting_each(waiting, reach_first, NULL);
	waiting_each(waiting, expect_second, NULL);
	assert_int_equal(waiting_count(waiting), 0);
	waiting_free(waiting);
}

enum { JOBS = 50 };

struct numbered {
	struct job job;
	int number;
	int *next; /* what the worker has done so far */
	int *collected;
};

static int run(struct job *job)
{
	struct numbered *numbered = (struct numbered *)job;
	return numbered->number == (*numbered->next)++ ? -numbered->number : 1;
}

static void done(struct job *job)
{
	struct numbered *numbered = (struct numbered *)job;
	assert_int_equal(job->result, -numbered->number);
	assert_true(job->took_us >= 0);
	++*numbered->collected;
}

static void submit_all(struct worker *worker, struct numbered jobs[JOBS], int *next, int *collected)
{
	assert_true(worker_is_idle(worker));
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct numbered){.job = {.run = run, .done = done},
			.number = i,
			.next = next,
			.collected = collected};
		worker_submit(worker, &jobs[i].job);
	}
}

static void test_jobs_run_in_order_and_are_told_of_by_a_descriptor(void **state)
{
	struct numbered jobs[JOBS];
	struct worker *worker = NULL;
	int next = 0, collected = 0;
	(void)state;

	assert_int_equal(worker_new(&worker), 0);
	submit_all(worker, jobs, &next, &collected);
	while (collected < JOBS) {
		struct pollfd ready = {.fd = worker_fd(worker), .events = POLLIN};
		assert_int_equal(poll(&ready, 1, 10000), 1);
		worker_collect(worker);
	}
	assert_int_equal(next, JOBS);
	assert_true(worker_is_idle(worker));
	worker_free(worker);
}

static void test_draining_waits_for_all_jobs(void **state)
{
	struct numbered jobs[JOBS];
	struct worker *worker = NULL;
	int next = 0, collected = 0;
	(void)state;

	assert_int_equal(worker_new(&worker), 0);
	submit_all(worker, jobs, &next, &collected);
	worker_drain(worker);
	assert_int_equal(collected, JOBS);
	next = 0;
	submit_all(worker, jobs, &next, &collected);
	worker_free(worker); /* the jobs run, nobody is told */
	assert_int_equal(next, JOBS);
	assert_int_equal(collected, JOBS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_query_waits_until_it_is_let_go),
		cmocka_unit_test(test_no_more_wait_than_there_is_room_for),
		cmocka_unit_test(test_large_requests_fill_the_room_sooner),
		cmocka_unit_test(test_certificates_that_were_reached_stay_reached),
		cmocka_unit_test(test_jobs_run_in_order_and_are_told_of_by_a_descriptor),
		cmocka_unit_test(test_draining_waits_for_all_jobs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
