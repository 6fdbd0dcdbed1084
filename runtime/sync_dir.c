#include "runtime/sync_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	int r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int sync_parent_dir(const char *path)
{
	char parent[PATH_SIZE];

	if (snprintf(parent, sizeof parent, "%s/..", path) >= (int)sizeof parent) {
		return -ENAMETOOLONG;
	}
	return sync_dir(parent);
}
