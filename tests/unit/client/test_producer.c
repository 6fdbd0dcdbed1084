/* The producer against an edge that is played here, on one loop: replies that are lost, refused, strange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/producer.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What the played edge does with the next frames, one letter each: 'a' accepts, 'l' loses the reply with the
 * connection, 'f' says that the spool is full, 'r' refuses for good, 's' answers with another frame's number, 'q' is
 * quiet. After the last it accepts. */
struct stage {
	struct context *context;
	struct loop *loop;
	struct socket *edge;
	char endpoint[ENDPOINT_SIZE];
	const char *script;
	uint64_t seen_n[64];
	char seen_id[64][PRODUCER_ID_SIZE_MAX + 1];
	int seen;
	bool reopen; /* the edge dies after this round */
	struct producer *producer;
	int settled;
	int refused;
	uint32_t attempts;
	uint64_t last_n[16]; /* of each producer's name, by its last digit */
	int wanted; /* end of the test: so many settled */
	int result;
};

static int on_frame(void *owner);

static void open_edge(struct stage *stage)
{
	const char *endpoint = stage->endpoint[0] != '\0' ? stage->endpoint : "tcp://127.0.0.1:*";
	char bound[ENDPOINT_SIZE];

	assert_int_equal(socket_new(stage->context, SOCKET_ROUTER, NULL, &stage->edge), 0);
	int r = socket_bind(stage->edge, endpoint, bound);
	while (r == -EADDRINUSE) { /* the old listener is closed by libzmq's own thread */
		r = socket_bind(stage->edge, endpoint, bound);
	}
	assert_int_equal(r, 0);
	snprintf(stage->endpoint, sizeof stage->endpoint, "%s", bound);
	assert_int_equal(loop_add_socket(stage->loop, stage->edge, on_frame, stage), 0);
}

static void close_edge(struct stage *stage)
{
	loop_remove_socket(stage->loop, stage->edge);
	stage->edge = socket_free(stage->edge);
}

static void answer(struct stage *stage, const struct message *message, const struct reply *reply)
{
	struct buffer buffer;

	buffer_init(&buffer, 4096);
	reply_encode(reply, ENCODING_JSON, &buffer);
	struct iovec frames[2] = {message->frames[0], {buffer.bytes, buffer.size}};
	assert_int_equal(socket_send(stage->edge, frames, 2), 0);
	buffer_deinit(&buffer);
}

static void act(struct stage *stage, const struct message *message, uint64_t n, uint64_t *last_n)
{
	char step = *stage->script != '\0' ? *stage->script++ : 'a';
	struct reply reply = {.ok = true, .durable = true, .edge = slice_of_text("x"), .run = 1};

	if (step == 'f' || step == 'r') {
		reply = (struct reply){
			.refusal = {.reason = step == 'f' ? REASON_SPOOL_FULL : REASON_BAD_FRAME,
				.message = "no"},
			.retry_after_ms = step == 'f' ? 5 : 0};
		answer(stage, message, &reply);
		return;
	}
	reply.repeated = n <= *last_n;
	reply.accepted = reply.repeated ? 0 : 1;
	*last_n = n > *last_n ? n : *last_n;
	reply.last_n = step == 's' ? *last_n + 1000 : *last_n;
	stage->reopen = step == 'l';
	if (step == 'a' || step == 's') {
		answer(stage, message, &reply);
	}
}

static int on_frame(void *owner)
{
	struct stage *stage = owner;
	struct message message = {0};
	struct document document;
	struct producer_header header;
	struct complaint complaint;

	assert_int_equal(document_init(&document, 64), 0);
	while (stage->edge != NULL && socket_receive(stage->edge, &message) == 0) {
		assert_int_equal(message.frame_count, 3);
		assert_int_equal(
			producer_header_decode(&document,
				slice_of(message.frames[1].iov_base, message.frames[1].iov_len),
				&header, &complaint),
			0);
		stage->seen_n[stage->seen] = header.n;
		snprintf(stage->seen_id[stage->seen++], sizeof stage->seen_id[0], "%.*s",
			(int)header.producer.size, (const char *)header.producer.bytes);
		act(stage, &message, header.n,
			&stage->last_n[header.producer.bytes[header.producer.size - 1] % 16]);
	}
	message_clear(&message);
	document_deinit(&document);
	return 0;
}

static int on_settled(void *owner, const struct producer_result *result)
{
	struct stage *stage = owner;

	stage->settled++;
	stage->refused += result->reply->refusal.reason != REASON_NONE;
	stage->attempts = result->attempts;
	return 0;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct stage *stage = owner;

	if (stage->reopen) {
		stage->reopen = false;
		close_edge(stage);
		open_edge(stage);
	}
	stage->result = producer_step(stage->producer, now_ms, ret_wait_ms);
	if (stage->settled == stage->wanted || stage->result != 0) {
		loop_stop(stage->loop);
	}
	return 0;
}

static void set_up(struct stage *stage, const char *script, uint32_t lanes)
{
	*stage = (struct stage){.script = script, .wanted = 1};
	assert_int_equal(loop_new(&stage->loop), 0);
	assert_int_equal(context_new(&stage->context), 0);
	open_edge(stage);
	struct producer_options options = {.context = stage->context,
		.loop = stage->loop,
		.endpoint = stage->endpoint,
		.id = "till",
		.lanes = lanes,
		.resend_after_ms = 150,
		.timeout_ms = 20000,
		.settled = on_settled,
		.owner = stage};
	assert_int_equal(producer_new(&options, &stage->producer), 0);
	assert_int_equal(loop_add_tick(stage->loop, on_tick, stage), 0);
}

static void tear_down(struct stage *stage)
{
	producer_free(stage->producer);
	if (stage->edge != NULL) {
		close_edge(stage);
	}
	context_free(stage->context);
	loop_free(stage->loop);
}

static struct slice one_event(void)
{
	return slice_of_text("{\"order_id\":\"1\"}");
}

static void test_a_frame_is_answered(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "a", 1);
	assert_int_equal(producer_send(stage.producer, one_event(), 0, 0), 0);
	assert_int_equal(producer_send(stage.producer, one_event(), 0, 0), PRODUCER_E_FULL);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(stage.settled, 1);
	assert_int_equal(stage.attempts, 1);
	assert_string_equal(stage.seen_id[0], "till");
	assert_int_equal(producer_in_flight(stage.producer), 0);
	tear_down(&stage);
}

/* The edge had counted the frame when it died with the reply: the same n must come again. */
static void test_a_lost_connection_brings_the_same_number_again(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "la", 1);
	assert_int_equal(producer_send(stage.producer, one_event(), 500, 0), 0);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(stage.seen, 2);
	assert_int_equal(stage.seen_n[0], 500);
	assert_int_equal(stage.seen_n[1], 500);
	assert_int_equal(stage.attempts, 2);
	assert_int_equal(producer_counts(stage.producer)->resent, 1);
	assert_int_equal(producer_counts(stage.producer)->connections, 2);
	tear_down(&stage);
}

static void test_silence_brings_the_same_number_on_a_new_socket(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "qa", 1);
	assert_int_equal(producer_send(stage.producer, one_event(), 7, 0), 0);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(stage.seen_n[1], 7);
	assert_int_equal(stage.attempts, 2);
	assert_int_equal(stage.refused, 0);
	tear_down(&stage);
}

static void test_a_full_spool_is_waited_out(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "fffa", 1);
	assert_int_equal(producer_send(stage.producer, one_event(), 0, 0), 0);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(stage.attempts, 4);
	assert_int_equal(producer_counts(stage.producer)->waited, 3);
	assert_int_equal(producer_counts(stage.producer)->connections, 1);
	assert_string_equal(producer_counts(stage.producer)->waiting_for, "");
	tear_down(&stage);
}

static void test_a_refusal_for_good_is_the_frames_end(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "r", 1);
	assert_int_equal(producer_send(stage.producer, one_event(), 0, 0), 0);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(stage.refused, 1);
	assert_int_equal(stage.seen, 1);
	tear_down(&stage);
}

/* Nothing that comes after a wrong reply on this connection can be trusted. */
static void test_a_strange_reply_costs_the_connection(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "sa", 1);
	assert_int_equal(producer_send(stage.producer, one_event(), 3, 0), 0);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(producer_counts(stage.producer)->stray, 1);
	assert_int_equal(producer_counts(stage.producer)->connections, 2);
	assert_int_equal(stage.seen_n[1], 3);
	tear_down(&stage);
}

static void test_lanes_are_producers_of_their_own(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "", 3);
	stage.wanted = 3;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(producer_send(stage.producer, one_event(), 0, 0), 0);
	}
	assert_true(producer_is_full(stage.producer));
	assert_int_equal(producer_send(stage.producer, one_event(), 9, 0), -EINVAL);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_string_equal(stage.seen_id[0], "till/0");
	assert_string_equal(stage.seen_id[1], "till/1");
	assert_string_equal(stage.seen_id[2], "till/2");
	tear_down(&stage);
}

static void test_an_edge_that_is_not_there_is_given_up(void **state)
{
	(void)state;
	struct stage stage;

	set_up(&stage, "", 1);
	close_edge(&stage);
	producer_free(stage.producer);
	struct producer_options options = {.context = stage.context,
		.loop = stage.loop,
		.endpoint = stage.endpoint,
		.id = "till",
		.timeout_ms = 120,
		.settled = on_settled,
		.owner = &stage};
	assert_int_equal(producer_new(&options, &stage.producer), 0);
	assert_int_equal(producer_send(stage.producer, one_event(), 0, 0), 0);
	assert_int_equal(loop_run(stage.loop), 0);
	assert_int_equal(stage.result, PRODUCER_E_TIMEOUT);
	assert_int_equal(stage.settled, 0);
	tear_down(&stage);
}

static void test_what_no_edge_would_take_is_refused_here(void **state)
{
	(void)state;
	struct stage stage;
	struct producer *producer = NULL;
	uint8_t *bytes = calloc(1, FRAME_SIZE_MAX + 1);

	set_up(&stage, "", 1);
	assert_int_equal(producer_send(stage.producer, slice_of(bytes, FRAME_SIZE_MAX + 1), 0, 0),
		-EMSGSIZE);
	struct producer_options options = {
		.context = stage.context, .loop = stage.loop, .endpoint = stage.endpoint, .id = ""};
	assert_int_equal(producer_new(&options, &producer), -EINVAL);
	assert_null(producer);
	free(bytes);
	tear_down(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frame_is_answered),
		cmocka_unit_test(test_a_lost_connection_brings_the_same_number_again),
		cmocka_unit_test(test_silence_brings_the_same_number_on_a_new_socket),
		cmocka_unit_test(test_a_full_spool_is_waited_out),
		cmocka_unit_test(test_a_refusal_for_good_is_the_frames_end),
		cmocka_unit_test(test_a_strange_reply_costs_the_connection),
		cmocka_unit_test(test_lanes_are_producers_of_their_own),
		cmocka_unit_test(test_an_edge_that_is_not_there_is_given_up),
		cmocka_unit_test(test_what_no_edge_would_take_is_refused_here),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
