#include "cli/child.h"

#include "cli/external.h"
#include "proto/document.h"
#include "runtime/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	READY_LINE_SIZE = 4096,
	READY_NODES_MAX = 64,
	READY_DEPTH_MAX = 4,
	POLL_MS = 50,
	LOG_TAIL_SIZE = 2048,
};

/* Between fork and exec: async-signal-safe calls only. */
static void become(const char *path, char *const argv[], int log_fd, int ready_fd, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) {
		_exit(1); /* the parent died before prctl */
	}
	int null_fd = open("/dev/null", O_RDONLY);
	dup2(null_fd, STDIN_FILENO);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	fcntl(ready_fd, F_SETFD, 0);
	execv(path, argv);
	_exit(127);
}

static int open_log(const struct child_spec *spec, struct child *child)
{
	int size = snprintf(child->log, sizeof child->log, "%s/%s%s%s.log", spec->folder,
		spec->program, spec->name[0] != '\0' ? "-" : "", spec->name);
	if (size < 0 || (size_t)size >= sizeof child->log) {
		return -ENAMETOOLONG;
	}
	int fd = open(child->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

static int spawn(const struct child_spec *spec, const char *path, int log_fd, struct child *child)
{
	char number[16];
	char flag[] = "--ready-fd";
	char *argv[CHILD_ARGUMENTS_MAX + 4];
	int pipe_fds[2];
	size_t count = 0;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		return -errno;
	}
	snprintf(number, sizeof number, "%d", pipe_fds[1]);
	argv[count++] = (char *)(uintptr_t)spec->program;
	argv[count++] = flag;
	argv[count++] = number;
	for (size_t i = 0; i < CHILD_ARGUMENTS_MAX && spec->arguments[i] != NULL; i++) {
		argv[count++] = (char *)(uintptr_t)spec->arguments[i];
	}
	argv[count] = NULL;
	pid_t parent = getpid();
	pid_t pid = fork();
	int r = pid < 0 ? -errno : 0;
	if (pid == 0) {
		become(path, argv, log_fd, pipe_fds[1], parent);
	}
	close(pipe_fds[1]);
	if (r < 0) {
		close(pipe_fds[0]);
		return r;
	}
	child->pid = pid;
	child->ready_fd = pipe_fds[0];
	return 0;
}

int child_start(const struct child_spec *spec, struct child *ret_child)
{
	char path[PROGRAM_PATH_SIZE];
	struct child child = {.ready_fd = -1};

	snprintf(child.name, sizeof child.name, "%s%s%s", spec->program,
		spec->name[0] != '\0' ? " " : "", spec->name);
	int r = external_find(spec->program, path);
	if (r < 0) {
		return r;
	}
	int log_fd = open_log(spec, &child);
	if (log_fd < 0) {
		return log_fd;
	}
	r = spawn(spec, path, log_fd, &child);
	close(log_fd);
	if (r == 0) {
		*ret_child = child;
	}
	return r;
}

static void copy_text(const struct node *node, char out[ENDPOINT_SIZE])
{
	if (node != NULL && node->type == NODE_ARRAY && node->count > 0) {
		node = node_first(node);
	}
	if (node != NULL && node->type == NODE_TEXT) {
		snprintf(out, ENDPOINT_SIZE, "%.*s", (int)node->text.size,
			(const char *)node->text.bytes);
	}
}

static int parse_ready(struct child *child, const char *line, size_t size)
{
	struct document document;
	struct complaint complaint;

	int r = document_init(&document, READY_NODES_MAX);
	if (r == 0) {
		r = document_decode(&document, ENCODING_JSON, slice_of(line, size), READY_DEPTH_MAX,
			&complaint);
		r = r > 0 ? -EPROTO : r;
	}
	if (r == 0) {
		copy_text(node_find(document.nodes, "listen"), child->listen);
		copy_text(node_find(document.nodes, "http"), child->http);
		copy_text(node_find(document.nodes, "bootstrap"), child->bootstrap);
	}
	document_deinit(&document);
	return r;
}

static bool was_asked_to_stop(void)
{
	sigset_t pending;

	sigemptyset(&pending);
	sigpending(&pending);
	return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

int child_wait_ready(struct child *child, int64_t timeout_ms)
{
	char line[READY_LINE_SIZE];
	size_t size = 0;
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	while (size == 0 || line[size - 1] != '\n') {
		struct pollfd item = {.fd = child->ready_fd, .events = POLLIN};
		if (was_asked_to_stop()) {
			return -EINTR;
		}
		if (clock_monotonic_ms() >= deadline_ms) {
			return -ETIMEDOUT;
		}
		if (poll(&item, 1, POLL_MS) <= 0) {
			continue;
		}
		ssize_t got = read(child->ready_fd, line + size, sizeof line - size);
		if (got <= 0) {
			return got == 0 ? -ECHILD : -errno;
		}
		size += (size_t)got;
		if (size == sizeof line) {
			return -EPROTO;
		}
	}
	close(child->ready_fd);
	child->ready_fd = -1;
	return parse_ready(child, line, size);
}

bool child_is_running(struct child *child)
{
	if (child->pid > 0 && waitpid(child->pid, NULL, WNOHANG) == child->pid) {
		child->pid = 0;
	}
	return child->pid > 0;
}

static void wait_until_gone(struct child *child, int64_t deadline_ms)
{
	const struct timespec pause = {0, POLL_MS * 1000000};

	while (child_is_running(child)) {
		if (clock_monotonic_ms() >= deadline_ms) {
			kill(child->pid, SIGKILL);
			waitpid(child->pid, NULL, 0);
			child->pid = 0;
			return;
		}
		nanosleep(&pause, NULL);
	}
}

void child_stop_all(struct child *children, size_t count, int64_t timeout_ms)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	for (size_t i = 0; i < count; i++) {
		if (child_is_running(&children[i])) {
			kill(children[i].pid, SIGTERM);
		}
	}
	for (size_t i = 0; i < count; i++) {
		wait_until_gone(&children[i], deadline_ms);
		if (children[i].ready_fd >= 0) {
			close(children[i].ready_fd);
			children[i].ready_fd = -1;
		}
	}
}

void child_show_log(const struct child *child)
{
	char tail[LOG_TAIL_SIZE + 1];
	FILE *file = fopen(child->log, "r");

	if (file == NULL) {
		return;
	}
	if (fseek(file, -LOG_TAIL_SIZE, SEEK_END) != 0) {
		rewind(file);
	}
	size_t size = fread(tail, 1, LOG_TAIL_SIZE, file);
	tail[size] = '\0';
	fclose(file);
	fprintf(stderr, "%s%s\n", tail, size > 0 && tail[size - 1] == '\n' ? "" : "\n");
}
