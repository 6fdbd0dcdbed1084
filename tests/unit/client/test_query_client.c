/* The query client against an aggregator that is played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/query_client.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>

/* One letter a question: 'a' answers, 'q' is quiet, 'b' answers with bytes that are no answer, 'l' answers the question
 * before this one first, 'e' answers with an error, 'w' with one that passes after 20 ms, 'W' after an hour. */
struct stage {
	struct context *context;
	struct loop *loop;
	struct socket *server;
	char endpoint[ENDPOINT_SIZE];
	const char *script;
	uint8_t last_tag[64];
	size_t last_tag_size;
	int seen;
	struct query_client *client;
};

static void reply(struct stage *stage, struct iovec id, struct iovec tag, const char *text)
{
	struct iovec frames[3] = {id, tag, {(void *)(uintptr_t)text, strlen(text)}};

	assert_int_equal(socket_send(stage->server, frames, 3), 0);
}

static void act(struct stage *stage, const struct message *message)
{
	struct iovec id = message->frames[0];
	struct iovec tag = message->frames[1];
	char step = *stage->script != '\0' ? *stage->script++ : 'a';

	if (step == 'l') {
		struct iovec old = {stage->last_tag, stage->last_tag_size};
		reply(stage, id, old, "{\"ok\":true,\"rows\":[\"late\"]}");
	}
	if (step == 'a' || step == 'l') {
		reply(stage, id, tag, "{\"ok\":true,\"rows\":[\"fresh\"]}");
	} else if (step == 'w') {
		reply(stage, id, tag,
			"{\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"no\","
			"\"retry_after_ms\":20}}");
	} else if (step == 'W') {
		reply(stage, id, tag,
			"{\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"no\","
			"\"retry_after_ms\":3600000}}");
	} else if (step == 'b') {
		reply(stage, id, tag, "[1,2]");
	} else if (step == 'e') {
		reply(stage, id, tag,
			"{\"ok\":false,\"error\":{\"code\":\"unknown_view\",\"message\":\"no\"}}");
	}
	memcpy(stage->last_tag, tag.iov_base, tag.iov_len);
	stage->last_tag_size = tag.iov_len;
}

static int on_question(void *owner)
{
	struct stage *stage = owner;
	struct message message = {0};

	while (socket_receive(stage->server, &message) == 0) {
		assert_int_equal(message.frame_count, 3);
		stage->seen++;
		act(stage, &message);
	}
	message_clear(&message);
	return 0;
}

static void set_up_for(struct stage *stage, const char *script, int timeout_ms)
{
	*stage = (struct stage){.script = script};
	assert_int_equal(loop_new(&stage->loop), 0);
	assert_int_equal(context_new(&stage->context), 0);
	assert_int_equal(socket_new(stage->context, SOCKET_ROUTER, NULL, &stage->server), 0);
	assert_int_equal(socket_bind(stage->server, "tcp://127.0.0.1:*", stage->endpoint), 0);
	assert_int_equal(loop_add_socket(stage->loop, stage->server, on_question, stage), 0);
	struct query_client_options options = {.context = stage->context,
		.loop = stage->loop,
		.endpoint = stage->endpoint,
		.timeout_ms = timeout_ms,
		.retry_after_ms = 150};
	assert_int_equal(query_client_new(&options, &stage->client), 0);
}

static void set_up(struct stage *stage, const char *script)
{
	set_up_for(stage, script, 60000);
}

static void tear_down(struct stage *stage)
{
	query_client_free(stage->client);
	loop_remove_socket(stage->loop, stage->server);
	socket_free(stage->server);
	context_free(stage->context);
	loop_free(stage->loop);
}

static struct slice question(void)
{
	return slice_of_text("{\"query\":\"status\"}");
}

static void test_an_answer_comes_decoded(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "a");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	assert_true(answer.ok);
	assert_non_null(node_find(answer.root, "rows"));
	assert_true(slice_equals_text(answer.bytes, "{\"ok\":true,\"rows\":[\"fresh\"]}"));
	tear_down(&stage);
}

static void test_a_refusal_is_an_answer_with_code_and_message(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "e");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	assert_false(answer.ok);
	assert_true(slice_equals_text(answer.error_code, "unknown_view"));
	assert_true(slice_equals_text(answer.error_message, "no"));
	tear_down(&stage);
}

static void test_a_server_that_is_busy_is_asked_again_when_it_said(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "wwa");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	assert_true(answer.ok);
	assert_int_equal(stage.seen, 3);
	tear_down(&stage);
}

/* No use in waiting for what comes after the time that there is: the refusal is the answer, and at once. */
static void test_a_server_that_is_busy_for_longer_than_the_question_lives_has_answered(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "Wa");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	assert_false(answer.ok);
	assert_true(slice_equals_text(answer.error_code, "busy"));
	assert_int_equal(answer.retry_after_ms, 3600000);
	assert_int_equal(stage.seen, 1);
	tear_down(&stage);
}

static void test_silence_makes_it_ask_again(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "qa");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	assert_int_equal(stage.seen, 2);
	tear_down(&stage);
}

static void test_a_late_answer_to_another_question_is_dropped(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "al");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	assert_int_equal(query_client_ask(stage.client, question(), &answer), 0);
	const struct node *rows = node_find(answer.root, "rows");
	assert_true(slice_equals_text(node_first(rows)->text, "fresh"));
	tear_down(&stage);
}

static void test_what_is_no_answer_is_said_to_be_none(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up(&stage, "b");
	assert_int_equal(query_client_ask(stage.client, question(), &answer), QUERY_E_MALFORMED);
	tear_down(&stage);
}

static void test_nobody_answers_in_time(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;

	set_up_for(&stage, "qqqqqqqq", 600);
	assert_int_equal(query_client_ask(stage.client, question(), &answer), QUERY_E_TIMEOUT);
	assert_true(stage.seen >= 2);
	tear_down(&stage);
}

static void test_a_question_may_be_too_large(void **state)
{
	(void)state;
	struct stage stage;
	struct answer_view answer;
	static uint8_t bytes[64 * 1024 + 1];

	set_up(&stage, "");
	assert_int_equal(query_client_result(stage.client, &answer), QUERY_E_PENDING);
	assert_int_equal(
		query_client_start(stage.client, slice_of(bytes, sizeof bytes), 0), -EMSGSIZE);
	tear_down(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_comes_decoded),
		cmocka_unit_test(test_a_refusal_is_an_answer_with_code_and_message),
		cmocka_unit_test(test_a_server_that_is_busy_is_asked_again_when_it_said),
		cmocka_unit_test(
			test_a_server_that_is_busy_for_longer_than_the_question_lives_has_answered),
		cmocka_unit_test(test_silence_makes_it_ask_again),
		cmocka_unit_test(test_a_late_answer_to_another_question_is_dropped),
		cmocka_unit_test(test_what_is_no_answer_is_said_to_be_none),
		cmocka_unit_test(test_nobody_answers_in_time),
		cmocka_unit_test(test_a_question_may_be_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
