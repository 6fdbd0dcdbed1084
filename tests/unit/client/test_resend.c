/* What becomes of a letter that is sent again, by an edge that is played here: what is surely so is said so, and what is not, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/resend.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>

/* What the played edge does with the next frames, one letter each: 'a' accepts, 'd' knows the event_id, 'i' finds the event
 * invalid, 'r' refuses the frame, 'f' says that the spool is full, 'F' that it will be so for long, 'q' is quiet. */
struct stage {
	struct context *context;
	struct loop *loop;
	struct socket *edge;
	char endpoint[ENDPOINT_SIZE];
	const char *script;
	int seen;
	struct resend *resend;
};

static struct reply reply_of(char step, struct reply_error *error)
{
	struct reply reply = {.ok = true, .durable = true, .edge = slice_of_text("x"), .run = 1};

	switch (step) {
	case 'a':
		reply.accepted = 1;
		break;
	case 'd':
		reply.repeated_events = 1;
		break;
	case 'i':
		reply.invalid = 1;
		complaint_set(&error->complaint, REASON_BAD_VALUE, "unit_price", "no amount");
		reply.errors = error;
		reply.error_count = 1;
		break;
	default:
		reply = (struct reply){.refusal = {.reason = REASON_FORBIDDEN, .message = "no"}};
	}
	if (step == 'f' || step == 'F') {
		reply.refusal.reason = REASON_SPOOL_FULL;
		reply.retry_after_ms = step == 'f' ? 5 : 1000000;
	}
	return reply;
}

static int on_frame(void *owner)
{
	struct stage *stage = owner;
	struct message message = {0};
	struct reply_error error = {0};
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	while (socket_receive(stage->edge, &message) == 0) {
		char step = stage->script[stage->seen] != '\0' ? stage->script[stage->seen] : 'q';
		stage->seen += stage->script[stage->seen] != '\0';
		if (step != 'q') {
			const struct reply reply = reply_of(step, &error);
			buffer_clear(&buffer);
			reply_encode(&reply, ENCODING_JSON, &buffer);
			struct iovec frames[2] = {message.frames[0], {buffer.bytes, buffer.size}};
			assert_int_equal(socket_send(stage->edge, frames, 2), 0);
		}
	}
	message_clear(&message);
	buffer_deinit(&buffer);
	return 0;
}

static void set_up(struct stage *stage, const char *script, int64_t timeout_ms)
{
	*stage = (struct stage){.script = script};
	assert_int_equal(loop_new(&stage->loop), 0);
	assert_int_equal(context_new(&stage->context), 0);
	assert_int_equal(socket_new(stage->context, SOCKET_ROUTER, NULL, &stage->edge), 0);
	assert_int_equal(socket_bind(stage->edge, "tcp://127.0.0.1:*", stage->endpoint), 0);
	assert_int_equal(loop_add_socket(stage->loop, stage->edge, on_frame, stage), 0);
	const struct resend_options options = {.context = stage->context,
		.loop = stage->loop,
		.endpoint = stage->endpoint,
		.timeout_ms = timeout_ms};
	assert_int_equal(resend_new(&options, &stage->resend), 0);
}

static void close_edge(struct stage *stage)
{
	loop_remove_socket(stage->loop, stage->edge);
	stage->edge = socket_free(stage->edge);
}

static void tear_down(struct stage *stage)
{
	resend_free(stage->resend);
	if (stage->edge != NULL) {
		close_edge(stage);
	}
	context_free(stage->context);
	loop_free(stage->loop);
}

static struct resend_answer ask(struct stage *stage)
{
	struct resend_answer answer = {.fate = RESEND_UNSENT};

	assert_int_equal(
		resend_ask(stage->resend, slice_of_text("{\"order_id\":\"1\"}"), &answer), 0);
	return answer;
}

static void test_each_answer_is_told_as_what_it_is(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "adir", 20000);
	assert_int_equal(ask(&stage).fate, RESEND_ACCEPTED);
	assert_int_equal(ask(&stage).fate, RESEND_REPEATED);
	struct resend_answer invalid = ask(&stage), refused = ask(&stage);
	assert_int_equal(invalid.fate, RESEND_INVALID);
	assert_int_equal(invalid.complaint.reason, REASON_BAD_VALUE);
	assert_int_equal(refused.fate, RESEND_INVALID);
	assert_int_equal(refused.complaint.reason, REASON_FORBIDDEN);
	assert_int_equal(stage.seen, 4);
	tear_down(&stage);
}

static void test_an_edge_that_is_full_for_a_moment_is_waited_out(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "ffa", 20000);
	assert_int_equal(ask(&stage).fate, RESEND_ACCEPTED);
	assert_int_equal(stage.seen, 3);
	tear_down(&stage);
}

/* It has said of every sending that it did not take it. */
static void test_an_edge_that_stays_full_has_surely_not_taken_it(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "afF", 1500);
	assert_int_equal(ask(&stage).fate, RESEND_ACCEPTED);
	struct resend_answer answer = ask(&stage);
	assert_int_equal(answer.fate, RESEND_UNSENT);
	assert_int_equal(answer.complaint.reason, REASON_BUSY);
	assert_non_null(strstr(answer.complaint.message, "no"));
	assert_int_equal(stage.seen, 3);
	tear_down(&stage);
}

static void test_silence_after_a_sending_leaves_it_unknown(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "aq", 1500);
	assert_int_equal(ask(&stage).fate, RESEND_ACCEPTED);
	struct resend_answer answer = ask(&stage);
	assert_int_equal(answer.fate, RESEND_UNKNOWN);
	assert_int_equal(answer.complaint.reason, REASON_TIMEOUT);
	assert_int_equal(stage.seen, 2);
	tear_down(&stage);
}

static void test_what_never_left_is_surely_not_there(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "", 60);
	close_edge(&stage);
	struct resend_answer answer = ask(&stage);
	assert_int_equal(answer.fate, RESEND_UNSENT);
	assert_int_equal(answer.complaint.reason, REASON_TIMEOUT);
	assert_int_equal(stage.seen, 0);
	tear_down(&stage);
}

/* Errors on our own side, too, are answers: they end no daemon. */
static void test_an_endpoint_that_is_none_is_an_answer(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "", 60000);
	resend_free(stage.resend);
	const struct resend_options options = {.context = stage.context,
		.loop = stage.loop,
		.endpoint = "nowhere://1",
		.timeout_ms = 60000};
	assert_int_equal(resend_new(&options, &stage.resend), 0);
	struct resend_answer answer = ask(&stage);
	assert_int_equal(answer.fate, RESEND_UNSENT);
	assert_int_equal(answer.complaint.reason, REASON_INTERNAL);
	assert_string_equal(answer.complaint.message, strerror(EPROTONOSUPPORT));
	tear_down(&stage);
}

static void test_one_letter_at_a_time(void **state)
{
	(void)state;
	struct resend_answer answer;
	struct stage stage;

	set_up(&stage, "", 60);
	struct slice event = slice_of_text("{\"order_id\":\"1\"}");
	assert_int_equal(resend_start(stage.resend, event, 0), 0);
	assert_int_equal(resend_start(stage.resend, event, 0), -EBUSY);
	assert_false(resend_result(stage.resend, &answer));
	tear_down(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_answer_is_told_as_what_it_is),
		cmocka_unit_test(test_an_edge_that_is_full_for_a_moment_is_waited_out),
		cmocka_unit_test(test_an_edge_that_stays_full_has_surely_not_taken_it),
		cmocka_unit_test(test_silence_after_a_sending_leaves_it_unknown),
		cmocka_unit_test(test_what_never_left_is_surely_not_there),
		cmocka_unit_test(test_an_endpoint_that_is_none_is_an_answer),
		cmocka_unit_test(test_one_letter_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
