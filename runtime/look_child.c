#include "runtime/look_child.h"
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STANDARD_SIGNALS = 32 };

static void become_crashable(void)
{
	const struct sigaction deadly = {.sa_handler = SIG_DFL};
	const struct rlimit none = {0, 0};
	sigset_t empty;

	setrlimit(RLIMIT_CORE, &none);
	for (int number = 1; number < STANDARD_SIGNALS; number++) {
		sigaction(number, &deadly, NULL);
	}
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	(void)freopen("/dev/null", "w", stderr); /* LMDB's asserts speak of code, not of files */
}

static int result_of(int status)
{
	if (WIFEXITED(status)) {
		return WEXITSTATUS(status);
	}
	int number = WTERMSIG(status);
	bool is_killed = number == SIGKILL || number == SIGTERM || number == SIGINT;
	return is_killed ? -EINTR : LOOK_CRASHED;
}

int look_child_run(int (*look)(void *owner), void *owner)
{
	int status = 0;

	pid_t child = fork();
	if (child < 0) {
		return -errno;
	}
	if (child == 0) {
		become_crashable();
		_exit(look(owner));
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return result_of(status);
}
