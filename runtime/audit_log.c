#include "runtime/audit_log.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOCAL_NAME_SIZE = 32, QUOTED_SIZE = 2048 };

static const char *name_of(const struct audit_entry *entry, char local[LOCAL_NAME_SIZE])
{
	if (entry->who != NULL) {
		return entry->who;
	}
	snprintf(local, LOCAL_NAME_SIZE, "uid:%lu", (unsigned long)getuid());
	return local;
}

static void write_member(FILE *out, const char *name, const char *value)
{
	fprintf(out, ",\"%s\":", name);
	text_write_json(out, value);
}

static int format_line(const struct audit_entry *entry, char **ret_line, size_t *ret_size)
{
	char local[LOCAL_NAME_SIZE], when[32];
	int64_t now_ms = clock_wall_ms();
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm parts;
	FILE *out = open_memstream(ret_line, ret_size);

	if (out == NULL) {
		return -errno;
	}
	gmtime_r(&seconds, &parts);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
	fprintf(out, "{\"time\":\"%s.%03dZ\"", when, (int)(now_ms % 1000));
	write_member(out, "program", entry->program);
	write_member(out, "who", name_of(entry, local));
	write_member(out, "action", entry->action);
	write_member(out, "arguments", entry->arguments);
	write_member(out, "result", entry->result);
	fputs("}\n", out);
	return fclose(out) == 0 ? 0 : -ENOMEM;
}

/* One write: a line is there whole, or the caller hears that it is not. */
static int append(const char *path, const char *line, size_t size)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return -errno;
	}
	ssize_t written = write(fd, line, size);
	int r = written < 0 ? -errno : (size_t)written < size ? -ENOSPC : 0;
	if (r == 0 && fdatasync(fd) < 0) {
		r = -errno;
	}
	return close(fd) < 0 && r == 0 ? -errno : r;
}

static void write_to_log(const struct audit_entry *entry)
{
	char local[LOCAL_NAME_SIZE], arguments[QUOTED_SIZE], result[QUOTED_SIZE];

	log_line(LOG_INFO, "audit", "who=%s action=%s arguments=%s result=%s",
		name_of(entry, local), entry->action,
		log_quote(entry->arguments, strlen(entry->arguments), arguments, sizeof arguments),
		log_quote(entry->result, strlen(entry->result), result, sizeof result));
}

int audit_write(const char *path, const struct audit_entry *entry, struct config_error *error)
{
	char *line = NULL;
	size_t size = 0;

	if (path == NULL || path[0] == '\0') {
		write_to_log(entry);
		return 0;
	}
	int r = format_line(entry, &line, &size);
	if (r == 0) {
		r = append(path, line, size);
	}
	free(line);
	if (r < 0) {
		config_fail(error, "the audit log %s can't be written: %s; %s is not done", path,
			strerror(-r), entry->action);
	}
	return r;
}

int audit_begin(const char *path, const struct audit_entry *entry)
{
	char quoted[QUOTED_SIZE];
	struct config_error error = {.text = ""};
	struct audit_entry begun = *entry;

	begun.result = "begun";
	int r = audit_write(path, &begun, &error);
	if (r < 0) {
		log_line(LOG_ERROR, "an action was refused", "why=%s",
			log_quote(error.text, strlen(error.text), quoted, sizeof quoted));
	}
	return r;
}

void audit_end(const char *path, const struct audit_entry *entry, const char *result)
{
	char quoted[QUOTED_SIZE];
	struct config_error error = {.text = ""};
	struct audit_entry ended = *entry;

	ended.result = result;
	int r = audit_write(path, &ended, &error);
	if (r < 0) {
		log_line(LOG_ERROR, "what became of an action can't be written down",
			"action=%s result=%s why=\"%s: %s\"", entry->action,
			log_quote(result, strlen(result), quoted, sizeof quoted), path,
			strerror(-r));
	}
}
