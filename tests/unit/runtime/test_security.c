#include "runtime/key_file.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/security.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server with a directory of keys, and a client whose key is not yet in it. */
struct bench {
	char dir[64];
	char ours[128], authorized[128], theirs[128], server_public[128];
	struct loop *loop;
	struct context *context;
	struct metrics *metrics;
	struct security *security;
	struct socket *server;
	struct socket *client;
	struct socket *monitor; /* the client's */
	char endpoint[ENDPOINT_SIZE];
	struct curve_pair client_pair;
	struct curve_key server_key;
	int changes;
	struct message message; /* the server's last */
	enum socket_event event; /* the client's last */
};

static void on_change(void *owner)
{
	struct bench *bench = owner;
	bench->changes++;
	loop_stop(bench->loop);
}

static void open_security(struct bench *bench)
{
	const struct security_options options = {
		.key_file = bench->ours,
		.authorized = bench->authorized,
		.context = bench->context,
		.loop = bench->loop,
		.metrics = bench->metrics,
		.changed = on_change,
		.owner = bench,
	};
	struct config_error error = {.text = ""};

	assert_int_equal(security_new(&options, &bench->security, &error), 0);
}

static void open_server(struct bench *bench)
{
	struct socket_options options = {0};

	security_guard(bench->security, "bridge", &options);
	assert_int_equal(socket_new(bench->context, SOCKET_ROUTER, &options, &bench->server), 0);
	assert_int_equal(socket_bind(bench->server, "tcp://127.0.0.1:0", bench->endpoint), 0);
}

static int open_bench(void **state)
{
	static struct bench bench;
	struct config_error error;

	bench = (struct bench){0};
	snprintf(bench.dir, sizeof bench.dir, "/tmp/till-test-XXXXXX");
	assert_non_null(mkdtemp(bench.dir));
	snprintf(bench.authorized, sizeof bench.authorized, "%s/authorized", bench.dir);
	assert_int_equal(mkdir(bench.authorized, 0755), 0);
	assert_int_equal(key_file_write(bench.dir, "ours", "", &bench.server_key, &error), 0);
	snprintf(bench.ours, sizeof bench.ours, "%s/ours.key", bench.dir);
	assert_int_equal(curve_pair_new(&bench.client_pair), 0);
	assert_int_equal(loop_new(&bench.loop), 0);
	assert_int_equal(context_new(&bench.context), 0);
	assert_int_equal(metrics_new(&bench.metrics), 0);
	*state = &bench;
	return 0;
}

static int close_bench(void **state)
{
	struct bench *bench = *state;
	char command[128];

	message_clear(&bench->message);
	socket_free(bench->client);
	socket_free(bench->monitor);
	socket_free(bench->server);
	security_free(bench->security);
	metrics_free(bench->metrics);
	context_free(bench->context);
	loop_free(bench->loop);
	snprintf(command, sizeof command, "rm -rf %s", bench->dir);
	return system(command);
}

static void authorize(struct bench *bench, const char *name)
{
	char path[256], moved[256];

	snprintf(path, sizeof path, "%s/.new", bench->authorized);
	snprintf(moved, sizeof moved, "%s/%s.pub", bench->authorized, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "[key]\npublic = %s\n", bench->client_pair.public_key.text);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(path, moved), 0);
}

static void connect_client(struct bench *bench, const char *server_key)
{
	static const struct iovec frame = {"sale", 4};
	struct socket_options options = {
		.curve_secret_key = bench->client_pair.secret_key.text,
		.curve_public_key = bench->client_pair.public_key.text,
		.curve_server_key = server_key,
		.one_connection = true,
	};

	options.curve_secret_key = server_key != NULL ? options.curve_secret_key : NULL;
	assert_int_equal(socket_new(bench->context, SOCKET_DEALER, &options, &bench->client), 0);
	assert_int_equal(socket_monitor(bench->client, &bench->monitor), 0);
	assert_int_equal(socket_connect(bench->client, bench->endpoint), 0);
	(void)socket_send(bench->client, &frame, 1); /* it may be refused already */
}

static int on_event(void *owner)
{
	struct bench *bench = owner;
	while (socket_monitor_next(bench->monitor, &bench->event) == 0) {
		if (bench->event == SOCKET_HANDSHAKE_FAILED || bench->event == SOCKET_KEY_REFUSED) {
			loop_stop(bench->loop);
			break;
		}
	}
	return 0;
}

static int on_message(void *owner)
{
	struct bench *bench = owner;
	if (socket_receive(bench->server, &bench->message) == 0) {
		loop_stop(bench->loop);
	}
	return 0;
}

static int out_of_time(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	const int64_t *deadline_ms = owner;
	*ret_wait_ms = *deadline_ms - now_ms;
	return *ret_wait_ms > 0 ? 0 : -ETIMEDOUT;
}

/* Until the server has a message, the client is refused, or the keys change. */
static void run(struct bench *bench)
{
	int64_t deadline_ms = loop_now_ms(bench->loop) + 30000;

	assert_int_equal(loop_add_socket(bench->loop, bench->server, on_message, bench), 0);
	assert_int_equal(loop_add_socket(bench->loop, bench->monitor, on_event, bench), 0);
	assert_int_equal(loop_add_tick(bench->loop, out_of_time, &deadline_ms), 0);
	assert_int_equal(loop_run(bench->loop), 0);
	loop_remove_tick(bench->loop, out_of_time, &deadline_ms);
	loop_remove_socket(bench->loop, bench->server);
	loop_remove_socket(bench->loop, bench->monitor);
}

static double metric(struct bench *bench, const char *series)
{
	char *text = NULL;
	size_t size = 0;

	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	metrics_render(bench->metrics, out);
	assert_int_equal(fclose(out), 0);
	const char *found = strstr(text, series);
	assert_non_null(found);
	double value = strtod(found + strlen(series), NULL);
	free(text);
	return value;
}

static void test_an_authorized_key_gets_in_and_each_message_names_it(void **state)
{
	struct bench *bench = *state;

	authorize(bench, "berlin");
	open_security(bench);
	open_server(bench);
	connect_client(bench, bench->server_key.text);
	run(bench);
	assert_int_equal(bench->message.frame_count, 2);
	assert_string_equal(bench->message.user_id, bench->client_pair.public_key.text);
	const struct keyring *keyring = security_keyring(bench->security);
	assert_string_equal(keyring_holder(keyring, bench->message.user_id)->name, "berlin");
	assert_int_equal(metric(bench, "{socket=\"bridge\",result=\"accepted\"}"), 1);
	security_forbidden(bench->security, "bridge", bench->message.user_id, "test");
	assert_int_equal(metric(bench, "till_key_forbidden_total{socket=\"bridge\"}"), 1);
}

static void test_an_unknown_key_is_refused_and_told_so(void **state)
{
	struct bench *bench = *state;

	open_security(bench);
	open_server(bench);
	connect_client(bench, bench->server_key.text);
	run(bench);
	assert_int_equal(bench->event, SOCKET_KEY_REFUSED);
	assert_int_equal(bench->message.frame_count, 0);
	assert_int_equal(metric(bench, "{socket=\"bridge\",result=\"unknown_key\"}"), 1);
}

static void test_a_key_that_is_added_works_without_a_restart(void **state)
{
	struct bench *bench = *state;

	open_security(bench);
	open_server(bench);
	authorize(bench, "berlin");
	assert_int_equal(raise(SIGHUP), 0); /* at once */
	connect_client(bench, bench->server_key.text);
	while (bench->message.frame_count == 0) {
		run(bench);
		assert_int_not_equal(bench->event, SOCKET_KEY_REFUSED);
	}
	assert_int_equal(bench->changes, 1);
	assert_int_equal(metric(bench, "\ntill_keys_authorized "), 1);
}

/* Anybody could stand where the server stood. */
static void test_a_client_talks_to_no_other_key_than_it_was_given(void **state)
{
	struct bench *bench = *state;
	struct curve_pair other;

	assert_int_equal(curve_pair_new(&other), 0);
	authorize(bench, "berlin");
	open_security(bench);
	open_server(bench);
	connect_client(bench, other.public_key.text);
	run(bench);
	assert_int_equal(bench->event, SOCKET_HANDSHAKE_FAILED);
	assert_int_equal(bench->message.frame_count, 0);
}

static void test_a_plain_peer_gets_nowhere(void **state)
{
	struct bench *bench = *state;

	open_security(bench);
	open_server(bench);
	connect_client(bench, NULL);
	run(bench);
	assert_int_equal(bench->event, SOCKET_HANDSHAKE_FAILED);
	assert_int_equal(bench->message.frame_count, 0);
}

/* libzmq's own default would let everybody in. */
static void test_when_the_handler_is_gone_even_an_authorized_key_is_refused(void **state)
{
	struct bench *bench = *state;

	authorize(bench, "berlin");
	open_security(bench);
	open_server(bench);
	bench->security = security_free(bench->security);
	connect_client(bench, bench->server_key.text);
	run(bench);
	assert_true(bench->event == SOCKET_HANDSHAKE_FAILED || bench->event == SOCKET_KEY_REFUSED);
	assert_int_equal(bench->message.frame_count, 0);
}

static void test_settings_that_do_nothing_are_refused(void **state)
{
	struct bench *bench = *state;
	struct config_error error;
	char peers[300];

	snprintf(peers, sizeof peers, "%s/ours.pub,%s/ours.pub", bench->dir, bench->dir);
	struct security_options options = {.authorized = bench->authorized};
	assert_int_equal(security_check(&options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "[security] key_file is missing"));
	options = (struct security_options){.key_file = bench->ours, .peers = "tcp://a:1"};
	assert_int_equal(security_check(&options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "authorized or bridge_keys is missing"));
	options.peer_keys = peers;
	assert_int_equal(security_check(&options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "2 files for 1 bridges"));
	options.peers = "tcp://a:1, tcp://b:2";
	assert_int_equal(security_check(&options, &error), 0);
	options = (struct security_options){.key_file = NULL};
	assert_int_equal(security_check(&options, &error), 0); /* nothing at all */
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_an_authorized_key_gets_in_and_each_message_names_it),
		BENCH_TEST(test_an_unknown_key_is_refused_and_told_so),
		BENCH_TEST(test_a_key_that_is_added_works_without_a_restart),
		BENCH_TEST(test_a_client_talks_to_no_other_key_than_it_was_given),
		BENCH_TEST(test_a_plain_peer_gets_nowhere),
		BENCH_TEST(test_when_the_handler_is_gone_even_an_authorized_key_is_refused),
		BENCH_TEST(test_settings_that_do_nothing_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
