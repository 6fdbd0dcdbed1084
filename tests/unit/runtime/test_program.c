#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/notify.h"
#include "runtime/program.h"
#include "runtime/suggest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct settings {
	char *id;
	char *listen;
	char *password;
	bool insecure;
};

static const struct config_option options[] = {
	{"edge", "id", CONFIG_TEXT, offsetof(struct settings, id), NULL, 0, 0, "name of the edge"},
	{"edge", "listen", CONFIG_LIST, offsetof(struct settings, listen), "tcp://127.0.0.1:7170",
		0, 0, "endpoints for producers"},
	{"security", "insecure", CONFIG_BOOL, offsetof(struct settings, insecure), "no", 0, 0,
		"let other machines in without keys"},
	{"security", "password", CONFIG_SECRET, offsetof(struct settings, password), "", 0, 0,
		"the password"},
	{NULL, NULL, CONFIG_TEXT, 0, NULL, 0, 0, NULL},
};

static const struct config_schema schema = {options, NULL, sizeof(struct settings)};

static int validate(void *target, struct config_error *error)
{
	const struct settings *settings = target;
	return program_check_endpoints(
		"[edge] listen", settings->listen, settings->insecure, error);
}

/* What one call of program_parse did. */
struct outcome {
	int result;
	char out[8192];
	char err[1024];
	struct settings settings;
	struct program program;
	const char *cluster;
	const char *gaps[3];
	bool force;
};

static void read_back(FILE *file, char *text, size_t size)
{
	rewind(file);
	size_t got = fread(text, 1, size - 1, file);
	text[got] = '\0';
}

/* Runs program_parse with stdout and stderr in files. Arguments end with NULL. */
static void parse(struct outcome *outcome, char **argv)
{
	*outcome = (struct outcome){.result = -100};
	const struct program_flag flags[] = {
		{"--accept-cluster", "ID", "go on with another cluster", &outcome->cluster, NULL,
			0},
		{"--accept-gap", "GAP", "go on past a gap", outcome->gaps, NULL, 2},
		{"--force", NULL, "do it", NULL, &outcome->force, 0},
		{NULL, NULL, NULL, NULL, NULL, 0},
	};
	const struct program_spec spec = {
		"till-test", "a test", &schema, &outcome->settings, flags, validate};
	int argc = 0;
	FILE *out = tmpfile(), *err = tmpfile();

	while (argv[argc] != NULL) {
		argc++;
	}
	assert_non_null(out);
	assert_non_null(err);
	fflush(stdout);
	int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	dup2(fileno(out), STDOUT_FILENO);
	dup2(fileno(err), STDERR_FILENO);
	outcome->result = program_parse(&outcome->program, &spec, argc, argv);
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	read_back(out, outcome->out, sizeof outcome->out);
	read_back(err, outcome->err, sizeof outcome->err);
	fclose(out);
	fclose(err);
}

#define PARSE(outcome, ...) parse(outcome, (char *[]){"till-test", __VA_ARGS__, NULL})

static void test_options_and_flags_go_where_they_belong(void **state)
{
	static struct outcome outcome;
	(void)state;

	PARSE(&outcome, "-o", "edge.id=berlin-1", "--accept-gap", "orders/3:1-2", "--force",
		"--accept-cluster=OLD->NEW", "--accept-gap", "orders/4:1-2", "--log-level",
		"warning");
	assert_int_equal(outcome.result, -1);
	assert_string_equal(outcome.settings.id, "berlin-1");
	assert_string_equal(outcome.cluster, "OLD->NEW");
	assert_string_equal(outcome.gaps[0], "orders/3:1-2");
	assert_string_equal(outcome.gaps[1], "orders/4:1-2");
	assert_true(outcome.force);
	assert_int_equal(outcome.program.ready_fd, -1);
	assert_string_equal(outcome.err, "");
	config_deinit(&schema, &outcome.settings);
}

static void test_files_are_read_in_order_and_options_win(void **state)
{
	static struct outcome outcome;
	char first[] = "/tmp/till-first-XXXXXX", second[] = "/tmp/till-second-XXXXXX";
	(void)state;

	int fd = mkstemp(first), other = mkstemp(second);
	assert_true(fd >= 0 && other >= 0);
	assert_true(dprintf(fd, "[edge]\nid = one\nlisten = tcp://127.0.0.1:1\n") > 0);
	assert_true(dprintf(other, "[edge]\nid = two\n[security]\ninsecure = yes\n") > 0);
	PARSE(&outcome, "-o", "security.insecure=no", "-c", first, "--config", second);
	assert_int_equal(outcome.result, -1);
	assert_string_equal(outcome.settings.id, "two");
	assert_string_equal(outcome.settings.listen, "tcp://127.0.0.1:1");
	assert_false(outcome.settings.insecure);
	config_deinit(&schema, &outcome.settings);
	close(fd);
	close(other);
	unlink(first);
	unlink(second);
}

static void test_wrong_usage_ends_with_2_and_says_what_is_wrong(void **state)
{
	static char *const cases[][4] = {
		{"--nonsense", NULL, NULL, "till-test: --nonsense: unknown argument; try --help\n"},
		{"stray", NULL, NULL, "till-test: stray: unknown argument; try --help\n"},
		{"-o", NULL, NULL, "till-test: --option needs a value\n"},
		{"--check=yes", NULL, NULL, "till-test: --check takes no value\n"},
		{"--log-level", "loud", NULL,
			"till-test: --log-level loud: use error, warning, info or debug\n"},
		{"--ready-fd", "99", NULL,
			"till-test: --ready-fd 99: is not the number of an open file\n"},
		{"--ready-fd", "1x", NULL,
			"till-test: --ready-fd 1x: is not the number of an open file\n"},
		{"--accept-cluster=a", "--accept-cluster=b", NULL,
			"till-test: --accept-cluster is given more than 1 time\n"},
		{"-c", "/nonexistent", NULL,
			"till-test: /nonexistent: No such file or directory\n"},
		{"-o", "edge.idd=x", NULL,
			"till-test: -o edge.idd: unknown key; did you mean \"id\"?\n"},
		{"--force", NULL, NULL, "till-test: [edge] id is required: name of the edge\n"},
	};
	static struct outcome outcome;
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		PARSE(&outcome, cases[i][0], cases[i][1]);
		assert_int_equal(outcome.result, EXIT_USAGE);
		assert_string_equal(outcome.err, cases[i][3]);
		assert_string_equal(outcome.out, "");
	}
}

static void test_the_environment_may_set_the_log_level(void **state)
{
	static struct outcome outcome;
	(void)state;

	assert_int_equal(setenv("TILL_LOG", "loud", 1), 0);
	PARSE(&outcome, "--check", "-o", "edge.id=a");
	assert_int_equal(outcome.result, EXIT_USAGE);
	assert_string_equal(
		outcome.err, "till-test: TILL_LOG=loud: use error, warning, info or debug\n");
	assert_int_equal(setenv("TILL_LOG", "debug", 1), 0);
	PARSE(&outcome, "--check", "-o", "edge.id=a");
	assert_int_equal(outcome.result, EXIT_STOPPED);
	assert_int_equal(unsetenv("TILL_LOG"), 0);
}

static void test_endpoints_of_other_machines_need_keys_or_an_explicit_word(void **state)
{
	static struct outcome outcome;
	(void)state;

	PARSE(&outcome, "--check", "-o", "edge.id=a", "-o",
		"edge.listen=ipc:///run/e, tcp://0.0.0.0:7170");
	assert_int_equal(outcome.result, EXIT_USAGE);
	assert_non_null(strstr(outcome.err, "[edge] listen: tcp://0.0.0.0:7170 can be reached from "
					    "other machines and asks for no keys"));
	PARSE(&outcome, "--check", "-o", "edge.id=a", "-o", "edge.listen=tcp://0.0.0.0:7170", "-o",
		"security.insecure=yes");
	assert_int_equal(outcome.result, EXIT_STOPPED);
}

static void test_check_print_help_and_version_end_at_once(void **state)
{
	static struct outcome outcome;
	(void)state;

	PARSE(&outcome, "--check", "-o", "edge.id=a");
	assert_int_equal(outcome.result, EXIT_STOPPED);
	assert_string_equal(outcome.out, "");
	PARSE(&outcome, "--print-config", "-o", "edge.id=a", "-o", "security.password=sesame");
	assert_int_equal(outcome.result, EXIT_USAGE);
	assert_null(strstr(outcome.err, "sesame"));
	PARSE(&outcome, "--print-config", "-o", "edge.id=a");
	assert_int_equal(outcome.result, EXIT_STOPPED);
	assert_non_null(strstr(outcome.out, "[edge]\n# name of the edge\nid = a\n"));
	PARSE(&outcome, "--help");
	assert_int_equal(outcome.result, EXIT_STOPPED);
	assert_non_null(strstr(outcome.out, "till-test - a test\n"));
	assert_non_null(strstr(outcome.out, "  --accept-gap GAP\n        go on past a gap\n"));
	assert_non_null(strstr(outcome.out, "  -c, --config FILE\n"));
	assert_non_null(strstr(outcome.out, "  id = (required)\n"));
	PARSE(&outcome, "--version");
	assert_int_equal(outcome.result, EXIT_STOPPED);
	assert_string_equal(outcome.out, "till-test " TILL_VERSION "\n");
}

static void test_ready_is_one_line_of_json(void **state)
{
	static struct outcome outcome;
	char number[16], text[512], expected[512];
	int fd[2];
	(void)state;

	assert_int_equal(pipe(fd), 0);
	snprintf(number, sizeof number, "%d", fd[1]);
	PARSE(&outcome, "-o", "edge.id=a", "--ready-fd", number);
	assert_int_equal(outcome.result, -1);
	assert_int_equal(fcntl(fd[1], F_GETFD), FD_CLOEXEC);
	const char *const listen[] = {"tcp://127.0.0.1:40001", "ipc:///tmp/a\"b", NULL};
	const char *const none[] = {NULL};
	const char *const web[] = {"http://127.0.0.1:40003/events", NULL};
	const struct program_source sources[] = {{"web", web}, {"in", none}, {NULL, NULL}};
	const struct program_endpoints endpoints = {.listen = listen,
		.listen_push = none,
		.sources = sources,
		.http = "127.0.0.1:40002"};
	assert_int_equal(program_ready(&outcome.program, "till-test", &endpoints), 0);
	ssize_t got = read(fd[0], text, sizeof text - 1);
	assert_true(got > 0);
	text[got] = '\0';
	snprintf(expected, sizeof expected,
		"{\"ready\":true,\"program\":\"till-test\",\"version\":\"" TILL_VERSION
		"\",\"pid\":%d,\"listen\":[\"tcp://127.0.0.1:40001\",\"ipc:///tmp/a\\\"b\"],"
		"\"listen_push\":[],\"sources\":{\"web\":[\"http://127.0.0.1:40003/events\"],"
		"\"in\":[]},\"http\":\"127.0.0.1:40002\"}\n",
		(int)getpid());
	assert_string_equal(text, expected);
	assert_int_equal(read(fd[0], text, sizeof text), 0); /* and then it is closed */
	close(fd[0]);
	config_deinit(&schema, &outcome.settings);
}

/* Plays systemd: binds an abstract socket and names it in the environment. */
static int open_systemd(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];

	snprintf(name, sizeof name, "@till-test-%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void expect_state(int fd, const char *expected)
{
	char text[128];
	ssize_t got = recv(fd, text, sizeof text - 1, 0);
	assert_true(got > 0);
	text[got] = '\0';
	assert_string_equal(text, expected);
}

static void test_systemd_hears_how_it_goes(void **state)
{
	struct program program = {-1};
	const struct program_endpoints none = {0};
	char byte;
	(void)state;

	int fd = open_systemd();
	assert_int_equal(program_ready(&program, "till-test", &none), 0);
	expect_state(fd, "READY=1");
	program_stopping();
	expect_state(fd, "STOPPING=1");

	assert_int_equal(setenv("WATCHDOG_USEC", "2000000", 1), 0);
	program_alive(1000);
	expect_state(fd, "WATCHDOG=1");
	program_alive(1999);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	program_alive(2000);
	expect_state(fd, "WATCHDOG=1");
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0); /* another process's */
	assert_int_equal(notify_watchdog_ms(), 0);
	close(fd);
	assert_int_equal(notify_send("READY=1"), -ECONNREFUSED);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	assert_int_equal(notify_send("READY=1"), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
}

static void test_the_loop_keeps_the_watchdog_fed(void **state)
{
	struct loop *loop = NULL;
	(void)state;

	int fd = open_systemd();
	assert_int_equal(setenv("WATCHDOG_USEC", "2000", 1), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(program_attach(loop), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(loop_run(loop), 0);
	expect_state(fd, "WATCHDOG=1");
	loop_free(loop);
	close(fd);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
}

static void test_only_near_words_are_suggested(void **state)
{
	static const char *const cases[][3] = {
		{"prodcts", "products", "products"},
		{"porducts", "products", "products"},
		{"id", "is", NULL}, /* half of two letters is no typing error */
		{"usr", "users", NULL},
		{"user", "users", "users"},
		{"stores", "products", NULL},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct suggestion suggestion = {.word = cases[i][0]};
		suggestion_offer(&suggestion, cases[i][1]);
		suggestion_offer(&suggestion,
			"a-word-that-is-much-longer-than-any-name-that-anybody-would-ever-give");
		if (cases[i][2] == NULL) {
			assert_null(suggestion.best);
		} else {
			assert_string_equal(suggestion.best, cases[i][2]);
		}
	}
}

static void test_the_nearest_of_several_wins(void **state)
{
	struct suggestion suggestion = {.word = "spool_mx"};
	(void)state;

	suggestion_offer(&suggestion, "spool_min");
	suggestion_offer(&suggestion, "spool_max");
	suggestion_offer(&suggestion, "spool_mix2");
	assert_string_equal(suggestion.best, "spool_max");
	assert_int_equal(suggestion.distance, 1);
}

static void test_clocks_go_forward_and_chance_does_not_repeat(void **state)
{
	uint8_t bytes[512] = {0}, zeros[512] = {0};
	(void)state;

	int64_t before_us = clock_monotonic_us();
	assert_true(clock_monotonic_ms() >= before_us / 1000);
	assert_true(clock_wall_ms() > INT64_C(1700000000000));
	assert_true(random_u64() != random_u64());
	assert_int_equal(random_bytes(bytes, sizeof bytes), 0);
	assert_memory_not_equal(bytes + 256, zeros, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_and_flags_go_where_they_belong),
		cmocka_unit_test(test_files_are_read_in_order_and_options_win),
		cmocka_unit_test(test_wrong_usage_ends_with_2_and_says_what_is_wrong),
		cmocka_unit_test(test_the_environment_may_set_the_log_level),
		cmocka_unit_test(test_endpoints_of_other_machines_need_keys_or_an_explicit_word),
		cmocka_unit_test(test_check_print_help_and_version_end_at_once),
		cmocka_unit_test(test_ready_is_one_line_of_json),
		cmocka_unit_test(test_systemd_hears_how_it_goes),
		cmocka_unit_test(test_the_loop_keeps_the_watchdog_fed),
		cmocka_unit_test(test_only_near_words_are_suggested),
		cmocka_unit_test(test_the_nearest_of_several_wins),
		cmocka_unit_test(test_clocks_go_forward_and_chance_does_not_repeat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
