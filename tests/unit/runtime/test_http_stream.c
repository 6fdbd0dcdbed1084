#include "tests/unit/runtime/http_bench.h"

/* Answers that go on. The stream of a test says `said` once for each wake, or as much as is taken. */
static struct {
	struct http_request *request;
	const char *said; /* NULL: nothing more */
	size_t at;
	size_t pulled;
	unsigned pulls, ended;
	bool is_endless;
	struct loop *loop;
} stream;

static size_t pull(void *owner, void *bytes, size_t size)
{
	(void)owner;
	stream.pulls++;
	if (stream.is_endless) {
		memset(bytes, 'x', size);
		stream.pulled += size;
		return size;
	}
	if (stream.said == NULL) {
		return 0;
	}
	size_t left = strlen(stream.said) - stream.at;
	size = left < size ? left : size;
	memcpy(bytes, stream.said + stream.at, size);
	stream.at += size;
	stream.pulled += size;
	if (size == left) {
		stream.said = NULL;
	}
	return size;
}

static void on_ended(void *owner)
{
	(void)owner;
	stream.ended++;
	stream.request = NULL;
	loop_stop(stream.loop);
}

static void on_stream(void *owner, struct http_request *request)
{
	const struct http_header header = {"X-Till", "yes"};
	(void)owner;
	stream.request = request;
	http_request_stream(request, &(struct http_stream){
					     .type = "text/event-stream",
					     .headers = &header,
					     .header_count = 1,
					     .pull = pull,
					     .ended = on_ended,
				     });
}

static int open_stream(void **state)
{
	struct bench *bench;
	open_bench(state);
	bench = *state;
	bench->routes[1].handle = on_stream;
	memset(&stream, 0, sizeof stream);
	stream.loop = bench->loop;
	return 0;
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, open_stream, close_bench)

static struct client *look(struct bench *bench)
{
	struct client *client = dial(bench, 0);
	say(client, "GET /look HTTP/1.1\r\nHost: x\r\n\r\n");
	return client;
}

static void say_more(const char *text)
{
	stream.said = text;
	stream.at = 0;
	http_request_wake(stream.request);
}

static void test_says_more_when_there_is_more(void **state)
{
	struct bench *bench = *state;
	stream.said = "one\n";
	struct client *client = look(bench);
	expect(client, "HTTP/1.1 200 OK\r\n");
	expect(client, "X-Till: yes\r\n");
	expect(client, "one\n");
	assert_null(strstr(client->reply, "two"));
	say_more("two\n");
	expect(client, "two\n");
	say_more("three\n");
	expect(client, "three\n");
	assert_int_equal(bench->answered[200], 1);
	assert_int_equal(stream.ended, 0);
}

/* It is not asked in a circle while it has nothing. */
static void test_is_left_alone_without_anything_to_say(void **state)
{
	struct bench *bench = *state;
	stream.said = "one\n";
	struct client *client = look(bench);
	expect(client, "one\n");
	run_for(bench, 20);
	unsigned pulls = stream.pulls;
	run_for(bench, 50);
	assert_int_equal(stream.pulls, pulls);
	assert_int_equal(stream.ended, 0);
	(void)client;
}

/* One that waits in silence for longer than a request may take is no slow client. */
static void test_silence_is_no_slowness(void **state)
{
	struct bench *bench = *state;
	hurry(bench);
	stream.said = "one\n";
	struct client *client = look(bench);
	expect(client, "one\n");
	run_for(bench, 3 * SHORT_MS);
	assert_int_equal(stream.ended, 0);
	say_more("two\n");
	expect(client, "two\n");
}

static void test_ends_when_told(void **state)
{
	struct bench *bench = *state;
	stream.said = "one\n";
	struct client *client = look(bench);
	expect(client, "one\n");
	http_request_end(stream.request);
	expect(client, "0\r\n\r\n"); /* the last chunk: the connection is kept */
	assert_int_equal(stream.ended, 1);
	say(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
	expect(client, "\r\n\r\nhi");
}

static void test_hears_that_its_client_is_gone(void **state)
{
	struct bench *bench = *state;
	stream.said = "one\n";
	struct client *client = look(bench);
	expect(client, "one\n");
	hang_up(client);
	while (stream.ended ==
		0) { /* the first word after it is answered with a reset, the next one fails */
		say_more("more\n");
		run_for(bench, 5);
	}
	assert_int_equal(stream.ended, 1);
	assert_int_equal(http_server_counts(bench->server).gone, 0);
	run_until_alone(bench);
}

/* Who takes nothing holds no more than what sockets hold, and not for ever. */
static void test_who_takes_nothing_is_let_go(void **state)
{
	struct bench *bench = *state;
	hurry(bench);
	stream.is_endless = true;
	struct client *client = look(bench);
	loop_set_fd_interest(bench->loop, client->fd, false, false);
	while (stream.ended == 0) {
		run(bench);
	}
	assert_in_range(stream.pulled, 1, 64 * 1024 * 1024);
	run_until_alone(bench);
	loop_set_fd_interest(bench->loop, client->fd, true, false);
}

/* All that sockets hold lies between the two; then it is taken, and what comes next is asked for. */
static void test_goes_on_when_it_is_taken_again(void **state)
{
	struct bench *bench = *state;
	static char bytes[256 * 1024];
	stream.is_endless = true;
	struct client *client = look(bench);
	loop_set_fd_interest(bench->loop, client->fd, false, false);
	size_t before = 0;
	do {
		before = stream.pulled;
		run_for(bench, 10);
	} while (stream.pulled > before);
	while (stream.pulled < 2 * before) {
		(void)recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		run_for(bench, 1);
	}
	assert_int_equal(stream.ended, 0);
	loop_set_fd_interest(bench->loop, client->fd, true, false);
}

static void test_the_server_may_end_first(void **state)
{
	struct bench *bench = *state;
	stream.said = "one\n";
	struct client *client = look(bench);
	expect(client, "one\n");
	bench->server = http_server_free(bench->server); /* while it has nothing to say */
	assert_int_equal(stream.ended, 1);
	expect_end(client);
}

static void test_the_server_may_end_while_it_speaks(void **state)
{
	struct bench *bench = *state;
	stream.is_endless = true;
	struct client *client = look(bench);
	loop_set_fd_interest(bench->loop, client->fd, false, false);
	run_for(bench, 20);
	assert_int_equal(stream.ended, 0);
	bench->server = http_server_free(bench->server);
	assert_int_equal(stream.ended, 1);
}

static void on_list(void *owner, struct http_request *request)
{
	struct bench *bench = owner;
	const char *values[2] = {NULL, NULL};
	size_t count = http_request_arguments(request, "q", values, 2);
	snprintf(bench->seen, sizeof bench->seen, "%zu %s %s", count, values[0], values[1]);
	assert_int_equal(http_request_arguments(request, "none", values, 2), 0);
	answer_words(request, "listed");
}

static void test_lists_arguments_of_one_name(void **state)
{
	struct bench *bench = *state;
	bench->routes[1].handle = on_list;
	ask(bench, "GET /look?q=%7B1%7D&x=0&q=two+words&q=3 HTTP/1.1\r\nHost: x\r\nConnection: "
		   "close\r\n\r\n");
	assert_string_equal(bench->seen, "3 {1} two words");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_says_more_when_there_is_more),
		STREAM_TEST(test_is_left_alone_without_anything_to_say),
		STREAM_TEST(test_silence_is_no_slowness),
		STREAM_TEST(test_ends_when_told),
		STREAM_TEST(test_hears_that_its_client_is_gone),
		STREAM_TEST(test_who_takes_nothing_is_let_go),
		STREAM_TEST(test_goes_on_when_it_is_taken_again),
		STREAM_TEST(test_the_server_may_end_first),
		STREAM_TEST(test_the_server_may_end_while_it_speaks),
		STREAM_TEST(test_lists_arguments_of_one_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
