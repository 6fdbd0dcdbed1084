#include "runtime/config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_SIZE_MAX = 64 * 1024 };

static int read_to_end(int fd, char *text, size_t size, size_t *ret_size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, text + done, size - done);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return -errno;
		}
		if (got == 0) {
			*ret_size = done;
			return 0;
		}
		done += (size_t)got;
	}
	return -EFBIG;
}

/* systemd gives them to the service alone, by an access list that looks like rights of the group. */
static bool is_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t size = folder == NULL ? 0 : strlen(folder);
	return size > 0 && strncmp(path, folder, size) == 0 && path[size] == '/' &&
	       strstr(path, "/../") == NULL;
}

int config_check_secret_file(int fd, const char *path, const char *what, struct config_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return config_fail(error, "%s: %s", path, strerror(errno));
	}
	if (!S_ISREG(status.st_mode)) {
		return config_fail(error, "%s is not a file", path);
	}
	mode_t others = S_IRWXO | (is_credential(path) ? S_IWGRP : S_IRWXG);
	if ((status.st_mode & others) != 0) {
		return config_fail(
			error, "%s holds %s and is open to others: chmod 600 %s", path, what, path);
	}
	return 0;
}

int config_refuse_secret(const char *name, struct config_error *error)
{
	return config_fail(error,
		"everybody on this machine can read a command line; write the secret into a file, "
		"chmod 600, and give %s_file=PATH",
		name);
}

static int read_text(int fd, const char *path, char **ret_text, struct config_error *error)
{
	size_t size = 0;
	char *text = malloc(SECRET_SIZE_MAX + 1);
	if (text == NULL) {
		config_fail(error, "out of memory");
		return -ENOMEM;
	}
	int r = read_to_end(fd, text, SECRET_SIZE_MAX, &size);
	if (r < 0) {
		config_fail(error, "%s: %s", path, strerror(-r));
	}
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
		size--;
	}
	text[size] = '\0';
	if (r == 0 && (size == 0 || strlen(text) != size)) {
		r = config_fail(error, "%s is empty or not text", path);
	}
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	return 0;
}

int config_read_secret(const char *path, char **ret_text, struct config_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return config_fail(error, "%s: %s", path, strerror(errno));
	}
	int r = config_check_secret_file(fd, path, "a secret", error);
	if (r == 0) {
		r = read_text(fd, path, ret_text, error);
	}
	close(fd);
	return r;
}
