/* child.h - a program of till run by this one: started with --ready-fd, waited for, stopped by its own pid. It gets
 * SIGTERM when this process dies, whatever the way, and a process group of its own, so that Ctrl-C on the terminal ends
 * it only when we say so. */
#pragma once
#include "runtime/socket.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_ARGUMENTS_MAX = 24, CHILD_PATH_SIZE = 4096 };

struct child {
	char name[64]; /* for messages: "till-edge berlin" */
	char log[CHILD_PATH_SIZE]; /* its stderr and stdout */
	pid_t pid; /* 0: not running */
	int ready_fd; /* -1: none */
	/* From its ready line; "" where it does not say. */
	char listen[ENDPOINT_SIZE];
	char http[ENDPOINT_SIZE];
	char bootstrap[ENDPOINT_SIZE];
};

struct child_spec {
	const char *program; /* "till-edge" */
	const char *name; /* "" or what tells it from its like */
	const char *folder; /* its log goes to FOLDER/PROGRAM-NAME.log */
	const char *arguments[CHILD_ARGUMENTS_MAX]; /* ends with NULL */
};

/* 0, -ENOENT (no such program), -errno. */
int child_start(const struct child_spec *spec, struct child *ret_child);
/* 0; -ECHILD: it ended; -ETIMEDOUT; -EINTR: SIGINT or SIGTERM came; -EPROTO: no ready line. */
int child_wait_ready(struct child *child, int64_t timeout_ms);
/* false once it has ended; collects it then. */
bool child_is_running(struct child *child);
/* SIGTERM to all, then SIGKILL for who is not gone by the deadline. */
void child_stop_all(struct child *children, size_t count, int64_t timeout_ms);
/* The last lines of its log on stderr. */
void child_show_log(const struct child *child);
