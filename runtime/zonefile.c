#include "runtime/zonefile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE_MAX = 64, PATH_SIZE = 1024 };

/* "Europe/Berlin", "Etc/GMT+5": parts of letters, digits, "_", "+", "-" between single slashes. */
static bool name_is_safe(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	size_t size = strlen(name);

	return size > 0 && size <= NAME_SIZE_MAX && strspn(name, allowed) == size &&
	       name[0] != '/' && name[size - 1] != '/' && strstr(name, "//") == NULL;
}

static int read_whole(int fd, uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = read(fd, bytes + done, size - done);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got < 0 ? -errno : -EINVAL; /* shrank while we read it */
		}
		done += (size_t)got;
	}
	return 0;
}

static int read_zone(int fd, uint8_t **ret_bytes, size_t *ret_size)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return -errno;
	}
	if (!S_ISREG(status.st_mode) || status.st_size < 4 || status.st_size > ZONEFILE_SIZE_MAX) {
		return -EINVAL;
	}
	size_t size = (size_t)status.st_size;
	uint8_t *bytes = malloc(size);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	int r = read_whole(fd, bytes, size);
	if (r == 0 && memcmp(bytes, "TZif", 4) != 0) {
		r = -EINVAL;
	}
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

int zonefile_read(const char *name, uint8_t **ret_bytes, size_t *ret_size)
{
	const char *folder = getenv("TZDIR");
	char path[PATH_SIZE];

	if (!name_is_safe(name)) {
		return -EINVAL;
	}
	if (folder == NULL || *folder == '\0') {
		folder = "/usr/share/zoneinfo";
	}
	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
		return -ENAMETOOLONG;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	int r = read_zone(fd, ret_bytes, ret_size);
	close(fd);
	return r;
}
