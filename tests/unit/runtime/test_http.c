#include "runtime/clock.h"
#include "runtime/http.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server and one client of it, both on the same loop. */
struct bench {
	struct loop *loop;
	struct metrics *metrics;
	struct http *http;
	bool is_ready;
	int rounds;
	int fd;
	char reply[64 * 1024];
	size_t reply_size;
};

static int tell_ready(void *owner, FILE *out)
{
	const struct bench *bench = owner;
	fputs(bench->is_ready ? "buffering, bridge unreachable\n" : "broken: no disk\n", out);
	return bench->is_ready;
}

static int open_bench(void **state)
{
	static struct bench bench;

	bench = (struct bench){.fd = -1, .is_ready = true};
	assert_int_equal(loop_new(&bench.loop), 0);
	assert_int_equal(metrics_new(&bench.metrics), 0);
	const struct http_options options = {
		.listen = "127.0.0.1:0",
		.loop = bench.loop,
		.metrics = bench.metrics,
		.ready = tell_ready,
		.owner = &bench,
	};
	assert_int_equal(http_new(&options, &bench.http), 0);
	*state = &bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;
	assert_null(http_free(bench->http));
	metrics_free(bench->metrics);
	loop_free(bench->loop);
	return 0;
}

static int connect_to(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
	to.sin_port = htons((uint16_t)atoi(address + 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static int read_reply(void *owner)
{
	struct bench *bench = owner;
	size_t room = sizeof bench->reply - 1 - bench->reply_size;

	ssize_t got = recv(bench->fd, bench->reply + bench->reply_size, room, 0);
	assert_true(got >= 0);
	if (got == 0) {
		loop_stop(bench->loop);
	}
	bench->reply_size += (size_t)got;
	bench->reply[bench->reply_size] = '\0';
	return 0;
}

/* Sends a request, runs the loop until the server closes the connection, gives back the whole reply. */
static const char *ask(struct bench *bench, const char *request)
{
	bench->reply_size = 0;
	bench->fd = connect_to(http_address(bench->http));
	assert_int_equal(send(bench->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	assert_int_equal(loop_add_fd(bench->loop, bench->fd, read_reply, bench), 0);
	assert_int_equal(loop_run(bench->loop), 0);
	loop_remove_fd(bench->loop, bench->fd);
	close(bench->fd);
	return bench->reply;
}

/* Lets the server take what is there: enough rounds for every connection. */
static int stop_after_rounds(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct bench *bench = owner;
	(void)now_ms;
	*ret_wait_ms = 0;
	if (++bench->rounds == 200) {
		loop_stop(bench->loop);
	}
	return 0;
}

static const char *get(struct bench *bench, const char *path)
{
	char request[128];
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		path);
	return ask(bench, request);
}

static void assert_starts(const char *text, const char *start)
{
	assert_int_equal(strncmp(text, start, strlen(start)), 0);
}

static void assert_ends(const char *text, const char *end)
{
	assert_true(strlen(text) >= strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void test_metrics_are_served_as_prometheus_text(void **state)
{
	struct bench *bench = *state;

	metric_add(metrics_add(bench->metrics, METRIC_COUNTER, "till_x_total", "", "x"), 5);
	const char *reply = get(bench, "/metrics");
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_non_null(
		strstr(reply, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(reply, "\r\n\r\n# HELP till_x_total x\n# TYPE till_x_total counter\n"
				      "till_x_total 5\n"));
	assert_ends(reply, "till_build_info{version=\"" TILL_VERSION "\"} 1\n");
}

static double sample(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	assert_non_null(at);
	return strtod(at + strlen(name), NULL);
}

static void test_every_process_tells_of_itself(void **state)
{
	const char *reply = get(*state, "/metrics");

	assert_true(sample(reply, "\nprocess_cpu_seconds_total ") >= 0);
	assert_in_range(sample(reply, "\nprocess_resident_memory_bytes "), 100000, 1000000000);
	assert_in_range(sample(reply, "\nprocess_open_fds "), 3, 100);
	assert_true(sample(reply, "\nprocess_max_fds ") > 100);
	double start_ms = 1000 * sample(reply, "\nprocess_start_time_seconds ");
	assert_true(start_ms < (double)clock_wall_ms() + 2000);
	assert_true(start_ms > (double)clock_wall_ms() - 600000);
}

static void test_ready_and_not_ready_both_say_why(void **state)
{
	struct bench *bench = *state;

	const char *reply = get(bench, "/readyz");
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_ends(reply, "\r\n\r\nbuffering, bridge unreachable\n");
	bench->is_ready = false;
	reply = get(bench, "/readyz");
	assert_starts(reply, "HTTP/1.1 503 ");
	assert_ends(reply, "\r\n\r\nbroken: no disk\n");
	reply = get(bench, "/livez?verbose=1");
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_ends(reply, "\r\n\r\nok\n");
}

static void test_head_has_no_body(void **state)
{
	const char *reply =
		ask(*state, "HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_non_null(strstr(reply, "Content-Length: 3\r\n"));
	assert_ends(reply, "\r\n\r\n");
}

static void test_other_methods_and_paths_are_refused(void **state)
{
	const char *reply = ask(*state, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
					"Content-Length: 3\r\n\r\nabc");
	assert_starts(reply, "HTTP/1.1 405 ");
	assert_non_null(strstr(reply, "Allow: GET, HEAD\r\n"));
	assert_starts(get(*state, "/"), "HTTP/1.1 404 ");
	assert_starts(get(*state, "/metrics/../livez"), "HTTP/1.1 404 ");
}

static void test_a_get_with_a_body_is_read_over(void **state)
{
	const char *reply = ask(*state, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
					"Content-Length: 3\r\n\r\nabc");
	assert_starts(reply, "HTTP/1.1 200 ");
	assert_ends(reply, "\r\n\r\nok\n");
}

static void test_what_is_no_http_ends_the_connection(void **state)
{
	struct bench *bench = *state;
	static char request[48 * 1024];

	assert_null(strstr(ask(bench, "\x01\x02\x03\r\n\r\n"), " 200 "));
	/* Headers past the memory of a connection. */
	memset(request, 'a', sizeof request - 1);
	memcpy(request, "GET /livez HTTP/1.1\r\nX: ", 24);
	assert_null(strstr(ask(bench, request), " 200 "));
	assert_starts(get(bench, "/livez"), "HTTP/1.1 200 ");
}

static void test_a_large_body_arrives_whole(void **state)
{
	struct bench *bench = *state;
	char labels[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(labels, sizeof labels, "edge=\"%d\"", i);
		metrics_add(bench->metrics, METRIC_GAUGE, "till_edges", labels, "edges");
	}
	const char *reply = get(bench, "/metrics");
	assert_non_null(strstr(reply, "till_edges{edge=\"0\"} 0\n"));
	assert_non_null(strstr(reply, "till_edges{edge=\"999\"} 0\n"));
	assert_ends(reply, "} 1\n");
}

/* All places are taken by clients that say nothing, and then they go: the server must listen again. */
static void test_after_too_many_connections_others_are_served_again(void **state)
{
	struct bench *bench = *state;
	int idle[64];

	for (int i = 0; i < 64; i++) {
		idle[i] = connect_to(http_address(bench->http));
		assert_int_equal(send(idle[i], "GET /met", 8, MSG_NOSIGNAL), 8);
	}
	/* One more waits unseen; the loop ends when its place comes free and it is answered. */
	int waiting = connect_to(http_address(bench->http));
	static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	assert_int_equal(send(waiting, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	assert_int_equal(loop_add_tick(bench->loop, stop_after_rounds, bench), 0);
	assert_int_equal(loop_run(bench->loop), 0);
	loop_remove_tick(bench->loop, stop_after_rounds, bench);
	for (int i = 0; i < 64; i++) {
		close(idle[i]);
	}
	alarm(30);
	bench->fd = waiting;
	bench->reply_size = 0;
	assert_int_equal(loop_add_fd(bench->loop, bench->fd, read_reply, bench), 0);
	assert_int_equal(loop_run(bench->loop), 0);
	loop_remove_fd(bench->loop, bench->fd);
	close(waiting);
	assert_starts(bench->reply, "HTTP/1.1 200 ");
	assert_starts(get(bench, "/livez"), "HTTP/1.1 200 ");
	alarm(0);
}

static void test_a_server_needs_an_address_it_can_have(void **state)
{
	struct bench *bench = *state;
	struct http_options options = {.loop = bench->loop};
	struct http *other = NULL;

	options.listen = http_address(bench->http);
	assert_int_equal(http_new(&options, &other), -EADDRINUSE);
	options.listen = "127.0.0.1";
	assert_int_equal(http_new(&options, &other), -EINVAL);
	options.listen = "::1:80";
	assert_int_equal(http_new(&options, &other), -EINVAL);
	options.listen = "127.0.0.1:http";
	assert_int_equal(http_new(&options, &other), -EADDRNOTAVAIL);
	assert_null(other);
	options.listen = "";
	assert_int_equal(http_new(&options, &other), 0);
	assert_string_equal(http_address(other), "");
	assert_null(http_free(other));
}

static void test_every_spelling_of_an_address_is_understood(void **state)
{
	struct bench *bench = *state;
	struct http_options options = {.loop = bench->loop};
	static const char *const any[] = {"localhost:0", "*:*", ":0"};

	for (size_t i = 0; i < 3; i++) {
		struct http *other = NULL;
		options.listen = any[i];
		assert_int_equal(http_new(&options, &other), 0);
		assert_int_not_equal(strlen(http_address(other)), 0);
		http_free(other);
	}
	struct http *other = NULL;
	options.listen = "[::1]:0";
	if (http_new(&options, &other) == 0) {
		assert_starts(http_address(other), "[::1]:");
		http_free(other);
	}
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(test_metrics_are_served_as_prometheus_text),
		HTTP_TEST(test_every_process_tells_of_itself),
		HTTP_TEST(test_ready_and_not_ready_both_say_why),
		HTTP_TEST(test_head_has_no_body),
		HTTP_TEST(test_other_methods_and_paths_are_refused),
		HTTP_TEST(test_a_get_with_a_body_is_read_over),
		HTTP_TEST(test_what_is_no_http_ends_the_connection),
		HTTP_TEST(test_a_large_body_arrives_whole),
		HTTP_TEST(test_after_too_many_connections_others_are_served_again),
		HTTP_TEST(test_a_server_needs_an_address_it_can_have),
		HTTP_TEST(test_every_spelling_of_an_address_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
