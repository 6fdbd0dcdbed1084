#include "aggregator/web/standing.h"
#include "runtime/key_holder.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An aggregator whose answers tell how often its totals moved, and which takes `cost_us` for each. */
static struct {
	struct standing *standing;
	int64_t now_us, cost_us;
	int64_t spent_us; /* by this thread; its clock alone moves by `others_us` an answer, too */
	int64_t others_us;
	unsigned total, fresh, asked;
	int error;
	size_t size; /* of a long answer; 0: short ones */
	char answer[STANDING_ANSWER_SIZE_MAX + 64];
} world;

static const struct key_holder reader = {.name = "reader"}, other = {.name = "other"};

static int ask(void *owner, const struct key_holder *holder, struct slice query,
	struct query_reply *ret_reply)
{
	(void)owner;
	world.asked++;
	world.spent_us += world.cost_us;
	world.now_us += world.cost_us + world.others_us;
	int length = snprintf(world.answer, sizeof world.answer,
		"{\"ok\":true,\"who\":\"%s\",\"query\":\"%.*s\",\"total\":%u,\"as_of\":{\"commit\":"
		"%u}}",
		holder->name, (int)query.size, (const char *)query.bytes, world.total,
		world.fresh++);
	if (world.size > 0) {
		memset(world.answer, 'x', world.size);
		length = (int)world.size;
	}
	*ret_reply = (struct query_reply){.bytes = slice_of(world.answer, (size_t)length)};
	return world.error;
}

static int64_t now_us(void *owner)
{
	(void)owner;
	return world.now_us;
}

static int64_t spent_us(void *owner)
{
	(void)owner;
	return world.spent_us;
}

static int set_up(void **state)
{
	const struct standing_options options = {
		.ask = ask, .now_us = now_us, .spent_us = spent_us, .queries_max = 80};
	(void)state;
	memset(&world, 0, sizeof world);
	world.now_us = 1000000;
	world.cost_us = 100;
	return standing_new(&options, &world.standing);
}

static int tear_down(void **state)
{
	(void)state;
	world.standing = standing_free(world.standing);
	return 0;
}

static struct standing_query *join(const struct key_holder *holder, const char *text)
{
	struct standing_query *query = NULL;
	assert_int_equal(standing_join(world.standing, holder, slice_of_text(text), &query), 0);
	return query;
}

/* Whether any has a new answer. */
static bool turn(void)
{
	int64_t wait_ms = INT64_MAX;
	bool has_changed = false;
	assert_int_equal(standing_turn(world.standing, &has_changed, &wait_ms), 0);
	return has_changed;
}

static void move(void)
{
	world.total++;
	standing_moved(world.standing);
}

static void pass_ms(int64_t ms)
{
	world.now_us += ms * 1000;
}

static void assert_total(const struct standing_query *query, unsigned total)
{
	char text[32];
	const struct shared_text *answer = standing_answer(query);
	snprintf(text, sizeof text, "\"total\":%u,", total);
	assert_non_null(memmem(answer->bytes, answer->size, text, strlen(text)));
}

static void test_the_same_query_with_the_same_rights_is_asked_once(void **state)
{
	(void)state;
	struct standing_query *query = join(&reader, "a");
	assert_ptr_equal(join(&reader, "a"), query);
	assert_ptr_not_equal(join(&other, "a"), query);
	assert_ptr_not_equal(join(&reader, "ab"), query);
	assert_int_equal(standing_version(query), 0);
	assert_null(standing_answer(query));
	assert_true(turn());
	assert_int_equal(world.asked, 3);
	assert_int_equal(standing_version(query), 1);
	assert_total(query, 0);
	assert_int_equal(standing_counts(world.standing).queries, 3);
}

static void test_is_asked_again_when_totals_moved_and_no_sooner(void **state)
{
	(void)state;
	struct standing_query *query = join(&reader, "a");
	turn();
	pass_ms(STANDING_INTERVAL_MS + 1);
	assert_false(turn());
	assert_int_equal(world.asked, 1); /* nothing moved */
	move();
	assert_true(turn()); /* a lone change is shown at once */
	assert_total(query, 1);
	move();
	pass_ms(STANDING_INTERVAL_MS - 1);
	assert_false(turn());
	pass_ms(1);
	assert_true(turn());
	assert_total(query, 2);
	assert_int_equal(standing_version(query), 3);
	assert_int_equal(world.asked, 3);
}

/* What goes by the clock moves without totals. */
static void test_is_asked_now_and_then_in_any_case(void **state)
{
	(void)state;
	join(&reader, "a");
	turn();
	pass_ms(STANDING_IDLE_MS - 1);
	turn();
	assert_int_equal(world.asked, 1);
	pass_ms(1);
	turn();
	assert_int_equal(world.asked, 2);
}

static void test_another_as_of_is_no_other_answer(void **state)
{
	(void)state;
	struct standing_query *query = join(&reader, "a");
	turn();
	struct shared_text *answer = standing_answer(query);
	standing_moved(world.standing); /* of something else */
	pass_ms(STANDING_INTERVAL_MS);
	assert_false(turn());
	assert_int_equal(world.asked, 2);
	assert_ptr_equal(standing_answer(query), answer);
	assert_int_equal(standing_version(query), 1);
}

static void test_says_when_its_next_turn_is(void **state)
{
	int64_t wait_ms = INT64_MAX;
	bool has_changed = false;
	(void)state;
	assert_int_equal(standing_turn(world.standing, &has_changed, &wait_ms), 0);
	assert_int_equal(wait_ms, INT64_MAX); /* nobody looks */
	world.cost_us = 0;
	join(&reader, "a");
	turn();
	assert_int_equal(standing_turn(world.standing, &has_changed, &wait_ms), 0);
	assert_int_equal(wait_ms, STANDING_IDLE_MS);
	pass_ms(300);
	move();
	assert_int_equal(standing_turn(world.standing, &has_changed, &wait_ms), 0);
	assert_int_equal(wait_ms, STANDING_INTERVAL_MS - 300);
}

static void test_a_dear_one_is_asked_rarely(void **state)
{
	(void)state;
	join(&reader, "a");
	world.cost_us = 100000;
	int64_t start_us = world.now_us;
	turn();
	for (int i = 0; i < 700; i++) {
		pass_ms(100);
		move();
		turn();
	}
	int64_t took_us = world.asked * world.cost_us, passed_us = world.now_us - start_us;
	assert_in_range(world.asked, 10, 20);
	assert_true(took_us * 40 <= passed_us + 60 * world.cost_us);
	assert_true(standing_counts(world.standing).postponed > 0);
	assert_int_equal(standing_counts(world.standing).took_us, took_us);
}

/* A processor that others had meanwhile is no reason to be shown old figures. */
static void test_what_others_take_is_not_charged(void **state)
{
	(void)state;
	join(&reader, "a");
	world.others_us = 300000;
	turn();
	int64_t start_us = world.now_us;
	for (unsigned asked = world.asked; world.asked == asked;) {
		pass_ms(100);
		move();
		turn();
	}
	assert_in_range(world.now_us - start_us, 0, STANDING_INTERVAL_MS * 1000 + world.others_us);
	assert_int_equal(standing_counts(world.standing).postponed, 0);
	assert_int_equal(standing_counts(world.standing).took_us, world.asked * world.cost_us);
}

/* However many look at whatever: their first answers are not put off, and then the loop is others'. */
static void test_all_together_take_no_more_than_their_share(void **state)
{
	enum { QUERIES = 64, COST_US = 2000, ROUNDS = 60000 };
	char text[16];
	(void)state;
	for (int i = 0; i < QUERIES; i++) {
		snprintf(text, sizeof text, "%d", i);
		join(&reader, text);
	}
	world.cost_us = COST_US;
	int turns = 0;
	while (world.asked < QUERIES) {
		turn();
		turns++;
	}
	assert_true(turns >= QUERIES * COST_US / (STANDING_TURN_US + COST_US)); /* not all in one */
	int64_t start_us = world.now_us;
	for (int i = 0; i < ROUNDS; i++) {
		pass_ms(1);
		move();
		turn();
	}
	int64_t took_us = (world.asked - QUERIES) * COST_US, passed_us = world.now_us - start_us;
	assert_true(took_us * STANDING_PAUSE_OF_ALL <= passed_us);
	assert_true(took_us * (STANDING_PAUSE_OF_ALL + 10) >=
		    passed_us - 11 * 1000000); /* and take it */
}

static void test_all_have_their_turn(void **state)
{
	struct standing_query *queries[8];
	char text[16];
	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof text, "%d", i);
		queries[i] = join(&reader, text);
	}
	world.cost_us = 20000;
	for (int i = 0; i < 8; i++) {
		turn();
	}
	for (int i = 0; i < 20000; i++) {
		pass_ms(1);
		move();
		turn();
	}
	uint64_t first = standing_version(queries[0]);
	assert_true(first > 2);
	for (int i = 1; i < 8; i++) {
		assert_in_range(standing_version(queries[i]), first - 1, first + 1);
	}
}

static void test_who_leaves_is_not_asked_for(void **state)
{
	(void)state;
	struct standing_query *query = join(&reader, "a");
	join(&reader, "a");
	turn();
	standing_leave(world.standing, query);
	move();
	pass_ms(STANDING_INTERVAL_MS);
	assert_true(turn()); /* the other one still looks */
	struct shared_text *held = shared_text_hold(standing_answer(query));
	standing_leave(world.standing, query);
	assert_int_equal(standing_counts(world.standing).queries, 0);
	assert_int_equal(held->bytes[0], '{'); /* on its way to somebody */
	assert_null(shared_text_release(held));
	assert_null(shared_text_release(NULL));
}

static void test_there_are_no_more_than_may_be(void **state)
{
	struct standing_query *query = NULL;
	char text[16];
	(void)state;
	for (int i = 0; i < 80; i++) {
		snprintf(text, sizeof text, "%d", i);
		query = join(&reader, text);
	}
	assert_int_equal(
		standing_join(world.standing, &reader, slice_of_text("one more"), &query), -ENOSPC);
	assert_ptr_equal(join(&reader, "79"), query);
	standing_leave(world.standing, query);
	standing_leave(world.standing, query);
	join(&reader, "one more");
}

static void assert_has(const struct standing_query *query, const char *text)
{
	const struct shared_text *answer = standing_answer(query);
	assert_non_null(memmem(answer->bytes, answer->size, text, strlen(text)));
}

static void test_an_answer_that_is_too_long_is_an_error(void **state)
{
	(void)state;
	struct standing_query *query = join(&reader, "a");
	world.size = STANDING_ANSWER_SIZE_MAX;
	turn();
	assert_int_equal(standing_answer(query)->size, STANDING_ANSWER_SIZE_MAX);
	world.size++;
	move();
	pass_ms(STANDING_INTERVAL_MS);
	assert_true(turn());
	assert_has(query, "\"code\":\"too_large\"");
	move();
	pass_ms(STANDING_INTERVAL_MS);
	assert_false(turn()); /* the same words */
	world.size = 0;
	move();
	pass_ms(STANDING_INTERVAL_MS);
	assert_true(turn());
	assert_total(query, 3);
}

static void test_all_answers_together_have_a_limit(void **state)
{
	enum { FIT = STANDING_ANSWERS_SIZE_MAX / STANDING_ANSWER_SIZE_MAX };
	struct standing_query *queries[FIT + 1];
	char text[16];
	(void)state;
	world.size = STANDING_ANSWER_SIZE_MAX;
	world.cost_us = 0;
	for (int i = 0; i <= FIT; i++) {
		snprintf(text, sizeof text, "%d", i);
		queries[i] = join(&reader, text);
		turn();
	}
	for (int i = 0; i < FIT; i++) {
		assert_int_equal(standing_answer(queries[i])->size, STANDING_ANSWER_SIZE_MAX);
	}
	assert_has(queries[FIT], "\"code\":\"too_large\"");
	standing_leave(world.standing, queries[0]);
	pass_ms(STANDING_IDLE_MS);
	turn();
	assert_int_equal(standing_answer(queries[FIT])->size, STANDING_ANSWER_SIZE_MAX);
}

static void test_a_failure_is_passed_up(void **state)
{
	int64_t wait_ms = INT64_MAX;
	bool has_changed = false;
	(void)state;
	join(&reader, "a");
	world.error = -ENOMEM;
	assert_int_equal(standing_turn(world.standing, &has_changed, &wait_ms), -ENOMEM);
}

#define STANDING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STANDING_TEST(test_the_same_query_with_the_same_rights_is_asked_once),
		STANDING_TEST(test_is_asked_again_when_totals_moved_and_no_sooner),
		STANDING_TEST(test_is_asked_now_and_then_in_any_case),
		STANDING_TEST(test_another_as_of_is_no_other_answer),
		STANDING_TEST(test_says_when_its_next_turn_is),
		STANDING_TEST(test_a_dear_one_is_asked_rarely),
		STANDING_TEST(test_what_others_take_is_not_charged),
		STANDING_TEST(test_all_together_take_no_more_than_their_share),
		STANDING_TEST(test_all_have_their_turn),
		STANDING_TEST(test_who_leaves_is_not_asked_for),
		STANDING_TEST(test_there_are_no_more_than_may_be),
		STANDING_TEST(test_an_answer_that_is_too_long_is_an_error),
		STANDING_TEST(test_all_answers_together_have_a_limit),
		STANDING_TEST(test_a_failure_is_passed_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
