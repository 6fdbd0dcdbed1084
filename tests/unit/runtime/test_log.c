#include "runtime/log.h"
#include "runtime/log_limit.h"
#include "runtime/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* stderr goes into a pipe while a test runs. */
struct capture {
	int saved;
	int fd[2];
	char text[64 * 1024];
};

static int begin_capture(void **state)
{
	static struct capture capture;

	assert_int_equal(pipe2(capture.fd, O_NONBLOCK), 0);
	capture.saved = dup(STDERR_FILENO);
	assert_true(capture.saved >= 0);
	assert_true(dup2(capture.fd[1], STDERR_FILENO) >= 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	*state = &capture;
	return 0;
}

static int end_capture(void **state)
{
	struct capture *capture = *state;

	log_flush(true); /* what is held back must not appear in the next test */
	assert_true(dup2(capture->saved, STDERR_FILENO) >= 0);
	close(capture->saved);
	close(capture->fd[0]);
	close(capture->fd[1]);
	return 0;
}

static const char *captured(struct capture *capture)
{
	size_t used = 0;
	ssize_t got = 0;

	do {
		used += (size_t)got;
		got = read(capture->fd[0], capture->text + used, sizeof capture->text - 1 - used);
	} while (got > 0);
	capture->text[used] = '\0';
	return capture->text;
}

static unsigned count_lines(const char *text)
{
	unsigned count = 0;
	for (; *text != '\0'; text++) {
		count += *text == '\n';
	}
	return count;
}

static void test_a_line_has_time_level_program_message_and_fields(void **state)
{
	char quoted[32];

	log_init("till-edge", LOG_INFO);
	log_line(LOG_WARNING, "bridge unreachable", "endpoint=%s since_ms=%d",
		log_quote("tcp://a:1", 9, quoted, sizeof quoted), 5);
	const char *text = captured(*state);
	assert_int_equal(strncmp(text, "ts=20", 5), 0);
	assert_int_equal(text[strlen("ts=2026-11-21T11:07:35.123Z") - 1], 'Z');
	assert_string_equal(text + strlen("ts=2026-11-21T11:07:35.123Z"),
		" level=warning program=till-edge msg=\"bridge unreachable\" "
		"endpoint=\"tcp://a:1\" since_ms=5\n");
}

static void test_lines_below_the_level_are_not_written(void **state)
{
	log_init("till-edge", LOG_WARNING);
	log_line(LOG_INFO, "chatter", "");
	log_line(LOG_DEBUG, "more chatter", "");
	assert_string_equal(captured(*state), "");
	log_line(LOG_ERROR, "trouble", "");
	assert_non_null(
		strstr(captured(*state), "level=error program=till-edge msg=\"trouble\"\n"));
}

/* Whatever a peer sends: one event is one line, and it has an end. */
static void test_foreign_text_can_not_forge_a_line(void **state)
{
	static char endless[10000];

	log_init("till-edge", LOG_INFO);
	memset(endless, 'e', sizeof endless - 1);
	log_line(LOG_INFO, "forged", "text=%s", "a\nts=2026 level=error\x1b[31m");
	log_line(LOG_INFO, "endless", "text=%s", endless);
	const char *text = captured(*state);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, "text=a ts=2026 level=error [31m\n"));
	assert_non_null(strstr(text, "eee...\"\n"));
	assert_true(strlen(text) < 6000);
}

static void test_the_journal_gets_the_level_in_front(void **state)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init("till-edge", LOG_INFO);
	log_line(LOG_WARNING, "for the journal", "");
	assert_int_equal(strncmp(captured(*state), "<4>ts=", 6), 0);

	assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0); /* another stream's */
	log_init("till-edge", LOG_INFO);
	log_line(LOG_WARNING, "for a file", "");
	assert_int_equal(strncmp(captured(*state), "ts=", 3), 0);
}

static void test_a_flood_is_held_back_and_told_in_one_line(void **state)
{
	log_init("till-edge", LOG_INFO);
	for (int i = 0; i < 1000; i++) {
		log_line(LOG_INFO, "flood", "n=%d", i);
	}
	log_line(LOG_INFO, "another message", "");
	const char *text = captured(*state);
	assert_int_equal(count_lines(text), LOG_BURST + 1);
	assert_null(strstr(text, "n=10\n"));
	log_flush(true);
	assert_non_null(strstr(captured(*state), "msg=\"flood\" held_back=990\n"));
}

static void *log_some(void *owner)
{
	const char *name = owner;
	for (int i = 0; i < LOG_BURST; i++) {
		log_line(LOG_INFO, name, "thread=%s n=%d", name, i);
	}
	return NULL;
}

static void test_lines_of_several_threads_do_not_mix(void **state)
{
	static char names[4][8] = {"one", "two", "three", "four"};
	pthread_t threads[4];
	unsigned whole = 0;

	log_init("till-edge", LOG_INFO);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, log_some, names[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	for (char *at = (char *)(uintptr_t)captured(*state), *end; (end = strchr(at, '\n')) != NULL;
		at = end + 1) {
		char message[16], thread[16];
		*end = '\0';
		assert_int_equal(sscanf(at,
					 "ts=%*s level=info program=till-edge msg=\"%15[a-z]\" "
					 "thread=%15[a-z] n=%*d",
					 message, thread),
			2);
		assert_string_equal(message, thread);
		whole++;
	}
	assert_int_equal(whole, 4 * LOG_BURST);
}

static void test_the_limit_lets_a_burst_through_and_one_line_a_minute(void **state)
{
	static struct log_limit limit;
	struct log_held held = {"untouched", 0, 0};
	(void)state;

	for (int i = 0; i < LOG_BURST + 3; i++) {
		assert_int_equal(log_limit_pass(&limit, 4, "m", 1000 + i), i < LOG_BURST);
	}
	assert_false(log_limit_next_held(&limit, 1000 + LOG_WINDOW_MS - 1, false, &held));
	assert_string_equal(held.message, "untouched");
	assert_true(log_limit_next_held(&limit, 1000 + LOG_WINDOW_MS, false, &held));
	assert_string_equal(held.message, "m");
	assert_int_equal(held.level, 4);
	assert_int_equal(held.count, 3);
	/* It goes on: nothing but the one line in the next minute. */
	assert_false(log_limit_pass(&limit, 4, "m", 2000 + LOG_WINDOW_MS));
	assert_true(log_limit_next_held(&limit, 1000 + 2 * LOG_WINDOW_MS, false, &held));
	assert_int_equal(held.count, 1);
	/* A minute of silence, and all is as at first. */
	assert_true(log_limit_pass(&limit, 4, "m", 1000 + 3 * LOG_WINDOW_MS));
	assert_false(log_limit_next_held(&limit, INT64_MAX / 2, true, &held));
}

static void test_many_different_messages_all_pass(void **state)
{
	static struct log_limit limit;
	static char names[3 * LOG_MESSAGES_MAX][8];
	struct log_held held;
	(void)state;

	for (int i = 0; i < 3 * LOG_MESSAGES_MAX; i++) {
		snprintf(names[i], sizeof names[i], "m%d", i);
		assert_true(log_limit_pass(&limit, 6, names[i], i));
	}
	/* What is held back is never forgotten for the sake of a newcomer. */
	for (int i = 0; i < 2 * LOG_BURST; i++) {
		(void)log_limit_pass(&limit, 6, names[3 * LOG_MESSAGES_MAX - 1], 1000);
	}
	for (int i = 0; i < 2 * LOG_MESSAGES_MAX; i++) {
		assert_true(log_limit_pass(&limit, 6, names[i], 2000 + i));
	}
	assert_true(log_limit_next_held(&limit, 3000, true, &held));
	assert_string_equal(held.message, names[3 * LOG_MESSAGES_MAX - 1]);
	assert_int_equal(held.count, LOG_BURST + 1);
	assert_false(log_limit_next_held(&limit, 3000, true, &held));
}

static void test_when_all_places_hold_something_back_a_message_still_passes(void **state)
{
	static struct log_limit limit;
	static char names[LOG_MESSAGES_MAX][8];
	(void)state;

	for (int i = 0; i < LOG_MESSAGES_MAX; i++) {
		snprintf(names[i], sizeof names[i], "m%d", i);
		for (int j = 0; j <= LOG_BURST; j++) {
			(void)log_limit_pass(&limit, 6, names[i], 0);
		}
	}
	for (int j = 0; j <= LOG_BURST; j++) {
		assert_true(log_limit_pass(&limit, 6, "one more", 0));
	}
}

static void test_quoted_text_is_printable_and_fits(void **state)
{
	char out[16];
	(void)state;

	assert_string_equal(log_quote("a\"b\\", 4, out, sizeof out), "\"a\\\"b\\\\\"");
	assert_string_equal(log_quote("\n\xff", 2, out, sizeof out), "\"\\x0a\\xff\"");
	assert_string_equal(log_quote("M\xc3\xbcnchen", 8, out, sizeof out), "\"M\xc3\xbcnchen\"");
	assert_string_equal(
		log_quote("abcdefghijklmnopq", 17, out, sizeof out), "\"abcdefghijklm\"");
	assert_string_equal(log_quote("x", 1, out, 2), "");
}

static void test_only_real_utf8_counts_as_a_character(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{"a", 1},
		{"\xc3\xbc", 2},
		{"\xe2\x82\xac", 3},
		{"\xf0\x9f\x92\xb6", 4},
		{"\x80", 0}, /* a tail without a head */
		{"\xc0\x80", 0}, /* longer than it need be */
		{"\xe0\x80\xaf", 0},
		{"\xed\xa0\x80", 0}, /* half of a surrogate pair */
		{"\xf4\x90\x80\x80", 0}, /* past U+10FFFF */
		{"\xf8\x88\x80\x80\x80", 0},
		{"\xc3", 0}, /* cut off */
		{"\xe2\x82", 0},
		{"\xe2\x28\xa1", 0},
		{"", 0},
	};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(
			text_sequence_size(cases[i].bytes, strlen(cases[i].bytes)), cases[i].size);
	}
}

static void test_json_strings_are_escaped(void **state)
{
	char *text = NULL;
	size_t size = 0;
	(void)state;

	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	text_write_json(out, "a\"\\\n\xc3\xbc\xff");
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "\"a\\\"\\\\\\u000a\xc3\xbc\\ufffd\"");
	free(text);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, begin_capture, end_capture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_a_line_has_time_level_program_message_and_fields),
		LOG_TEST(test_lines_below_the_level_are_not_written),
		LOG_TEST(test_foreign_text_can_not_forge_a_line),
		LOG_TEST(test_the_journal_gets_the_level_in_front),
		LOG_TEST(test_a_flood_is_held_back_and_told_in_one_line),
		LOG_TEST(test_lines_of_several_threads_do_not_mix),
		cmocka_unit_test(test_the_limit_lets_a_burst_through_and_one_line_a_minute),
		cmocka_unit_test(test_many_different_messages_all_pass),
		cmocka_unit_test(test_when_all_places_hold_something_back_a_message_still_passes),
		cmocka_unit_test(test_quoted_text_is_printable_and_fits),
		cmocka_unit_test(test_only_real_utf8_counts_as_a_character),
		cmocka_unit_test(test_json_strings_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
