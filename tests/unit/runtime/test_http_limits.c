#include "http_bench.h"
#include <sys/resource.h>

static void test_a_body_nobody_may_send_is_not_kept(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /key HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	expect(client, "HTTP/1.1 401 ");
	expect(client, "\r\n\r\nno key\n");
	say(client, "POST /key HTTP/1.1\r\nHost: x\r\nAuthorization: y\r\nContent-Length: "
		    "3\r\n\r\nabc");
	expect(client, "\r\n\r\nabc");
	assert_int_equal(bench->body_bytes, 6); /* of both, read over or not */
}

static void test_a_body_too_large_is_refused_by_its_announcement(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	/* Not a byte of it is sent, and the answer does not wait for one. */
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
	expect(client, "HTTP/1.1 413 ");
	expect(client, "Connection: close\r\n");
	expect(client, "\r\nthe body is larger than 65536 bytes\n");
	assert_int_equal(bench->server->bodies_size, 0);
	expect_end(client);
	/* One that asks first is told before it sends. */
	client = dial(bench, 0);
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n"
		    "Expect: 100-continue\r\n\r\n");
	expect_end(client);
	assert_starts(client->reply, "HTTP/1.1 413 ");
	assert_int_equal(bench->answered[413], 2);
}

static void say_many(struct client *client, const char *text, int count)
{
	for (int i = 0; i < count; i++) {
		say(client, text);
	}
}

static void test_a_body_that_grows_too_large_is_refused(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);
	static char chunk[4096 + 9] = "1000\r\n";

	memset(chunk + 6, 'x', 4096);
	memcpy(chunk + 6 + 4096, "\r\n", 3);
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	say_many(client, chunk, 17);
	say(client, "0\r\n\r\n");
	expect(client, "HTTP/1.1 413 ");
	expect(client, "\r\n\r\nthe body is larger than 65536 bytes\n");
	assert_int_equal(bench->server->bodies_size, 0);
	/* The connection is in order, and goes on. */
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
	expect(client, "\r\n\r\nok");
}

/* Past what is read over for the sake of the connection the answer comes without the rest. */
static int pour(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct client *client = owner;
	static char chunk[4096 + 9] = "1000\r\n";
	(void)now_ms;

	memset(chunk + 6, 'x', 4096);
	memcpy(chunk + 6 + 4096, "\r\n", 3);
	while (!client->ended &&
		send(client->fd, chunk, 4096 + 8, MSG_NOSIGNAL | MSG_DONTWAIT) == 4096 + 8) {
	}
	*ret_wait_ms = 0;
	return 0;
}

static void test_a_body_without_end_is_told_so(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_int_equal(loop_add_tick(bench->loop, pour, client), 0);
	expect(client, "HTTP/1.1 413 ");
	loop_remove_tick(bench->loop, pour, client);
	assert_int_equal(bench->answered[413], 1);
	expect_end(client);
	hang_up(client);
	run_until_alone(bench);
	assert_int_equal(http_server_counts(bench->server).broken, 1);
}

static void test_who_asks_first_is_told_to_go_on(void **state)
{
	struct client *client = dial(*state, 0);

	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
		    "Expect: 100-continue\r\n\r\n");
	expect(client, "HTTP/1.1 100 Continue\r\n\r\n");
	say(client, "ok");
	expect(client, "\r\n\r\nok");
}

static void test_two_borders_of_one_body_are_refused(void **state)
{
	static const char *const heads[] = {
		"Content-Length: 3\r\nContent-Length: 4\r\n",
		"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: identity\r\n",
		"Content-Length: -3\r\n",
		"Content-Length: 3x\r\n",
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		char request[256];
		snprintf(request, sizeof request, "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\nabc",
			heads[i]);
		assert_starts(ask(*state, request), "HTTP/1.1 400 ");
	}
	assert_starts(ask(*state, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
				  "chunked\r\n\r\nxyz\r\n"),
		"HTTP/1.1 400 ");
}

static void test_a_dripping_head_is_ended(void **state)
{
	struct bench *bench = *state;

	hurry(bench);
	struct client *client = dial(bench, 0);
	say(client, "POST /echo HTTP/1.1\r\nHo");
	expect(client, "HTTP/1.1 408 ");
	expect(client, "the request's head took too long to come in\n");
	expect_end(client);
	run_until_alone(bench); /* though the client holds on to it */
	assert_int_equal(bench->answered[408], 1);
	assert_int_equal(http_server_counts(bench->server).broken, 1);
}

static int drip(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct client *client = owner;
	(void)now_ms;
	if (!client->ended) {
		(void)send(client->fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	*ret_wait_ms = 5;
	return 0;
}

/* It never falls silent: only the whole time counts. */
static void test_a_dripping_body_is_ended(void **state)
{
	struct bench *bench = *state;

	hurry(bench);
	struct client *client = dial(bench, 0);
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n");
	assert_int_equal(loop_add_tick(bench->loop, drip, client), 0);
	expect(client, "HTTP/1.1 408 ");
	expect(client, "the request's body took too long to come in\n");
	expect_end(client);
	loop_remove_tick(bench->loop, drip, client);
	assert_int_equal(bench->server->bodies_size, 0);
	assert_int_equal(bench->answered[408], 1);
	run_until_alone(bench);
}

static void test_a_silent_connection_just_ends(void **state)
{
	struct bench *bench = *state;

	hurry(bench);
	struct client *client = dial(bench, 0);
	expect_end(client);
	assert_string_equal(client->reply, "");
	client = dial(bench, 0);
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
	expect(client, "\r\n\r\nok");
	expect_end(client);
	assert_string_equal(client->reply, "");
	assert_int_equal(http_server_counts(bench->server).broken, 0);
	assert_int_equal(http_server_counts(bench->server).accepted, 2);
}

/* Who closes in order broke nothing. */
static void test_a_client_may_close_between_requests(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
	expect(client, "\r\n\r\nok");
	hang_up(client);
	run_until_alone(bench);
	assert_int_equal(http_server_counts(bench->server).broken, 0);
	assert_int_equal(http_server_counts(bench->server).gone, 0);
}

static void test_all_bodies_together_are_bounded(void **state)
{
	struct bench *bench = *state;
	static char body[BODY_MAX];

	/* Two that don't end take all there is … */
	memset(body, 'x', sizeof body);
	for (int i = 0; i < 2; i++) {
		struct client *client = dial(bench, i);
		say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n");
		say_bytes(client, body, sizeof body);
		run(bench);
	}
	assert_int_equal(bench->kept_count, 2);
	assert_int_equal(bench->server->bodies_size, 2 * BODY_MAX);
	struct client *first = &bench->clients[0];
	loop_remove_fd(bench->loop, first->fd);
	int held = first->fd;
	first->fd = -1;
	/* … and a third hears so. */
	struct client *third = dial(bench, 0);
	say(third, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nno");
	expect(third, "HTTP/1.1 503 ");
	expect(third, "Retry-After: 1\r\n");
	expect(third, "\r\n\r\ntoo many large bodies at once: send it again later\n");
	answer_words(bench->kept[0], "done");
	answer_words(bench->kept[1], "done");
	expect(&bench->clients[1], "\r\n\r\ndone");
	say(third, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
	expect(third, "\r\n\r\nok");
	close(held);
}

static void test_clients_that_went_are_counted(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	run(bench);
	hang_up(client);
	answer_words(bench->kept[0], "too late");
	run_until_alone(bench);
	assert_int_equal(http_server_counts(bench->server).gone, 1);
	assert_int_equal(http_server_counts(bench->server).broken, 0);
	/* Within its body. Libmicrohttpd may not see an end that came together with bytes: then its time ends it. */
	hurry(bench);
	client = dial(bench, 0);
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab");
	hang_up(client);
	run_until_alone(bench);
	assert_int_equal(http_server_counts(bench->server).broken, 1);
}

static void test_an_address_has_a_limit_of_its_own(void **state)
{
	struct bench *bench = *state;
	struct connection connections[3] = {0};
	struct sockaddr_in one = {.sin_family = AF_INET}, other = one, home = one;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = {{{0x20, 1}}}};

	inet_pton(AF_INET, "192.0.2.1", &one.sin_addr);
	inet_pton(AF_INET, "192.0.2.2", &other.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &home.sin_addr);
	for (int i = 0; i < 2; i++) {
		memcpy(&connections[i].address, &one, sizeof one);
		LIST_INSERT_HEAD(&bench->server->connections, &connections[i], siblings);
	}
	memcpy(&connections[2].address, &six, sizeof six);
	LIST_INSERT_HEAD(&bench->server->connections, &connections[2], siblings);
	assert_false(connection_may_open(bench->server, (struct sockaddr *)&one));
	assert_true(connection_may_open(bench->server, (struct sockaddr *)&other));
	assert_true(connection_may_open(bench->server, (struct sockaddr *)&home));
	assert_true(connection_may_open(bench->server, (struct sockaddr *)&six));
	bench->server->options.connections_per_address_max = 1;
	assert_false(connection_may_open(bench->server, (struct sockaddr *)&six));
	LIST_INIT(&bench->server->connections);
}

enum { WAITING = 5 };

static int stop_when_all_are_answered(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct bench *bench = owner;
	(void)now_ms;
	if (bench->answered[200] == WAITING) {
		loop_stop(bench->loop);
	}
	*ret_wait_ms = 1;
	return 0;
}

/* A client that the loop does not know. */
static int dial_from_outside(const struct bench *bench)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	to.sin_port = htons((uint16_t)atoi(http_server_address(bench->server) + 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* With its request under way. */
static int ask_from_outside(const struct bench *bench)
{
	static const char request[] = "GET /look?kind=a&bare HTTP/1.1\r\nHost: x\r\n"
				      "Connection: close\r\n\r\n";
	int fd = dial_from_outside(bench);

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return fd;
}

static void test_all_who_wait_are_served_where_one_descriptor_is_left(void **state)
{
	struct bench *bench = *state;
	struct rlimit before, tight;
	int fds[WAITING];

	if (getenv("TILL_TEST_VALGRIND") != NULL) {
		skip(); /* it closes what it lets accept() have beyond the limit */
	}
	for (int i = 0; i < WAITING; i++) {
		fds[i] = ask_from_outside(bench);
	}
	int free_fd = dup(0);
	assert_true(free_fd > 0);
	close(free_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)free_fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(loop_add_tick(bench->loop, stop_when_all_are_answered, bench), 0);
	run(bench);
	loop_remove_tick(bench->loop, stop_when_all_are_answered, bench);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < WAITING; i++) {
		close(fds[i]);
	}
}

static void test_silent_connections_make_room_for_one_that_speaks(void **state)
{
	struct bench *bench = *state;
	enum { SILENT = 40 }; /* several times the limit */
	int fds[SILENT];

	struct client *busy = dial(bench, 0);
	say(busy, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	run(bench);
	for (int i = 0; i < SILENT; i++) {
		fds[i] = dial_from_outside(bench);
	}
	struct client *client = dial(bench, 1);
	say(client, "GET /look?kind=a&bare HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(client, "looked");
	answer_words(bench->kept[0], "kept"); /* who waits for us is not silent */
	expect(busy, "kept");
	assert_true(http_server_counts(bench->server).displaced >= SILENT - 8);
	for (int i = 0; i < SILENT; i++) {
		close(fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_a_body_nobody_may_send_is_not_kept),
		SERVER_TEST(test_a_body_too_large_is_refused_by_its_announcement),
		SERVER_TEST(test_a_body_that_grows_too_large_is_refused),
		SERVER_TEST(test_a_body_without_end_is_told_so),
		SERVER_TEST(test_who_asks_first_is_told_to_go_on),
		SERVER_TEST(test_two_borders_of_one_body_are_refused),
		SERVER_TEST(test_a_dripping_head_is_ended),
		SERVER_TEST(test_a_dripping_body_is_ended),
		SERVER_TEST(test_a_silent_connection_just_ends),
		SERVER_TEST(test_a_client_may_close_between_requests),
		SERVER_TEST(test_all_bodies_together_are_bounded),
		SERVER_TEST(test_clients_that_went_are_counted),
		SERVER_TEST(test_an_address_has_a_limit_of_its_own),
		SERVER_TEST(test_silent_connections_make_room_for_one_that_speaks),
		SERVER_TEST(test_all_who_wait_are_served_where_one_descriptor_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
