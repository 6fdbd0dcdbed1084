/* program.h - what every daemon does the same way around its own work: arguments (-c FILE, -o section.key=value,
 * --check, --print-config, --ready-fd N, --log-level L, --help, --version), log, READY to --ready-fd and to systemd, exit codes.
 * main.c: program_parse, construct, program_ready, loop_run, free. */
#pragma once
#include "runtime/config.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;

enum exit_code {
	EXIT_STOPPED = 0, /* as asked */
	EXIT_FAILED = 1, /* a restart may help */
	EXIT_USAGE = 2, /* usage or configuration */
	EXIT_NOT_REACHED = 3, /* till only */
	EXIT_DECISION = 4, /* needs an operator's decision */
};

enum { PROGRAM_FILES_MIN = 256 }; /* with fewer descriptors no daemon starts */

/* A program's own flags, beside the common ones. */
struct program_flag {
	const char *name; /* "--accept-cluster" */
	const char *argument; /* "ID"; NULL: takes none */
	const char *help;
	/* Where it goes: const char * (borrowed from argv; NULL before) or bool. */
	const char **ret_text;
	bool *ret_set;
	unsigned count_max; /* above 1: ret_text is an array of so many, filled from the front */
};

struct program_spec {
	const char *name; /* "till-edge" */
	const char *summary; /* one line */
	const struct config_schema *schema;
	void *target;
	const struct program_flag *flags; /* ends with name NULL; may be NULL */
	/* Checks across keys, after the file is read; 0 or -EINVAL with the error set. May be NULL. */
	int (*validate)(void *target, struct config_error *error);
};

struct program {
	int ready_fd; /* -1: none */
};

/* Returns -1 to go on, else the exit code to end with at once (after --help, --check, an error…). */
int program_parse(struct program *program, const struct program_spec *spec, int argc, char **argv);

/* One line of JSON to --ready-fd, then closes it; READY=1 to systemd. Lists end with NULL; what is NULL is left out. */
struct program_source {
	const char *name;
	const char *const *listen;
};
struct program_endpoints {
	const char *const *listen;
	const char *const *listen_push;
	const struct program_source *sources; /* ends with name NULL */
	const char *publish;
	const char *bootstrap;
	const char *http;
};
int program_ready(
	struct program *program, const char *name, const struct program_endpoints *endpoints);
/* STOPPING=1 to systemd. */
void program_stopping(void);
/* WATCHDOG=1 to systemd when it is time, and what the log held back: call from a tick, or let program_attach do it. */
void program_alive(int64_t now_ms);
int program_attach(struct loop *loop);

/* For `validate`: refuses endpoints (a list) that other machines reach, unless `safe`: keys are set up or
 * [security] insecure = yes. `key` is for the words: "[edge] listen". 0 or -EINVAL with the error set. */
int program_check_endpoints(
	const char *key, const char *endpoints, bool safe, struct config_error *error);
/* Writes an operator's action into the audit log before it is done (audit_log.h). 0, or EXIT_FAILED after saying why it
 * can't be: then it must not be done. All texts are borrowed until program_audit_end_all. */
int program_audit(const char *file, const char *program, const char *action, const char *arguments);
/* What became of one that was begun and not ended yet: "done", "refused: why", "failed: why". `arguments` NULL: any.
 * program_ready does it for "start". */
void program_audit_end(const char *action, const char *arguments, const char *result);
/* Before main returns: of all that are left. */
void program_audit_end_all(const char *result);
const char *program_version(void);
