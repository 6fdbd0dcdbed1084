#include "runtime/program.h"
#include "runtime/clock.h"
#include "runtime/endpoint.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/notify.h"
#include "runtime/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *program_version(void)
{
	return TILL_VERSION;
}

static void write_strings(FILE *out, const char *name, const char *const *items)
{
	fprintf(out, "\"%s\":[", name);
	for (size_t i = 0; items[i] != NULL; i++) {
		fputs(i > 0 ? "," : "", out);
		text_write_json(out, items[i]);
	}
	fputc(']', out);
}

static void write_list(FILE *out, const char *name, const char *const *items)
{
	if (items != NULL) {
		fputc(',', out);
		write_strings(out, name, items);
	}
}

static void write_sources(FILE *out, const struct program_source *sources)
{
	if (sources == NULL || sources->name == NULL) {
		return;
	}
	for (const struct program_source *source = sources; source->name != NULL; source++) {
		fputs(source == sources ? ",\"sources\":{" : ",", out);
		write_strings(out, source->name, source->listen);
	}
	fputc('}', out);
}

static void write_text(FILE *out, const char *name, const char *text)
{
	if (text != NULL) {
		fprintf(out, ",\"%s\":", name);
		text_write_json(out, text);
	}
}

static void write_ready(FILE *out, const char *name, const struct program_endpoints *endpoints)
{
	fputs("{\"ready\":true,\"program\":", out);
	text_write_json(out, name);
	write_text(out, "version", program_version());
	fprintf(out, ",\"pid\":%ld", (long)getpid());
	write_list(out, "listen", endpoints->listen);
	write_list(out, "listen_push", endpoints->listen_push);
	write_sources(out, endpoints->sources);
	write_text(out, "publish", endpoints->publish);
	write_text(out, "bootstrap", endpoints->bootstrap);
	write_text(out, "http", endpoints->http);
	fputs("}\n", out);
}

int program_ready(
	struct program *program, const char *name, const struct program_endpoints *endpoints)
{
	(void)notify_send("READY=1");
	program_audit_end("start", NULL, "done");
	if (program->ready_fd < 0) {
		return 0;
	}
	FILE *out = fdopen(program->ready_fd, "w");
	if (out == NULL) {
		return -errno;
	}
	program->ready_fd = -1;
	write_ready(out, name, endpoints);
	return fclose(out) != 0 ? -errno : 0;
}

void program_stopping(void)
{
	(void)notify_send("STOPPING=1");
}

void program_alive(int64_t now_ms)
{
	static int64_t sent_ms = INT64_MIN / 2;

	log_flush(false);
	int64_t interval_ms = notify_watchdog_ms();
	if (interval_ms > 0 && now_ms - sent_ms >= interval_ms / 2) {
		(void)notify_send("WATCHDOG=1");
		sent_ms = now_ms;
	}
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t *due_ms = owner;

	if (now_ms >= *due_ms) {
		int64_t interval_ms = notify_watchdog_ms();
		program_alive(now_ms);
		/* A quarter, so that half the interval is never missed by a round; without one only the log. */
		*due_ms = now_ms + (interval_ms > 0 ? interval_ms / 4 : 10000);
	}
	*ret_wait_ms = *due_ms - now_ms;
	return 0;
}

int program_attach(struct loop *loop)
{
	static int64_t due_ms;
	return loop_add_tick(loop, on_tick, &due_ms);
}

int program_check_endpoints(
	const char *key, const char *endpoints, bool safe, struct config_error *error)
{
	char endpoint[256];

	while (!safe && config_list_next(&endpoints, endpoint, sizeof endpoint)) {
		if (!endpoint_is_local(endpoint)) {
			return config_fail(error,
				"%s: %s can be reached from other machines and asks for no keys; "
				"use 127.0.0.1 or ipc://, set up keys, or say [security] insecure "
				"= yes",
				key, endpoint);
		}
	}
	return 0;
}
