#include "http_bench.h"

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

static void test_our_own_time_is_not_the_clients(void **state)
{
	struct bench *bench = *state;

	hurry(bench);
	struct client *client = dial(bench, 0);
	say(client, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	run(bench);
	run_for(bench, 3 * SHORT_MS);
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

/* Its bytes are there, and nobody has looked at them. Whom would its handler belong to? */
static void test_a_request_that_comes_in_while_the_server_ends_meets_no_handler(void **state)
{
	struct bench *bench = *state;
	static const char request[] = "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";

	say(dial(bench, 0), request);
	run(bench);
	assert_int_equal(bench->kept_count, 1);
	struct client *late = dial(bench, 1);
	say(late, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na");
	expect(late, "\r\n\r\na");
	say(late, request);
	bench->server = http_server_free(bench->server);
	assert_int_equal(bench->kept_count, 1);
	expect_end(late);
	assert_string_equal(late->reply, "");
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
	const struct http_tls_files device = {"/dev/null", "/dev/null", NULL};
	assert_no_server(
		bench, "127.0.0.1:0", &device, -EINVAL, "TLS key: /dev/null is not a file");
	const struct http_tls_files endless = {"/dev/zero", "/dev/null", NULL};
	assert_no_server(bench, "127.0.0.1:0", &endless, -EFBIG,
		"TLS certificate /dev/zero: File too large");
}

static void test_files_that_hold_no_certificate_are_named(void **state)
{
	char path[] = "/tmp/till-http-XXXXXX", words[256];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "no PEM\n", 7), 7);
	close(fd);
	const struct http_tls_files garbage = {path, path, NULL};
	snprintf(words, sizeof words,
		"TLS: The requested data were not available. Certificate %s, key %s", path, path);
	assert_no_server(*state, "127.0.0.1:0", &garbage, -EINVAL, words);
	assert_int_equal(chmod(path, 0644), 0);
	snprintf(words, sizeof words,
		"TLS key: %s holds a secret and is open to others: chmod 600 %s", path, path);
	assert_no_server(*state, "127.0.0.1:0", &garbage, -EINVAL, words);
	unlink(path);
}

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
		SERVER_TEST(test_a_server_that_ends_says_so),
		SERVER_TEST(test_requests_that_nobody_answers_end_with_the_server),
		SERVER_TEST(test_a_request_that_comes_in_while_the_server_ends_meets_no_handler),
		SERVER_TEST(test_refusals_may_be_written_otherwise),
		SERVER_TEST(test_what_can_not_be_opened_is_named),
		SERVER_TEST(test_files_that_hold_no_certificate_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
