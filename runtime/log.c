#include "runtime/log.h"
#include "runtime/clock.h"
#include "runtime/log_limit.h"
#include "runtime/text.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, FIELDS_SIZE = 3072 };

static struct {
	pthread_mutex_t lock;
	const char *program;
	enum log_level level;
	bool journald;
	struct log_limit limit;
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .program = "till", .level = LOG_INFO};

/* journald says by JOURNAL_STREAM=device:inode which stream is its; ours may have been redirected since. */
static bool stderr_is_journald(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device = 0;
	unsigned long long inode = 0;
	struct stat status;

	if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2) {
		return false;
	}
	return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

static const char *level_name(int level)
{
	switch (level) {
	case LOG_ERROR:
		return "error";
	case LOG_WARNING:
		return "warning";
	case LOG_DEBUG:
		return "debug";
	default:
		return "info";
	}
}

static size_t write_head(char *line, size_t size, int level, const char *message)
{
	int64_t now_ms = clock_wall_ms();
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm utc;
	char stamp[32];
	char prefix[8] = "";

	(void)gmtime_r(&seconds, &utc);
	(void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
	if (log_state.journald) {
		snprintf(prefix, sizeof prefix, "<%d>", level);
	}
	int written = snprintf(line, size, "%sts=%s.%03dZ level=%s program=%s msg=\"%s\"", prefix,
		stamp, (int)(now_ms % 1000), level_name(level), log_state.program, message);
	return written < (int)size ? (size_t)written : size - 1;
}

/* One line is one write: lines of several threads and processes do not mix. */
static void write_line(int level, const char *message, const char *fields)
{
	char line[LINE_SIZE];

	size_t size = write_head(line, sizeof line - 1, level, message);
	size_t room = sizeof line - 1 - size;
	int more = snprintf(line + size, room, "%s%s", *fields != '\0' ? " " : "", fields);
	size += more < (int)room ? (size_t)more : room - 1;
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
			line[i] = ' ';
		}
	}
	line[size++] = '\n';
	ssize_t done = write(STDERR_FILENO, line, size);
	(void)done; /* there is nowhere to say that there is nowhere to say it */
}

static void write_held(bool all)
{
	struct log_held held;
	char fields[32];

	while (log_limit_next_held(&log_state.limit, clock_monotonic_ms(), all, &held)) {
		snprintf(fields, sizeof fields, "held_back=%u", held.count);
		write_line(held.level, held.message, fields);
	}
}

static void write_held_at_exit(void)
{
	log_flush(true);
}

void log_init(const char *program, enum log_level level)
{
	static bool registered;

	pthread_mutex_lock(&log_state.lock);
	log_state.program = program;
	log_state.level = level;
	log_state.journald = stderr_is_journald();
	if (!registered) {
		registered = atexit(write_held_at_exit) == 0;
	}
	pthread_mutex_unlock(&log_state.lock);
}

void log_flush(bool all)
{
	pthread_mutex_lock(&log_state.lock);
	write_held(all);
	pthread_mutex_unlock(&log_state.lock);
}

void log_line(enum log_level level, const char *message, const char *fields, ...)
{
	char text[FIELDS_SIZE];
	va_list arguments;

	if (level > log_state.level) {
		return;
	}
	va_start(arguments, fields);
	int size = vsnprintf(text, sizeof text, fields, arguments);
	va_end(arguments);
	if (size >= (int)sizeof text) {
		memcpy(text + sizeof text - 5, "...\"", 5);
	}
	pthread_mutex_lock(&log_state.lock);
	write_held(false);
	if (log_limit_pass(&log_state.limit, level, message, clock_monotonic_ms())) {
		write_line(level, message, text);
	}
	pthread_mutex_unlock(&log_state.lock);
}

static size_t escape_for_log(const char *text, size_t size, char *out)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)*text;

	if (size == 0 || byte < 0x20 || byte == 0x7f) {
		memcpy(out, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, 4);
		return 4;
	}
	if (byte == '"' || byte == '\\') {
		memcpy(out, (char[]){'\\', (char)byte}, 2);
		return 2;
	}
	memcpy(out, text, size);
	return size;
}

const char *log_quote(const void *text, unsigned long size, char *out, unsigned long out_size)
{
	if (out_size >= sizeof "\"\"") {
		text_quote(out, out_size, text, size, escape_for_log);
	} else if (out_size > 0) {
		out[0] = '\0';
	}
	return out;
}
