/* The source between real clients and a desk that is none: port_* are this file's. */
#include "edge/http_config.h"
#include "edge/source_http.h"
#include "fixture.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { CLIENTS = 4, WATCHDOG_SECONDS = 30, REPLY_SIZE = 4096 };

struct port {
	int room; /* submissions that it takes yet */
	int result;
	uint64_t tickets[16];
	char bodies[16][64];
	int count;
};

struct bench {
	struct port port;
	struct loop *loop;
	struct metrics *metrics;
	struct http_config config;
	void *source;
	int fds[CLIENTS];
	char replies[CLIENTS][REPLY_SIZE];
	bool (*is_done)(const struct bench *bench);
};

bool port_takes_more(struct port *port)
{
	return port->room > 0;
}

int port_submit(struct port *port, const struct submission *submission, int64_t wall_ms)
{
	(void)wall_ms;
	assert_true(port->room > 0);
	assert_true(submission->detail.size > 0);
	port->room--;
	port->tickets[port->count] = submission->ticket;
	snprintf(port->bodies[port->count++], sizeof port->bodies[0], "%.*s",
		(int)submission->events.size, (const char *)submission->events.bytes);
	return port->result;
}

/* ---- on one loop */

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct bench *bench = owner;

	for (int i = 0; i < CLIENTS; i++) {
		size_t size = strlen(bench->replies[i]);
		ssize_t got = bench->fds[i] < 0 ? 0
						: recv(bench->fds[i], bench->replies[i] + size,
							  REPLY_SIZE - 1 - size, MSG_DONTWAIT);
		bench->replies[i][size + (got > 0 ? (size_t)got : 0)] = '\0';
	}
	if (bench->is_done(bench)) {
		loop_stop(bench->loop);
	}
	*ret_wait_ms = 1;
	int r = source_http_type.poll(bench->source, now_ms, 0, ret_wait_ms);
	return r;
}

static void run_until(struct bench *bench, bool (*is_done)(const struct bench *bench))
{
	bench->is_done = is_done;
	assert_int_equal(loop_run(bench->loop), 0);
}

static int open_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	struct config_error config_error;
	struct source_error error;

	assert_int_equal(config_init(&http_config_schema, &bench->config, &config_error), 0);
	assert_int_equal(config_set(&http_config_schema, &bench->config,
				 "source.listen=127.0.0.1:0", &config_error),
		0);
	bench->config.connections_max = CLIENTS;
	bench->port.room = 16;
	for (int i = 0; i < CLIENTS; i++) {
		bench->fds[i] = -1;
	}
	assert_int_equal(loop_new(&bench->loop), 0);
	assert_int_equal(metrics_new(&bench->metrics), 0);
	const struct source_options options = {.name = "web",
		.config = &bench->config,
		.edge = "berlin-1",
		.port = &bench->port,
		.loop = bench->loop,
		.metrics = bench->metrics};
	assert_int_equal(source_http_type.open(&options, &bench->source, &error), 0);
	assert_int_equal(loop_add_tick(bench->loop, on_tick, bench), 0);
	alarm(WATCHDOG_SECONDS);
	*state = bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;

	assert_null(source_http_type.close(bench->source));
	for (int i = 0; i < CLIENTS; i++) {
		if (bench->fds[i] >= 0) {
			close(bench->fds[i]);
		}
	}
	metrics_free(bench->metrics);
	loop_free(bench->loop);
	config_deinit(&http_config_schema, &bench->config);
	free(bench);
	alarm(0);
	return 0;
}

/* ---- clients */

static void post(struct bench *bench, int client, const char *body)
{
	const char *url = source_http_type.endpoints(bench->source)[0];
	struct sockaddr_in to = {.sin_family = AF_INET};
	char request[512];

	assert_int_equal(strncmp(url, "http://127.0.0.1:", 17), 0);
	to.sin_port = htons((uint16_t)atoi(url + 17));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bench->fds[client] < 0) {
		bench->fds[client] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(bench->fds[client], (struct sockaddr *)&to, sizeof to), 0);
	}
	bench->replies[client][0] = '\0';
	int size = snprintf(request, sizeof request,
		"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
		body);
	assert_int_equal(send(bench->fds[client], request, (size_t)size, MSG_NOSIGNAL), size);
}

static void acknowledge(struct bench *bench, uint64_t ticket, struct submission_result result)
{
	source_http_type.acknowledge(bench->source, ticket, &result);
}

static struct submission_result taken(const char *reply)
{
	return (struct submission_result){.accepted = 1, .reply = slice_of_text(reply)};
}

static bool one_came(const struct bench *bench)
{
	return bench->port.count == 1;
}

static bool two_came(const struct bench *bench)
{
	return bench->port.count == 2;
}

static bool three_came(const struct bench *bench)
{
	return bench->port.count == 3;
}

static bool first_is_answered(const struct bench *bench)
{
	return strstr(bench->replies[0], "\r\n\r\n") != NULL;
}

static bool second_is_answered(const struct bench *bench)
{
	return strstr(bench->replies[1], "\r\n\r\n") != NULL;
}

/* ---- tests */

static void test_each_client_hears_what_became_of_its_own(void **state)
{
	struct bench *bench = *state;

	post(bench, 0, "{\"a\":0}");
	run_until(bench, one_came);
	post(bench, 1, "{\"a\":1}");
	run_until(bench, two_came);
	acknowledge(bench, bench->port.tickets[1], taken("{\"second\":1}"));
	run_until(bench, second_is_answered);
	assert_string_equal(bench->replies[0], "");
	acknowledge(bench, bench->port.tickets[0], taken("{\"first\":1}"));
	run_until(bench, first_is_answered);
	assert_non_null(strstr(bench->replies[0], "{\"first\":1}"));
	assert_non_null(strstr(bench->replies[1], "{\"second\":1}"));
	assert_true(source_http_type.is_stopped(bench->source));
}

static void test_requests_wait_while_the_desk_has_no_room(void **state)
{
	struct bench *bench = *state;

	bench->port.room = 1;
	for (int i = 0; i < 3; i++) {
		char body[16];
		snprintf(body, sizeof body, "{\"a\":%d}", i);
		post(bench, i, body);
		run_until(bench, one_came);
	}
	assert_int_equal(bench->port.count, 1);
	bench->port.room = 2;
	run_until(bench, three_came);
	assert_string_equal(bench->port.bodies[0], "{\"a\":0}");
	for (int i = 0; i < 3; i++) {
		acknowledge(bench, bench->port.tickets[i], taken("{}"));
	}
	run_until(bench, first_is_answered);
}

static void test_no_room_on_disk_is_429(void **state)
{
	struct bench *bench = *state;

	post(bench, 0, "{\"a\":0}");
	run_until(bench, one_came);
	acknowledge(bench, bench->port.tickets[0],
		(struct submission_result){.outcome = SUBMISSION_REFUSED,
			.refusal = REASON_SPOOL_FULL,
			.reply = slice_of_text("{\"ok\":false}")});
	run_until(bench, first_is_answered);
	assert_int_equal(strncmp(bench->replies[0], "HTTP/1.1 429 ", 13), 0);
	assert_non_null(strstr(bench->replies[0], "Retry-After: 1\r\n"));
	assert_non_null(strstr(bench->replies[0], "{\"ok\":false}"));
}

static void test_a_source_that_stops_answers_what_it_has_taken(void **state)
{
	struct bench *bench = *state;

	post(bench, 0, "{\"a\":0}");
	run_until(bench, one_came);
	post(bench, 1, "{\"a\":1}"); /* keeps its connection */
	run_until(bench, two_came);
	acknowledge(bench, bench->port.tickets[1], taken("{}"));
	run_until(bench, second_is_answered);
	source_http_type.stop(bench->source);
	assert_false(source_http_type.is_stopped(bench->source));
	post(bench, 1, "{\"a\":2}");
	run_until(bench, second_is_answered);
	assert_int_equal(strncmp(bench->replies[1], "HTTP/1.1 503 ", 13), 0);
	assert_non_null(strstr(bench->replies[1], "\"code\":\"shutting_down\""));
	assert_non_null(strstr(bench->replies[1], "\"retry_after_ms\":1000"));
	acknowledge(bench, bench->port.tickets[0], taken("{\"last\":1}"));
	run_until(bench, first_is_answered);
	assert_non_null(strstr(bench->replies[0], "{\"last\":1}"));
	assert_true(source_http_type.is_stopped(bench->source));
}

static void test_a_failure_of_the_desk_ends_the_program(void **state)
{
	struct bench *bench = *state;

	bench->port.result = -EIO;
	post(bench, 0, "{\"a\":0}");
	bench->is_done = one_came;
	int r = loop_run(bench->loop);
	assert_true(r == -EIO || source_http_type.poll(bench->source, 0, 0, &(int64_t){0}) == -EIO);
}

static void test_requests_may_be_left_unanswered_at_the_end(void **state)
{
	struct bench *bench = *state;

	bench->port.room = 1;
	post(bench, 0, "{\"a\":0}");
	post(bench, 1, "{\"a\":1}");
	run_until(bench, one_came);
}

static void test_what_comes_is_in_the_books(void **state)
{
	struct bench *bench = *state;
	char *text = NULL;
	size_t size = 0;

	post(bench, 0, "{\"a\":0}");
	run_until(bench, one_came);
	acknowledge(bench, bench->port.tickets[0], taken("{}"));
	run_until(bench, first_is_answered);
	FILE *out = open_memstream(&text, &size);
	metrics_render(bench->metrics, out);
	fclose(out);
	assert_non_null(
		strstr(text, "till_edge_http_requests_total{source=\"web\",status=\"200\"} 1\n"));
	assert_non_null(strstr(text, "till_edge_http_body_bytes_total{source=\"web\"} 7\n"));
	assert_non_null(strstr(text, "till_edge_http_request_seconds_count{source=\"web\"} 1\n"));
	assert_non_null(strstr(text, "till_edge_http_connections{source=\"web\"} 1\n"));
	free(text);
}

#define SOURCE_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(test_each_client_hears_what_became_of_its_own),
		SOURCE_TEST(test_requests_wait_while_the_desk_has_no_room),
		SOURCE_TEST(test_no_room_on_disk_is_429),
		SOURCE_TEST(test_a_source_that_stops_answers_what_it_has_taken),
		SOURCE_TEST(test_a_failure_of_the_desk_ends_the_program),
		SOURCE_TEST(test_requests_may_be_left_unanswered_at_the_end),
		SOURCE_TEST(test_what_comes_is_in_the_books),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
