#include "runtime/file_birth.h"
#include "runtime/sync_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static int make(const char *path, unsigned mode)
{
	MDB_env *env = NULL;

	int rc = mdb_env_create(&env);
	if (rc == 0) { /* opening writes the first two pages */
		rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, mode);
		mdb_env_close(env);
	}
	return rc < 0 ? -EIO : -rc;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	int r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int file_birth(const char *dir, unsigned mode)
{
	char path[PATH_SIZE], unborn[PATH_SIZE];
	struct stat status;

	if (snprintf(path, sizeof path, "%s/data.mdb", dir) >= (int)sizeof path ||
		snprintf(unborn, sizeof unborn, "%s/unborn.mdb", dir) >= (int)sizeof unborn) {
		return -ENAMETOOLONG;
	}
	if (stat(path, &status) == 0 && status.st_size > 0) {
		return 0;
	}
	(void)unlink(unborn); /* somebody died over it */
	int r = make(unborn, mode);
	if (r == 0) {
		r = sync_file(unborn);
	}
	if (r == 0 && rename(unborn, path) < 0) {
		r = -errno;
	}
	return r == 0 ? sync_dir(dir) : r;
}
