#include "tests/lib/killed_reader.h"
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's own environment: that of its parent is not for it. */
static void read_for_ever(const char *dir, int told_fd)
{
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;

	bool reads = mdb_env_create(&env) == 0 &&
		     mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS, 0600) == 0 &&
		     mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0;
	while (reads && write(told_fd, "", 1) == 1) {
		pause();
	}
	_exit(1);
}

int killed_reader_leave(const char *dir)
{
	int pipe_fds[2];
	char told;

	if (pipe(pipe_fds) < 0) {
		return -errno;
	}
	pid_t child = fork();
	if (child == 0) {
		close(pipe_fds[0]);
		read_for_ever(dir, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	bool reads = child > 0 && read(pipe_fds[0], &told, 1) == 1;
	close(pipe_fds[0]);
	if (child < 0) {
		return -errno;
	}
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) == child && reads ? 0 : -EIO;
}
