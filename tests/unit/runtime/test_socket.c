#include "runtime/loop.h"
#include "runtime/socket.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One context, a loop to wait with, and the sockets of one test. */
struct bench {
	struct loop *loop;
	struct context *context;
	struct socket *server;
	struct socket *client;
	char endpoint[ENDPOINT_SIZE];
};

static int open_bench(void **state)
{
	static struct bench bench;

	bench = (struct bench){0};
	assert_int_equal(loop_new(&bench.loop), 0);
	assert_int_equal(context_new(&bench.context), 0);
	*state = &bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	assert_null(socket_free(bench->client));
	assert_null(socket_free(bench->server));
	assert_null(context_free(bench->context));
	assert_null(loop_free(bench->loop));
	return 0;
}

static void connect_pair(struct bench *bench, enum socket_type server, enum socket_type client)
{
	assert_int_equal(socket_new(bench->context, server, NULL, &bench->server), 0);
	assert_int_equal(socket_new(bench->context, client, NULL, &bench->client), 0);
	assert_int_equal(socket_bind(bench->server, "tcp://127.0.0.1:0", bench->endpoint), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
}

static int stop(void *owner)
{
	loop_stop(owner);
	return 0;
}

static int out_of_time(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const int64_t *deadline_ms = owner;
	*ret_wait_ms = *deadline_ms - now_ms;
	return *ret_wait_ms > 0 ? 0 : -ETIMEDOUT;
}

/* Waits until the socket is readable: 0, or -ETIMEDOUT. */
static int wait_for(const struct bench *bench, struct socket *socket, int64_t wait_ms)
{
	int64_t deadline_ms = loop_now_ms(bench->loop) + wait_ms;

	assert_int_equal(loop_add_socket(bench->loop, socket, stop, bench->loop), 0);
	assert_int_equal(loop_add_tick(bench->loop, out_of_time, &deadline_ms), 0);
	int r = loop_run(bench->loop);
	loop_remove_tick(bench->loop, out_of_time, &deadline_ms);
	loop_remove_socket(bench->loop, socket);
	return r;
}

static void receive(const struct bench *bench, struct socket *socket, struct message *message)
{
	int r = socket_receive(socket, message);
	while (r == SOCKET_E_AGAIN) {
		assert_int_equal(wait_for(bench, socket, 5000), 0);
		r = socket_receive(socket, message);
	}
	assert_int_equal(r, 0);
}

static int send_text(struct socket *socket, const char *text)
{
	const struct iovec frame = {(void *)(uintptr_t)text, strlen(text)};
	return socket_send(socket, &frame, 1);
}

static void assert_frame(const struct message *message, size_t i, const char *text)
{
	assert_true(i < message->frame_count);
	assert_int_equal(message->frames[i].iov_len, strlen(text));
	assert_memory_equal(message->frames[i].iov_base, text, strlen(text));
}

static void test_a_router_answers_the_peer_that_asked(void **state)
{
	struct bench *bench = *state;
	struct message message = {0};

	connect_pair(bench, SOCKET_ROUTER, SOCKET_DEALER);
	const struct iovec frames[] = {{"", 0}, {"sale", 4}};
	assert_int_equal(socket_send(bench->client, frames, 2), 0);
	receive(bench, bench->server, &message);
	assert_int_equal(message.frame_count, 3);
	assert_frame(&message, 1, "");
	assert_frame(&message, 2, "sale");
	assert_string_equal(message.user_id, "");

	const struct iovec reply[] = {message.frames[0], {"done", 4}};
	assert_int_equal(socket_send(bench->server, reply, 2), 0);
	receive(bench, bench->client, &message);
	assert_int_equal(message.frame_count, 1);
	assert_frame(&message, 0, "done");
	assert_int_equal(socket_receive(bench->client, &message), SOCKET_E_AGAIN);
	assert_int_equal(message.frame_count, 0);
	message_clear(&message);
	message_clear(&message); /* clearing twice is harmless */
}

static void test_an_unknown_peer_is_unreachable_and_a_full_one_says_again(void **state)
{
	struct bench *bench = *state;
	const struct socket_options small = {.send_queue_messages = 1, .receive_queue_messages = 1};
	const struct iovec to_nobody[] = {{"\0abcd", 5}, {"x", 1}};
	struct message message = {0};

	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, &small, &bench->server), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, &small, &bench->client), 0);
	assert_int_equal(socket_bind(bench->server, "inproc://full", bench->endpoint), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
	assert_int_equal(socket_send(bench->server, to_nobody, 2), SOCKET_E_UNREACHABLE);

	assert_int_equal(send_text(bench->client, "hello"), 0);
	receive(bench, bench->server, &message);
	const struct iovec reply[] = {message.frames[0], {"x", 1}};
	int r = 0, sent = 0;
	while (r == 0 && sent < 100) {
		r = socket_send(bench->server, reply, 2);
		sent += r == 0;
	}
	assert_int_equal(r, SOCKET_E_AGAIN);
	assert_in_range(sent, 1, 10);
	message_clear(&message);

	/* Nothing of the refused message is left: what arrives is whole. */
	for (int i = 0; i < sent; i++) {
		receive(bench, bench->client, &message);
		assert_int_equal(message.frame_count, 1);
		assert_frame(&message, 0, "x");
	}
	assert_int_equal(socket_receive(bench->client, &message), SOCKET_E_AGAIN);
	message_clear(&message);
}

static void test_a_client_without_a_server_queues_only_if_it_may(void **state)
{
	struct bench *bench = *state;
	const struct socket_options immediate = {.immediate = true, .connect_timeout_ms = 1000};

	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, NULL, &bench->server), 0);
	assert_int_equal(socket_connect(bench->server, "tcp://127.0.0.1:1"), 0);
	assert_int_equal(send_text(bench->server, "queued"), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, &immediate, &bench->client), 0);
	assert_int_equal(socket_connect(bench->client, "tcp://127.0.0.1:1"), 0);
	assert_int_equal(send_text(bench->client, "refused"), SOCKET_E_AGAIN);
}

static void test_too_many_frames_are_read_to_their_end_and_dropped(void **state)
{
	struct bench *bench = *state;
	struct iovec frames[SOCKET_FRAMES_MAX];
	struct message message = {0};

	connect_pair(bench, SOCKET_ROUTER, SOCKET_DEALER);
	for (size_t i = 0; i < SOCKET_FRAMES_MAX; i++) {
		frames[i] = (struct iovec){"f", 1};
	}
	/* Sixteen and the routing id are one too many; fifteen fit. */
	assert_int_equal(socket_send(bench->client, frames, SOCKET_FRAMES_MAX), 0);
	assert_int_equal(socket_send(bench->client, frames, SOCKET_FRAMES_MAX - 1), 0);
	assert_int_equal(wait_for(bench, bench->server, 5000), 0);
	assert_int_equal(socket_receive(bench->server, &message), SOCKET_E_TOO_MANY_FRAMES);
	assert_int_equal(message.frame_count, 0);
	receive(bench, bench->server, &message);
	assert_int_equal(message.frame_count, SOCKET_FRAMES_MAX);
	message_clear(&message);

	assert_int_equal(socket_send(bench->client, frames, 0), -EINVAL);
	assert_int_equal(socket_send(bench->client, frames, SOCKET_FRAMES_MAX + 1), -EINVAL);
}

static void test_a_subscriber_gets_what_it_subscribed_to(void **state)
{
	struct bench *bench = *state;
	struct message message = {0};

	assert_int_equal(socket_new(bench->context, SOCKET_XPUB, NULL, &bench->server), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_SUB, NULL, &bench->client), 0);
	assert_int_equal(socket_bind(bench->server, "tcp://127.0.0.1:*", bench->endpoint), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
	assert_int_equal(socket_subscribe(bench->client, "b", 1), 0);
	receive(bench, bench->server, &message); /* the subscription has arrived */
	assert_frame(&message, 0,
		"\x01"
		"b");
	assert_int_equal(send_text(bench->server, "apple"), 0);
	assert_int_equal(send_text(bench->server, "banana"), 0);
	receive(bench, bench->client, &message);
	assert_frame(&message, 0, "banana");
	message_clear(&message);
}

static void test_a_request_may_be_sent_again_after_a_lost_reply(void **state)
{
	struct bench *bench = *state;
	struct message message = {0};

	connect_pair(bench, SOCKET_ROUTER, SOCKET_REQ);
	assert_int_equal(send_text(bench->client, "one"), 0);
	assert_int_equal(send_text(bench->client, "two"), 0);
	receive(bench, bench->server, &message);
	/* Relaxed and correlated: routing id, request id, empty, body. */
	while (message.frames[3].iov_len != 3 ||
		memcmp(message.frames[3].iov_base, "two", 3) != 0) {
		assert_int_equal(message.frame_count, 4);
		receive(bench, bench->server, &message);
	}
	assert_int_equal(socket_send(bench->server, message.frames, 4), 0);
	receive(bench, bench->client, &message);
	assert_frame(&message, 0, "two");
	message_clear(&message);
}

static void test_bind_says_where_and_refuses_what_it_can_not(void **state)
{
	struct bench *bench = *state;
	char again[ENDPOINT_SIZE] = "untouched";

	assert_int_equal(socket_new(bench->context, SOCKET_PULL, NULL, &bench->server), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_PULL, NULL, &bench->client), 0);
	assert_int_equal(socket_bind(bench->server, "tcp://127.0.0.1:0", bench->endpoint), 0);
	assert_int_equal(strncmp(bench->endpoint, "tcp://127.0.0.1:", 16), 0);
	assert_true(atoi(bench->endpoint + 16) > 0);
	assert_int_equal(socket_bind(bench->client, bench->endpoint, again), -EADDRINUSE);
	assert_int_equal(socket_bind(bench->client, "nonsense", again), -EINVAL);
	assert_int_equal(socket_bind(bench->client, "pgm://1.2.3.4:5", again), -EPROTONOSUPPORT);
	assert_int_equal(socket_connect(bench->client, "tcp://"), -EINVAL);
	char endless[2 * ENDPOINT_SIZE] = "ipc://";
	memset(endless + 6, 'p', sizeof endless - 7);
	assert_int_equal(socket_bind(bench->client, endless, again), -ENAMETOOLONG);
	assert_string_equal(again, "untouched");
	assert_int_equal(socket_bind(bench->client, "tcp://localhost:0", again), 0);
	assert_int_equal(strncmp(again, "tcp://127.0.0.1:", 16), 0);
}

static void test_ipv6_loopback_works_where_there_is_one(void **state)
{
	struct bench *bench = *state;
	struct message message = {0};

	assert_int_equal(socket_new(bench->context, SOCKET_PULL, NULL, &bench->server), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_PUSH, NULL, &bench->client), 0);
	int r = socket_bind(bench->server, "tcp://[::1]:0", bench->endpoint);
	if (r < 0) {
		skip();
	}
	assert_int_equal(strncmp(bench->endpoint, "tcp://[::1]:", 12), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
	assert_int_equal(send_text(bench->client, "six"), 0);
	receive(bench, bench->server, &message);
	assert_frame(&message, 0, "six");
	message_clear(&message);
}

static void expect_event(
	const struct bench *bench, struct socket *monitor, enum socket_event expected)
{
	enum socket_event event;
	int r = socket_monitor_next(monitor, &event);

	while (r == SOCKET_E_AGAIN) {
		assert_int_equal(wait_for(bench, monitor, 5000), 0);
		r = socket_monitor_next(monitor, &event);
	}
	assert_int_equal(r, 0);
	assert_int_equal(event, expected);
}

static void test_a_monitor_tells_of_connection_and_disconnection(void **state)
{
	struct bench *bench = *state;
	struct socket *monitor = NULL, *server_monitor = NULL;

	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, NULL, &bench->server), 0);
	assert_int_equal(socket_monitor(bench->server, &server_monitor), 0);
	assert_int_equal(socket_new(bench->context, SOCKET_DEALER,
				 &(struct socket_options){.heartbeat_ms = 1000}, &bench->client),
		0);
	assert_int_equal(socket_monitor(bench->client, &monitor), 0);
	assert_int_equal(socket_bind(bench->server, "tcp://127.0.0.1:0", bench->endpoint), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
	expect_event(bench, server_monitor, SOCKET_ACCEPTED);
	expect_event(bench, server_monitor, SOCKET_CONNECTED);
	expect_event(bench, monitor, SOCKET_CONNECTED);
	bench->server = socket_free(bench->server);
	server_monitor = socket_free(server_monitor);
	expect_event(bench, monitor, SOCKET_DISCONNECTED);
	bench->client = socket_free(bench->client);
	socket_free(monitor);
}

/* Key pairs of libzmq's test suite. */
static const char server_public[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
static const char server_secret[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
static const char client_public[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
static const char client_secret[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

static void open_curve_server(struct bench *bench)
{
	const struct socket_options options = {.curve_secret_key = server_secret};

	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, &options, &bench->server), 0);
	assert_int_equal(socket_bind(bench->server, "tcp://127.0.0.1:0", bench->endpoint), 0);
}

static void connect_curve_client(struct bench *bench)
{
	const struct socket_options options = {.curve_secret_key = client_secret,
		.curve_public_key = client_public,
		.curve_server_key = server_public};

	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, &options, &bench->client), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
	assert_int_equal(send_text(bench->client, "secret"), 0);
}

/* Answers one question of libzmq's: may this key in? */
static void let_in(const struct bench *bench, struct socket *handler, const char *user)
{
	struct message ask = {0};

	receive(bench, handler, &ask);
	assert_int_equal(ask.frame_count, 9);
	assert_frame(&ask, 4, "till");
	assert_frame(&ask, 7, "CURVE");
	const struct iovec reply[] = {ask.frames[0], {"", 0}, {"1.0", 3}, ask.frames[3], {"200", 3},
		{"OK", 2}, {(void *)(uintptr_t)user, strlen(user)}, {"", 0}};
	assert_int_equal(socket_send(handler, reply, 8), 0);
	message_clear(&ask);
}

static void test_a_known_key_gets_in_and_its_name_comes_with_each_message(void **state)
{
	struct bench *bench = *state;
	struct socket *handler = NULL;
	struct message message = {0};

	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, NULL, &handler), 0);
	assert_int_equal(socket_bind(handler, "inproc://zeromq.zap.01", NULL), 0);
	open_curve_server(bench);
	connect_curve_client(bench);
	let_in(bench, handler, "berlin-1");
	receive(bench, bench->server, &message);
	assert_frame(&message, 1, "secret");
	assert_string_equal(message.user_id, "berlin-1");
	message_clear(&message);
	socket_free(handler);
}

static void test_a_name_too_long_for_a_user_is_no_user(void **state)
{
	struct bench *bench = *state;
	struct socket *handler = NULL;
	struct message message = {0};
	char name[80];

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, NULL, &handler), 0);
	assert_int_equal(socket_bind(handler, "inproc://zeromq.zap.01", NULL), 0);
	open_curve_server(bench);
	connect_curve_client(bench);
	let_in(bench, handler, name);
	receive(bench, bench->server, &message);
	assert_string_equal(message.user_id, "");
	message_clear(&message);
	socket_free(handler);
}

/* libzmq's default is the opposite: without a handler every key would be let in. */
static void test_without_a_handler_nobody_gets_in(void **state)
{
	struct bench *bench = *state;
	struct socket *monitor = NULL;

	open_curve_server(bench);
	assert_int_equal(socket_monitor(bench->server, &monitor), 0);
	connect_curve_client(bench);
	expect_event(bench, monitor, SOCKET_ACCEPTED);
	expect_event(bench, monitor, SOCKET_HANDSHAKE_FAILED);
	bench->server = socket_free(bench->server);
	socket_free(monitor);
}

static void test_wrong_keys_are_refused_when_the_socket_is_made(void **state)
{
	struct bench *bench = *state;
	const struct socket_options bad = {.curve_secret_key = "too short"};
	const struct socket_options half = {
		.curve_secret_key = client_secret, .curve_server_key = server_public};

	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, &bad, &bench->server), -EINVAL);
	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, &half, &bench->client), -EINVAL);
	assert_null(bench->server);
	assert_null(bench->client);
}

#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(test_a_router_answers_the_peer_that_asked),
		SOCKET_TEST(test_an_unknown_peer_is_unreachable_and_a_full_one_says_again),
		SOCKET_TEST(test_a_client_without_a_server_queues_only_if_it_may),
		SOCKET_TEST(test_too_many_frames_are_read_to_their_end_and_dropped),
		SOCKET_TEST(test_a_subscriber_gets_what_it_subscribed_to),
		SOCKET_TEST(test_a_request_may_be_sent_again_after_a_lost_reply),
		SOCKET_TEST(test_bind_says_where_and_refuses_what_it_can_not),
		SOCKET_TEST(test_ipv6_loopback_works_where_there_is_one),
		SOCKET_TEST(test_a_monitor_tells_of_connection_and_disconnection),
		SOCKET_TEST(test_a_known_key_gets_in_and_its_name_comes_with_each_message),
		SOCKET_TEST(test_a_name_too_long_for_a_user_is_no_user),
		SOCKET_TEST(test_without_a_handler_nobody_gets_in),
		SOCKET_TEST(test_wrong_keys_are_refused_when_the_socket_is_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
