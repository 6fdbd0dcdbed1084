/* http_bench.h - an HTTP server and clients of it on one loop, with routes that echo, look, keep and demand a key. */
#pragma once
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
#include <sys/stat.h>
#include <unistd.h>

enum {
	BODY_MAX = 64 * 1024,
	REQUEST_MS_MAX = 60000, /* longer than any test */
	SHORT_MS = 100, /* for those that wait for it */
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
	uint64_t dialled;
};

static inline void answer_words(struct http_request *request, const char *text)
{
	const struct http_header header = {"X-Till", "yes"};
	http_request_answer(request,
		&(struct http_response){200, "text/plain", &header, 1, text, strlen(text)});
}

static inline void on_echo(void *owner, struct http_request *request)
{
	size_t size = 0;
	const void *body = http_request_body(request, &size);
	(void)owner;
	http_request_answer(
		request, &(struct http_response){200, "text/plain", NULL, 0, body, size});
}

static inline void on_look(void *owner, struct http_request *request)
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

static inline void on_keep(void *owner, struct http_request *request)
{
	struct bench *bench = owner;
	bench->kept[bench->kept_count++] = request;
	loop_stop(bench->loop);
}

static inline void admit_with_a_key(void *owner, struct http_request *request)
{
	(void)owner;
	if (http_request_header(request, "Authorization") == NULL) {
		http_request_refuse(request, 401, "no key", NULL);
	}
}

static inline void on_answered(void *owner, const struct http_exchange *exchange)
{
	struct bench *bench = owner;
	assert_in_range(exchange->status, 100, STATUS_COUNT - 1);
	assert_true(exchange->duration_us >= 0);
	bench->answered[exchange->status]++;
	bench->body_bytes += exchange->body_size;
}

static inline int open_bench(void **state)
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

static inline void hang_up(struct client *client)
{
	if (client->fd >= 0) {
		loop_remove_fd(client->bench->loop, client->fd);
		close(client->fd);
		client->fd = -1;
	}
}

/* Of connections from now on. */
static inline void hurry(struct bench *bench)
{
	bench->server->options.request_ms_max = SHORT_MS;
}

static inline int close_bench(void **state)
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

static inline int on_reply(void *owner)
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

static inline struct client *dial(struct bench *bench, int number)
{
	struct client *client = &bench->clients[number];
	const char *address = http_server_address(bench->server);
	struct sockaddr_in to = {.sin_family = AF_INET};

	assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
	to.sin_port = htons((uint16_t)atoi(address + 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hang_up(client);
	bench->dialled++;
	*client = (struct client){.bench = bench};
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client->fd >= 0);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(loop_add_fd(bench->loop, client->fd, on_reply, client), 0);
	return client;
}

static inline void say_bytes(struct client *client, const void *bytes, size_t size)
{
	assert_int_equal(send(client->fd, bytes, size, MSG_NOSIGNAL), size);
}

static inline void say(struct client *client, const char *text)
{
	say_bytes(client, text, strlen(text));
}

static inline void run(struct bench *bench)
{
	assert_int_equal(loop_run(bench->loop), 0);
}

/* What came up to and with `wanted` is taken from the reply. */
static inline void expect(struct client *client, const char *wanted)
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

static inline void expect_end(struct client *client)
{
	while (!client->ended) {
		run(client->bench);
	}
}

static inline int stop_when_alone(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct bench *bench = owner;
	(void)now_ms;
	struct http_server_counts counts = http_server_counts(bench->server);
	if (counts.connections == 0 && counts.accepted == bench->dialled) {
		loop_stop(bench->loop);
	}
	*ret_wait_ms = 1;
	return 0;
}

/* Until the server has seen and closed them all. */
static inline void run_until_alone(struct bench *bench)
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

static inline void assert_starts(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) != 0) {
		fail_msg("\"%s\" does not begin with \"%s\"", text, start);
	}
}

static inline void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fail_msg("no \"%s\" in \"%s\"", part, text);
	}
}
/* However long we take, it is not the client who is slow. */
static inline int stop_late(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct bench *bench = owner;
	int64_t end_ms = (int64_t)bench->body_bytes; /* set by the test */
	if (now_ms >= end_ms) {
		loop_stop(bench->loop);
	}
	*ret_wait_ms = end_ms - now_ms;
	return 0;
}

static inline void run_for(struct bench *bench, int64_t ms)
{
	bench->body_bytes = (size_t)(clock_monotonic_ms() + ms);
	assert_int_equal(loop_add_tick(bench->loop, stop_late, bench), 0);
	run(bench);
	loop_remove_tick(bench->loop, stop_late, bench);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)
