#include "runtime/clock.h"
#include "runtime/http_internal.h"
#include "runtime/loop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BODY_MAX = 64 * 1024,
	REQUEST_MS_MAX = 150,
	REPLY_SIZE = 64 * 1024,
	WATCHDOG_SECONDS = 30,
	STATUS_COUNT = 600,
};

struct client {
	struct bench *bench;
	int fd;
	char reply[REPLY_SIZE];
	size_t size;
	bool ended;
	const char *wanted; /* stops the loop; NULL: only the end does */
};

/* A server and its clients, all on one loop. */
struct bench {
	struct loop *loop;
	struct http_server *server;
	struct http_route routes[4];
	struct http_request *kept[4];
	int kept_count;
	unsigned answered[STATUS_COUNT];
	size_t body_bytes;
	char seen[512]; /* by the handler */
	struct client clients[2];
};

static void answer_words(struct http_request *request, const char *text)
{
	const struct http_header header = {"X-Till", "yes"};
	http_request_answer(request,
		&(struct http_response){200, "text/plain", &header, 1, text, strlen(text)});
}

static void on_echo(void *owner, struct http_request *request)
{
	size_t size = 0;
	const void *body = http_request_body(request, &size);
	(void)owner;
	http_request_answer(
		request, &(struct http_response){200, "text/plain", NULL, 0, body, size});
}

static void on_look(void *owner, struct http_request *request)
{
	struct bench *bench = owner;
	const char *kind = http_request_argument(request, "kind");
	const char *bare = http_request_argument(request, "bare");
	const char *none = http_request_argument(request, "none");
	const char *header = http_request_header(request, "idempotency-key");

	snprintf(bench->seen, sizeof bench->seen, "%s %s kind=%s bare=%s none=%s key=%s none=%s",
		http_request_method(request), http_request_path(request), kind, bare,
		none == NULL ? "-" : none, header,
		http_request_header(request, "X-None") == NULL ? "-" : "?");
	assert_int_equal(strncmp(http_request_peer(request), "127.0.0.1:", 10), 0);
	answer_words(request, "looked");
}

static void on_keep(void *owner, struct http_request *request)
{
	struct bench *bench = owner;
	bench->kept[bench->kept_count++] = request;
	loop_stop(bench->loop);
}

static void admit_with_a_key(void *owner, struct http_request *request)
{
	(void)owner;
	if (http_request_header(request, "Authorization") == NULL) {
		http_request_refuse(request, 401, "no key");
	}
}

static void on_answered(void *owner, const struct http_exchange *exchange)
{
	struct bench *bench = owner;
	assert_in_range(exchange->status, 100, STATUS_COUNT - 1);
	assert_true(exchange->duration_us >= 0);
	bench->answered[exchange->status]++;
	bench->body_bytes += exchange->body_size;
}

static int open_bench(void **state)
{
	static struct bench bench;
	struct http_server_error error;

	bench = (struct bench){
		.routes =
			{
				{"POST", "/echo", BODY_MAX, NULL, on_echo, &bench},
				{"GET", "/look", 0, NULL, on_look, &bench},
				{"POST", "/keep", BODY_MAX, NULL, on_keep, &bench},
				{"POST", "/key", BODY_MAX, admit_with_a_key, on_echo, &bench},
			},
	};
	for (int i = 0; i < 2; i++) {
		bench.clients[i] = (struct client){.bench = &bench, .fd = -1};
	}
	assert_int_equal(loop_new(&bench.loop), 0);
	const struct http_server_options options = {
		.listen = "127.0.0.1:0",
		.loop = bench.loop,
		.routes = bench.routes,
		.route_count = 4,
		.connections_max = 8,
		.connections_per_address_max = 2,
		.request_ms_max = REQUEST_MS_MAX,
		.bodies_size_max = 2 * BODY_MAX,
		.answered = on_answered,
		.owner = &bench,
	};
	assert_int_equal(http_server_new(&options, &bench.server, &error), 0);
	alarm(WATCHDOG_SECONDS);
	*state = &bench;
	return 0;
}

static void hang_up(struct client *client)
{
	if (client->fd >= 0) {
		loop_remove_fd(client->bench->loop, client->fd);
		close(client->fd);
		client->fd = -1;
	}
}

static int close_bench(void **state)
{
	struct bench *bench = *state;
	assert_null(http_server_free(bench->server));
	hang_up(&bench->clients[0]);
	hang_up(&bench->clients[1]);
	loop_free(bench->loop);
	alarm(0);
	return 0;
}

/* ---- a client */

static int on_reply(void *owner)
{
	struct client *client = owner;

	ssize_t got = recv(client->fd, client->reply + client->size,
		sizeof client->reply - 1 - client->size, 0);
	if (got <= 0) {
		client->ended = true;
		loop_remove_fd(client->bench->loop, client->fd);
		loop_stop(client->bench->loop);
		return 0;
	}
	client->size += (size_t)got;
	client->reply[client->size] = '\0';
	if (client->wanted != NULL && strstr(client->reply, client->wanted) != NULL) {
		loop_stop(client->bench->loop);
	}
	return 0;
}

static struct client *dial(struct bench *bench, int number)
{
	struct client *client = &bench->clients[number];
	const char *address = http_server_address(bench->server);
	struct sockaddr_in to = {.sin_family = AF_INET};

	assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
	to.sin_port = htons((uint16_t)atoi(address + 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hang_up(client);
	*client = (struct client){.bench = bench};
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client->fd >= 0);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(loop_add_fd(bench->loop, client->fd, on_reply, client), 0);
	return client;
}

static void say_bytes(struct client *client, const void *bytes, size_t size)
{
	assert_int_equal(send(client->fd, bytes, size, MSG_NOSIGNAL), size);
}

static void say(struct client *client, const char *text)
{
	say_bytes(client, text, strlen(text));
}

static void run(struct bench *bench)
{
	assert_int_equal(loop_run(bench->loop), 0);
}

/* What came up to and with `wanted` is taken from the reply. */
static void expect(struct client *client, const char *wanted)
{
	client->wanted = wanted;
	while (strstr(client->reply, wanted) == NULL) {
		if (client->ended) {
			fail_msg("no \"%s\" in \"%s\"", wanted, client->reply);
		}
		run(client->bench);
	}
	char *end = strstr(client->reply, wanted) + strlen(wanted);
	client->size -= (size_t)(end - client->reply);
	memmove(client->reply, end, client->size + 1);
	client->wanted = NULL;
}

static void expect_end(struct client *client)
{
	while (!client->ended) {
		run(client->bench);
	}
}

static int stop_when_alone(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct bench *bench = owner;
	(void)now_ms;
	if (http_server_counts(bench->server).connections == 0) {
		loop_stop(bench->loop);
	}
	*ret_wait_ms = 1;
	return 0;
}

/* Until the server has closed them all. */
static void run_until_alone(struct bench *bench)
{
	assert_int_equal(loop_add_tick(bench->loop, stop_when_alone, bench), 0);
	run(bench);
	loop_remove_tick(bench->loop, stop_when_alone, bench);
}

static const char *ask(struct bench *bench, const char *request)
{
	struct client *client = dial(bench, 0);
	say(client, request);
	expect_end(client);
	return client->reply;
}

static void assert_starts(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) != 0) {
		fail_msg("\"%s\" does not begin with \"%s\"", text, start);
	}
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fail_msg("no \"%s\" in \"%s\"", part, text);
	}
}

/* ---- tests */

static void test_a_body_comes_back(void **state)
{
	struct bench *bench = *state;
	const char *reply = ask(*state, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
					"Content-Length: 5\r\n\r\nhello");
	assert_starts(reply, "HTTP/1.1 200 OK\r\n");
	assert_has(reply, "Content-Type: text/plain\r\n");
	assert_has(reply, "Content-Length: 5\r\n");
	assert_has(reply, "\r\n\r\nhello");
	assert_int_equal(bench->answered[200], 1);
	assert_int_equal(bench->body_bytes, 5);
}

static void test_a_chunked_body_comes_back(void **state)
{
	const char *reply = ask(*state,
		"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
		"chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n");
	assert_starts(reply, "HTTP/1.1 200 OK\r\n");
	assert_has(reply, "\r\n\r\nhello");
}

static void test_a_handler_sees_the_whole_head(void **state)
{
	struct bench *bench = *state;
	const char *reply =
		ask(bench, "GET /look?kind=a%20b&bare HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			   "IDEMPOTENCY-KEY: \"k 1\"\r\n\r\n");
	assert_starts(reply, "HTTP/1.1 200 OK\r\n");
	assert_has(reply, "X-Till: yes\r\n");
	assert_string_equal(bench->seen, "GET /look kind=a b bare= none=- key=\"k 1\" none=-");
	assert_has(ask(bench, "HEAD /look?kind=a&bare HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			      "Idempotency-Key: 1\r\n\r\n"),
		"Content-Length: 6\r\n");
	assert_starts(bench->seen, "HEAD /look");
}

static void test_a_connection_serves_many_requests(void **state)
{
	struct client *client = dial(*state, 0);
	static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";

	for (int i = 0; i < 20; i++) {
		char body[8];
		snprintf(body, sizeof body, "=%02d", i);
		say(client, request);
		say(client, body);
		expect(client, body);
	}
	/* All at once: answered in order. */
	char all[4096] = "";
	for (int i = 0; i < 20; i++) {
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s+%02d", request, i);
	}
	say(client, all);
	for (int i = 0; i < 20; i++) {
		char body[8];
		snprintf(body, sizeof body, "+%02d", i);
		expect(client, body);
	}
}

static void test_an_answer_may_come_later(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
		    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
	run(bench);
	assert_int_equal(bench->kept_count, 1);
	struct client *other = dial(bench, 1); /* others are not held up */
	say(other, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nother");
	expect(other, "\r\n\r\nother");
	assert_int_equal(client->size, 0);
	answer_words(bench->kept[0], "later");
	expect(client, "\r\n\r\nlater");
	expect(client, "\r\n\r\nb"); /* what was pipelined waited its turn */
}

/* However long we take, it is not the client who is slow. */
static int stop_late(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct bench *bench = owner;
	int64_t end_ms = (int64_t)bench->body_bytes; /* set by the test */
	if (now_ms >= end_ms) {
		loop_stop(bench->loop);
	}
	*ret_wait_ms = end_ms - now_ms;
	return 0;
}

static void run_for(struct bench *bench, int64_t ms)
{
	bench->body_bytes = (size_t)(clock_monotonic_ms() + ms);
	assert_int_equal(loop_add_tick(bench->loop, stop_late, bench), 0);
	run(bench);
	loop_remove_tick(bench->loop, stop_late, bench);
}

static void test_our_own_time_is_not_the_clients(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	run(bench);
	run_for(bench, 3 * REQUEST_MS_MAX);
	assert_false(client->ended);
	answer_words(bench->kept[0], "late");
	expect(client, "\r\n\r\nlate");
}

static void test_other_paths_and_methods_are_refused(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(client, "HTTP/1.1 404 ");
	expect(client, "\r\n\r\nnot found; there is /echo, /look, /keep and /key\n");
	say(client, "DELETE /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	expect(client, "HTTP/1.1 405 ");
	expect(client, "Allow: POST\r\n");
	expect(client, "\r\n\r\nonly POST here\n");
	say(client, "POST /look HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	expect(client, "HTTP/1.1 405 ");
	expect(client, "Allow: GET, HEAD\r\n");
	expect(client, "\r\n\r\nonly GET and HEAD here\n");
	assert_int_equal(bench->answered[404], 1);
	assert_int_equal(bench->answered[405], 2);
}

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
	client = dial(bench, 0); /* within its body */
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab");
	hang_up(client);
	run_for(bench, 20); /* its coming and its going */
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

static void test_a_server_that_ends_says_so(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	run(bench);
	http_server_quiesce(bench->server);
	answer_words(bench->kept[0], "last");
	/* Freed in the same round: the answer is sent all the same. */
	bench->server = http_server_free(bench->server);
	expect(client, "Connection: close\r\n");
	expect(client, "\r\n\r\nlast");
	expect_end(client);
}

static void test_requests_that_nobody_answers_end_with_the_server(void **state)
{
	struct bench *bench = *state;
	struct client *client = dial(bench, 0);

	say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	run(bench);
	bench->server = http_server_free(bench->server);
	expect_end(client);
	assert_string_equal(client->reply, "");
}

static void refuse_in_json(void *owner, unsigned status, const char *words, FILE *out)
{
	(void)owner;
	fprintf(out, "{\"status\":%u,\"words\":\"%s\"}", status, words);
}

static void test_refusals_may_be_written_otherwise(void **state)
{
	struct bench *bench = *state;

	bench->server->options.write_refusal = refuse_in_json;
	bench->server->options.refusal_type = "application/json";
	const char *reply = ask(bench,
		"PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	assert_has(reply, "Content-Type: application/json\r\n");
	assert_has(reply, "\r\n\r\n{\"status\":405,\"words\":\"only POST here\"}");
}

static void assert_no_server(struct bench *bench, const char *listen,
	const struct http_tls_files *tls, int code, const char *words)
{
	struct http_server_error error;
	struct http_server *server = NULL;
	const struct http_server_options options = {.listen = listen,
		.loop = bench->loop,
		.routes = bench->routes,
		.route_count = 1,
		.tls = tls,
		.connections_max = 8,
		.request_ms_max = 1000};

	assert_int_equal(http_server_new(&options, &server, &error), code);
	assert_string_equal(error.text, words);
	assert_null(server);
}

static void test_what_can_not_be_opened_is_named(void **state)
{
	struct bench *bench = *state;
	const char *address = http_server_address(bench->server);
	char words[256];

	snprintf(words, sizeof words, "can't listen at %s: Address already in use", address);
	assert_no_server(bench, address, NULL, -EADDRINUSE, words);
	assert_no_server(bench, "here", NULL, -EINVAL, "can't listen at here: Invalid argument");
	const struct http_tls_files missing = {"/nonexistent/cert", "/nonexistent/key", NULL};
	assert_no_server(bench, "127.0.0.1:0", &missing, -ENOENT,
		"TLS certificate /nonexistent/cert: No such file or directory");
	const struct http_tls_files empty = {"/dev/null", "/dev/null", NULL};
	assert_no_server(bench, "127.0.0.1:0", &empty, -EINVAL,
		"TLS certificate /dev/null and key /dev/null: The requested data were not "
		"available.");
	const struct http_tls_files endless = {"/dev/zero", "/dev/null", NULL};
	assert_no_server(bench, "127.0.0.1:0", &endless, -EFBIG,
		"TLS certificate /dev/zero: File too large");
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_a_body_comes_back),
		SERVER_TEST(test_a_chunked_body_comes_back),
		SERVER_TEST(test_a_handler_sees_the_whole_head),
		SERVER_TEST(test_a_connection_serves_many_requests),
		SERVER_TEST(test_an_answer_may_come_later),
		SERVER_TEST(test_our_own_time_is_not_the_clients),
		SERVER_TEST(test_other_paths_and_methods_are_refused),
		SERVER_TEST(test_a_body_nobody_may_send_is_not_kept),
		SERVER_TEST(test_a_body_too_large_is_refused_by_its_announcement),
		SERVER_TEST(test_a_body_that_grows_too_large_is_refused),
		SERVER_TEST(test_a_body_without_end_is_told_so),
		SERVER_TEST(test_who_asks_first_is_told_to_go_on),
		SERVER_TEST(test_two_borders_of_one_body_are_refused),
		SERVER_TEST(test_a_dripping_head_is_ended),
		SERVER_TEST(test_a_dripping_body_is_ended),
		SERVER_TEST(test_a_silent_connection_just_ends),
		SERVER_TEST(test_all_bodies_together_are_bounded),
		SERVER_TEST(test_clients_that_went_are_counted),
		SERVER_TEST(test_an_address_has_a_limit_of_its_own),
		SERVER_TEST(test_a_server_that_ends_says_so),
		SERVER_TEST(test_requests_that_nobody_answers_end_with_the_server),
		SERVER_TEST(test_refusals_may_be_written_otherwise),
		SERVER_TEST(test_what_can_not_be_opened_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
