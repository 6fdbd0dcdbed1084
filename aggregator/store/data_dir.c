#include "aggregator/store/data_dir.h"
#include "runtime/sync_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DIR_MODE = 0750,
	FILE_MODE = 0640,
	/* One that was killed while it wrote holds the lock until the disk has answered. */
	LOCK_MS_MAX = 2000,
	LOCK_POLL_MS = 10,
};

int data_dir_make(const char *path, bool may_create)
{
	struct stat status;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		return 0;
	}
	if (!may_create) {
		return -ENOENT;
	}
	return mkdir(path, DIR_MODE) < 0 ? -errno : sync_parent_dir(path);
}

int data_dir_lock(const char *lock_path, int *ret_fd)
{
	int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);

	if (fd < 0) {
		return -errno;
	}
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ms += LOCK_POLL_MS) {
		if (waited_ms >= LOCK_MS_MAX) {
			close(fd);
			return -EBUSY;
		}
		poll(NULL, 0, LOCK_POLL_MS);
	}
	*ret_fd = fd;
	return 0;
}
